//! Replacing a file whole and durably.
//!
//! The new bytes go to a temporary file in the same folder, are forced to disk, get the old file's
//! permissions and its name; then the folder is forced to disk. A crash leaves the old file or the
//! new one. A symbolic link is followed: the file behind it is replaced.

use crate::load::read_file;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The permissions of a file that did not exist: configuration holds passwords.
const MODE_NEW: u32 = 0o600;

static TEMPORARIES: AtomicU64 = AtomicU64::new(0);

/// The bytes of the file at `path`, none if there is no such file.
///
/// # Errors
/// What the system says, except that the file is absent.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    match read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes,
    }
}

/// Makes `bytes` the content of the file at `path`. It is on disk when this returns.
///
/// # Errors
/// What the system says; the path then holds the old file, or the new one if only forcing the
/// folder to disk failed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).or_else(|_| std::path::absolute(path))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let temporary = temporary(&path);
    let written = write(&temporary, &path, bytes).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // The temporary file is of no use any more; the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let number = TEMPORARIES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.{number}.tmp", std::process::id()))
}

fn write(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE_NEW);
    let mut file = options.open(temporary)?;
    let mode = fs::metadata(path).map_or(MODE_NEW, |old| old.permissions().mode() & 0o7777);
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}
