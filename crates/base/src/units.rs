//! Positions and times as types, so that two numbers of different meaning cannot be swapped.

use std::fmt;
use std::ops::{Add, Sub};

/// A point in time or a span, in milliseconds. Which clock it belongs to (monotonic or Unix) is the
/// business of whoever made it; machines only compare and add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The span from `earlier` to `self`, zero if `earlier` is later. O(1).
    pub fn since(self, earlier: Millis) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Millis {
    type Output = Millis;
    fn add(self, span: Millis) -> Millis {
        Millis(self.0.saturating_add(span.0))
    }
}

/// A replication offset: the number of bytes of the command stream before a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Add<u64> for Offset {
    type Output = Offset;
    fn add(self, bytes: u64) -> Offset {
        Offset(self.0.saturating_add(bytes))
    }
}

impl Sub for Offset {
    type Output = u64;
    /// The distance in bytes, zero if `earlier` is later.
    fn sub(self, earlier: Offset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
