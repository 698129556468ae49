//! What values are and do: operations on bytes that know no keys, clients or protocol.
//!
//! [`string`] holds the pure operations on strings, each with the limits and the rounding of stock
//! 7.0; a [`Collection`] has elements; [`Object`] is the boxed form of a value too large to lie inline
//! beside its key; [`digest`] compares whole datasets. Nothing here allocates more than its result needs, and nothing panics on the bytes it is given.

pub mod bitmap;
pub mod collection;
pub mod digest;
pub mod fields;
mod foreign;
pub mod fragment;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod object;
pub mod opaque;
mod relocate;
pub mod set;
mod shared;
pub mod sorted_set;
pub mod stream;
pub mod string;
mod sweep;

pub use collection::Collection;
pub use digest::{DatasetDigest, Digest, KeysDigest, ValueDigest};
pub use hash::{Hash, HashLimits, HashRef};
pub use list::{List, ListLimits, ListRef};
pub use object::{Kind, Object};
pub use opaque::Opaque;
pub use set::{Set, SetLimits, SetRef};
pub use shared::Shared;
pub use sorted_set::{SortedSet, SortedSetLimits, SortedSetRef};
pub use stream::Stream;
pub use string::{StringError, StringForm, encode};
