//! Append-only files as stock 7 keeps them: a manifest, a base, and increments of logged commands.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest      which files, in which order
//! appendonlydir/appendonly.aof.2.base.rdb    the data at a cut: a snapshot, or commands (.aof)
//! appendonlydir/appendonly.aof.2.incr.aof    the log behind the cut: requests, #TS: notes between
//! ```
//!
//! [`Manifest`] says which files there are and what a rewrite makes of them; [`Records`] reads the
//! requests of one file, and how far it is whole. Nothing here touches a file or knows commands.
//!
//! Invariants: reading never panics and never allocates more than the input justifies; a request that
//! is not whole is never given out; what stands before `whole_until` is a sequence of whole requests
//! and whole transactions.
//!
//! Source: files written by stock 7.0.15, and what its redis-check-aof says of damaged ones.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod manifest;
pub mod records;

pub use manifest::{Manifest, ManifestError, Part, Piece};
pub use records::{Damage, Record, Records};
