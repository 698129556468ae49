//! The snapshot format of Redis: writing what stock 7.0 loads, reading what any server wrote.
//!
//! [`save::Writer`] puts a snapshot together from records that [`save::Encoder`]s make, possibly on
//! other threads; [`file::save_to_file`] makes the result durable under its name, or leaves nothing.
//! [`load::Loader`] pulls items out of any `io::Read`. `README.md` beside this crate draws the format.
//!
//! Invariants: reading never panics and never allocates more than the input read so far justifies;
//! a snapshot that ends without an error had its checksum verified (unless its writer left it out).
//!
//! Source: Redis documentation and files written by stock 7.0.15; for newer versions the numbers in
//! the headers of Redis 8 and Valkey 9.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod checksum;
pub mod file;
pub mod format;
#[cfg(test)]
mod golden;
pub mod load;
pub mod payload;
pub mod save;
pub mod stream;

pub use file::{SaveError, save_to_file, temporary_name, write_and_sync};
pub use format::Attributes;
pub use load::{
    Fields, HashField, Item, LoadError, LoadedKey, LoadedNode, LoadedValue, Loader, MemberExpiry,
    ModuleData, Piece, RawKeys,
};
pub use payload::{RestoreError, restore};
pub use save::{
    Encoder, Info, ListNode, Options, Replication, SavedField, SavedValue, StringRef, Writer,
};
pub use stream::{StreamConsumer, StreamGroup, StreamId, StreamImage, StreamPending};
