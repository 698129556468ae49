//! Append-only files as stock 7 keeps them: a manifest, a base, and increments of logged commands.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest      which files, in which order
//! appendonlydir/appendonly.aof.2.base.rdb    the data at a cut: a snapshot, or commands (.aof)
//! appendonlydir/appendonly.aof.2.incr.aof    the log behind the cut: requests, #TS: notes between
//! ```
//!
//! [`Manifest`] says which files there are and what a rewrite makes of them, [`Directory`] keeps it and
//! them on the disk; [`Records`] reads the requests of one file, and [`survey()`] how far it is whole;
//! [`Appender`] writes one. Nothing here knows commands.
//!
//! Invariants: reading never panics and never allocates more than the input justifies; a request that
//! is not whole is never given out; what stands before `whole_until` is a sequence of whole requests
//! and whole transactions.
//!
//! Source: files written by stock 7.0.15, and what its redis-check-aof says of damaged ones.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod appender;
pub mod directory;
pub mod manifest;
pub mod note;
pub mod records;
pub mod survey;

pub use appender::{AppendError, Appender};
pub use directory::{Directory, DirectoryError};
pub use manifest::{Manifest, ManifestError, Part, Piece};
pub use note::Note;
pub use records::{Damage, Record, Records};
pub use survey::{Survey, survey};
