//! The lines typed before, kept in a file from session to session.
//!
//! `~/.rediscli_history`, or `$REDISCLI_HISTFILE` (`/dev/null` keeps nothing), at most
//! [`LINES_MAX`] lines, readable by its owner only. Lines that carry secrets are not kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The most lines kept.
pub(crate) const LINES_MAX: usize = 100;

/// Where the lines are kept; `None` if nowhere.
pub(crate) fn path(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    if let Some(path) = environment.get("REDISCLI_HISTFILE").filter(|path| !path.is_empty()) {
        return (path != "/dev/null").then(|| PathBuf::from(path));
    }
    environment.get("HOME").map(|home| PathBuf::from(home).join(".rediscli_history"))
}

/// The lines kept, oldest first; none if there is no such file.
pub(crate) fn load(path: &PathBuf) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.into_iter().skip(surplus).collect()
}

/// Keeps `lines`, replacing what was kept.
pub(crate) fn save<'a>(path: &PathBuf, lines: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes())
}

/// Whether a command carries a secret.
pub(crate) fn is_secret(arguments: &[Vec<u8>]) -> bool {
    let is = |index: usize, name: &str| {
        arguments.get(index).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let has = |names: &[&str]| (1..arguments.len()).any(|at| names.iter().any(|name| is(at, name)));
    is(0, "AUTH")
        || (is(0, "ACL") && (is(1, "SETUSER") || is(1, "DELUSER") || is(1, "GETUSER")))
        || (is(0, "HELLO") && has(&["AUTH"]))
        || (is(0, "MIGRATE") && has(&["AUTH", "AUTH2"]))
        || (is(0, "CONFIG")
            && is(1, "SET")
            && has(&[
                "masterauth",
                "masteruser",
                "primaryauth",
                "primaryuser",
                "requirepass",
                "tls-client-key-file-pass",
                "tls-key-file-pass",
            ]))
        || (is(0, "SENTINEL")
            && ((is(1, "CONFIG") && is(2, "SET") && has(&["sentinel-pass", "sentinel-user"]))
                || (is(1, "SET") && has(&["auth-pass", "auth-user"]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_secrets() {
        for (line, expected) in [
            ("auth x", true),
            ("AUTH u p", true),
            ("acl setuser u >p", true),
            ("acl list", false),
            ("config set requirepass x", true),
            ("config set port 1 masterauth x", true),
            ("config set port 1", false),
            ("config get requirepass", false),
            ("hello 3", false),
            ("hello 3 auth u p", true),
            ("migrate h 1 k 0 1 AUTH p", true),
            ("sentinel set m auth-pass p", true),
            ("sentinel set m quorum 2", false),
            ("sentinel config set sentinel-pass p", true),
            ("get auth", false),
        ] {
            let words: Vec<Vec<u8>> =
                line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(is_secret(&words), expected, "{line}");
        }
    }

    #[test]
    fn keeps_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        assert!(load(&path).is_empty());
        let lines: Vec<String> = (0..LINES_MAX + 5).map(|number| format!("get {number}")).collect();
        save(&path, lines.iter()).unwrap();
        assert_eq!(load(&path), lines[5..]);
    }

    #[test]
    fn the_file_is_named_by_the_environment() {
        let of = |pairs: &[(&str, &str)]| {
            path(&pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
        };
        assert_eq!(of(&[("HOME", "/h")]), Some(PathBuf::from("/h/.rediscli_history")));
        assert_eq!(of(&[("HOME", "/h"), ("REDISCLI_HISTFILE", "/x")]), Some(PathBuf::from("/x")));
        assert_eq!(of(&[("HOME", "/h"), ("REDISCLI_HISTFILE", "/dev/null")]), None);
        assert_eq!(of(&[]), None);
    }
}
