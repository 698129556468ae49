//! Between the machine's replies and the wire.

use ::sentinel::Reply;
use resp::{Protocol, Value, Writer};

/// Appends `reply` to `out` in the client's protocol.
pub(super) fn write(out: &mut Vec<u8>, protocol: Protocol, reply: &Reply) {
    let mut writer = Writer::new(out, protocol);
    put(&mut writer, reply);
}

fn put(writer: &mut Writer<'_>, reply: &Reply) {
    match reply {
        Reply::Status(text) => writer.simple(text),
        Reply::Error(text) => writer.error(text),
        Reply::Integer(number) => writer.integer(*number),
        Reply::Bulk(bytes) => writer.bulk(bytes),
        Reply::Null => writer.null(),
        Reply::NullArray => writer.null_array(),
        Reply::Text(text) => writer.verbatim(*b"txt", text),
        Reply::Array(items) => {
            writer.array(items.len());
            for item in items {
                put(writer, item);
            }
        }
        Reply::Map(pairs) => {
            writer.map(pairs.len());
            for (key, value) in pairs {
                put(writer, key);
                put(writer, value);
            }
        }
    }
}

/// What an instance answered, as the machine takes it. Types that no answer to our commands has
/// become null.
pub(super) fn from_value(value: Value) -> Reply {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match value.into_plain() {
        Value::Simple(bytes) => Reply::Status(text(bytes)),
        Value::Error(bytes) => Reply::Error(text(bytes)),
        Value::Integer(number) => Reply::Integer(number),
        Value::Bulk(bytes) => Reply::Bulk(bytes),
        Value::Verbatim { text, .. } => Reply::Bulk(text),
        Value::Array(items) | Value::Push(items) | Value::Set(items) => {
            Reply::Array(items.into_iter().map(from_value).collect())
        }
        _ => Reply::Null,
    }
}
