//! Ids as arguments.

use engine::{Args, CommandError};
use values::stream::StreamId;

/// The error of a word that is no id.
pub(super) fn invalid() -> CommandError {
    CommandError::text("ERR Invalid stream ID specified as stream command argument")
}

/// `ms` or `ms-seq`; `missing` is the second part where there is none.
pub(super) fn strict(word: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    StreamId::parse(word, missing).ok_or_else(invalid)
}

/// As [`strict`], or `-` and `+` for the lowest and the highest id.
pub(super) fn loose(word: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    match word {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => strict(word, missing),
    }
}

/// The first id of an interval; `(` in front of the word excludes it.
pub(super) fn start(word: &[u8]) -> Result<StreamId, CommandError> {
    let Some(word) = word.strip_prefix(b"(") else { return loose(word, 0) };
    let error = || CommandError::text("ERR invalid start ID for the interval");
    strict(word, 0)?.next().ok_or_else(error)
}

/// The last id of an interval; `(` in front of the word excludes it.
pub(super) fn end(word: &[u8]) -> Result<StreamId, CommandError> {
    let Some(word) = word.strip_prefix(b"(") else { return loose(word, u64::MAX) };
    let error = || CommandError::text("ERR invalid end ID for the interval");
    strict(word, u64::MAX)?.previous().ok_or_else(error)
}

/// The words that are left, each an id.
pub(super) fn rest(args: &mut Args<'_>) -> Result<Vec<StreamId>, CommandError> {
    let mut ids = Vec::with_capacity(args.left());
    while let Some(word) = args.next() {
        ids.push(strict(word, 0)?);
    }
    Ok(ids)
}

/// A number of entries; below zero counts as zero.
pub(super) fn count(args: &mut Args<'_>) -> Result<usize, CommandError> {
    Ok(usize::try_from(args.integer()?.max(0)).unwrap_or(usize::MAX))
}

/// The next word as a number, with an error of its own.
pub(super) fn number(args: &mut Args<'_>, error: &str) -> Result<i64, CommandError> {
    args.integer().map_err(|found| match found {
        CommandError::NotInteger => CommandError::text(error),
        other => other,
    })
}
