//! The `resp` crate.
