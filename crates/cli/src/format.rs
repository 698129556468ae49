//! The ways a reply is printed: for people (`tty`), for pipes (`raw`), as CSV, as JSON.
//!
//! Bytes equal to what redis-cli 7.0.15 prints for the same reply, except where it gives up: it ends on a
//! big number and on attributes; here a big number is printed and attributes are left out.
//!
//! Recursion is bounded by the depth the decoder accepts.

mod csv;
mod json;
mod raw;
mod tty;

pub(crate) use json::Strings;
use resp::Value;

/// How replies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Standard,
    Raw,
    Csv,
    Json,
    QuotedJson,
}

/// What stands between elements and after replies in raw output.
#[derive(Clone, Debug)]
pub(crate) struct Delimiters {
    pub(crate) element: Vec<u8>,
    pub(crate) reply: Vec<u8>,
}

impl Default for Delimiters {
    fn default() -> Delimiters {
        Delimiters { element: b"\n".to_vec(), reply: b"\n".to_vec() }
    }
}

/// The bytes printed for `value`. `verbatim` is for commands whose reply is a text of lines (INFO).
pub(crate) fn reply(
    value: &Value,
    output: Output,
    verbatim: bool,
    delimiters: &Delimiters,
) -> Vec<u8> {
    let mut out = Vec::new();
    if verbatim {
        raw::write(&mut out, value, &delimiters.element);
        return out;
    }
    match output {
        Output::Standard => tty::write(&mut out, value, ""),
        Output::Raw => {
            raw::write(&mut out, value, &delimiters.element);
            out.extend_from_slice(&delimiters.reply);
        }
        Output::Csv => {
            csv::write(&mut out, value);
            out.push(b'\n');
        }
        Output::Json => {
            json::write(&mut out, value, Strings::Utf8);
            out.push(b'\n');
        }
        Output::QuotedJson => {
            json::write(&mut out, value, Strings::Escaped);
            out.push(b'\n');
        }
    }
    out
}

/// What is printed for a push: invalidations in short where people read, others as replies.
pub(crate) fn push(value: &Value, output: Output, delimiters: &Delimiters) -> Vec<u8> {
    if output == Output::Standard
        && let Some([kind, keys]) = value.as_array()
        && kind.as_bytes() == Some(b"invalidate")
        && let Value::Array(keys) = keys
    {
        let mut out = b"-> invalidate: ".to_vec();
        for (index, key) in keys.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"'" } else { b", '" });
            out.extend_from_slice(key.as_bytes().unwrap_or_default());
            out.push(b'\'');
        }
        out.push(b'\n');
        return out;
    }
    reply(value, output, false, delimiters)
}

/// Appends `bytes` in double quotes, everything that is not printable ASCII escaped.
pub(crate) fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// The elements of an aggregate in the order sent, keys and values of maps alternating.
fn flat(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            Some(elements.iter().collect())
        }
        Value::Map(pairs) => Some(pairs.iter().flat_map(|(key, value)| [key, value]).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
