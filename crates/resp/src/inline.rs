//! Splits a typed line into arguments, with the quoting of inline commands, redis.conf and the client.
//!
//! Blanks separate arguments. `"..."` understands `\xHH \n \r \t \b \a` and takes any other escaped
//! byte as itself; `'...'` understands only `\'`. A quote may open inside an argument (`a"b c"` is
//! `ab c`) but after a closing quote a blank or the end must follow. A NUL byte ends the line.
//!
//! Source: Redis documentation, "Redis configuration"; behaviour observed with Redis 7.0.15.

use thiserror::Error;

/// Why a line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// A quote is not closed, or something other than a blank follows a closing quote.
    #[error("unbalanced quotes")]
    UnbalancedQuotes,
}

/// Splits `line` into its arguments. O(bytes).
///
/// # Errors
/// `UnbalancedQuotes` if a quote stays open or is closed in the middle of an argument.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, SplitError> {
    let mut arguments = Vec::new();
    let mut bytes = Vec::new();
    let mut begin = 0;
    split_into(line, &mut bytes, &mut |bytes| {
        arguments.push(bytes.get(begin..).unwrap_or_default().to_vec());
        begin = bytes.len();
    })?;
    Ok(arguments)
}

/// Splits `line`, appending the unquoted arguments to `bytes`; `ended` is called with all of `bytes`
/// whenever an argument is complete. Allocates nothing but what `bytes` needs.
///
/// # Errors
/// As [`split`]; `bytes` then holds the arguments before the fault and part of the faulty one.
pub fn split_into(
    line: &[u8],
    bytes: &mut Vec<u8>,
    ended: &mut dyn FnMut(&[u8]),
) -> Result<(), SplitError> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let mut rest = line.get(..end).unwrap_or(line);
    loop {
        rest = skip_blanks(rest);
        if rest.is_empty() {
            return Ok(());
        }
        rest = argument(rest, bytes)?;
        ended(bytes);
    }
}

/// Whether C's `isspace` holds for `byte`.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn skip_blanks(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, tail)) = rest.split_first()
        && is_blank(*byte)
    {
        rest = tail;
    }
    rest
}

/// Reads one argument from the front of `rest` and returns what follows it.
fn argument<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], SplitError> {
    while let Some((byte, tail)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Ok(tail),
            b'"' => return closed(double_quoted(tail, bytes)?),
            b'\'' => return closed(single_quoted(tail, bytes)?),
            _ => bytes.push(*byte),
        }
        rest = tail;
    }
    Ok(rest)
}

fn closed(rest: &[u8]) -> Result<&[u8], SplitError> {
    match rest.first() {
        Some(byte) if !is_blank(*byte) => Err(SplitError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], SplitError> {
    loop {
        rest = match rest {
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex(*high) << 4 | hex(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
            [] => return Err(SplitError::UnbalancedQuotes),
        };
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], SplitError> {
    loop {
        rest = match rest {
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                bytes.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
            [] => return Err(SplitError::UnbalancedQuotes),
        };
    }
}

fn hex(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_as_stock() {
        type Row = (&'static [u8], Option<&'static [&'static [u8]]>);
        let rows: &[Row] = &[
            (b"", Some(&[])),
            (b" \t\x0b\x0c ", Some(&[])),
            (b"set a b", Some(&[b"set", b"a", b"b"])),
            (b"  set\ta   b\r", Some(&[b"set", b"a", b"b"])),
            (b"a\x0bb", Some(&[b"a\x0bb"])),
            (br#""a b" 'c d'"#, Some(&[b"a b", b"c d"])),
            (br#""" ''"#, Some(&[b"", b""])),
            (br#""\x41\x7f\n\r\t\b\a\\\"\q""#, Some(&[b"A\x7f\n\r\t\x08\x07\\\"q"])),
            (br#""\x4g \x""#, Some(&[b"x4g x"])),
            (br"'it\'s \n'", Some(&[br"it's \n"])),
            (br#"foo"bar baz""#, Some(&[b"foobar baz"])),
            (br"\n \x41", Some(&[br"\n", br"\x41"])),
            (b"\"a\"\x0bb", Some(&[b"a", b"b"])),
            (b"a b\0c d", Some(&[b"a", b"b"])),
            (br#""a"b"#, None),
            (br"'a'b", None),
            (br#""a""b""#, None),
            (br#""open"#, None),
            (br"'open", None),
            (br#""open\"#, None),
            (b"\"a\0\"", None),
        ];
        for (line, expected) in rows {
            let expected = expected
                .map(|all| all.iter().map(|one| one.to_vec()).collect::<Vec<_>>())
                .ok_or(SplitError::UnbalancedQuotes);
            assert_eq!(split(line), expected, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn quoted_bytes_come_back(arguments in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..20), 0..6)
        ) {
            let mut line = Vec::new();
            for argument in &arguments {
                line.extend_from_slice(b" \"");
                for byte in argument {
                    line.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
                }
                line.push(b'"');
            }
            prop_assert_eq!(split(&line), Ok(arguments));
        }

        #[test]
        fn no_line_panics(line in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b'\''), Just(b'\\'), Just(b'x'), Just(b' '), any::<u8>()],
            0..40)
        ) {
            let _ = split(&line);
        }
    }
}
