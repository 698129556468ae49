//! The values of an entry, as they come in and go out, and the bits that say which kind is stored.

/// Length of the values that are not bytes: a number or a pointer.
pub(super) const WORD_BYTES: usize = 8;

pub(super) const ENCODING_SHIFT: u32 = 28;
pub(super) const ENCODING_MASK: u32 = 0b11 << ENCODING_SHIFT;

pub(super) const INT: u32 = 0;
pub(super) const BYTES: u32 = 1 << ENCODING_SHIFT;
pub(super) const BOXED: u32 = 2 << ENCODING_SHIFT;

/// A value to be stored.
#[derive(Debug)]
pub enum NewValue<'a, B> {
    /// A number, stored in eight bytes.
    Int(i64),
    /// Bytes, copied behind the key; at most [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX).
    Bytes(&'a [u8]),
    /// Anything else, boxed.
    Boxed(B),
}

/// A stored value, borrowed.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueRef<'a, B> {
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Anything else.
    Boxed(&'a B),
}

/// A stored value, borrowed for change. Numbers change through [`Entry::set_value`](crate::Entry::set_value).
#[derive(Debug, PartialEq, Eq)]
pub enum ValueMut<'a, B> {
    /// A number.
    Int(i64),
    /// Bytes, whose length stays.
    Bytes(&'a mut [u8]),
    /// Anything else.
    Boxed(&'a mut B),
}

impl<B> NewValue<'_, B> {
    pub(super) fn stored_len(&self) -> usize {
        match self {
            NewValue::Bytes(bytes) => bytes.len(),
            NewValue::Int(_) | NewValue::Boxed(_) => WORD_BYTES,
        }
    }

    pub(super) fn encoding(&self) -> u32 {
        match self {
            NewValue::Int(_) => INT,
            NewValue::Bytes(_) => BYTES,
            NewValue::Boxed(_) => BOXED,
        }
    }
}
