//! The `structures` crate.
