//! A disk in memory, for tests and the simulator: it forgets what was not synced, and fails on demand.
//!
//! Until a file is synced, a power cut may keep any of the pieces written since, whole, torn or not at
//! all; a gap before a later piece reads as zeros, as on a real file system. Until a directory is
//! synced, any of the changes of its names may be lost. Nothing else can happen: what was synced stays.
//!
//! Calls are counted from one, and one of them, or all from one on, can be made to fail. Syncs can be held
//! up, so that a test has things happen in the middle of one.

use super::{Disk, DiskFile, Scratch};
use crate::lock::{Mutex, Rank};
use crate::random::Random;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The n-th call from now on fails with this kind; a write has taken half of its bytes before.
    Once(u64, io::ErrorKind),
    /// As before, and all calls behind it fail as well.
    From(u64, io::ErrorKind),
}

/// A change of a file since it was last synced.
#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

/// A change of names since the directory was last synced.
#[derive(Clone, Debug)]
enum Naming {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
    Directory(PathBuf),
}

impl Naming {
    fn directory(&self) -> Option<&Path> {
        match self {
            Naming::Link(path, _)
            | Naming::Unlink(path)
            | Naming::Rename(_, path)
            | Naming::Directory(path) => path.parent(),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    changes: Vec<Change>,
    bytes: Vec<u8>,
    /// The Unix second in which it was last written.
    written_s: u64,
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    directories: Vec<PathBuf>,
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Link(path, file) => {
                self.files.insert(path.clone(), *file);
            }
            Naming::Unlink(path) => {
                self.files.remove(path);
            }
            Naming::Rename(from, to) => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                    return;
                }
                // A directory, with all that is in it.
                let moved = |path: &PathBuf| path.strip_prefix(from).ok().map(|rest| to.join(rest));
                self.files = std::mem::take(&mut self.files)
                    .into_iter()
                    .map(|(path, file)| (moved(&path).unwrap_or(path), file))
                    .collect();
                self.directories.iter_mut().filter(|path| *path == from).for_each(|path| {
                    path.clone_from(to);
                });
            }
            Naming::Directory(path) => {
                if !self.directories.contains(path) {
                    self.directories.push(path.clone());
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: Names,
    durable_names: Names,
    namings: Vec<Naming>,
    calls: u64,
    syncs: u64,
    fault: Option<Fault>,
    /// What the names of files have in them whose syncs are held up.
    held: Option<String>,
    /// One is.
    is_held: bool,
    is_off: bool,
}

impl State {
    /// Counts a call; the error it is to fail with.
    fn call(&mut self) -> io::Result<()> {
        if self.is_off {
            return Err(io::Error::other("the power is off"));
        }
        self.calls += 1;
        match &mut self.fault {
            Some(Fault::Once(left, kind)) => {
                *left = left.saturating_sub(1);
                let kind = *kind;
                if *left == 0 {
                    self.fault = None;
                    return Err(kind.into());
                }
            }
            Some(Fault::From(left, kind)) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    *left = 1;
                    return Err((*kind).into());
                }
            }
            None => {}
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.files.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn name(&mut self, naming: Naming) {
        self.names.apply(&naming);
        self.namings.push(naming);
    }

    fn write(&mut self, file: usize, bytes: &[u8]) {
        if let Some(content) = self.contents.get_mut(file) {
            let at = content.bytes.len() as u64;
            content.bytes.extend_from_slice(bytes);
            content.changes.push(Change::Write(at, bytes.to_vec()));
            content.written_s = now_s();
        }
    }
}

/// The disk. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

impl Default for MemoryDisk {
    fn default() -> MemoryDisk {
        MemoryDisk { state: Arc::new(Mutex::new(Rank::Leaf, State::default())) }
    }
}

impl MemoryDisk {
    /// Makes a call fail; `None` mends the disk.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    /// Holds up syncs of files that were opened by a name with `text` in it, instead of those that were
    /// held up so far, which go on; `None` for none.
    pub fn hold_syncs(&self, text: Option<&str>) {
        let mut state = self.state.lock();
        (state.held, state.is_held) = (text.map(str::to_owned), false);
    }

    /// Whether a sync is held up.
    pub fn is_held(&self) -> bool {
        self.state.lock().is_held
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// How often a file was synced.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Turns the power off: every further call on this disk fails. Gives the disk that is found when it
    /// is on again, with what `random` lets survive.
    pub fn cut_power(&self, random: &mut Random) -> MemoryDisk {
        let mut state = self.state.lock();
        state.is_off = true;
        let mut names = state.durable_names.clone();
        for naming in &state.namings {
            if random.one_in(2) {
                names.apply(naming);
            }
        }
        let contents = state.contents.iter().map(|content| survivor(content, random)).collect();
        drop(state);
        let state = State { contents, durable_names: names.clone(), names, ..State::default() };
        MemoryDisk { state: Arc::new(Mutex::new(Rank::Leaf, state)) }
    }

    /// Ends the process that used it: every further call on this disk fails, and nothing is lost. Gives
    /// the disk that the next process finds.
    pub fn kill(&self) -> MemoryDisk {
        let mut state = self.state.lock();
        state.is_off = true;
        let after = State {
            contents: state.contents.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            namings: state.namings.clone(),
            ..State::default()
        };
        drop(state);
        MemoryDisk { state: Arc::new(Mutex::new(Rank::Leaf, after)) }
    }

    /// The bytes of a file, synced or not.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let file = state.find(path).ok()?;
        state.contents.get(file).map(|content| content.bytes.clone())
    }

    /// Puts a durable file in place.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let file = state.contents.len();
        let (durable, bytes) = (bytes.to_vec(), bytes.to_vec());
        let written_s = now_s();
        state.contents.push(Content { durable, changes: Vec::new(), bytes, written_s });
        let naming = Naming::Link(path.to_owned(), file);
        state.names.apply(&naming);
        state.durable_names.apply(&naming);
    }
}

fn now_s() -> u64 {
    crate::clock::unix().0 / 1000
}

/// What a power cut leaves of a file.
fn survivor(content: &Content, random: &mut Random) -> Content {
    let mut bytes = content.durable.clone();
    for change in &content.changes {
        match (change, random.below(3)) {
            (_, 0) => {}
            (Change::Truncate(length), _) => {
                bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
            }
            (Change::Write(at, piece), luck) => {
                let kept = if luck == 1 { random.below(piece.len() as u64 + 1) } else { u64::MAX };
                let kept = usize::try_from(kept).unwrap_or(usize::MAX).min(piece.len());
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                if bytes.len() < at + kept {
                    bytes.resize(at + kept, 0);
                }
                bytes[at..at + kept].copy_from_slice(&piece[..kept]);
            }
        }
    }
    let written_s = content.written_s;
    Content { durable: bytes.clone(), changes: Vec::new(), bytes, written_s }
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    file: usize,
    /// By which it was opened.
    name: String,
}

impl MemoryFile {
    /// Whether its sync is held up; that is then known.
    fn is_held(&self) -> bool {
        let mut state = self.state.lock();
        let is_held =
            !state.is_off && state.held.as_ref().is_some_and(|text| self.name.contains(text));
        state.is_held |= is_held;
        is_held
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        match state.call() {
            Ok(()) => {
                state.write(self.file, bytes);
                Ok(bytes.len())
            }
            Err(error) => {
                // As on a full disk: some of it went in.
                if !state.is_off {
                    state.write(self.file, &bytes[..bytes.len() / 2]);
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        while self.is_held() {
            thread::yield_now();
        }
        let mut state = self.state.lock();
        state.call()?;
        state.syncs += 1;
        if let Some(content) = state.contents.get_mut(self.file) {
            content.durable.clone_from(&content.bytes);
            content.changes.clear();
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call()?;
        if let Some(content) = state.contents.get_mut(self.file) {
            content.bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            content.changes.push(Change::Truncate(length));
            content.written_s = now_s();
        }
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryScratch {
    state: Arc<Mutex<State>>,
    bytes: Cursor<Vec<u8>>,
}

impl Read for MemoryScratch {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.state.lock().call()?;
        self.bytes.read(bytes)
    }
}

impl Write for MemoryScratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.state.lock().call()?;
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryScratch {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl MemoryDisk {
    fn handle(&self, file: usize, path: &Path) -> Box<dyn DiskFile> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Box::new(MemoryFile { state: Arc::clone(&self.state), file, name })
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.call()?;
        let file = state.contents.len();
        state.contents.push(Content { written_s: now_s(), ..Content::default() });
        state.name(Naming::Link(path.to_owned(), file));
        drop(state);
        Ok(self.handle(file, path))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.call()?;
        let file = state.find(path)?;
        drop(state);
        Ok(self.handle(file, path))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.state.lock();
        state.call()?;
        let file = state.find(path)?;
        let bytes = state.contents.get(file).map(|content| content.bytes.clone());
        Ok(Box::new(Cursor::new(bytes.unwrap_or_default())))
    }

    fn scratch(&self, _directory: &Path) -> io::Result<Box<dyn Scratch>> {
        self.state.lock().call()?;
        Ok(Box::new(MemoryScratch { state: Arc::clone(&self.state), bytes: Cursor::default() }))
    }

    fn look(&self, path: &Path) -> io::Result<(u64, u64)> {
        let mut state = self.state.lock();
        state.call()?;
        let file = state.find(path)?;
        let content = state.contents.get(file);
        Ok(content.map_or((0, 0), |content| (content.bytes.len() as u64, content.written_s)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call()?;
        if !state.names.directories.iter().any(|directory| directory == from) {
            state.find(from)?;
        }
        state.name(Naming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call()?;
        state.find(path)?;
        state.name(Naming::Unlink(path.to_owned()));
        Ok(())
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call()?;
        if !state.names.directories.iter().any(|known| known == path) {
            state.name(Naming::Directory(path.to_owned()));
        }
        Ok(())
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state.lock();
        state.call()?;
        let inside = state.names.files.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call()?;
        let (done, kept): (Vec<Naming>, Vec<Naming>) = std::mem::take(&mut state.namings)
            .into_iter()
            .partition(|naming| naming.directory() == Some(path));
        for naming in &done {
            state.durable_names.apply(naming);
        }
        state.namings = kept;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &MemoryDisk, path: &str, pieces: &[&[u8]]) -> Box<dyn DiskFile> {
        let mut file = disk.create(Path::new(path)).unwrap();
        for piece in pieces {
            file.write_all(piece).unwrap();
        }
        file
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_may_not() {
        let (mut lost, mut torn, mut unnamed) = (false, false, false);
        for seed in 0..200 {
            let mut random = Random::from_seed(seed);
            let disk = MemoryDisk::default();
            let path = Path::new("/d/a");
            let mut file = written(&disk, "/d/a", &[b"synced"]);
            file.sync().unwrap();
            disk.sync_directory(Path::new("/d")).unwrap();
            file.write_all(b"-first").unwrap();
            file.write_all(b"-second").unwrap();
            written(&disk, "/d/b", &[b"x"]).sync().unwrap();
            let after = disk.cut_power(&mut random);
            assert!(file.write_all(b"y").is_err());
            let bytes = after.bytes(path).unwrap();
            assert!(bytes.starts_with(b"synced"), "{bytes:?}");
            lost |= bytes == b"synced";
            torn |= bytes.contains(&0);
            unnamed |= after.bytes(Path::new("/d/b")).is_none();
        }
        assert!(lost && torn && unnamed);
    }

    #[test]
    fn a_kill_loses_nothing() {
        let disk = MemoryDisk::default();
        let mut file = written(&disk, "/d/a", &[b"one", b"two"]);
        let after = disk.kill();
        assert_eq!(after.bytes(Path::new("/d/a")).unwrap(), b"onetwo");
        assert!(file.sync().is_err());
    }

    #[test]
    fn the_wanted_call_fails_and_a_write_is_short() {
        let disk = MemoryDisk::default();
        let mut file = written(&disk, "/d/a", &[]);
        disk.set_fault(Some(Fault::Once(2, io::ErrorKind::StorageFull)));
        file.write_all(b"whole").unwrap();
        let error = file.write_all(b"halved").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.bytes(Path::new("/d/a")).unwrap(), b"wholehal");
        file.truncate(5).unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(disk.bytes(Path::new("/d/a")).unwrap(), b"whole!");
    }

    #[test]
    fn names_move_at_once_or_not_at_all() {
        let renamed = || {
            let disk = MemoryDisk::default();
            written(&disk, "/d/new", &[b"new"]).sync().unwrap();
            disk.put(Path::new("/d/old"), b"old");
            disk.rename(Path::new("/d/new"), Path::new("/d/old")).unwrap();
            disk
        };
        for seed in 0..50 {
            let found = renamed().cut_power(&mut Random::from_seed(seed));
            let bytes = found.bytes(Path::new("/d/old")).unwrap();
            assert!(bytes == b"old" || bytes == b"new", "{bytes:?}");
        }
        let disk = renamed();
        disk.sync_directory(Path::new("/d")).unwrap();
        let found = disk.cut_power(&mut Random::from_seed(1));
        assert_eq!(found.bytes(Path::new("/d/old")).unwrap(), b"new");
        assert_eq!(found.names(Path::new("/d")).unwrap(), ["old"]);
    }
}
