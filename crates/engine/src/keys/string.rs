//! Strings in entries: an integer, bytes inline, or a boxed vector with room to grow.

use super::TAG_STRING;
use crate::error::CommandError;
use keyspace::{Change, Entry};
use std::ops::Range;
use structures::{NewValue, ValueMut, ValueRef};
use values::Object;
use values::string::{StringForm, encode};

/// Strings up to here stand in the entry's own allocation.
pub const INLINE_BYTES_MAX: usize = 4096;

/// A string as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// A canonical integer.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The string of `entry`.
    ///
    /// # Errors
    /// `WrongType` if it holds another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Result<Text<'a>, CommandError> {
        if entry.tag() != TAG_STRING {
            return Err(CommandError::WrongType);
        }
        Ok(match entry.value() {
            ValueRef::Int(number) => Text::Int(number),
            ValueRef::Bytes(bytes) => Text::Bytes(bytes),
            ValueRef::Boxed(Object::Text(bytes)) => Text::Bytes(bytes),
            ValueRef::Boxed(_) => return Err(CommandError::WrongType),
        })
    }

    /// The bytes, an integer being written into `room`.
    #[inline]
    pub fn bytes<'b>(&'b self, room: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Text::Int(number) => room.format(*number).as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer it spells, if it does.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Text::Int(number) => Some(*number),
            Text::Bytes(bytes) => values::string::parse_i64(bytes),
        }
    }
}

/// The smallest form of `text`.
#[inline]
pub(crate) fn new_value(text: &[u8]) -> NewValue<'_, Object> {
    match encode(text) {
        StringForm::Int(number) => NewValue::Int(number),
        StringForm::Bytes if text.len() <= INLINE_BYTES_MAX => NewValue::Bytes(text),
        StringForm::Bytes => NewValue::Boxed(Object::Text(text.to_vec().into())),
    }
}

/// A string that is being changed.
#[derive(Debug)]
pub struct StringChange<'a> {
    change: Change<'a>,
    len_max: usize,
}

impl<'a> StringChange<'a> {
    pub(super) fn new(
        change: Change<'a>,
        len_max: usize,
    ) -> Result<StringChange<'a>, CommandError> {
        Text::of(change.entry())?;
        Ok(StringChange { change, len_max })
    }

    /// The string as it is.
    pub fn text(&self) -> Text<'_> {
        Text::of(self.change.entry()).unwrap_or(Text::Bytes(b""))
    }

    /// Replaces it, in the smallest form.
    pub fn set(&mut self, text: &[u8]) {
        self.change.set_value(new_value(text));
    }

    /// Replaces it by bytes, which are kept as such even if they spell an integer.
    pub fn set_bytes(&mut self, text: &[u8]) {
        let value = if text.len() <= INLINE_BYTES_MAX {
            NewValue::Bytes(text)
        } else {
            NewValue::Boxed(Object::Text(text.to_vec().into()))
        };
        self.change.set_value(value);
    }

    /// Replaces it by an integer.
    pub fn set_integer(&mut self, number: i64) {
        self.change.set_value(NewValue::Int(number));
    }

    /// The string as a vector that can grow, its type being raw from here on. Only bytes in `changes` are
    /// changed, and others added.
    fn grow(&mut self, changes: Range<usize>) -> Option<&mut Vec<u8>> {
        if !matches!(self.change.entry().value(), ValueRef::Boxed(_)) {
            let copy = self.text().to_vec();
            self.change.set_value(NewValue::Boxed(Object::Text(copy.into())));
        }
        match self.change.value_mut() {
            ValueMut::Boxed(Object::Text(text)) => Some(text.change(changes)),
            _ => None,
        }
    }

    /// The bytes, zeros added up to `len`, to be changed in place: only those in `changes`, and those that
    /// are added. How long it may become is up to the caller.
    ///
    /// # Errors
    /// `WrongType`, which nobody meets.
    pub fn at_least(
        &mut self,
        len: usize,
        changes: Range<usize>,
    ) -> Result<&mut Vec<u8>, CommandError> {
        let bytes =
            self.grow(changes.start..changes.end.max(len)).ok_or(CommandError::WrongType)?;
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        Ok(bytes)
    }

    /// Adds `tail`, giving the new length. Amortized O(tail).
    ///
    /// # Errors
    /// `TooLong` beyond `proto-max-bulk-len`, but not if it was empty: a key that was made for `tail` is not
    /// left without it.
    pub fn append(&mut self, tail: &[u8]) -> Result<usize, CommandError> {
        let len = self.text().len();
        if len > 0 && len.saturating_add(tail.len()) > self.len_max {
            return Err(CommandError::TooLong);
        }
        if len == 0 && tail.len() <= INLINE_BYTES_MAX {
            self.set(tail);
            return Ok(tail.len());
        }
        let end = len + tail.len();
        let bytes = self.grow(len..end).ok_or(CommandError::WrongType)?;
        bytes.extend_from_slice(tail);
        Ok(bytes.len())
    }

    /// Overwrites from `offset` on, zeros filling a gap; gives the new length. How long it may become is up to
    /// the caller.
    ///
    /// # Errors
    /// `WrongType`, which nobody meets.
    pub fn overwrite(&mut self, offset: usize, piece: &[u8]) -> Result<usize, CommandError> {
        let end = offset.saturating_add(piece.len());
        let bytes = self.grow(offset..end).ok_or(CommandError::WrongType)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(place) = bytes.get_mut(offset..end) {
            place.copy_from_slice(piece);
        }
        Ok(bytes.len())
    }
}
