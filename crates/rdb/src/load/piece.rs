//! Reading a snapshot in pieces, for several threads: whoever reads the input only cuts it where
//! records end, and others make keys of what was cut out.
//!
//! Invariant: the pieces of a snapshot, their keys read one after the other, are the items that
//! [`Loader::next_item`] would give; an error of a cut or of a piece has the offset it would have.

use super::source::Source;
use super::span::Span;
use super::{Item, LoadError, Loader, State};
use crate::format::opcode;
use std::io;

/// Bytes of fields behind a record that are cut out with it. Behind them the key is not known any more.
const SAID_BYTES_MAX: usize = 64 << 20;

/// One piece of a snapshot.
#[derive(Debug)]
pub enum Piece {
    /// Records of keys, all of one db, each with the fields behind it.
    Keys(RawKeys),
    /// Anything else; a key if it is large.
    Item(Item),
}

/// Whole records of keys as they are in the file; the last may be cut off by an error.
#[derive(Debug)]
pub struct RawKeys {
    bytes: Vec<u8>,
    /// Records, the last of which may be cut off.
    count: u64,
    offset: u64,
    version: u16,
    keeps_modules: bool,
}

impl RawKeys {
    /// Records without header and end, written by `version`.
    pub(crate) fn of_payload(bytes: Vec<u8>, version: u16) -> RawKeys {
        RawKeys { bytes, count: 0, offset: 0, version, keeps_modules: false }
    }

    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A loader of the keys: modules' values and keys, and `None` at the end.
    pub fn into_loader(self) -> Loader<io::Empty> {
        Loader {
            source: Source::of_bytes(self.bytes, self.offset),
            verify: false,
            has_checksum: false,
            keeps_modules: self.keeps_modules,
            version: self.version,
            state: State::Cut,
            large: None,
        }
    }
}

impl<R: io::Read> Loader<R> {
    /// The next piece, of records of about `bytes_max` bytes; `None` when the snapshot is complete and
    /// its checksum right. A large value is not cut out but read here.
    ///
    /// # Errors
    /// The keys in front of the place where cutting failed, perhaps with a part of the one it failed in:
    /// that may show an error that comes before. Then as [`Loader::next_item`].
    pub fn next_piece(
        &mut self,
        bytes_max: usize,
    ) -> Result<Option<Piece>, (Option<RawKeys>, LoadError)> {
        if let Some((prefix, offset)) = self.large.take() {
            let item = self.large_item(prefix, offset);
            return item.map(|item| item.map(Piece::Item)).map_err(|error| (None, error));
        }
        if self.state == State::Header {
            self.header().map_err(|error| self.failed(None, error))?;
        }
        let is_key = |first: u8| {
            super::is_value(first)
                || matches!(first, opcode::IDLE | opcode::FREQUENCY)
                || matches!(first, opcode::EXPIRE_MS | opcode::EXPIRE_S)
                || first == crate::format::value_type::MODULE
        };
        if self.state != State::Records {
            return self
                .next_item()
                .map(|item| item.map(Piece::Item))
                .map_err(|error| (None, error));
        }
        let offset = self.source.offset();
        self.source.capture(Vec::new());
        let mut count = 0;
        let cut = self.cut(bytes_max, is_key, &mut count);
        let mut bytes = self.source.captured();
        let raw = |bytes, loader: &Loader<R>| RawKeys {
            bytes,
            count,
            offset,
            version: loader.version,
            keeps_modules: loader.keeps_modules,
        };
        match cut {
            Err(error) => {
                let keys = raw(bytes, self);
                Err(self.failed(Some(keys), error))
            }
            Ok(Some(begun)) => {
                let prefix = bytes.split_off(begun.min(bytes.len()));
                self.large = Some((prefix, offset + begun as u64));
                if bytes.is_empty() {
                    self.next_piece(bytes_max)
                } else {
                    Ok(Some(Piece::Keys(raw(bytes, self))))
                }
            }
            Ok(None) if bytes.is_empty() => {
                self.next_item().map(|item| item.map(Piece::Item)).map_err(|error| (None, error))
            }
            Ok(None) => Ok(Some(Piece::Keys(raw(bytes, self)))),
        }
    }

    /// Walks over records of keys and counts them. Gives where the last begins if it is large.
    fn cut(
        &mut self,
        bytes_max: usize,
        is_key: impl Fn(u8) -> bool,
        count: &mut u64,
    ) -> Result<Option<usize>, LoadError> {
        while self.source.captured_len() < bytes_max && is_key(self.source.peek()?) {
            let begun = self.source.captured_len();
            if self.walk_record()? == Span::Large {
                return Ok(Some(begun));
            }
            *count += 1;
            self.walk_said_behind()?;
        }
        Ok(None)
    }

    /// Walks over the fields behind a record: what they say is said of its key.
    fn walk_said_behind(&mut self) -> Result<(), LoadError> {
        let end = self.source.captured_len() + SAID_BYTES_MAX;
        while self.source.captured_len() < end && self.source.peek()? == opcode::AUX {
            self.source.byte()?;
            self.skip_string()?;
            self.skip_string()?;
        }
        Ok(())
    }

    /// Reads the record that begins with `prefix`.
    fn large_item(&mut self, prefix: Vec<u8>, offset: u64) -> Result<Option<Item>, LoadError> {
        let mut loader = Loader {
            source: Source::with_prefix(prefix, offset, &mut self.source),
            verify: false,
            has_checksum: false,
            keeps_modules: self.keeps_modules,
            version: self.version,
            state: State::Records,
            large: None,
        };
        let item = loader.next_item();
        let unread = loader.source.unread_len();
        drop(loader);
        self.source.unread(unread);
        if item.is_err() {
            self.state = State::Failed;
        }
        item
    }

    fn failed(&mut self, keys: Option<RawKeys>, error: LoadError) -> (Option<RawKeys>, LoadError) {
        self.state = State::Failed;
        (keys, error)
    }
}
