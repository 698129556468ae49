//! From values to text: what CONFIG GET answers and what CONFIG REWRITE writes.

use super::Plain;
use crate::choice::ShutdownOn;
use crate::row::{Kind, Row, Unit};
use crate::split::quote;

/// The names of the client classes in CONFIG GET.
const CLASSES_SHOWN: [&str; 3] = ["normal", "slave", "pubsub"];
/// The names of the client classes in files.
const CLASSES_WRITTEN: [&str; 3] = ["normal", "replica", "pubsub"];

/// The value as CONFIG GET shows it.
pub fn shown(row: &Row, value: &Plain) -> Vec<u8> {
    match value {
        Plain::Flag(on) => if *on { "yes" } else { "no" }.into(),
        Plain::Number(number) => number_text(row, *number, false).into_bytes(),
        Plain::Choice(at) => choice_text(row, *at).into(),
        Plain::Shutdown(options) => shutdown_text(*options).into_bytes(),
        Plain::Text(text) => text.to_vec(),
        Plain::List(words) => words.join(&b' '),
        Plain::OutputLimits(limits) => {
            let classes = CLASSES_SHOWN.iter().zip(limits.iter()).map(|(class, limit)| {
                format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
            });
            classes.collect::<Vec<_>>().join(" ").into_bytes()
        }
        Plain::SaveRules(rules) => {
            let rules = rules.iter().map(|(seconds, changes)| format!("{seconds} {changes}"));
            rules.collect::<Vec<_>>().join(" ").into_bytes()
        }
        Plain::Address(None) => Vec::new(),
        Plain::Address(Some(endpoint)) => {
            format!("{} {}", endpoint.host, endpoint.port).into_bytes()
        }
    }
}

/// The lines that set the value in a file, without line ends. None for a value that is said by
/// silence, unless `must_say`, because something before would say otherwise.
pub fn lines(row: &Row, value: &Plain, must_say: bool) -> Vec<Vec<u8>> {
    let name = row.name;
    let line = |text: String| vec![format!("{name} {text}").into_bytes()];
    let bytes = |text: Vec<u8>| vec![[name.as_bytes(), b" ", &text].concat()];
    match value {
        Plain::Number(number) => line(number_text(row, *number, true)),
        Plain::Text(text) if text.is_empty() && silence_is_empty(row) && !must_say => Vec::new(),
        Plain::Text(text) => bytes(quote(text)),
        Plain::List(words) if words.is_empty() => line("\"\"".to_owned()),
        Plain::List(words) => {
            bytes(words.iter().map(|word| bare(word)).collect::<Vec<_>>().join(&b' '))
        }
        Plain::OutputLimits(limits) => {
            let classes = CLASSES_WRITTEN.iter().zip(limits.iter()).map(|(class, limit)| {
                let (hard, soft) = (memory(limit.hard_bytes), memory(limit.soft_bytes));
                format!("{name} {class} {hard} {soft} {}", limit.soft_seconds).into_bytes()
            });
            classes.collect()
        }
        Plain::SaveRules(rules) if rules.is_empty() => line("\"\"".to_owned()),
        Plain::SaveRules(rules) => {
            let rules = rules.iter();
            rules
                .map(|(seconds, changes)| format!("{name} {seconds} {changes}").into_bytes())
                .collect()
        }
        Plain::Address(None) if must_say => line("no one".to_owned()),
        Plain::Address(None) => Vec::new(),
        Plain::Address(Some(endpoint)) => {
            let host = bare(endpoint.host.as_bytes());
            bytes([host.as_slice(), b" ", endpoint.port.to_string().as_bytes()].concat())
        }
        Plain::Flag(_) | Plain::Choice(_) | Plain::Shutdown(_) => bytes(shown(row, value)),
    }
}

fn silence_is_empty(row: &Row) -> bool {
    matches!(row.kind, Kind::Text { default: "", .. })
}

/// A word as it stands in a file: quoted only if it would not survive otherwise.
pub fn bare(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'#' | b'\\');
    if !word.is_empty() && word.iter().all(plain) { word.to_vec() } else { quote(word) }
}

fn choice_text(row: &Row, at: u8) -> &'static str {
    match row.kind {
        Kind::Choice { words, .. } => words.get(usize::from(at)).copied().unwrap_or_default(),
        _ => "",
    }
}

fn shutdown_text(options: ShutdownOn) -> String {
    let flags = [options.save, options.nosave, options.now, options.force];
    let words = flags.iter().zip(&ShutdownOn::WORDS[1..]).filter(|(on, _)| **on);
    let words: Vec<&str> = words.map(|(_, word)| *word).collect();
    if words.is_empty() { "default".to_owned() } else { words.join(" ") }
}

fn number_text(row: &Row, number: i64, in_file: bool) -> String {
    let Kind::Number { unit, .. } = row.kind else { return number.to_string() };
    match unit {
        Unit::BytesOrPercent if number < 0 => format!("{}%", -number),
        Unit::Bytes | Unit::BytesOrPercent if in_file => memory(number.unsigned_abs()),
        Unit::Octal => format!("{number:o}"),
        _ => number.to_string(),
    }
}

/// An amount of memory in the largest unit that divides it.
fn memory(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}
