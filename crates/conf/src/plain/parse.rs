//! From words to values. Foreign input: nothing here panics.

use super::{Plain, ValueError};
use crate::cell::{ClassLimit, Endpoint};
use crate::choice::ShutdownOn;
use crate::row::{Kind, Row, Unit};
use std::sync::Arc;

/// How many addresses `bind` takes.
pub const BIND_ADDRESSES_MAX: usize = 16;

/// Reads `words` as a value of `row`. `before` is what the words add to: the limits of classes they
/// do not name, and the save rules of earlier lines (empty on CONFIG SET and on the first line of a
/// file).
///
/// # Errors
/// The [`ValueError`] whose text stock gives.
pub fn value(row: &Row, words: &[Vec<u8>], before: &Plain) -> Result<Plain, ValueError> {
    match row.kind {
        Kind::Flag { .. } => flag(one(words)?).map(Plain::Flag),
        Kind::Number { min, max, unit, .. } => {
            number(one(words)?, unit, min, max).map(Plain::Number)
        }
        Kind::Choice { words: known, .. } => choice(one(words)?, known).map(Plain::Choice),
        Kind::Shutdown => shutdown(words).map(Plain::Shutdown),
        Kind::Text { canon, .. } => Ok(Plain::Text(Arc::from(canon(one(words)?)?))),
        Kind::List { canon, .. } => Ok(Plain::List(Arc::new(canon(without_lone_blank(words))?))),
        Kind::OutputLimits => output_limits(words, before),
        Kind::SaveRules => save_rules(words, before),
        Kind::Address => address(words).map(Plain::Address),
    }
}

fn one(words: &[Vec<u8>]) -> Result<&[u8], ValueError> {
    match words {
        [word] => Ok(word),
        _ => Err(ValueError::WordCount),
    }
}

/// A single empty word stands for no words at all: `bind ""`, `save ""`.
fn without_lone_blank(words: &[Vec<u8>]) -> &[Vec<u8>] {
    match words {
        [word] if word.is_empty() => &[],
        _ => words,
    }
}

fn flag(word: &[u8]) -> Result<bool, ValueError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err(ValueError::Flag)
    }
}

fn number(word: &[u8], unit: Unit, min: i64, max: i64) -> Result<i64, ValueError> {
    let value = match unit {
        Unit::Bytes => bytes(word).ok_or(ValueError::Memory)?,
        Unit::BytesOrPercent => match word.strip_suffix(b"%") {
            Some(digits) => {
                let percent = integer(digits).filter(|&percent| percent >= 0);
                let percent = percent.ok_or(ValueError::MemoryOrPercent)?;
                if -percent < min {
                    return Err(ValueError::Percent(-min));
                }
                return Ok(-percent);
            }
            None => bytes(word).ok_or(ValueError::MemoryOrPercent)?,
        },
        Unit::Octal => octal(word).ok_or(ValueError::Octal)?,
        _ => integer(word).ok_or(ValueError::Integer)?,
    };
    if value < min || value > max {
        return Err(ValueError::Bounds(min, max));
    }
    Ok(value)
}

/// A decimal integer in its shortest notation: no blanks, no `+`, no leading zeros.
pub fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let shortest = match digits {
        [b'0'] => word.len() == 1,
        [first, ..] => *first != b'0',
        [] => false,
    };
    if !shortest || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// An amount of memory: digits and a unit, `k` for a thousand, `kb` for 1024.
pub fn bytes(word: &[u8]) -> Option<i64> {
    let end = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at_checked(end)?;
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?.checked_mul(factor)
}

fn octal(word: &[u8]) -> Option<i64> {
    if word.is_empty() || !word.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    i64::from_str_radix(std::str::from_utf8(word).ok()?, 8).ok()
}

fn choice(word: &[u8], known: &'static [&'static str]) -> Result<u8, ValueError> {
    let at = known.iter().position(|text| word.eq_ignore_ascii_case(text.as_bytes()));
    at.and_then(|at| u8::try_from(at).ok()).ok_or(ValueError::Choice(known))
}

fn shutdown(words: &[Vec<u8>]) -> Result<ShutdownOn, ValueError> {
    let mut options = ShutdownOn::default();
    if words.is_empty() {
        return Err(ValueError::Choice(ShutdownOn::WORDS));
    }
    for word in words {
        match choice(word, ShutdownOn::WORDS)? {
            1 => options.save = true,
            2 => options.nosave = true,
            3 => options.now = true,
            4 => options.force = true,
            _ => {}
        }
    }
    if options.save && options.nosave {
        return Err(ValueError::ShutdownClash);
    }
    Ok(options)
}

fn output_limits(words: &[Vec<u8>], before: &Plain) -> Result<Plain, ValueError> {
    let Plain::OutputLimits(before) = before else { return Err(ValueError::LimitWords) };
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err(ValueError::LimitWords);
    }
    let mut limits = **before;
    for group in words.chunks_exact(4) {
        let [class, hard, soft, seconds] = group else { return Err(ValueError::LimitWords) };
        let class = limit_class(class).ok_or(ValueError::LimitClass)?;
        let amount = |word: &[u8], parse: fn(&[u8]) -> Option<i64>| {
            parse(word).and_then(|value| u64::try_from(value).ok()).ok_or(ValueError::LimitValue)
        };
        let limit = limits.get_mut(class).ok_or(ValueError::LimitClass)?;
        *limit = ClassLimit {
            hard_bytes: amount(hard, bytes)?,
            soft_bytes: amount(soft, bytes)?,
            soft_seconds: amount(seconds, integer)?,
        };
    }
    Ok(Plain::OutputLimits(Arc::new(limits)))
}

fn limit_class(word: &[u8]) -> Option<usize> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Some(0),
        b"slave" | b"replica" => Some(1),
        b"pubsub" => Some(2),
        _ => None,
    }
}

fn save_rules(words: &[Vec<u8>], before: &Plain) -> Result<Plain, ValueError> {
    let words = without_lone_blank(words);
    if !words.len().is_multiple_of(2) {
        return Err(ValueError::Save);
    }
    let mut rules = match before {
        Plain::SaveRules(rules) if !words.is_empty() => rules.to_vec(),
        _ => Vec::new(),
    };
    for pair in words.chunks_exact(2) {
        let [seconds, changes] = pair else { return Err(ValueError::Save) };
        let rule = (integer(seconds), integer(changes));
        let (Some(seconds @ 1..), Some(changes @ 0..)) = rule else { return Err(ValueError::Save) };
        rules.push((seconds.unsigned_abs(), changes.unsigned_abs()));
    }
    Ok(Plain::SaveRules(Arc::new(rules)))
}

fn address(words: &[Vec<u8>]) -> Result<Option<Arc<Endpoint>>, ValueError> {
    match words {
        [word] if word.is_empty() => Ok(None),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => Ok(None),
        [host, port] => {
            let port = integer(port).and_then(|port| u16::try_from(port).ok());
            let port = port.ok_or(ValueError::PrimaryPort)?;
            let host = String::from_utf8_lossy(host).into_owned();
            Ok(Some(Arc::new(Endpoint { host, port })))
        }
        _ => Err(ValueError::WordCount),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "one of the checks that rows name")]
pub(crate) fn any_text(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    Ok(word.to_vec())
}

#[allow(clippy::unnecessary_wraps, reason = "one of the checks that rows name")]
pub(crate) fn any_words(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ValueError> {
    Ok(words.to_vec())
}

pub(crate) fn bind_addresses(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ValueError> {
    if words.len() > BIND_ADDRESSES_MAX {
        return Err(ValueError::BindCount);
    }
    Ok(words.to_vec())
}

pub(crate) fn db_file_name(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    no_path(word, "dbfilename can't be a path, just a filename")
}

pub(crate) fn processors(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    if word.is_empty() || base::Processors::parse(word).is_some() {
        return Ok(word.to_vec());
    }
    Err(ValueError::Rule("argument must be a list of processors, as 0,2-4 or 0-7:2, or empty"))
}

pub(crate) fn dragonfly_format(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    if matches!(word, b"" | b"false" | b"no" | b"0") {
        return Ok(word.to_vec());
    }
    Err(ValueError::Rule("snapshots are RDB files, so that df_snapshot_format can only be false"))
}

pub(crate) fn schedule(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    if word.is_empty() || crate::Schedule::parse(word).is_some() {
        return Ok(word.to_vec());
    }
    Err(ValueError::Rule("argument must be a cron expression of five fields, or empty"))
}

pub(crate) fn append_file_name(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    if word.is_empty() {
        return Err(ValueError::Rule("appendfilename can't be empty"));
    }
    no_path(word, "appendfilename can't be a path, just a filename")
}

pub(crate) fn append_dir_name(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    if word.is_empty() {
        return Err(ValueError::Rule("appenddirname can't be empty"));
    }
    no_path(word, "appenddirname can't be a path, just a dirname")
}

fn no_path(word: &[u8], rule: &'static str) -> Result<Vec<u8>, ValueError> {
    if word.contains(&b'/') {
        return Err(ValueError::Rule(rule));
    }
    Ok(word.to_vec())
}

/// The variables that `proc-title-template` may use.
pub const TITLE_VARIABLES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];

pub(crate) fn title_template(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    const RULE: ValueError =
        ValueError::Rule("template format is invalid or contains unknown variables");
    let text = std::str::from_utf8(word).map_err(|_| RULE)?;
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let tail = rest.get(open + 1..).unwrap_or_default();
        let (variable, after) = tail.split_once('}').ok_or(RULE)?;
        if !TITLE_VARIABLES.contains(&variable) {
            return Err(RULE);
        }
        rest = after;
    }
    Ok(word.to_vec())
}

pub(crate) fn host_name(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    const LEN_MAX: usize = 255;
    if word.len() > LEN_MAX {
        return Err(ValueError::Rule("Hostnames must be less than 256 characters"));
    }
    if !word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Err(ValueError::Rule(
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ));
    }
    Ok(word.to_vec())
}

/// Classes of `notify-keyspace-events` that `A` stands for, in the order they are shown.
const EVENTS_OF_ALL: &[u8] = b"g$lshzxetd";
/// The other classes, in the order they are shown.
const EVENTS_BESIDE: &[u8] = b"nKEm";

pub(crate) fn keyspace_events(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    let known =
        |byte: &u8| *byte == b'A' || EVENTS_OF_ALL.contains(byte) || EVENTS_BESIDE.contains(byte);
    if !word.iter().all(known) {
        return Err(ValueError::Rule("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
    }
    let given = |class: &u8| word.contains(class);
    let mut shown = Vec::new();
    if given(&b'A') || EVENTS_OF_ALL.iter().all(given) {
        shown.push(b'A');
    } else {
        shown.extend(EVENTS_OF_ALL.iter().copied().filter(given));
    }
    shown.extend(EVENTS_BESIDE.iter().copied().filter(given));
    Ok(shown)
}

pub(crate) fn oom_values(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ValueError> {
    const BOUND: i64 = 2000;
    if words.len() != 3 {
        return Err(ValueError::WordCount);
    }
    if words.iter().any(|word| integer(word).is_none_or(|value| value.abs() > BOUND)) {
        return Err(ValueError::Rule(
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ));
    }
    Ok(words.to_vec())
}

pub(crate) fn percentiles(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ValueError> {
    words.iter().map(|word| percentile(word)).collect()
}

/// A percentage in its shortest notation.
fn percentile(word: &[u8]) -> Result<Vec<u8>, ValueError> {
    let value: Option<f64> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    match value {
        Some(value) if (0.0..=100.0).contains(&value) => Ok(value.to_string().into_bytes()),
        Some(_) => Err(ValueError::Rule(
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        )),
        None => Err(ValueError::Rule("Invalid latency-tracking-info-percentiles parameters")),
    }
}
