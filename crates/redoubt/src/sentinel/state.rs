//! The file that remembers: identity, epochs, votes, and who is who.
//!
//! Lines are those of a stock sentinel.conf, so that a stock sentinel can go on from the file. A
//! write is durable when it returns; equal lines are not written twice.

use ::sentinel::Line;
use std::io;
use std::path::{Path, PathBuf};

/// The state file and what it is known to hold.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    written: Option<Vec<Line>>,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> StateFile {
        StateFile { path, written: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file say `lines`, durably.
    pub(super) fn write(&mut self, lines: Vec<Line>) -> io::Result<()> {
        if self.written.as_ref() == Some(&lines) {
            return Ok(());
        }
        self.written = None;
        let texts: Vec<String> = lines.iter().map(text).collect();
        conf::sentinel_file(&self.path, &texts)?;
        self.written = Some(lines);
        Ok(())
    }
}

/// The `sentinel` lines of the file at `path`, none if there is no such file.
pub(super) fn read(path: &Path) -> io::Result<Vec<Line>> {
    let bytes = conf::rewrite::file::read(path)?;
    let mut lines = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let words = resp::inline::split(line)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "unbalanced quotes"))?;
        if words.first().is_some_and(|word| word.eq_ignore_ascii_case(b"sentinel")) {
            lines.push(words);
        }
    }
    Ok(lines)
}

fn text(line: &Line) -> String {
    line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as it is, or in double quotes if it would not come back unharmed.
fn quoted(word: &[u8]) -> String {
    let plain =
        |&byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'#');
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let escaped = word.iter().map(|&byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = std::env::temp_dir().join(format!("redoubt-state-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("sentinel-1.conf");
        assert_eq!(read(&path).unwrap(), Vec::<Line>::new());
        let line = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Line>();
        let lines = vec![
            line(&[b"sentinel", b"monitor", b"m", b"127.0.0.1", b"6379", b"2"]),
            line(&[b"sentinel", b"auth-pass", b"m", b"a \"b\"\\ #\xff\n"]),
            line(&[b"sentinel", b"current-epoch", b"7"]),
        ];
        let mut file = StateFile::new(path.clone());
        file.write(lines.clone()).unwrap();
        let mut back = read(&path).unwrap();
        back.sort();
        let mut expected = lines;
        expected.sort();
        assert_eq!(back, expected);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
