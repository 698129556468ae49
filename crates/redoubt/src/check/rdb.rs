//! `redoubt check-rdb FILE`: reads a snapshot to its end.

use super::bar::{Bar, Lines};
use base::Millis;
use engine::image::{self, BadValue, Limits};
use rdb::{Item, LoadError, Loader};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 256 << 10;

/// What stands behind a snapshot.
pub(super) type Rest<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// What was found in a snapshot.
#[derive(Default)]
struct Found {
    keys: u64,
    expires: u64,
    expired: u64,
}

impl Found {
    fn count(&mut self, expire_at: Option<Millis>, now: Millis) {
        self.keys += 1;
        self.expires += u64::from(expire_at.is_some());
        self.expired += u64::from(expire_at.is_some_and(|at| at <= now));
    }
}

/// The program. Gives the exit code.
pub fn main(words: &[String], out: &mut dyn Write, bar: &Bar) -> i32 {
    let code = run(words, &mut Lines { out, bar: bar.clone() }, bar);
    // Nobody can be told that standard output is closed.
    code.unwrap_or(1)
}

fn run(words: &[String], out: &mut dyn Write, bar: &Bar) -> io::Result<i32> {
    let [name] = words else {
        writeln!(out, "Usage: redoubt check-rdb <rdb-file-name>")?;
        return Ok(1);
    };
    match File::open(name) {
        Ok(file) => {
            let input = BufReader::with_capacity(READ_BYTES, bar.watch(name, file));
            Ok(i32::from(check(name, input, out)?.is_none()))
        }
        Err(error) => {
            writeln!(out, "Cannot open RDB file {name}: {error}")?;
            Ok(1)
        }
    }
}

/// Reads the snapshot at the beginning of `input`, printing what it says. Gives what stands behind it,
/// and where that begins; `None` if it is damaged.
///
/// # Errors
/// When `out` cannot be written to.
pub(super) fn check<R: Read>(
    name: &str,
    input: R,
    out: &mut dyn Write,
) -> io::Result<Option<(Rest<R>, u64)>> {
    writeln!(out, "[offset 0] Checking RDB file {name}")?;
    let mut loader = Loader::new(input);
    let (mut found, now) = (Found::default(), base::clock::unix());
    let limits = Limits::default();
    let damage = loop {
        match loader.next_item() {
            Ok(Some(Item::Key(key))) => {
                found.count(key.attributes.expire_at, now);
                // As whoever loads it: one that is empty is passed over.
                match image::entry(&key.key, key.value, None, &limits) {
                    Ok(_) | Err(BadValue::Empty) => {}
                    Err(error) => break Some(error.to_string()),
                }
            }
            Ok(Some(item)) => say(&item, loader.offset(), &mut found, out)?,
            Ok(None) => break None,
            Err(error) => break Some(text_of(&error)),
        }
    };
    let offset = loader.offset();
    match &damage {
        None => {
            let sum = if loader.has_checksum() {
                "Checksum OK"
            } else {
                "RDB file was saved with checksum disabled: no check performed."
            };
            writeln!(out, "[offset {offset}] {sum}")?;
            writeln!(out, "[offset {offset}] \\o/ RDB looks OK! \\o/")?;
        }
        Some(text) => {
            writeln!(out, "--- RDB ERROR DETECTED ---")?;
            writeln!(out, "[offset {offset}] {text}")?;
        }
    }
    let Found { keys, expires, expired } = found;
    writeln!(out, "[info] {keys} keys read\n[info] {expires} expires")?;
    writeln!(out, "[info] {expired} already expired")?;
    if damage.is_some() {
        return Ok(None);
    }
    let (input, unread) = loader.into_rest();
    let begin = offset;
    Ok(Some((io::Cursor::new(unread).chain(input), begin)))
}

fn text_of(error: &LoadError) -> String {
    match error {
        LoadError::UnexpectedEnd { .. } => "Unexpected EOF reading RDB file".to_owned(),
        other => other.to_string(),
    }
}

fn say(item: &Item, offset: u64, found: &mut Found, out: &mut dyn Write) -> io::Result<()> {
    match item {
        Item::Aux { key, value } => {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            writeln!(out, "[offset {offset}] AUX FIELD {key} = '{value}'")
        }
        Item::SelectDb(db) => writeln!(out, "[offset {offset}] Selecting DB ID {db}"),
        Item::ModuleSkipped { key: Some(_), .. } => {
            found.keys += 1;
            Ok(())
        }
        Item::ModuleSkipped { module, .. } => {
            writeln!(out, "[offset {offset}] MODULE AUX for: {module}")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(bytes: &[u8]) -> (bool, String) {
        let mut out = Vec::new();
        let whole = check("x.rdb", bytes, &mut out).unwrap().is_some();
        (whole, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_snapshot_is_whole_or_not() {
        // Version 9, database 0 with a = 1, and its checksum left out.
        let whole = b"REDIS0009\xfe\x00\x00\x01a\x011\xff\0\0\0\0\0\0\0\0";
        let (is_whole, text) = checked(whole);
        assert!(is_whole, "{text}");
        assert!(
            text.contains("Selecting DB ID 0") && text.contains("[info] 1 keys read"),
            "{text}"
        );
        assert!(text.contains("\\o/ RDB looks OK! \\o/"), "{text}");
        let unchecked = "RDB file was saved with checksum disabled: no check performed.";
        assert!(text.contains(unchecked) && !text.contains("Checksum OK"), "{text}");
        let (is_whole, text) = checked(&whole[..16]);
        assert!(!is_whole && text.contains("Unexpected EOF reading RDB file"), "{text}");
    }

    #[test]
    fn a_value_that_cannot_be_is_damage() {
        let twice = b"REDIS0009\xfe\x00\x02\x01s\x02\x01a\x01a\xff\0\0\0\0\0\0\0\0";
        let (is_whole, text) = checked(twice);
        assert!(!is_whole && text.contains("--- RDB ERROR DETECTED ---"), "{text}");
        assert!(text.contains("a duplicate element"), "{text}");
    }

    #[test]
    fn without_a_file_it_tells_how_it_is_called() {
        let mut out = Vec::new();
        assert_eq!(main(&[], &mut out, &Bar::default()), 1);
        assert!(out.starts_with(b"Usage: "));
    }
}
