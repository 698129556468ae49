//! The `commands` crate.
