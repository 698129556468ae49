//! The `values` crate.
