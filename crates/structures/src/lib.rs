//! The two containers of the keyspace: [`Entry`], one allocation holding a key and its value, and
//! [`Table`], an incrementally growing hash table of entries. Beside them the packed forms of small
//! collections, [`listpack`] and [`intset`], and their compression, [`lzf`], which are safe code; and the
//! form of large sets, [`PagedSet`]. A [`Mover`] moves what they own to better places in memory.
//!
//! This is one of the few places where `unsafe` is allowed: every block names its premises, the
//! tests compare with safe twins from `std`, and nothing unsafe is visible from outside. The layouts
//! and invariants are drawn in `README.md`.

#![allow(unsafe_code, reason = "thin pointers and tagged slots; the premises stand at every block")]

mod chain;
mod entry;
mod hashing;
pub mod intset;
mod linear;
pub mod listpack;
pub mod lzf;
mod mover;
mod paged_set;
mod prefetch;
mod size_class;
mod sorted;
mod table;

pub use entry::{Entry, KEY_BYTES_MAX, NewValue, VALUE_BYTES_MAX, ValueMut, ValueRef};
pub use hashing::KeyHash;
pub use mover::{Hints, Mover};
pub use paged_set::{Member, PageIter, PageWatch, PagedIter, PagedSet};
pub use size_class::size_class;
pub use sorted::{MemberHash, Sorted, SortedIter};
pub use table::{Iter, KeyHasher, Table};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("slots keep 16 bits of hash in the unused high bits of 64-bit pointers");
