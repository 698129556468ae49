//! The seeded simulator: whole groups in virtual time, with faults, and the invariants they keep.
//!
//! The sentinel and replication machines and the log are the real ones; network, disks, clocks and
//! clients are simulated, and nothing here does I/O. [`play`] runs one seed, [`campaign::Campaign`]
//! many. `README.md` tells what is simulated, what is checked and what is left out.

pub mod campaign;
mod client;
mod fault;
mod ledger;
mod mutation;
mod network;
mod node;
mod queue;
mod replication;
mod rounds;
mod server;
mod session;
mod setup;
mod start;
mod trace;
mod watcher;
mod world;

pub use fault::Kinds;
pub use mutation::Mutation;
pub use rounds::{Outcome, failover_bound, healing_bound, play};
pub use setup::Setup;
pub use trace::Trace;
pub use world::World;
