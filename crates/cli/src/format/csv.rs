//! Replies as one line of comma-separated values, nesting flattened.

use super::{flat, quote};
use resp::Value;

/// Appends `value` without a line end.
pub(super) fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"ERROR,");
            quote(out, text);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => quote(out, text),
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double { text, .. } | Value::BigNumber(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Boolean(holds) => out.extend_from_slice(holds.to_string().as_bytes()),
        Value::Attributed { value, .. } => write(out, value),
        Value::Array(_) | Value::Set(_) | Value::Push(_) | Value::Map(_) => {
            for (index, element) in flat(value).unwrap_or_default().into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, element);
            }
        }
    }
}
