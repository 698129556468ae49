//! Counts and lengths as integer replies.

/// `number` as a reply carries it; no count that fits in memory is cut.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
