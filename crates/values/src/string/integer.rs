//! Integers as strings: strict parsing, formatting, and the INCR family's arithmetic.
//!
//! The accepted form is exactly the one that formatting produces (so a parsed string can be stored
//! as its integer): an optional `-`, no `+`, no leading zeros, no blanks, no `-0`.
//!
//! Source: behaviour observed with stock 7.0.15 (SET, INCR, OBJECT ENCODING).

use super::{INTEGER_LEN_MAX, StringError};

/// The integer of which `text` is the canonical decimal form.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    if digits.len() >= INTEGER_LEN_MAX {
        return None;
    }
    match *digits.first()? {
        b'0' if !negative && digits.len() == 1 => return Some(0),
        b'1'..=b'9' => {}
        _ => return None,
    }
    // Up to 19 digits: the magnitude stays below 10^19, which a u64 holds.
    let mut magnitude: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// A place to format an integer in without allocating.
#[derive(Clone, Default)]
pub struct IntegerText(itoa::Buffer);

impl IntegerText {
    /// An empty place.
    pub fn new() -> IntegerText {
        IntegerText::default()
    }

    /// The decimal form of `value`, at most [`INTEGER_LEN_MAX`] bytes.
    pub fn of(&mut self, value: i64) -> &[u8] {
        self.0.format(value).as_bytes()
    }
}

/// Appends the decimal form of `value` to `out`.
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(IntegerText::new().of(value));
}

/// The length of the decimal form of `value`.
pub const fn decimal_len(value: i64) -> usize {
    let sign = if value < 0 { 1 } else { 0 };
    match value.unsigned_abs().checked_ilog10() {
        Some(log) => log as usize + 1 + sign,
        None => 1,
    }
}

/// `value + by` as INCRBY computes it.
///
/// # Errors
/// `Overflow` if the sum leaves the range of an `i64`.
pub fn increment(value: i64, by: i64) -> Result<i64, StringError> {
    value.checked_add(by).ok_or(StringError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parse_accepts_only_the_canonical_form() {
        let rows: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("1", Some(1)),
            ("-1", Some(-1)),
            ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("9999999999999999999", None),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("-01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1\0", None),
            ("0x1", None),
            ("1e3", None),
            ("--1", None),
            ("1-", None),
        ];
        for &(text, expected) in rows {
            assert_eq!(parse_i64(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn increment_stops_at_both_ends() {
        assert_eq!(increment(1, 2), Ok(3));
        assert_eq!(increment(i64::MAX, 1), Err(StringError::Overflow));
        assert_eq!(increment(i64::MIN, -1), Err(StringError::Overflow));
        assert_eq!(increment(i64::MAX, i64::MIN), Ok(-1));
    }

    proptest! {
        #[test]
        fn formatting_and_parsing_are_inverse(value in any::<i64>()) {
            let mut text = IntegerText::new();
            prop_assert_eq!(parse_i64(text.of(value)), Some(value));
            prop_assert_eq!(decimal_len(value), text.of(value).len());
        }

        #[test]
        fn what_parses_formats_to_itself(text in "[-+0-9 ]{0,21}") {
            let canonical = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), canonical);
        }
    }
}
