//! The files on the disk: the manifest, what it names, and changes of both that a crash cannot halve.
//!
//! A manifest is replaced whole: written beside the old one, synced, renamed over it, and the directory
//! synced. Files are made before the manifest that names them, and removed after the one that does not.

use crate::manifest::{Manifest, ManifestError, Piece, SUFFIX};
use base::disk::Disk;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a manifest that are read.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The disk refuses.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was tried, as "Cannot write".
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The manifest is no manifest.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// A file that the manifest names is not there.
    #[error("The AOF file {0} doesn't exist: No such file or directory")]
    Missing(String),
    /// There are files but no manifest says what they are.
    #[error(
        "{} holds append-only files ({first}, ...) but no manifest: it was removed or renamed",
        directory.display()
    )]
    NoManifest {
        /// Where.
        directory: PathBuf,
        /// One of them.
        first: String,
    },
}

/// Where an append-only file lives.
#[derive(Clone, Debug)]
pub struct Directory {
    disk: Arc<dyn Disk>,
    /// The data directory, in which files of before stock 7 lie.
    parent: PathBuf,
    path: PathBuf,
    name: String,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Disk { action, path, source }
}

impl Directory {
    /// The directory `directory` (the setting `appenddirname`) below `parent`, of files called `name`
    /// (`appendfilename`).
    pub fn new(disk: Arc<dyn Disk>, parent: &Path, directory: &str, name: &str) -> Directory {
        let path = parent.join(directory);
        Directory { disk, parent: parent.to_owned(), path, name: name.to_owned() }
    }

    /// The name that all files begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The disk it is on.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads the manifest; `None` if there is no append-only file. A single file of before stock 7 is
    /// moved in and becomes the base.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing has changed then.
    pub fn open(&self) -> Result<Option<Manifest>, DirectoryError> {
        let path = self.file(&format!("{}{SUFFIX}", self.name));
        let mut bytes = Vec::new();
        match self.disk.read(&path) {
            Ok(file) => {
                let read = file.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes);
                read.map_err(failed("Cannot read", &path))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.move_in(),
            Err(error) => return Err(failed("Cannot open", &path)(error)),
        }
        let manifest = Manifest::parse(&bytes)?;
        for piece in manifest.pieces() {
            let Err(missing) = self.look(piece) else { continue };
            let old = self.parent.join(&self.name);
            let is_missing = matches!(missing, DirectoryError::Missing(_));
            if !is_missing || piece.name != self.name || self.disk.look(&old).is_err() {
                return Err(missing);
            }
            // Moving in a file of before was interrupted.
            self.rename_in(&old)?;
        }
        Ok(Some(manifest))
    }

    fn rename_in(&self, old: &Path) -> Result<(), DirectoryError> {
        let new = self.file(&self.name);
        self.disk.rename(old, &new).map_err(failed("Cannot rename to", &new))?;
        self.sync_names()?;
        self.sync(&self.parent)
    }

    /// The length of a file in bytes, and the Unix second in which it was last written.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn look(&self, piece: &Piece) -> Result<(u64, u64), DirectoryError> {
        let path = self.file(&piece.name);
        self.disk.look(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DirectoryError::Missing(piece.name.clone()),
            _ => failed("Cannot open", &path)(error),
        })
    }

    fn move_in(&self) -> Result<Option<Manifest>, DirectoryError> {
        let old = self.parent.join(&self.name);
        match self.disk.look(&old) {
            Ok(_) => {
                let manifest = Manifest::of_single_file(&self.name);
                self.make()?;
                // The manifest first: whoever finds both knows where the file comes from.
                self.write_manifest(&manifest)?;
                self.rename_in(&old)?;
                return Ok(Some(manifest));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("Cannot open", &old)(error)),
        }
        let names = self.disk.names(&self.path).map_err(failed("Cannot read", &self.path))?;
        let is_ours = |name: &&String| {
            // A base alone is what a crash leaves of a file that was just beginning.
            let rest = name.strip_prefix(self.name.as_str());
            rest.is_some_and(|rest| rest.ends_with(".incr.aof"))
        };
        match names.iter().find(is_ours) {
            Some(first) => Err(DirectoryError::NoManifest {
                directory: self.path.clone(),
                first: first.clone(),
            }),
            None => Ok(None),
        }
    }

    /// Makes the directory if it is not there.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn make(&self) -> Result<(), DirectoryError> {
        self.disk.make_directory(&self.path).map_err(failed("Cannot make", &self.path))?;
        self.sync(&self.parent)
    }

    /// Puts `manifest` in place of the one that may be there, and makes the names in the directory
    /// durable with it.
    ///
    /// # Errors
    /// [`DirectoryError`]; the old one is in place, unless it is the directory that cannot be synced.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), DirectoryError> {
        let target = self.file(&format!("{}{SUFFIX}", self.name));
        let temporary = self.file(&format!("temp-{}{SUFFIX}", self.name));
        let written = self.disk.create(&temporary).and_then(|mut file| {
            file.write_all(manifest.to_string().as_bytes())?;
            file.sync()
        });
        written.map_err(failed("Cannot write", &temporary))?;
        self.disk.rename(&temporary, &target).map_err(failed("Cannot rename to", &target))?;
        self.sync_names()
    }

    /// Makes the names in the directory durable.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn sync_names(&self) -> Result<(), DirectoryError> {
        self.sync(&self.path)
    }

    fn sync(&self, path: &Path) -> Result<(), DirectoryError> {
        self.disk.sync_directory(path).map_err(failed("Cannot sync", path))
    }

    /// Removes the files that are history, and forgets them. What cannot be removed stays, unknown.
    ///
    /// # Errors
    /// [`DirectoryError`], if the manifest cannot be written.
    pub fn sweep(&self, manifest: &mut Manifest) -> Result<(), DirectoryError> {
        if manifest.history.is_empty() {
            return Ok(());
        }
        for piece in std::mem::take(&mut manifest.history) {
            // One that is gone already is as good.
            let _ = self.disk.remove(&self.file(&piece.name));
        }
        self.write_manifest(manifest)
    }

    /// Gives the whole directory another name, under which it is kept; gives that name.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn set_aside(&self, now_s: u64) -> Result<PathBuf, DirectoryError> {
        let base = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let kept = self.parent.join(format!("{}.kept-{now_s}", base.unwrap_or_default()));
        self.disk.rename(&self.path, &kept).map_err(failed("Cannot rename to", &kept))?;
        self.sync(&self.parent)?;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::disk::memory::{Fault, MemoryDisk};
    use base::random::Random;

    fn directory(disk: &MemoryDisk) -> Directory {
        Directory::new(Arc::new(disk.clone()), Path::new("/d"), "appendonlydir", "appendonly.aof")
    }

    fn rewritten() -> (MemoryDisk, Manifest) {
        let disk = MemoryDisk::default();
        let mut manifest = Manifest::default();
        let name = manifest.next_base("appendonly.aof", true).name.clone();
        disk.put(&directory(&disk).file(&name), b"REDIS");
        directory(&disk).make().unwrap();
        directory(&disk).write_manifest(&manifest).unwrap();
        (disk, manifest)
    }

    /// Replaces the base, as a rewrite does.
    fn rewrite(disk: &MemoryDisk, mut manifest: Manifest) -> Result<(), DirectoryError> {
        let directory = directory(disk);
        let name = manifest.next_base("appendonly.aof", true).name.clone();
        let path = directory.file(&name);
        let mut file = disk.create(&path).map_err(failed("Cannot create", &path))?;
        file.write_all(b"REDIS2").and_then(|()| file.sync()).map_err(failed("", &path))?;
        directory.write_manifest(&manifest)?;
        directory.sweep(&mut manifest)
    }

    #[test]
    fn whichever_call_fails_a_manifest_and_its_files_are_there() {
        let (disk, manifest) = rewritten();
        let before = disk.calls();
        rewrite(&disk, manifest).unwrap();
        let calls = disk.calls() - before;
        assert!(calls > 10, "{calls}");
        for call in 1..=calls {
            for seed in 0..8 {
                let (disk, manifest) = rewritten();
                disk.set_fault(Some(Fault::From(call, io::ErrorKind::Other)));
                rewrite(&disk, manifest).unwrap_err();
                let after = disk.cut_power(&mut Random::from_seed(seed));
                let found = directory(&after).open().unwrap().expect("a manifest");
                let base = found.base.expect("a base");
                let bytes = after.bytes(&directory(&after).file(&base.name)).unwrap();
                assert!(bytes.starts_with(b"REDIS"), "call {call}, seed {seed}: {bytes:?}");
            }
        }
    }

    #[test]
    fn a_single_file_is_moved_in() {
        let disk = MemoryDisk::default();
        disk.put(Path::new("/d/appendonly.aof"), b"*1\r\n");
        let manifest = directory(&disk).open().unwrap().expect("a manifest");
        assert_eq!(manifest.to_string(), "file appendonly.aof seq 1 type b\n");
        assert_eq!(disk.bytes(Path::new("/d/appendonlydir/appendonly.aof")).unwrap(), b"*1\r\n");
        assert!(disk.bytes(Path::new("/d/appendonly.aof")).is_none());
        assert_eq!(directory(&disk).open().unwrap(), Some(manifest));
    }

    #[test]
    fn a_single_file_that_cannot_be_looked_at_is_not_taken_for_none() {
        let disk = MemoryDisk::default();
        disk.put(Path::new("/d/appendonly.aof"), b"*1\r\n");
        // The manifest is not there; then the file is looked for.
        disk.set_fault(Some(Fault::Once(2, io::ErrorKind::PermissionDenied)));
        let error = directory(&disk).open().unwrap_err().to_string();
        assert!(error.starts_with("Cannot open /d/appendonly.aof: "), "{error}");
        assert!(directory(&disk).open().unwrap().is_some());
        // A file that was moved in is not replaced because it cannot be looked at.
        disk.put(Path::new("/d/appendonly.aof"), b"*2\r\n");
        disk.set_fault(Some(Fault::Once(2, io::ErrorKind::PermissionDenied)));
        directory(&disk).open().unwrap_err();
        assert_eq!(disk.bytes(Path::new("/d/appendonlydir/appendonly.aof")).unwrap(), b"*1\r\n");
    }

    #[test]
    fn files_without_a_manifest_are_never_taken_for_nothing() {
        let disk = MemoryDisk::default();
        assert_eq!(directory(&disk).open().unwrap(), None);
        disk.put(Path::new("/d/appendonlydir/appendonly.aof.1.incr.aof"), b"");
        let error = directory(&disk).open().unwrap_err();
        assert!(error.to_string().contains("appendonly.aof.1.incr.aof"), "{error}");
    }

    #[test]
    fn a_file_that_is_named_but_missing_is_told() {
        let (disk, _) = rewritten();
        disk.remove(Path::new("/d/appendonlydir/appendonly.aof.1.base.rdb")).unwrap();
        let error = directory(&disk).open().unwrap_err();
        assert_eq!(
            error.to_string(),
            "The AOF file appendonly.aof.1.base.rdb doesn't exist: No such file or directory"
        );
    }
}
