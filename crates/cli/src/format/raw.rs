//! Replies for pipes: the bytes as they are, elements apart by a delimiter.

use resp::Value;

/// Appends `value` without a delimiter after it.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, delimiter: &[u8]) {
    match value {
        Value::Null => {}
        Value::Error(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            out.extend_from_slice(text);
        }
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double { text, .. } | Value::BigNumber(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        Value::Boolean(true) => out.extend_from_slice(b"(true)"),
        Value::Boolean(false) => out.extend_from_slice(b"(false)"),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, element, delimiter);
            }
        }
        Value::Map(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, key, delimiter);
                out.push(b' ');
                write(out, value, delimiter);
            }
        }
        Value::Attributed { value, .. } => write(out, value, delimiter),
    }
}
