//! Replies as JSON, as redis-cli writes it: an error becomes `error:"..."`, which is no JSON, and strings
//! that are no UTF-8 pass through.

use super::quote;
use resp::Value;

/// How strings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    /// `--json`: control characters escaped as JSON asks, everything else as it is.
    Utf8,
    /// `--quoted-json`: printable ASCII only. The quoting of the terminal with each backslash doubled.
    Escaped,
}

/// Appends `value` without a line end.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, strings: Strings) {
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"error:");
            string(out, text, strings);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            string(out, text, strings);
        }
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double { text, .. } | Value::BigNumber(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(holds) => out.extend_from_slice(holds.to_string().as_bytes()),
        Value::Attributed { value, .. } => write(out, value, strings),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, element, strings);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (index, (name, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                key(out, name, strings);
                out.push(b':');
                write(out, value, strings);
            }
            out.push(b'}');
        }
    }
}

/// Keys must be strings: any other value is written as a string holding its JSON.
fn key(out: &mut Vec<u8>, name: &Value, strings: Strings) {
    let mut text = Vec::new();
    write(&mut text, name, strings);
    if text.first() == Some(&b'"') {
        out.extend_from_slice(&text);
    } else {
        utf8_string(out, &text);
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8], strings: Strings) {
    match strings {
        Strings::Utf8 => utf8_string(out, bytes),
        Strings::Escaped => {
            let mut quoted = Vec::new();
            quote(&mut quoted, bytes);
            for byte in quoted {
                if byte == b'\\' {
                    out.push(b'\\');
                }
                out.push(byte);
            }
        }
    }
}

fn utf8_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
