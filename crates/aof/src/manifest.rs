//! The manifest: which files make up an append-only file, oldest first.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//!
//! `b` is the base, `i` an increment, `h` a file of before the last rewrite that may be removed. Lines
//! that begin with `#` say nothing. A name with blanks or unprintable bytes stands in quotes.

use std::fmt::{self, Write};

/// The longest line, its end not counted.
pub const LINE_BYTES_MAX: usize = 1024;
/// The ending of a manifest's name.
pub const SUFFIX: &str = ".manifest";

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The data at a cut.
    Base,
    /// Of no use any more.
    History,
    /// The log behind the cut, or behind the increment before.
    Increment,
}

impl Part {
    const fn letter(self) -> char {
        match self {
            Part::Base => 'b',
            Part::History => 'h',
            Part::Increment => 'i',
        }
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its name, without a directory.
    pub name: String,
    /// Its number among files of its part.
    pub seq: u64,
    /// What it is for.
    pub part: Part,
}

/// The files. One whose lists are all empty describes an append-only file that is not there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The data at the last cut.
    pub base: Option<Piece>,
    /// What may be removed.
    pub history: Vec<Piece>,
    /// The log behind it, ascending.
    pub increments: Vec<Piece>,
    /// The greatest number a base has had.
    base_seq: u64,
    /// The greatest number an increment has had.
    increment_seq: u64,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Reading the manifest file, at line {line}: {reason}{}", shown(text))]
pub struct ManifestError {
    /// Which line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// What is wrong with it, in stock's words.
    pub reason: &'static str,
}

fn shown(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" >>> '{text}'") }
}

/// What is wrong with a line.
const FORMAT: &str = "Invalid AOF manifest file format";

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], naming the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|&byte| byte == b'\n');
        for (number, line) in lines.enumerate() {
            let refused = |reason| {
                let line_text = line.get(..LINE_BYTES_MAX.min(line.len())).unwrap_or_default();
                let text = String::from_utf8_lossy(line_text).into_owned();
                ManifestError { line: number + 1, text, reason }
            };
            if bytes.is_empty() {
                return Err(refused("Found an empty AOF manifest"));
            }
            if line.first() == Some(&b'#') {
                continue;
            }
            if line.len() > LINE_BYTES_MAX {
                return Err(refused("The AOF manifest file contains too long line"));
            }
            manifest.add(piece(line).map_err(refused)?).map_err(refused)?;
        }
        if manifest.base.is_none() && manifest.increments.is_empty() && manifest.history.is_empty()
        {
            let reason = "Found an empty AOF manifest";
            return Err(ManifestError { line: 1, text: String::new(), reason });
        }
        Ok(manifest)
    }

    fn add(&mut self, piece: Piece) -> Result<(), &'static str> {
        match piece.part {
            Part::Base if self.base.is_some() => {
                return Err("Found duplicate base file information");
            }
            Part::Base => {
                self.base_seq = piece.seq;
                self.base = Some(piece);
            }
            Part::History => self.history.push(piece),
            Part::Increment if piece.seq <= self.increment_seq => {
                return Err("Found a non-monotonic sequence number");
            }
            Part::Increment => {
                self.increment_seq = piece.seq;
                self.increments.push(piece);
            }
        }
        Ok(())
    }

    /// The manifest of an append-only file of before stock 7, which becomes the base.
    pub fn of_single_file(name: &str) -> Manifest {
        let base = Piece { name: name.to_owned(), seq: 1, part: Part::Base };
        Manifest { base: Some(base), base_seq: 1, ..Manifest::default() }
    }

    /// Adds the next base of `name` (the setting `appendfilename`), a snapshot or commands. The old
    /// one becomes history.
    pub fn next_base(&mut self, name: &str, is_snapshot: bool) -> &Piece {
        if let Some(old) = self.base.take() {
            self.history.insert(0, Piece { part: Part::History, ..old });
        }
        self.base_seq += 1;
        let ending = if is_snapshot { "rdb" } else { "aof" };
        let name = format!("{name}.{}.base.{ending}", self.base_seq);
        self.base.insert(Piece { name, seq: self.base_seq, part: Part::Base })
    }

    /// Adds the next increment of `name`.
    pub fn next_increment(&mut self, name: &str) -> &str {
        self.increment_seq += 1;
        let name = format!("{name}.{}.incr.aof", self.increment_seq);
        self.increments.push(Piece { name, seq: self.increment_seq, part: Part::Increment });
        self.increments.last().map_or("", |piece| &piece.name)
    }

    /// Makes all increments before the last `kept` history: a rewrite has put them into the base.
    pub fn retire_increments(&mut self, kept: usize) {
        let retired = self.increments.len().saturating_sub(kept);
        let retired = self.increments.drain(..retired);
        self.history.splice(..0, retired.map(|piece| Piece { part: Part::History, ..piece }));
    }

    /// The files to be loaded, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.base.iter().chain(&self.increments)
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.base.iter().chain(&self.history).chain(&self.increments) {
            let (name, letter) = (quoted(&piece.name), piece.part.letter());
            writeln!(f, "file {name} seq {} type {letter}", piece.seq)?;
        }
        Ok(())
    }
}

fn quoted(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\')) {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for byte in name.bytes() {
        let _ = match byte {
            b'"' | b'\\' => write!(text, "\\{}", byte as char),
            b'\n' => write!(text, "\\n"),
            b'\r' => write!(text, "\\r"),
            b'\t' => write!(text, "\\t"),
            b' '..=b'~' => write!(text, "{}", byte as char),
            other => write!(text, "\\x{other:02x}"),
        };
    }
    text.push('"');
    text
}

/// The file that a line describes.
fn piece(line: &[u8]) -> Result<Piece, &'static str> {
    let words = words(line).ok_or(FORMAT)?;
    if words.len() < 6 || words.len() % 2 != 0 {
        return Err(FORMAT);
    }
    let (mut name, mut seq, mut part) = (None, None, None);
    for pair in words.chunks_exact(2) {
        let [key, value] = pair else { return Err(FORMAT) };
        match &key[..] {
            b"file" => name = Some(String::from_utf8(value.clone()).map_err(|_| FORMAT)?),
            b"seq" => seq = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
            b"type" => {
                part = Some(match &value[..] {
                    b"b" => Part::Base,
                    b"h" => Part::History,
                    b"i" => Part::Increment,
                    _ => return Err("Unknown AOF file type"),
                });
            }
            // Words of later versions.
            _ => {}
        }
    }
    let (Some(name), Some(seq), Some(part)) = (name, seq.filter(|&seq| seq > 0), part) else {
        return Err(FORMAT);
    };
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err("File can't be a path, just a filename");
    }
    Ok(Piece { name, seq, part })
}

/// Words at blanks; one may stand in double quotes, with the escapes of C. `None` if a quote stays open.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut bytes = line.iter().copied().peekable();
    let mut words = Vec::new();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(&first) = bytes.peek() else { return Some(words) };
        let mut word = Vec::new();
        if first == b'"' {
            bytes.next();
            loop {
                match bytes.next()? {
                    b'"' => break,
                    b'\\' => word.push(escaped(&mut bytes)?),
                    other => word.push(other),
                }
            }
        } else {
            while let Some(byte) = bytes.next_if(|byte| !byte.is_ascii_whitespace()) {
                word.push(byte);
            }
        }
        words.push(word);
    }
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    Some(match bytes.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stocks_manifest_is_understood_and_written_alike() {
        let text = "file appendonly.aof.2.base.rdb seq 2 type b\n\
                    file appendonly.aof.2.incr.aof seq 2 type i\n";
        let mut manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.to_string(), text);
        assert_eq!(manifest.next_increment("appendonly.aof"), "appendonly.aof.3.incr.aof");
        manifest.next_base("appendonly.aof", true);
        manifest.retire_increments(1);
        let expected = "file appendonly.aof.3.base.rdb seq 3 type b\n\
                        file appendonly.aof.2.incr.aof seq 2 type h\n\
                        file appendonly.aof.2.base.rdb seq 2 type h\n\
                        file appendonly.aof.3.incr.aof seq 3 type i\n";
        assert_eq!(manifest.to_string(), expected);
        assert_eq!(Manifest::parse(expected.as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn what_stock_refuses_is_refused_at_the_same_line() {
        // Each was given to redis-check-aof of 7.0.15.
        for (text, line) in [
            ("file a seq 1 type b\nfile b seq 2 type b\n", 2),
            ("file a seq 2 type i\nfile b seq 1 type i\n", 2),
            ("file ../a seq 1 type i\n", 1),
            ("file a seq 1\n", 1),
            ("file a seq 1 type z\n", 1),
            ("", 1),
        ] {
            assert_eq!(Manifest::parse(text.as_bytes()).unwrap_err().line, line, "{text}");
        }
        let commented = Manifest::parse(b"#comment\nfile \"a b\" seq 1 type i\n").unwrap();
        assert_eq!(commented.increments[0].name, "a b");
        assert_eq!(commented.to_string(), "file \"a b\" seq 1 type i\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in "(file|seq|type|[a-z\"\\\\ 0-9\n#]){0,40}") {
            if let Ok(manifest) = Manifest::parse(text.as_bytes()) {
                prop_assert_eq!(
                    Manifest::parse(manifest.to_string().as_bytes()).unwrap().to_string(),
                    manifest.to_string()
                );
            }
        }

        #[test]
        fn names_survive(name in "[^/\u{0}]{1,12}") {
            prop_assume!(name != "." && name != "..");
            let mut manifest = Manifest::of_single_file(&name);
            manifest.next_increment(&name);
            prop_assert_eq!(Manifest::parse(manifest.to_string().as_bytes()).unwrap(), manifest);
        }
    }
}
