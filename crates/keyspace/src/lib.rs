//! The `keyspace` crate.
