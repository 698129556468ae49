//! The `spec` crate.
