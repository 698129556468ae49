//! The `rdb` crate.
