//! The bytes of the log that are still held: sealed segments that are shared, and one open tail.
//!
//! ```text
//! start                                                    end
//! | sealed (Arc) | sealed (Arc) | sealed (Arc) | tail, growing
//! ```
//!
//! A segment is sealed when it is full and never changes afterwards, so readers copy from it
//! without the log's lock. A freed segment is kept for the next tail: in the steady state the log
//! allocates nothing and its pages are already mapped.
//!
//! Invariant: the segments are contiguous; each but the tail holds exactly [`SEGMENT_BYTES`].

use std::collections::VecDeque;
use std::sync::Arc;

/// The size of a segment.
pub const SEGMENT_BYTES: usize = 1 << 20;

/// Bytes that will never change, beginning at offset `start`.
#[derive(Debug)]
pub(crate) struct Segment {
    start: u64,
    bytes: Vec<u8>,
}

impl Segment {
    /// The bytes from offset `position` on, or nothing if they are not in this segment.
    pub(crate) fn from(&self, position: u64) -> &[u8] {
        let skip = position.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.bytes.get(skip..)).unwrap_or_default()
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// Where the bytes of a position are.
#[derive(Debug)]
pub(crate) enum Located<'a> {
    /// In a sealed segment, to be read without the lock.
    Sealed(Arc<Segment>),
    /// In the tail: the bytes from the position on.
    Tail(&'a [u8]),
    /// No longer, or not yet, held.
    Absent,
}

/// The held bytes.
#[derive(Debug)]
pub(crate) struct Segments {
    sealed: VecDeque<Arc<Segment>>,
    tail: Segment,
    spare: Option<Vec<u8>>,
}

impl Segments {
    /// No bytes, at offset `at`.
    pub(crate) fn new(at: u64) -> Segments {
        let tail = Segment { start: at, bytes: Vec::new() };
        Segments { sealed: VecDeque::new(), tail, spare: None }
    }

    /// The first held offset.
    pub(crate) fn start(&self) -> u64 {
        self.sealed.front().map_or(self.tail.start, |first| first.start)
    }

    /// The offset behind the last held byte.
    pub(crate) fn end(&self) -> u64 {
        self.tail.end()
    }

    /// The memory that is taken.
    pub(crate) fn memory(&self) -> usize {
        let spare = self.spare.as_ref().map_or(0, Vec::capacity);
        self.sealed.len() * SEGMENT_BYTES + self.tail.bytes.capacity() + spare
    }

    /// Adds bytes behind the end. True if a segment was sealed, so that trimming may free one.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> bool {
        let mut sealed = false;
        while !bytes.is_empty() {
            if self.tail.bytes.capacity() == 0 {
                let fresh = self.spare.take();
                self.tail.bytes = fresh.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES));
            }
            let room = SEGMENT_BYTES - self.tail.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.tail.bytes.extend_from_slice(now);
            bytes = later;
            if self.tail.bytes.len() == SEGMENT_BYTES {
                self.seal();
                sealed = true;
            }
        }
        sealed
    }

    fn seal(&mut self) {
        let next = Segment { start: self.tail.end(), bytes: Vec::new() };
        let full = std::mem::replace(&mut self.tail, next);
        self.sealed.push_back(Arc::new(full));
    }

    /// Frees the segments that lie wholly before `floor`.
    pub(crate) fn trim(&mut self, floor: u64) {
        while self.sealed.front().is_some_and(|first| first.end() <= floor) {
            if let Some(freed) = self.sealed.pop_front() {
                self.recycle(freed);
            }
        }
    }

    fn recycle(&mut self, freed: Arc<Segment>) {
        if self.spare.is_none()
            && let Ok(mut segment) = Arc::try_unwrap(freed)
        {
            segment.bytes.clear();
            self.spare = Some(segment.bytes);
        }
    }

    /// Forgets every byte and stands at offset `at`.
    pub(crate) fn clear(&mut self, at: u64) {
        *self = Segments::new(at);
    }

    /// Where the bytes at `position` are. O(log segments).
    pub(crate) fn locate(&self, position: u64) -> Located<'_> {
        if position >= self.tail.start {
            return if position <= self.tail.end() {
                Located::Tail(self.tail.from(position))
            } else {
                Located::Absent
            };
        }
        let behind = self.sealed.partition_point(|segment| segment.end() <= position);
        match self.sealed.get(behind) {
            Some(segment) if segment.start <= position => Located::Sealed(Arc::clone(segment)),
            _ => Located::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_and_trims_whole_segments() {
        let size = SEGMENT_BYTES as u64;
        let mut segments = Segments::new(7);
        assert!(!segments.push(&[1; 10]));
        assert!(segments.push(&vec![2; 2 * SEGMENT_BYTES]));
        assert_eq!((segments.start(), segments.end()), (7, 17 + 2 * size));
        for (floor, start) in
            [(7, 7), (6 + size, 7), (7 + size, 7 + size), (u64::MAX, 7 + 2 * size)]
        {
            segments.trim(floor);
            assert_eq!(segments.start(), start, "floor {floor}");
        }
        assert!(segments.spare.is_some());
        assert!(matches!(segments.locate(7), Located::Absent));
        assert!(matches!(segments.locate(7 + 2 * size), Located::Tail(bytes) if bytes == [2; 10]));
        assert!(matches!(segments.locate(18 + 2 * size), Located::Absent));
    }
}
