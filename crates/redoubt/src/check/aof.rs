//! `redoubt check-aof [--fix | --truncate-to-timestamp SECONDS] FILE`: reads an append-only file, all
//! of its parts if the file is a manifest, to its end; cuts off what is damaged, or what is younger.

use super::bar::{Bar, Lines};
use super::rdb::READ_BYTES;
use aof::{Damage, Manifest, Part, Survey, survey};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

const USAGE: &str = "Usage: redoubt check-aof [--fix|--truncate-to-timestamp $timestamp] \
                     <file.manifest|file.aof>";

/// What is to be done.
struct Order {
    fix: bool,
    until: Option<u64>,
}

/// Why the program ends with an error: what it says.
#[derive(Debug)]
struct Ended(String);

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended(error.to_string())
    }
}

fn ended<T>(text: impl Into<String>) -> Result<T, Ended> {
    Err(Ended(text.into()))
}

/// What became of a file.
enum State {
    Whole,
    Empty,
    Truncated,
    TruncatedToTime(u64),
}

/// The program; `answers` is asked before anything is cut off. Gives the exit code.
pub fn main(words: &[String], answers: &mut dyn BufRead, out: &mut dyn Write, bar: &Bar) -> i32 {
    match run(words, answers, &mut Lines { out, bar: bar.clone() }, bar) {
        Ok(()) => 0,
        Err(Ended(text)) => {
            // Nobody can be told that standard output is closed.
            let _ = writeln!(out, "{text}");
            1
        }
    }
}

fn run(
    words: &[String],
    answers: &mut dyn BufRead,
    out: &mut dyn Write,
    bar: &Bar,
) -> Result<(), Ended> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (order, name) = match words[..] {
        [name] => (Order { fix: false, until: None }, name),
        ["--fix", name] => (Order { fix: true, until: None }, name),
        ["--truncate-to-timestamp", time, name] => {
            let Ok(time) = time.parse() else {
                return ended("Invalid timestamp, aborting...");
            };
            (Order { fix: false, until: Some(time) }, name)
        }
        _ => return ended(USAGE),
    };
    let path = Path::new(name);
    let head = match File::open(path) {
        Ok(file) => {
            let mut head = Vec::new();
            file.take(4096).read_to_end(&mut head)?;
            head
        }
        Err(error) => return ended(format!("Cannot open file {name}: {error}")),
    };
    let mut lines = head.split(|&byte| byte == b'\n').filter(|line| line.first() != Some(&b'#'));
    let mut session = Session { order, answers, out, bar };
    if lines.next().is_some_and(|line| line.starts_with(b"file")) {
        session.manifest(path)
    } else {
        session.single(path, name)
    }
}

/// One run.
struct Session<'a> {
    order: Order,
    answers: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    bar: &'a Bar,
}

impl Session<'_> {
    fn manifest(&mut self, path: &Path) -> Result<(), Ended> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let manifest = Manifest::parse(&fs::read(path)?)
            .map_err(|error| Ended(format!("\n*** FATAL AOF MANIFEST FILE ERROR ***\n{error}")))?;
        let dir = path.parent().unwrap_or(Path::new(""));
        let count = manifest.pieces().count();
        let mut said_increments = false;
        for (at, piece) in manifest.pieces().enumerate() {
            let path = dir.join(&piece.name);
            let title = if piece.part == Part::Base {
                let format = if is_snapshot(&path)? { "RDB" } else { "RESP" };
                writeln!(self.out, "Start to check BASE AOF ({format} format).")?;
                "BASE"
            } else {
                if !said_increments {
                    writeln!(self.out, "Start to check INCR files.")?;
                    said_increments = true;
                }
                "INCR"
            };
            let state = self.file(&path, &piece.name, at + 1 == count)?;
            self.say(&format!("{title} AOF"), &piece.name, &state)?;
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(())
    }

    fn single(&mut self, path: &Path, name: &str) -> Result<(), Ended> {
        writeln!(self.out, "Start checking Old-Style AOF")?;
        let state = self.file(path, name, true)?;
        self.say("AOF", name, &state)
    }

    fn say(&mut self, title: &str, name: &str, state: &State) -> Result<(), Ended> {
        match state {
            State::Whole => writeln!(self.out, "{title} {name} is valid")?,
            State::Empty => writeln!(self.out, "{title} {name} is empty")?,
            State::Truncated => writeln!(self.out, "Successfully truncated AOF {name}")?,
            State::TruncatedToTime(time) => {
                writeln!(self.out, "Successfully truncated AOF {name} to timestamp {time}")?;
            }
        }
        Ok(())
    }

    /// Checks one file, and cuts it if that is wanted; only the last one can be.
    fn file(&mut self, path: &Path, name: &str, is_last: bool) -> Result<State, Ended> {
        let snapshot = is_snapshot(path)?;
        let size = fs::metadata(path)?.len();
        if size == 0 {
            return Ok(State::Empty);
        }
        let watched = self.bar.watch(name, File::open(path)?);
        let file = BufReader::with_capacity(READ_BYTES, watched);
        let found = if snapshot {
            let Some((rest, offset)) = super::rdb::check(name, file, self.out)? else {
                return ended("RDB preamble of AOF file is not sane, aborting.");
            };
            writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
            self.records(BufReader::new(rest), offset, path)?
        } else {
            self.records(file, 0, path)?
        };
        if let Some(time) = self.order.until
            && (found.young_at.is_some() || found.damage.is_none())
        {
            return self.cut_to_time(path, name, found.young_at, time, is_last);
        }
        let diff = size - found.whole_until;
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={size}, ok_up_to={}, ok_up_to_line={}, diff={diff}",
            found.whole_until, found.line
        )?;
        if diff == 0 {
            return Ok(State::Whole);
        }
        if !self.order.fix {
            return ended(format!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ));
        }
        if !is_last {
            return ended(format!("Failed to truncate AOF {name} because it is not the last file"));
        }
        self.cut(path, name, size, found.whole_until)
    }

    /// Reads requests to the end, or to the first that is damaged or too young.
    fn records(&mut self, input: impl BufRead, offset: u64, path: &Path) -> Result<Survey, Ended> {
        let found = survey(input, offset, self.order.until, None);
        if let (Some(0), Some(until)) = (found.young_at, self.order.until) {
            return ended(format!(
                "AOF {} has nothing before timestamp {until}, aborting...",
                path.display()
            ));
        }
        if let Some(Damage { offset, reason }) = &found.damage {
            writeln!(self.out, "0x{offset:16x}: {reason}")?;
        }
        Ok(found)
    }

    fn cut_to_time(
        &mut self,
        path: &Path,
        name: &str,
        young_at: Option<u64>,
        time: u64,
        is_last: bool,
    ) -> Result<State, Ended> {
        let Some(at) = young_at else {
            writeln!(self.out, "Truncate nothing in AOF {name} to timestamp {time}")?;
            return Ok(State::Whole);
        };
        if !is_last {
            return ended(format!(
                "Failed to truncate AOF {name} to timestamp {time} to offset {at} because it is not \
                 the last file.\nIf you insist, please delete all files after this file according \
                 to the manifest file and delete the corresponding records in manifest file \
                 manually. Then re-run redis-check-aof."
            ));
        }
        truncate(path, name, at)?;
        Ok(State::TruncatedToTime(time))
    }

    fn cut(&mut self, path: &Path, name: &str, size: u64, at: u64) -> Result<State, Ended> {
        writeln!(
            self.out,
            "This will shrink the AOF {name} from {size} bytes, with {} bytes, to {at} bytes",
            size - at
        )?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if !answer.to_ascii_lowercase().starts_with('y') {
            return ended("Aborting...");
        }
        truncate(path, name, at)?;
        Ok(State::Truncated)
    }
}

fn truncate(path: &Path, name: &str, at: u64) -> Result<(), Ended> {
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(at)?;
        file.sync_all()
    });
    cut.map_err(|error| Ended(format!("Failed to truncate AOF {name}: {error}")))
}

fn is_snapshot(path: &Path) -> Result<bool, Ended> {
    let cannot =
        |error| Ended(format!("Cannot open file {}: {error}, aborting...", path.display()));
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(8).read_to_end(&mut head)).map_err(cannot)?;
    Ok(rdb::format::is_snapshot(&head))
}

#[cfg(test)]
mod tests;
