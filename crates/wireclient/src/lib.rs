//! The `wireclient` crate.
