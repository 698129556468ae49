//! A long string, and the walks that save it while it is changed in place.
//!
//! To a walk it is a row of chunks, each with an epoch, which are kept only while some walk saves the
//! string. Whoever changes some bytes saves the chunks they lie in first, so that a change costs the
//! copy of a few kilobytes at most once per chunk and walk, however long the string.

use crate::Kind;
use crate::fragment::{CHUNK_BYTES, Fragment, Fragmented, Outline, Position, STEP_BYTES, Sides};
use std::mem;
use std::ops::{Deref, Range};

/// A string of bytes that lie by themselves.
#[derive(Debug)]
pub enum Text {
    /// Nobody saves it.
    Plain(Vec<u8>),
    /// A walk saves it, or did until lately.
    Walked(Box<Walked>),
}

/// A string with the walks that save it.
#[derive(Debug, Default)]
pub struct Walked {
    bytes: Vec<u8>,
    sides: Sides,
    /// Of the chunks that are there; those that came later have none yet and are newer than every side.
    epochs: Vec<u32>,
}

static NO_SIDES: Sides = Sides::none();

impl Text {
    /// The bytes, of which those in `changes` may be changed, and others added.
    #[inline]
    pub fn change(&mut self, changes: Range<usize>) -> &mut Vec<u8> {
        if let Text::Walked(walked) = self {
            if walked.sides.is_empty() {
                *self = Text::Plain(mem::take(&mut walked.bytes));
            } else {
                walked.save(changes);
            }
        }
        match self {
            Text::Plain(bytes) => bytes,
            Text::Walked(walked) => &mut walked.bytes,
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Text::Plain(bytes) => bytes.capacity(),
            Text::Walked(walked) => {
                walked.bytes.capacity()
                    + walked.epochs.capacity() * size_of::<u32>()
                    + size_of::<Walked>()
            }
        }
    }

    fn walked_mut(&mut self) -> &mut Walked {
        if let Text::Plain(bytes) = self {
            let mut walked = Box::<Walked>::default();
            walked.bytes = mem::take(bytes);
            *self = Text::Walked(walked);
        }
        match self {
            Text::Walked(walked) => walked,
            Text::Plain(_) => unreachable!("it was just made another"),
        }
    }
}

impl Walked {
    /// Gives chunks that came after the last side an epoch.
    fn fit(&mut self) {
        let chunks = self.bytes.len().div_ceil(CHUNK_BYTES);
        self.epochs.resize(chunks, self.sides.epoch());
    }

    /// Saves what is about to change: chunks that `changes` touch, and an open one at the end if bytes
    /// are added.
    #[cold]
    fn save(&mut self, changes: Range<usize>) {
        self.fit();
        let len = self.bytes.len();
        let first = changes.start.min(len) / CHUNK_BYTES;
        let chunks = first..changes.end.min(len).div_ceil(CHUNK_BYTES);
        let Some(epochs) = self.epochs.get_mut(chunks) else { return };
        let chunks = self.bytes.chunks(CHUNK_BYTES).enumerate().skip(first);
        for (epoch, (at, chunk)) in epochs.iter_mut().zip(chunks) {
            let fragment = Fragment::Chunk(at, chunk);
            *epoch = self.sides.raise(*epoch, |side| side.save(fragment));
        }
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        self.fit();
        let first = if let Position::Cursor(at) = position { *at } else { 0 };
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let end = (first + STEP_BYTES / CHUNK_BYTES).min(self.epochs.len());
        let chunks = self.bytes.chunks(CHUNK_BYTES).enumerate().skip(first);
        let epochs = self.epochs.get_mut(first..end).unwrap_or_default();
        for (epoch, (at, chunk)) in epochs.iter_mut().zip(chunks) {
            let fragment = Fragment::Chunk(at, chunk);
            *epoch = self.sides.raise_to(*epoch, cut, |side| side.save(fragment));
        }
        *position = Position::Cursor(end as u64);
        end < self.epochs.len()
    }
}

impl Fragmented for Text {
    fn sides(&self) -> &Sides {
        match self {
            Text::Plain(_) => &NO_SIDES,
            Text::Walked(walked) => &walked.sides,
        }
    }

    fn sides_mut(&mut self) -> &mut Sides {
        let walked = self.walked_mut();
        walked.fit();
        &mut walked.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::String, len: self.len(), soonest: None }
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        self.walked_mut().save_some(cut, position)
    }
}

impl Drop for Walked {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            self.fit();
            let (bytes, epochs) = (mem::take(&mut self.bytes), mem::take(&mut self.epochs));
            self.sides.hand_over(|sides| {
                Box::new(Text::Walked(Box::new(Walked { bytes, sides, epochs })))
            });
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        Text::Plain(bytes)
    }
}

impl Deref for Text {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        match self {
            Text::Plain(bytes) => bytes,
            Text::Walked(walked) => &walked.bytes,
        }
    }
}

impl Clone for Text {
    fn clone(&self) -> Text {
        Text::Plain(Vec::clone(self))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        **self == **other
    }
}

impl Eq for Text {}
