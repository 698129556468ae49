//! Strings: as they are, as integers, or packed.

use super::source::Length;
use super::{LoadError, LoadedValue, Loader};
use crate::format::special;
use std::io;
use structures::listpack::ListpackBuf;
use structures::lzf;
use values::string::{IntegerText, StringForm};

impl<R: io::Read> Loader<R> {
    /// Reads a string as a value: what is the canonical form of an integer becomes one.
    pub(super) fn string(&mut self) -> Result<LoadedValue, LoadError> {
        Ok(match self.form()? {
            Form::Int(value) => LoadedValue::Int(value),
            Form::Bytes(bytes) => match values::encode(&bytes) {
                StringForm::Int(value) => LoadedValue::Int(value),
                StringForm::Bytes => LoadedValue::String(bytes),
            },
        })
    }

    /// Reads a string as bytes.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, LoadError> {
        Ok(match self.form()? {
            Form::Int(value) => IntegerText::new().of(value).to_vec(),
            Form::Bytes(bytes) => bytes,
        })
    }

    /// Reads a string as an element of a listpack, and adds it to `pack`.
    pub(super) fn string_into(&mut self, pack: &mut ListpackBuf) -> Result<(), LoadError> {
        let form = match self.source.length_or_special()? {
            Length::Plain(len) => {
                let len = self.checked(len)?;
                return self.source.with_bytes(len, |bytes| pack.push_back(bytes));
            }
            Length::Special(special) => self.special(special)?,
        };
        match form {
            Form::Int(value) => pack.push_back_int(value),
            Form::Bytes(bytes) => pack.push_back(&bytes),
        }
        Ok(())
    }

    /// Passes over a string. Allocates nothing.
    pub(super) fn skip_string(&mut self) -> Result<(), LoadError> {
        let len = match self.source.length_or_special()? {
            Length::Plain(len) => len,
            Length::Special(special::INT8) => 1,
            Length::Special(special::INT16) => 2,
            Length::Special(special::INT32) => 4,
            Length::Special(special::LZF) => {
                let packed_len = self.source.length()?;
                self.source.length()?;
                packed_len
            }
            Length::Special(_) => return Err(self.source.malformed("an unknown form of string")),
        };
        self.source.skip(len)
    }

    fn form(&mut self) -> Result<Form, LoadError> {
        match self.source.length_or_special()? {
            Length::Plain(len) => {
                let len = self.checked(len)?;
                self.source.bytes(len).map(Form::Bytes)
            }
            Length::Special(special) => self.special(special),
        }
    }

    fn special(&mut self, form: u8) -> Result<Form, LoadError> {
        let source = &mut self.source;
        Ok(match form {
            special::INT8 => Form::Int(i64::from(source.byte()?.cast_signed())),
            special::INT16 => Form::Int(i64::from(i16::from_le_bytes(source.array()?))),
            special::INT32 => Form::Int(i64::from(i32::from_le_bytes(source.array()?))),
            special::LZF => Form::Bytes(self.packed()?),
            _ => return Err(source.malformed("an unknown form of string")),
        })
    }

    fn packed(&mut self) -> Result<Vec<u8>, LoadError> {
        let (packed_len, len) = (self.source.length()?, self.source.length()?);
        let (packed_len, len) = (self.checked(packed_len)?, self.checked(len)?);
        let offset = self.source.offset();
        let packed = self.source.bytes(packed_len)?;
        lzf::decompress(&packed, len).map_err(|source| LoadError::Packed { source, offset })
    }

    fn checked(&self, len: u64) -> Result<usize, LoadError> {
        let max = super::STRING_LEN_MAX;
        usize::try_from(len).ok().filter(|_| len <= max).ok_or(LoadError::TooLong {
            len,
            max,
            offset: self.source.offset(),
        })
    }
}

enum Form {
    Int(i64),
    Bytes(Vec<u8>),
}
