//! The shared keyspace: slots, shards, lock sets, expiry, watched keys and snapshot walks.
//!
//! Every key lives in the shard `slot mod 1024` (CRC16 with hash tags, in every mode); a shard holds
//! its part of all databases behind one short lock. A command locks the shards of its keys in
//! ascending order ([`LockSet`]) or has the whole keyspace to itself for an instant ([`gate`]).
//! Nothing here knows commands, clients or the log.

mod db;
mod fragments;
pub mod gate;
mod keyspace;
mod lockset;
mod relocate;
mod shard;
mod slot;
mod sync;
mod walk;
mod watch;

pub use db::Db;
pub use gate::{Exclusive, Gate, Seat};
pub use keyspace::{Keyspace, SHARD_COUNT};
pub use lockset::LockSet;
pub use relocate::Unmoved;
pub use shard::{Change, Ended, Shard};
pub use slot::{SLOT_COUNT, Slot};
pub use walk::{Record, Recorder, Step, Visitor, WALKS_MAX, Walk};
pub use watch::WatchFlag;

/// An entry of the keyspace: a key with its value, in one allocation.
pub type Entry = structures::Entry<values::Object>;
