//! Replies for people: types named, strings quoted, elements numbered and indented.

use super::quote;
use resp::Value;

/// Appends `value`, which is an element under `prefix`, ending in a line end.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, prefix: &str) {
    match value {
        Value::Simple(text) | Value::Verbatim { text, .. } => out.extend_from_slice(text),
        Value::Error(text) => {
            out.extend_from_slice(b"(error) ");
            out.extend_from_slice(text);
        }
        Value::Integer(number) => {
            out.extend_from_slice(format!("(integer) {number}").as_bytes());
        }
        Value::Double { text, .. } => out.extend_from_slice(format!("(double) {text}").as_bytes()),
        Value::BigNumber(digits) => {
            out.extend_from_slice(format!("(big number) {digits}").as_bytes());
        }
        Value::Bulk(bytes) => quote(out, bytes),
        Value::Null => out.extend_from_slice(b"(nil)"),
        Value::Boolean(true) => out.extend_from_slice(b"(true)"),
        Value::Boolean(false) => out.extend_from_slice(b"(false)"),
        Value::Array(elements) => return list(out, elements, ("array", ')'), prefix),
        Value::Set(elements) => return list(out, elements, ("set", '~'), prefix),
        Value::Push(elements) => return list(out, elements, ("push", ')'), prefix),
        Value::Map(pairs) => return map(out, pairs, prefix),
        Value::Attributed { value, .. } => return write(out, value, prefix),
    }
    out.push(b'\n');
}

fn list(out: &mut Vec<u8>, elements: &[Value], (name, mark): (&str, char), prefix: &str) {
    if elements.is_empty() {
        out.extend_from_slice(format!("(empty {name})\n").as_bytes());
        return;
    }
    let numbering = Numbering::new(elements.len(), mark, prefix);
    for (index, element) in elements.iter().enumerate() {
        numbering.write(out, index, prefix);
        write(out, element, &numbering.inner_prefix);
    }
}

fn map(out: &mut Vec<u8>, pairs: &[(Value, Value)], prefix: &str) {
    if pairs.is_empty() {
        out.extend_from_slice(b"(empty hash)\n");
        return;
    }
    let numbering = Numbering::new(pairs.len(), '#', prefix);
    for (index, (key, value)) in pairs.iter().enumerate() {
        numbering.write(out, index, prefix);
        write(out, key, &numbering.inner_prefix);
        out.pop();
        out.extend_from_slice(b" => ");
        if is_long(value) {
            out.push(b'\n');
            out.extend_from_slice(numbering.inner_prefix.as_bytes());
        }
        write(out, value, &numbering.inner_prefix);
    }
}

/// Whether a value of a map begins on a line of its own: it, or what is alone in it, has several
/// elements.
fn is_long(value: &Value) -> bool {
    let only = match value.plain() {
        Value::Map(pairs) => match pairs.as_slice() {
            [] => return false,
            [(_, only)] => only,
            _ => return true,
        },
        other => match other.as_array() {
            None | Some([]) => return false,
            Some([only]) => only,
            Some(_) => return true,
        },
    };
    is_long(only)
}

/// Numbers of one aggregate, right-aligned to the widest.
struct Numbering {
    width: usize,
    mark: char,
    inner_prefix: String,
}

impl Numbering {
    fn new(len: usize, mark: char, prefix: &str) -> Numbering {
        let width = len.to_string().len();
        Numbering { width, mark, inner_prefix: format!("{prefix}{:1$}", "", width + 2) }
    }

    /// The first element stands behind the number of the aggregate itself and needs no prefix.
    fn write(&self, out: &mut Vec<u8>, index: usize, prefix: &str) {
        let prefix = if index == 0 { "" } else { prefix };
        let (number, width, mark) = (index + 1, self.width, self.mark);
        out.extend_from_slice(format!("{prefix}{number:width$}{mark} ").as_bytes());
    }
}
