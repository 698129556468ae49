//! How far a record reaches: walking over a key and its value without making anything of them.
//!
//! What is walked is what the readers of the types read, less all judgement of the content: a record
//! that is walked to its end may still be refused when it is read.

use super::source::Length;
use super::{LoadError, Loader};
use crate::format::{self, opcode, special, value_type};
use std::io;

/// A string longer than this is not walked over, and no collection of more elements than the other.
const WALKED_BYTES_MAX: u64 = 1 << 20;
/// See above.
const WALKED_ELEMENTS_MAX: u64 = 1 << 16;

/// Where a walk over a record has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// To its end.
    Whole,
    /// To the first length of its value, which is large.
    Large,
}

/// The strings and other things that make up one element.
#[derive(Clone, Copy)]
enum Part {
    String,
    Length,
    Bytes(u64),
    Decimal,
}

use Part::{Bytes, Decimal, Length as Number, String as Text};

impl<R: io::Read> Loader<R> {
    /// Walks over attributes, type, key and value.
    pub(super) fn walk_record(&mut self) -> Result<Span, LoadError> {
        loop {
            let offset = self.source.offset();
            match self.source.byte()? {
                opcode::EXPIRE_MS => self.source.skip(8)?,
                opcode::EXPIRE_S => self.source.skip(4)?,
                opcode::IDLE => drop(self.source.length()?),
                opcode::FREQUENCY => drop(self.source.byte()?),
                value_type::MODULE => {
                    self.skip_string()?;
                    self.source.length()?;
                    return self.skip_parts().map(|()| Span::Whole);
                }
                kind if super::is_value(kind) => {
                    self.skip_string()?;
                    return self.walk_value(kind);
                }
                kind => return Err(super::unsupported(kind, offset)),
            }
        }
    }

    fn walk_value(&mut self, kind: u8) -> Result<Span, LoadError> {
        use value_type as t;
        let is_valkey = self.version >= format::VERSION_VALKEY_MIN;
        match kind {
            t::LIST | t::SET | t::LIST_QUICKLIST => self.walk_elements(&[Text]),
            t::LIST_QUICKLIST_2 => self.walk_elements(&[Number, Text]),
            t::ZSET => self.walk_elements(&[Text, Decimal]),
            t::ZSET_2 => self.walk_elements(&[Text, Bytes(8)]),
            t::HASH => self.walk_elements(&[Text, Text]),
            t::HASH_METADATA_EARLY if is_valkey => self.walk_elements(&[Text, Text, Bytes(8)]),
            t::HASH_METADATA_EARLY => self.walk_elements(&[Number, Text, Text]),
            t::HASH_METADATA => {
                self.source.skip(8)?;
                self.walk_elements(&[Number, Text, Text])
            }
            t::HASH_LISTPACK_EX => {
                self.source.skip(8)?;
                self.walk_string()
            }
            t::STREAM | t::STREAM_2 | t::STREAM_3 => self.walk_stream(kind),
            _ => self.walk_string(),
        }
    }

    /// A string that is the whole value.
    fn walk_string(&mut self) -> Result<Span, LoadError> {
        let (len, taken) = match self.source.length_or_special()? {
            Length::Plain(len) => (len, len),
            Length::Special(special::INT8) => (1, 1),
            Length::Special(special::INT16) => (2, 2),
            Length::Special(special::INT32) => (4, 4),
            Length::Special(special::LZF) => {
                let packed_len = self.source.length()?;
                (packed_len, self.source.length()?.max(packed_len))
            }
            Length::Special(_) => return Err(self.source.malformed("an unknown form of string")),
        };
        if taken > WALKED_BYTES_MAX {
            return Ok(Span::Large);
        }
        self.source.skip(len).map(|()| Span::Whole)
    }

    fn walk_elements(&mut self, parts: &[Part]) -> Result<Span, LoadError> {
        let count = self.source.length()?;
        if count > WALKED_ELEMENTS_MAX {
            return Ok(Span::Large);
        }
        self.walk_times(count, parts).map(|()| Span::Whole)
    }

    fn walk_times(&mut self, count: u64, parts: &[Part]) -> Result<(), LoadError> {
        for _ in 0..count {
            for part in parts {
                match *part {
                    Text => self.skip_string()?,
                    Number => drop(self.source.length()?),
                    Bytes(len) => self.source.skip(len)?,
                    Decimal => self.walk_decimal()?,
                }
            }
        }
        Ok(())
    }

    fn walk_decimal(&mut self) -> Result<(), LoadError> {
        match self.source.byte()? {
            253..=255 => Ok(()),
            len => self.source.skip(u64::from(len)),
        }
    }

    fn walk_stream(&mut self, kind: u8) -> Result<Span, LoadError> {
        let is_counted = kind != value_type::STREAM;
        if self.walk_elements(&[Text, Text])? == Span::Large {
            return Ok(Span::Large);
        }
        self.walk_times(if is_counted { 8 } else { 3 }, &[Number])?;
        let groups = self.source.length()?;
        for _ in 0..groups {
            self.skip_string()?;
            self.walk_times(if is_counted { 3 } else { 2 }, &[Number])?;
            let pending = self.source.length()?;
            self.walk_times(pending, &[Bytes(24), Number])?;
            let consumers = self.source.length()?;
            for _ in 0..consumers {
                self.skip_string()?;
                self.source.skip(if kind == value_type::STREAM_3 { 16 } else { 8 })?;
                let pending = self.source.length()?;
                self.walk_times(pending, &[Bytes(16)])?;
            }
        }
        Ok(Span::Whole)
    }
}
