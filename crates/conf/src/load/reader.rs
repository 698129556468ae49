//! Lines into settings: the state of one load.

use super::error::{LineError, LoadError, Warning};
use super::{LoadRequest, Loaded, Origin, RawLine, SentinelLine, include, retired};
use crate::access::words_of;
use crate::plain::{Plain, parse};
use crate::row::{Kind, Part, Row, Status};
use crate::split;
use crate::table::{ROWS, Settings, position};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How deep files may include files.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// How many files one configuration may consist of.
pub const INCLUDE_FILES_MAX: usize = 4096;

/// The port of a stand-alone sentinel when nothing is said.
const SENTINEL_PORT: i64 = 26379;

struct Reader {
    loaded: Loaded,
    save_said: bool,
    first_sentinel: Option<LoadError>,
    /// Whether lines that are wrong are passed over: for finding out what a file says, not for
    /// starting.
    lenient: bool,
}

pub(super) fn load(request: &LoadRequest) -> Result<Loaded, LoadError> {
    let mut reader = Reader::new(false);
    reader.loaded.sentinel_mode = request.wants_sentinel();
    if reader.loaded.sentinel_mode {
        reader.loaded.settings.port.set(SENTINEL_PORT);
        reader.loaded.settings.protected_mode.set(false);
    }
    if let Some(path) = &request.path {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let bytes = include::read(&path)
            .map_err(|source| LoadError::Open { path: path.clone(), source })?;
        reader.lines(&Origin::File(path.clone()), &bytes, 0)?;
        reader.loaded.path = Some(path);
    }
    if let Some(text) = &request.stdin {
        reader.lines(&Origin::Stdin, text.as_bytes(), 0)?;
    }
    for (at, line) in request.argument_lines().iter().enumerate() {
        reader.line(&Origin::Arguments, at + 1, line, 0)?;
    }
    reader.finish()
}

/// What the file at `path` says, wrong lines passed over. For comparing, not for starting.
pub(crate) fn replay(path: &Path) -> Settings {
    let mut reader = Reader::new(true);
    if let Ok(bytes) = include::read(path) {
        // A lenient reader has no errors to give.
        let _ = reader.lines(&Origin::File(path.to_path_buf()), &bytes, 0);
    }
    reader.loaded.settings
}

/// What a line of a file is about, for CONFIG REWRITE.
pub(crate) fn words_of_line(row: &Row, arguments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    match arguments {
        [word] if !word.is_empty() => words_of(row, word),
        _ => arguments.to_vec(),
    }
}

impl Reader {
    fn new(lenient: bool) -> Reader {
        let loaded = Loaded {
            settings: Settings::new(),
            path: None,
            warnings: Vec::new(),
            sentinel_mode: false,
            sentinel: Vec::new(),
            renamed: Vec::new(),
            users: Vec::new(),
            modules: Vec::new(),
            includes: Vec::new(),
            said: Vec::new(),
        };
        Reader { loaded, save_said: false, first_sentinel: None, lenient }
    }

    fn finish(self) -> Result<Loaded, LoadError> {
        let settings = &self.loaded.settings;
        let is_sentinel = self.loaded.sentinel_mode || settings.sentinel_port.get() != 0;
        if let Some(error) = self.first_sentinel
            && !is_sentinel
        {
            return Err(error);
        }
        let dir = settings.dir.string();
        if let Ok(absolute) = std::path::absolute(&dir) {
            use std::os::unix::ffi::OsStrExt;
            let clean: PathBuf = absolute.components().collect();
            settings.dir.set(Arc::from(clean.as_os_str().as_bytes()));
        }
        Ok(self.loaded)
    }

    fn lines(&mut self, origin: &Origin, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            self.line(origin, at + 1, line, depth)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        origin: &Origin,
        line_number: usize,
        line: &[u8],
        depth: usize,
    ) -> Result<(), LoadError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let error = |reason| LoadError::Line {
            origin: origin.clone(),
            line_number,
            line: String::from_utf8_lossy(line).into_owned(),
            reason,
        };
        let Some((words, _)) = split::words(line) else {
            return if self.lenient { Ok(()) } else { Err(error(LineError::Quotes)) };
        };
        let Some((name, arguments)) = words.split_first() else { return Ok(()) };
        if name.eq_ignore_ascii_case(b"include") && arguments.len() == 1 {
            return self.include(&arguments.concat(), depth, error);
        }
        if name.eq_ignore_ascii_case(b"sentinel") {
            if !arguments.is_empty() {
                self.first_sentinel.get_or_insert_with(|| error(LineError::NotSentinel));
                let arguments = arguments.to_vec();
                let origin = origin.clone();
                self.loaded.sentinel.push(SentinelLine { origin, line_number, arguments });
            }
            return Ok(());
        }
        match self.directive(name, arguments, line_number) {
            Err(reason) if !self.lenient => Err(error(reason)),
            _ => Ok(()),
        }
    }

    fn directive(
        &mut self,
        name: &[u8],
        arguments: &[Vec<u8>],
        line_number: usize,
    ) -> Result<(), LineError> {
        if let Some(at) = position(name) {
            return self.setting(at, arguments, line_number);
        }
        let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
        let raw = || {
            let words = std::iter::once(name.to_vec()).chain(arguments.iter().cloned());
            RawLine { line_number, words: words.collect() }
        };
        match (lower.as_str(), arguments) {
            ("rename-command", [old, new]) => {
                self.loaded.renamed.push((old.clone(), new.clone()));
            }
            ("user", [_, ..]) => {
                self.loaded.users.push(raw());
                self.not_built("user", Part::Acl, line_number);
            }
            ("loadmodule", [_, ..]) => {
                self.loaded.modules.push(raw());
                self.not_built("loadmodule", Part::Modules, line_number);
            }
            (name, _) => {
                let (directive, advice) = retired::advice(name).ok_or(LineError::Directive)?;
                self.loaded.warnings.push(Warning::Retired { directive, advice, line_number });
            }
        }
        Ok(())
    }

    fn setting(
        &mut self,
        at: usize,
        arguments: &[Vec<u8>],
        line_number: usize,
    ) -> Result<(), LineError> {
        let row = ROWS.get(at).ok_or(LineError::Directive)?;
        let cells = self.loaded.settings.cells();
        let cell = cells.get(at).ok_or(LineError::Directive)?;
        // The first `save` of a configuration replaces the default rules, later ones add to it.
        let before = match row.kind {
            Kind::SaveRules if !self.save_said => Plain::SaveRules(Arc::default()),
            _ => cell.plain(),
        };
        let value = parse::value(row, &words_of_line(row, arguments), &before)?;
        let is_off = value.is_off(&row.kind) && row.default_value().is_off(&row.kind);
        cell.store(value);
        self.save_said |= matches!(row.kind, Kind::SaveRules);
        if !self.loaded.said.contains(&row.name) {
            self.loaded.said.push(row.name);
        }
        if let Status::NotBuilt(part) = row.status
            && !is_off
        {
            self.not_built(row.name, part, line_number);
        }
        Ok(())
    }

    /// Warns once for each directive.
    fn not_built(&mut self, directive: &'static str, part: Part, line_number: usize) {
        if !self.loaded.warnings.iter().any(|warning| warning.directive() == directive) {
            self.loaded.warnings.push(Warning::NotBuilt { directive, part, line_number });
        }
    }

    fn include(
        &mut self,
        pattern: &[u8],
        depth: usize,
        error: impl Fn(LineError) -> LoadError,
    ) -> Result<(), LoadError> {
        for path in include::files(pattern) {
            let enough =
                depth >= INCLUDE_DEPTH_MAX || self.loaded.includes.len() >= INCLUDE_FILES_MAX;
            let bytes = match include::read(&path) {
                _ if enough => Err(LineError::Includes),
                Ok(bytes) => Ok(bytes),
                Err(source) => Err(LineError::Include { path: path.clone(), source }),
            };
            match bytes {
                Ok(bytes) => {
                    self.loaded.includes.push(path.clone());
                    self.lines(&Origin::File(path), &bytes, depth + 1)?;
                }
                Err(_) if self.lenient => {}
                Err(reason) => return Err(error(reason)),
            }
        }
        Ok(())
    }
}
