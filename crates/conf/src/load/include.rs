//! The files that an `include` names, and reading them.

use base::glob;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The largest configuration file that is read.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// The most files that one pattern may name.
pub const GLOB_FILES_MAX: usize = 1024;

/// The bytes of a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "configuration file is too large"));
    }
    Ok(bytes)
}

/// The files that `pattern` names, sorted. A pattern with wildcards may name none; a plain path
/// names itself.
pub fn files(pattern: &[u8]) -> Vec<PathBuf> {
    let path = Path::new(OsStr::from_bytes(pattern));
    if !glob::is_pattern(pattern) {
        return vec![path.to_path_buf()];
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        let part = component.as_os_str().as_bytes();
        found = match component {
            Component::Normal(_) if glob::is_pattern(part) => {
                found.iter().flat_map(|folder| entries(folder, part)).take(GLOB_FILES_MAX).collect()
            }
            _ => found.iter().map(|folder| folder.join(component)).collect(),
        };
    }
    found.retain(|path| path.exists());
    found.sort();
    found
}

fn entries(folder: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(here) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    // A leading dot must be written, as in a shell.
    let hidden = |name: &OsStr| name.as_bytes().starts_with(b".") && !pattern.starts_with(b".");
    let names =
        names.filter(|name| !hidden(name) && glob::matches(pattern, name.as_bytes(), false));
    names.map(|name| folder.join(name)).collect()
}
