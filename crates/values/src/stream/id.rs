//! The id of an entry: a time in milliseconds and a number within it, written `ms-seq`.

use std::fmt;

/// Bytes of the longest id that is read at all.
const ID_BYTES_MAX: usize = 127;

/// An entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, as whoever added the entry saw it.
    pub ms: u64,
    /// Its number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The lowest id; no entry has it.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The highest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// An id of these parts.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// Both parts in one number, in the same order.
    pub(super) fn to_bits(self) -> u128 {
        u128::from(self.ms) << u64::BITS | u128::from(self.seq)
    }

    /// The id of such a number.
    pub(super) fn from_bits(bits: u128) -> StreamId {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        StreamId { ms: half(bits >> u64::BITS), seq: half(bits) }
    }

    /// The id behind this one; `None` behind the highest.
    pub const fn next(self) -> Option<StreamId> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(StreamId { ms: self.ms, seq }),
            (None, Some(ms)) => Some(StreamId { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The id before this one; `None` before the lowest.
    pub const fn previous(self) -> Option<StreamId> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(StreamId { ms: self.ms, seq }),
            (None, Some(ms)) => Some(StreamId { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }

    /// Reads `ms` or `ms-seq`; `missing` is the second part where there is none.
    pub fn parse(text: &[u8], missing: u64) -> Option<StreamId> {
        match StreamId::parse_open(text, missing)? {
            (ms, Some(seq)) => Some(StreamId { ms, seq }),
            (_, None) => None,
        }
    }

    /// As [`StreamId::parse`], but the second part may be `*`, given as `None`.
    pub fn parse_open(text: &[u8], missing: u64) -> Option<(u64, Option<u64>)> {
        if text.len() > ID_BYTES_MAX {
            return None;
        }
        let mut parts = text.splitn(2, |&byte| byte == b'-');
        let ms = number(parts.next()?)?;
        let seq = match parts.next() {
            None => Some(missing),
            Some(b"*") => None,
            Some(seq) => Some(number(seq)?),
        };
        Some((ms, seq))
    }

    /// The id as stock's trees and snapshots have it.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The id as bytes on the wire.
    pub fn to_bytes(self) -> Vec<u8> {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        [ms.format(self.ms), "-", seq.format(self.seq)].concat().into_bytes()
    }
}

/// Reads a number as stock does: leading zeros and one plus are let pass.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        write!(f, "{}-{}", ms.format(self.ms), seq.format(self.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written() {
        for (text, expected) in [
            ("1-2", Some((1, 2))),
            ("1", Some((1, 9))),
            ("007-01", Some((7, 1))),
            ("18446744073709551615-18446744073709551615", Some((u64::MAX, u64::MAX))),
            ("18446744073709551616-1", None),
            ("1-", None),
            ("-1", None),
            ("1-*", None),
            ("1-2-3", None),
            ("a-1", None),
            ("", None),
        ] {
            let expected = expected.map(|(ms, seq)| StreamId::new(ms, seq));
            assert_eq!(StreamId::parse(text.as_bytes(), 9), expected, "{text}");
        }
        assert_eq!(StreamId::parse_open(b"5-*", 0), Some((5, None)));
        assert_eq!(StreamId::new(5, 6).to_string(), "5-6");
    }

    #[test]
    fn neighbours() {
        assert_eq!(StreamId::new(1, u64::MAX).next(), Some(StreamId::new(2, 0)));
        assert_eq!(StreamId::new(2, 0).previous(), Some(StreamId::new(1, u64::MAX)));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
    }
}
