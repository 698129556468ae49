//! Parts of strings: GETRANGE's indexes, SETRANGE's padding, and the length limit of both and APPEND.
//!
//! Source: Redis documentation of GETRANGE and SETRANGE; behaviour observed with stock 7.0.15.

use super::StringError;
use std::ops::Range;

/// The bytes that `GETRANGE key start end` selects from a string of `len` bytes; empty if none.
///
/// Negative indexes count from the end, both ends are inclusive, and what lies outside is cut off.
pub fn substring(len: usize, start: i64, end: i64) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let length = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front =
        |index: i64| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (first, last) = (from_front(start), from_front(end).min(length - 1));
    if first > last {
        return 0..0;
    }
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) => first..last + 1,
        _ => 0..0,
    }
}

/// Checks that a string of `len` bytes may grow by `added`, `len_max` being `proto-max-bulk-len`.
///
/// # Errors
/// `TooLong` if the sum exceeds the limit or cannot be represented.
pub fn check_length(len: usize, added: usize, len_max: usize) -> Result<(), StringError> {
    match len.checked_add(added) {
        Some(total) if total <= len_max => Ok(()),
        _ => Err(StringError::TooLong),
    }
}

/// Writes `bytes` over `value` from `offset` on, with zero bytes in any gap: SETRANGE. Writing no
/// bytes changes nothing, not even the length.
///
/// # Errors
/// `TooLong` if the result would exceed `len_max`; `value` is then unchanged.
pub fn overwrite(
    value: &mut Vec<u8>,
    offset: usize,
    bytes: &[u8],
    len_max: usize,
) -> Result<(), StringError> {
    if bytes.is_empty() {
        return Ok(());
    }
    check_length(offset, bytes.len(), len_max)?;
    let end = offset + bytes.len();
    if value.len() < end {
        value.resize(end, 0);
    }
    if let Some(target) = value.get_mut(offset..end) {
        target.copy_from_slice(bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substring_follows_the_documented_examples() {
        // "This is a string" of the documentation, and the borders around it.
        let text = b"This is a string";
        let rows: &[(i64, i64, &[u8])] = &[
            (0, 3, b"This"),
            (-3, -1, b"ing"),
            (0, -1, b"This is a string"),
            (10, 100, b"string"),
            (5, 4, b""),
            (-1, -3, b""),
            (-100, 3, b"This"),
            (-100, -200, b""),
            (-100, -100, b"T"),
            (16, 20, b""),
            (15, 15, b"g"),
            (i64::MIN, i64::MAX, b"This is a string"),
            (i64::MAX, i64::MAX, b""),
            (3, -100, b""),
            (0, -100, b"T"),
        ];
        for &(start, end, expected) in rows {
            assert_eq!(&text[substring(text.len(), start, end)], expected, "{start} {end}");
        }
        assert!(substring(0, 0, -1).is_empty());
        assert!(substring(0, -1, 0).is_empty());
        assert!(substring(0, i64::MIN, i64::MAX).is_empty());
    }

    #[test]
    fn overwrite_pads_with_zeros_and_keeps_the_tail() {
        let rows = [
            ("Hello World", 6, "Redis", "Hello Redis"),
            ("", 6, "Redis", "\0\0\0\0\0\0Redis"),
            ("abc", 1, "X", "aXc"),
            ("abc", 2, "XYZ", "abXYZ"),
            ("abc", 3, "d", "abcd"),
            ("abc", 5, "", "abc"),
        ];
        for (before, offset, bytes, after) in rows {
            let mut value = before.as_bytes().to_vec();
            overwrite(&mut value, offset, bytes.as_bytes(), 512).unwrap();
            assert_eq!(value, after.as_bytes());
        }
    }

    #[test]
    fn the_limit_is_inclusive() {
        let mut value = b"abc".to_vec();
        assert_eq!(overwrite(&mut value, 9, b"d", 10), Ok(()));
        assert_eq!(overwrite(&mut value, 10, b"d", 10), Err(StringError::TooLong));
        assert_eq!(overwrite(&mut value, usize::MAX, b"d", 10), Err(StringError::TooLong));
        assert_eq!(overwrite(&mut value, usize::MAX, b"", 10), Ok(()));
        assert_eq!(value.len(), 10);
        assert_eq!(check_length(5, 5, 10), Ok(()));
        assert_eq!(check_length(5, 6, 10), Err(StringError::TooLong));
        assert_eq!(check_length(5, usize::MAX, 10), Err(StringError::TooLong));
    }
}
