//! The disk, as the code that keeps data on it sees it.
//!
//! Snapshots and append-only files reach the disk through [`Disk`] alone, so that a test can put one in
//! its place that fails, forgets and tears ([`memory::MemoryDisk`]). The calls are those whose order
//! decides what survives: bytes are durable once their file was synced, a name once its directory was.

pub mod memory;

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// A file that is written from its end on.
pub trait DiskFile: Write + Debug + Send {
    /// Makes its bytes durable. After an error it is not known which are: the file is suspect.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts it to `length` bytes; what is written next goes behind them.
    ///
    /// # Errors
    /// Those of the system.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A file without a name: it is gone when its owner is.
pub trait Scratch: Read + Write + Seek + Debug + Send {}

impl<F: Read + Write + Seek + Debug + Send> Scratch for F {}

/// What is asked of a disk.
pub trait Disk: Debug + Send + Sync {
    /// Makes an empty file, in place of the one that may be there.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that is there, to write at its end.
    ///
    /// # Errors
    /// Those of the system.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to be read.
    ///
    /// # Errors
    /// Those of the system.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Makes a file without a name, to be written and read anywhere, on the disk of `directory`.
    ///
    /// # Errors
    /// Those of the system.
    fn scratch(&self, directory: &Path) -> io::Result<Box<dyn Scratch>>;

    /// The length of a file in bytes, and the Unix second in which it was last written.
    ///
    /// # Errors
    /// Those of the system.
    fn look(&self, path: &Path) -> io::Result<(u64, u64)>;

    /// Gives a file, or a directory, another name, in place of a file of that name.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory; one that is there is fine.
    ///
    /// # Errors
    /// Those of the system.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted; none if it is not there.
    ///
    /// # Errors
    /// Those of the system.
    fn names(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        use std::io::Seek;
        self.set_len(length)?;
        self.seek(io::SeekFrom::Start(length)).map(drop)
    }
}

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn scratch(&self, directory: &Path) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(tempfile::tempfile_in(directory)?))
    }

    fn look(&self, path: &Path) -> io::Result<(u64, u64)> {
        let facts = fs::metadata(path)?;
        let age = facts.modified()?.duration_since(std::time::UNIX_EPOCH);
        Ok((facts.len(), age.map_or(0, |age| age.as_secs())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        // The directory of a bare file name is the working directory.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()
    }
}
