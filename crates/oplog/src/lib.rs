//! The `oplog` crate.
