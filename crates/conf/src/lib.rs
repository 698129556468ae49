//! The `conf` crate.
