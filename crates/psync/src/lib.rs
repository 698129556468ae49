//! The `psync` crate.
