//! The `sentinel` crate.
