//! The `sentinel ...` lines of a file, made to say the sentinel's present state.
//!
//! A line that says what is wanted stays as it is. What is left on both sides is paired by its
//! subject (the option, and the name of the group for options that have one): the new line takes
//! the old one's place. The rest of the wanted lines goes to the end. An old line without a partner
//! goes if its option is known: a sentinel reports its state in full, and is silent about what has
//! its default. Options that nobody here knows stay.

use super::{Lines, file};
use crate::plain::show::bare;
use crate::split;
use std::io;
use std::path::Path;

/// Options of the sentinel itself.
const OF_SENTINEL: [&[u8]; 9] = [
    b"myid",
    b"current-epoch",
    b"deny-scripts-reconfig",
    b"resolve-hostnames",
    b"announce-hostnames",
    b"announce-ip",
    b"announce-port",
    b"sentinel-user",
    b"sentinel-pass",
];

/// Options of a group: their first argument is its name.
const OF_GROUP: [&[u8]; 14] = [
    b"monitor",
    b"down-after-milliseconds",
    b"failover-timeout",
    b"parallel-syncs",
    b"auth-pass",
    b"auth-user",
    b"notification-script",
    b"client-reconfig-script",
    b"master-reboot-down-after-period",
    b"rename-command",
    b"config-epoch",
    b"leader-epoch",
    b"known-replica",
    b"known-sentinel",
];

/// The line that says `words`, those after `sentinel`, quoted where they must be.
pub fn sentinel_line<W: AsRef<[u8]>>(words: &[W]) -> String {
    let words = words.iter().map(|word| bare(word.as_ref()));
    let line = std::iter::once(b"sentinel".to_vec()).chain(words).collect::<Vec<_>>().join(&b' ');
    // Quoting leaves nothing but ASCII.
    String::from_utf8_lossy(&line).into_owned()
}

/// Makes the `sentinel ...` lines of the file at `path` say `state`, lines as `sentinel monitor m
/// 1.2.3.4 6379 2`, and keeps the rest of the file. It is on disk when this returns, also when
/// nothing had to be changed.
///
/// # Errors
/// What the system says; the old file is untouched then.
pub fn sentinel_file(path: &Path, state: &[String]) -> io::Result<()> {
    let old = file::read(path)?;
    let mut lines = Lines::read(&old);
    merge(&mut lines, state);
    file::replace(path, &lines.into_text())
}

/// What a line is about.
#[derive(PartialEq, Eq)]
struct Subject {
    option: Vec<u8>,
    group: Option<Vec<u8>>,
}

/// The subject of the words of a line, if it is a sentinel's.
fn subject(words: &[Vec<u8>]) -> Option<Subject> {
    let [directive, option, rest @ ..] = words else { return None };
    if !directive.eq_ignore_ascii_case(b"sentinel") {
        return None;
    }
    let mut option = option.to_ascii_lowercase();
    if option == b"known-slave" {
        option = b"known-replica".to_vec();
    }
    let group = rest.first().filter(|_| OF_GROUP.contains(&option.as_slice())).cloned();
    Some(Subject { option, group })
}

pub(super) fn merge(lines: &mut Lines, state: &[String]) {
    let mut wanted: Vec<(&String, Vec<Vec<u8>>)> = state
        .iter()
        .map(|line| (line, split::words(line.as_bytes()).unwrap_or_default().0))
        .collect();
    let mut old: Vec<usize> = Vec::new();
    for (at, line) in lines.lines.iter().enumerate() {
        if subject(&line.words).is_none() {
            continue;
        }
        match wanted.iter().position(|(_, words)| *words == line.words) {
            Some(found) => drop(wanted.remove(found)),
            None => old.push(at),
        }
    }
    for (text, words) in wanted {
        let wanted = subject(&words);
        let same =
            |at: &usize| lines.lines.get(*at).is_some_and(|line| subject(&line.words) == wanted);
        match old.iter().position(same).map(|found| old.remove(found)) {
            Some(at) => {
                if let Some(line) = lines.lines.get_mut(at) {
                    line.replace(text.as_bytes());
                }
            }
            None => lines.add(text.as_bytes().to_vec()),
        }
    }
    for at in old {
        let Some(line) = lines.lines.get_mut(at) else { continue };
        let option = subject(&line.words).map(|subject| subject.option).unwrap_or_default();
        let known = OF_SENTINEL.iter().chain(&OF_GROUP).any(|name| *name == option.as_slice());
        if known {
            line.text = None;
        }
    }
}
