//! A cursor in the log: a replica link, a file writer, an archive.
//!
//! A reader copies sealed segments without the log's lock, and the open tail under it in pieces of
//! at most [`TAIL_COPY_BYTES_MAX`], so that it never holds up writers for long. While it exists the
//! log keeps what it has not read, up to the log's limit; a reader that falls further behind gets
//! [`ReadError::Lagged`] and must begin anew (a replica: by a full sync).

use crate::atomic::Ordering;
use crate::log::{Cursor, Log};
use crate::segments::{Located, Segment};
use base::Offset;
use std::sync::Arc;

/// The bytes copied from the tail under one locking of the log.
pub const TAIL_COPY_BYTES_MAX: usize = 64 * 1024;

/// The asked position is not held any more, or does not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {from} lies outside of the held log {first}..{end}")]
pub struct OutOfBacklog {
    /// The position asked for.
    pub from: Offset,
    /// The first held position.
    pub first: Offset,
    /// The end of the log.
    pub end: Offset,
}

/// Why a reader cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The reader was too slow: the bytes at its position were freed.
    #[error("the reader fell behind the held part of the log")]
    Lagged,
    /// The log was reset to another history.
    #[error("the history of the log was replaced")]
    HistoryReplaced,
}

/// A cursor. Dropping it lets the log free what only this reader needed.
#[derive(Debug)]
pub struct Reader {
    log: Arc<Log>,
    generation: u64,
    position: Arc<Cursor>,
    segment: Option<Arc<Segment>>,
}

impl Reader {
    pub(crate) fn new(log: Arc<Log>, generation: u64, position: Arc<Cursor>) -> Reader {
        Reader { log, generation, position, segment: None }
    }

    /// Appends at most `max` bytes to `out` and moves on. Zero means that everything was read.
    ///
    /// # Errors
    /// When the position is not held any more; every later read fails as well.
    pub fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<usize, ReadError> {
        let mut copied = 0;
        while copied < max {
            let piece = self.read_piece(max - copied, out)?;
            if piece == 0 {
                break;
            }
            copied += piece;
        }
        Ok(copied)
    }

    fn read_piece(&mut self, max: usize, out: &mut Vec<u8>) -> Result<usize, ReadError> {
        if self.log.generation() != self.generation {
            return Err(ReadError::HistoryReplaced);
        }
        let position = self.position().0;
        if position == self.log.end().0 {
            return Ok(0);
        }
        let held = self.segment.as_ref().map_or(&[][..], |segment| segment.from(position));
        let copied = if held.is_empty() {
            let log = Arc::clone(&self.log);
            let state = log.state();
            if log.generation() != self.generation {
                return Err(ReadError::HistoryReplaced);
            }
            match state.segments.locate(position) {
                Located::Absent => return Err(ReadError::Lagged),
                Located::Tail(bytes) => copy(bytes, max.min(TAIL_COPY_BYTES_MAX), out),
                Located::Sealed(segment) => {
                    drop(state);
                    let copied = copy(segment.from(position), max, out);
                    self.segment = Some(segment);
                    copied
                }
            }
        } else {
            copy(held, max, out)
        };
        let position = position + copied as u64;
        // What was read to its end is the log's to free.
        self.segment.take_if(|segment| segment.from(position).is_empty());
        self.position.at.store(position, Ordering::Release);
        Ok(copied)
    }

    /// After a pinned reader has read: true if the log was full and is not any more, so that those who
    /// wait to write should be woken.
    pub fn makes_room(&self) -> bool {
        self.log.note_read()
    }

    /// Whether the log still has the history in which the reader began.
    pub fn is_current(&self) -> bool {
        self.log.generation() == self.generation
    }

    /// The next offset to be read.
    pub fn position(&self) -> Offset {
        Offset(self.position.at.load(Ordering::Relaxed))
    }

    /// The bytes between the position and the end of the log.
    pub fn lag(&self) -> u64 {
        self.log.end() - self.position()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.log.forget_reader(&self.position);
    }
}

fn copy(bytes: &[u8], max: usize, out: &mut Vec<u8>) -> usize {
    let bytes = bytes.get(..max).unwrap_or(bytes);
    out.extend_from_slice(bytes);
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::SEGMENT_BYTES;

    #[test]
    fn a_segment_is_held_until_it_was_read() {
        let log = Log::new(Offset(0));
        let mut reader = log.reader(Offset(0)).unwrap();
        log.set_mode(crate::Mode::Proxy);
        log.append_raw(&vec![0; SEGMENT_BYTES + 1]);
        let mut out = Vec::new();
        reader.read(SEGMENT_BYTES - 1, &mut out).unwrap();
        assert!(reader.segment.is_some());
        reader.read(1, &mut out).unwrap();
        assert!(reader.segment.is_none());
        assert_eq!((reader.read(2, &mut out), out.len()), (Ok(1), SEGMENT_BYTES + 1));
    }
}
