//! Reading a configuration: the file, its includes, standard input, then arguments, later lines
//! winning.
//!
//! Everything is read into a fresh [`Settings`]; an error anywhere gives none at all. What belongs
//! to other parts (sentinel lines, users, modules, renamed commands) is handed over as it stands.

mod arguments;
mod error;
mod include;
mod reader;
mod retired;

pub use arguments::LoadRequest;
pub use error::{LineError, LoadError, Warning};
pub(crate) use include::read as read_file;
pub(crate) use reader::{replay, words_of_line};

use crate::table::Settings;
use std::path::PathBuf;

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File(PathBuf),
    /// In what came through standard input.
    Stdin,
    /// In the arguments of the program.
    Arguments,
}

/// A `sentinel ...` line, for the sentinel to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelLine {
    /// Where it stands.
    pub origin: Origin,
    /// The number of the line there, from 1.
    pub line_number: usize,
    /// The words after `sentinel`.
    pub arguments: Vec<Vec<u8>>,
}

/// A line for a part that is not in this crate, with all of its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// The number of the line, from 1.
    pub line_number: usize,
    /// The words, the directive first.
    pub words: Vec<Vec<u8>>,
}

/// A configuration that was read.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The main file, absolute, if there is one. CONFIG REWRITE writes it.
    pub path: Option<PathBuf>,
    /// What the user should hear about.
    pub warnings: Vec<Warning>,
    /// Whether this is a stand-alone sentinel (`--sentinel`).
    pub sentinel_mode: bool,
    /// The `sentinel ...` lines in order.
    pub sentinel: Vec<SentinelLine>,
    /// Old and new name of each renamed command; an empty new name removes it.
    pub renamed: Vec<(Vec<u8>, Vec<u8>)>,
    /// The `user ...` lines in order.
    pub users: Vec<RawLine>,
    /// The `loadmodule ...` lines in order.
    pub modules: Vec<RawLine>,
    /// The files that were included, in order.
    pub includes: Vec<PathBuf>,
    said: Vec<&'static str>,
}

impl Loaded {
    /// Whether the configuration says anything about the setting called `name` (its own name, no
    /// alias).
    pub fn says(&self, name: &str) -> bool {
        self.said.contains(&name)
    }
}

impl Settings {
    /// Reads a configuration.
    ///
    /// # Errors
    /// The file or line that stopped it; the text is what the program prints before it exits with
    /// 1.
    pub fn load(request: &LoadRequest) -> Result<Loaded, LoadError> {
        reader::load(request)
    }
}

#[cfg(test)]
mod tests;
