//! Strings as values, keys and fields: as integers, packed, or as they are.
//!
//! A string of at most 11 bytes that is the canonical form of an integer of 32 bits becomes that
//! integer in 2, 3 or 5 bytes. One above 20 bytes is packed if that saves at least 4 bytes.
//!
//! Source: files written by stock 7.0.15.

use super::{Encoder, push_length};
use crate::format::{Attributes, length, special, value_type};
use values::string::{IntegerText, parse_i64};

/// The length of `-2147483648`.
const PACKED_INTEGER_LEN_MAX: usize = 11;

/// The length up to which strings are not packed.
const UNPACKED_LEN_MAX: usize = 20;

/// What packing must save to be used.
const PACKING_GAIN_MIN: usize = 4;

/// A string as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringRef<'a> {
    /// The decimal form of this integer.
    Int(i64),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl Encoder {
    /// Appends one whole record: attributes, type, key and value.
    pub fn encode_string_key(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        value: StringRef<'_>,
        attributes: &Attributes,
    ) {
        self.begin_key(out, value_type::STRING, key, attributes);
        self.push_string(out, value);
    }

    pub(super) fn push_string(&mut self, out: &mut Vec<u8>, value: StringRef<'_>) {
        match value {
            StringRef::Bytes(bytes) => self.push_bytes(out, bytes),
            StringRef::Int(value) if push_integer(out, value) => {}
            StringRef::Int(value) => push_plain(out, IntegerText::new().of(value)),
        }
    }

    pub(super) fn push_bytes(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if bytes.len() <= PACKED_INTEGER_LEN_MAX
            && parse_i64(bytes).is_some_and(|value| push_integer(out, value))
        {
            return;
        }
        if bytes.len() <= UNPACKED_LEN_MAX || !self.push_packed(out, bytes) {
            push_plain(out, bytes);
        }
    }

    /// Appends the packed form if it is worth it. The packed length precedes the packed bytes and is
    /// not known before them, so they are made in place and moved behind it.
    fn push_packed(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        let begin = out.len();
        let Some(packed_len) = compressor.compress(bytes, bytes.len() - PACKING_GAIN_MIN, out)
        else {
            return false;
        };
        let packed_end = out.len();
        out.push(length::SPECIAL | special::LZF);
        push_length(out, packed_len as u64);
        push_length(out, bytes.len() as u64);
        let lengths = out.len() - packed_end;
        if let Some(record) = out.get_mut(begin..) {
            record.rotate_right(lengths);
        }
        true
    }
}

fn push_plain(out: &mut Vec<u8>, bytes: &[u8]) {
    push_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an integer of up to 32 bits; false if it is longer.
fn push_integer(out: &mut Vec<u8>, value: i64) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.extend_from_slice(&[length::SPECIAL | special::INT8, value.cast_unsigned()]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(length::SPECIAL | special::INT16);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(length::SPECIAL | special::INT32);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}
