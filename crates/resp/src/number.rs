//! Decimal integers as the protocol writes them: an optional minus, no plus, no leading zeros, no
//! blanks, 64 bits.
//!
//! The same strictness decides whether a string value counts as an integer, so the rule is exact:
//! every accepted text is the one and only text of its number.
//!
//! Source: behaviour observed with Redis 7.0.15 (`*03`, `*+3` and `*-0` are refused).

/// The longest text of a 64-bit integer, `-9223372036854775808`, in bytes.
pub const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// Reads the canonical decimal text of an `i64`; `None` for every other text.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let magnitude = parse_u64(digits)?;
    match (negative, magnitude) {
        (true, 0) => None,
        (true, _) => 0i64.checked_sub_unsigned(magnitude),
        (false, _) => i64::try_from(magnitude).ok(),
    }
}

/// Reads the canonical decimal text of a `u64`; `None` for every other text.
pub fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.len() > INTEGER_TEXT_BYTES_MAX || (digits.len() > 1 && digits.first() == Some(&b'0'))
    {
        return None;
    }
    let (first, rest) = digits.split_first()?;
    let mut number = u64::from(digit(*first)?);
    for byte in rest {
        number = number.checked_mul(10)?.checked_add(u64::from(digit(*byte)?))?;
    }
    Some(number)
}

/// Appends the decimal text of `number`.
pub fn write_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `marker`, the decimal text of `number`, and a line end.
#[inline]
pub fn write_header(out: &mut Vec<u8>, marker: u8, number: usize) {
    let digit = |number: usize| b'0' + u8::try_from(number % 10).unwrap_or(0);
    match number {
        0..10 => out.extend_from_slice(&[marker, digit(number), b'\r', b'\n']),
        10..100 => {
            out.extend_from_slice(&[marker, digit(number / 10), digit(number), b'\r', b'\n']);
        }
        _ => {
            out.push(marker);
            write_usize(out, number);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends the decimal text of `number`.
pub fn write_usize(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for number in [0, 9, 10, 99, 100, 12_345, usize::MAX] {
            let mut out = vec![b'x'];
            write_header(&mut out, b'$', number);
            assert_eq!(out, format!("x${number}\r\n").into_bytes());
        }
    }

    #[test]
    fn accepts_only_canonical_texts() {
        let rows: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("7", Some(7)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            ("00", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_i64(text.as_bytes()), *expected, "{text:?}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_i64(&mut out, number);
            assert_eq!(parse_i64(&out), Some(number));
        }
    }
}
