//! A long string, and the walks that save it while it is changed in place.
//!
//! To a walk it is a row of chunks, each with an epoch, which are kept only while some walk saves the
//! string. Whoever changes some bytes saves the chunks they lie in first, so that a change costs the
//! copy of a few kilobytes at most once per chunk and walk, however long the string.

use crate::Kind;
use crate::fragment::{CHUNK_BYTES, Fragment, Fragmented, Outline, Position, STEP_BYTES, Sides};
use std::mem;
use std::ops::{Deref, Range};
use structures::Mover;

/// A string of bytes that lie by themselves.
#[derive(Debug)]
pub enum RawString {
    /// Nobody saves it.
    Plain(Vec<u8>),
    /// A walk saves it, or did until lately.
    Chunked(Box<Chunked>),
}

/// A string with the walks that save it, and the epochs of its chunks.
#[derive(Debug, Default)]
pub struct Chunked {
    bytes: Vec<u8>,
    sides: Sides,
    /// Of the chunks that are there; those that came later have none yet and are newer than every side.
    epochs: Vec<u32>,
}

static NO_SIDES: Sides = Sides::none();

impl RawString {
    /// The bytes, of which those in `changes` may be changed, and others added.
    #[inline]
    pub fn change(&mut self, changes: Range<usize>) -> &mut Vec<u8> {
        if let RawString::Chunked(chunked) = self {
            if chunked.sides.is_empty() {
                *self = RawString::Plain(mem::take(&mut chunked.bytes));
            } else {
                chunked.save(changes);
            }
        }
        match self {
            RawString::Plain(bytes) => bytes,
            RawString::Chunked(chunked) => &mut chunked.bytes,
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            RawString::Plain(bytes) => bytes.capacity(),
            RawString::Chunked(chunked) => {
                chunked.bytes.capacity()
                    + chunked.epochs.capacity() * size_of::<u32>()
                    + size_of::<Chunked>()
            }
        }
    }

    /// Moves what it owns where `mover` wants it.
    pub(crate) fn relocate(&mut self, mover: &mut Mover) {
        match self {
            RawString::Plain(bytes) => mover.vec(bytes),
            RawString::Chunked(chunked) => {
                mover.boxed(chunked);
                mover.vec(&mut chunked.bytes);
                mover.vec(&mut chunked.epochs);
            }
        }
    }

    fn chunked_mut(&mut self) -> &mut Chunked {
        if let RawString::Plain(bytes) = self {
            let mut chunked = Box::<Chunked>::default();
            chunked.bytes = mem::take(bytes);
            *self = RawString::Chunked(chunked);
        }
        match self {
            RawString::Chunked(chunked) => chunked,
            RawString::Plain(_) => unreachable!("it was just made another"),
        }
    }
}

impl Chunked {
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

impl Fragmented for RawString {
    fn sides(&self) -> &Sides {
        match self {
            RawString::Plain(_) => &NO_SIDES,
            RawString::Chunked(chunked) => &chunked.sides,
        }
    }

    fn sides_mut(&mut self) -> &mut Sides {
        let chunked = self.chunked_mut();
        chunked.fit();
        &mut chunked.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::String, len: self.len(), soonest: None }
    }

    fn heap_bytes(&self) -> usize {
        RawString::heap_bytes(self)
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        self.chunked_mut().save_some(cut, position)
    }
}

impl Drop for Chunked {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            self.fit();
            let (bytes, epochs) = (mem::take(&mut self.bytes), mem::take(&mut self.epochs));
            self.sides.hand_over(|sides| {
                Box::new(RawString::Chunked(Box::new(Chunked { bytes, sides, epochs })))
            });
        }
    }
}

impl From<Vec<u8>> for RawString {
    fn from(bytes: Vec<u8>) -> RawString {
        RawString::Plain(bytes)
    }
}

impl Deref for RawString {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        match self {
            RawString::Plain(bytes) => bytes,
            RawString::Chunked(chunked) => &chunked.bytes,
        }
    }
}

impl Clone for RawString {
    fn clone(&self) -> RawString {
        RawString::Plain(Vec::clone(self))
    }
}

impl PartialEq for RawString {
    fn eq(&self, other: &RawString) -> bool {
        **self == **other
    }
}

impl Eq for RawString {}
