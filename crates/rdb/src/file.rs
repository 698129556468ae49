//! A snapshot as a file: complete and durable under its name, or not there at all.
//!
//! It is written to `temp-<process id>.rdb` in the same directory, synced, renamed over the old one,
//! and the directory is synced. Whatever fails before the rename removes the temporary file and
//! leaves the old snapshot as it was. One save at a time per directory and process is assumed; two
//! would write the same temporary file.

use crate::save::{Options, Writer};
use base::disk::{Disk, DiskFile};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// The bytes collected before they go to the kernel.
const BUFFER_BYTES: usize = 256 * 1024;

/// With incremental syncs, the bytes between two of them; as in stock.
const SYNC_BYTES: u64 = 4 << 20;

/// The writer that [`save_to_file`] hands to its caller.
pub type FileWriter = Writer<BufWriter<SyncedFile>>;

/// Says when a file is to be synced while it is written, so that no sync has much to do
/// (`rdb-save-incremental-fsync`, `aof-rewrite-incremental-fsync`).
#[derive(Debug)]
pub struct IncrementalSync {
    /// Bytes written since the last one, if there are any syncs.
    unsynced: Option<u64>,
}

impl IncrementalSync {
    /// Never, unless `is_wanted`.
    pub fn new(is_wanted: bool) -> IncrementalSync {
        IncrementalSync { unsynced: is_wanted.then_some(0) }
    }

    /// Whether it is time, now that so many more bytes are `written`.
    pub fn is_due(&mut self, written: usize) -> bool {
        let Some(unsynced) = &mut self.unsynced else { return false };
        *unsynced += written as u64;
        let is_due = *unsynced >= SYNC_BYTES;
        if is_due {
            *unsynced = 0;
        }
        is_due
    }
}

/// A file that is synced now and then while it is written.
#[derive(Debug)]
pub struct SyncedFile {
    file: Box<dyn DiskFile>,
    sync: IncrementalSync,
}

impl io::Write for SyncedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if self.sync.is_due(written) {
            self.file.sync()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Why a snapshot was not saved. Its file is the one of the save before, unless it is the directory that
/// cannot be synced: then it is the new one, but may be lost if the machine stops now.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct SaveError {
    /// What was tried, as "Cannot write".
    pub action: &'static str,
    /// With what.
    pub path: PathBuf,
    /// The answer of the system, or of the caller's closure.
    pub source: io::Error,
}

/// Saves what `write` puts into the writer as `dir/name`, and gives what `write` gave.
///
/// `write` adds fields and records; header, end, syncing and renaming are done here.
///
/// # Errors
/// [`SaveError`], also if `write` itself fails, for instance to give up a save.
pub fn save_to_file<T>(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    options: Options,
    write: impl FnOnce(&mut FileWriter) -> io::Result<T>,
) -> Result<T, SaveError> {
    let temporary = dir.join(temporary_name(std::process::id()));
    let target = dir.join(name);
    let result = write_and_sync(disk, &temporary, options, write).and_then(|given| {
        disk.rename(&temporary, &target).map_err(failed("Cannot rename to", &target))?;
        Ok(given)
    });
    if result.is_err() {
        // It may not exist; that it cannot be removed adds nothing to the first error.
        let _ = disk.remove(&temporary);
    } else {
        disk.sync_directory(dir).map_err(failed("Cannot sync", dir))?;
    }
    result
}

/// The name of the file that the process `process_id` writes to, as stock names it.
pub fn temporary_name(process_id: u32) -> String {
    format!("temp-{process_id}.rdb")
}

/// Writes a snapshot to `path` and makes its bytes durable. What a failure leaves there is the caller's
/// to remove.
///
/// # Errors
/// As [`save_to_file`].
pub fn write_and_sync<T>(
    disk: &dyn Disk,
    path: &Path,
    options: Options,
    write: impl FnOnce(&mut FileWriter) -> io::Result<T>,
) -> Result<T, SaveError> {
    let file = disk.create(path).map_err(failed("Cannot create", path))?;
    let file = SyncedFile { file, sync: IncrementalSync::new(options.incremental_sync) };
    let written = Writer::begin(BufWriter::with_capacity(BUFFER_BYTES, file), options)
        .and_then(|mut writer| {
            let given = write(&mut writer)?;
            Ok((writer.finish()?, given))
        })
        .and_then(|(buffer, given)| Ok((buffer.into_inner()?, given)));
    let (mut file, given) = written.map_err(failed("Cannot write", path))?;
    file.file.sync().map_err(failed("Cannot sync", path))?;
    Ok(given)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SaveError {
    let path = path.to_owned();
    move |source| SaveError { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Attributes;
    use crate::{Item, LoadedValue, Loader, StringRef};
    use base::disk::SystemDisk;
    use base::disk::memory::{Fault, MemoryDisk};
    use base::random::Random;
    use std::fs::{self, File};

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn save(dir: &Path, value: &[u8], fail: bool) -> Result<u64, SaveError> {
        save_on(&SystemDisk, dir, value, fail)
    }

    fn save_on(disk: &dyn Disk, dir: &Path, value: &[u8], fail: bool) -> Result<u64, SaveError> {
        save_to_file(disk, dir, "dump.rdb", Options::default(), |writer| {
            writer.select(0, 1, 0)?;
            writer.string(b"key", StringRef::Bytes(value), &Attributes::default())?;
            if fail {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(writer.written())
        })
    }

    fn saved_value(dir: &Path) -> LoadedValue {
        let mut loader = Loader::new(File::open(dir.join("dump.rdb")).unwrap());
        let mut value = None;
        while let Some(item) = loader.next_item().unwrap() {
            if let Item::Key(key) = item {
                value = Some(key.value);
            }
        }
        value.unwrap()
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), b"old", false).unwrap();
        let error = save(dir.path(), b"new", true).unwrap_err();
        assert_eq!(error.action, "Cannot write");
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(saved_value(dir.path()), LoadedValue::String(b"old".to_vec()));
        assert_eq!(names(dir.path()), ["dump.rdb"]);
        save(dir.path(), b"new", false).unwrap();
        assert_eq!(saved_value(dir.path()), LoadedValue::String(b"new".to_vec()));
        assert_eq!(names(dir.path()), ["dump.rdb"]);
    }

    #[test]
    fn whichever_call_fails_a_whole_snapshot_is_there() {
        let dir = Path::new("/d");
        let saved = || {
            let disk = MemoryDisk::default();
            save_on(&disk, dir, b"old", false).unwrap();
            disk
        };
        let (disk, before) = (saved(), saved().calls());
        save_on(&disk, dir, b"new", false).unwrap();
        let calls = disk.calls() - before;
        assert!(calls >= 5, "{calls}");
        for call in 1..=calls {
            for seed in 0..8 {
                let disk = saved();
                disk.set_fault(Some(Fault::From(call, io::ErrorKind::Other)));
                save_on(&disk, dir, b"new", false).unwrap_err();
                let after = disk.cut_power(&mut Random::from_seed(seed));
                let bytes = after.bytes(&dir.join("dump.rdb")).unwrap();
                let mut loader = Loader::new(&bytes[..]);
                while loader.next_item().unwrap().is_some() {}
            }
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = save(&dir.path().join("absent"), b"x", false).unwrap_err();
        assert_eq!(error.action, "Cannot create");
        assert!(error.to_string().contains("absent"), "{error}");
    }

    #[test]
    fn a_target_that_cannot_be_replaced_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("dump.rdb/inside")).unwrap();
        let error = save(dir.path(), b"x", false).unwrap_err();
        assert_eq!(error.action, "Cannot rename to");
        assert_eq!(names(dir.path()), ["dump.rdb"]);
    }

    #[test]
    fn a_file_is_synced_while_it_is_written_if_that_is_wanted() {
        let value = vec![b'x'; 1 << 20];
        for (incremental_sync, syncs) in [(false, 1), (true, 4)] {
            let disk = MemoryDisk::default();
            let options = Options { incremental_sync, compression: false, ..Options::default() };
            write_and_sync(&disk, Path::new("x.rdb"), options, |writer| {
                writer.select(0, 13, 0)?;
                (0..13).try_for_each(|number: u8| {
                    let value = StringRef::Bytes(&value);
                    writer.string(&[number], value, &Attributes::default())
                })
            })
            .unwrap();
            assert_eq!(disk.syncs(), syncs, "{incremental_sync}");
        }
    }
}
