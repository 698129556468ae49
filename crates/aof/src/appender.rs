//! One increment while it is written: pieces in, and it is known what of them is in the file and durable.
//!
//! A piece is in the file whole or not at all: what a full disk took of it is cut off again. A sync that
//! fails makes the file *suspect*, for the system may have dropped what it could not write and say so
//! only once: such a file is never written again.

use crate::note::{BEGIN, Sum};
use base::disk::{Disk, DiskFile};
use std::io;
use std::path::Path;

/// Why a piece is not in the file.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The file is as it was before; the piece may be tried again.
    #[error("{0}")]
    Refused(io::Error),
    /// It is not known what the file holds.
    #[error("{0}")]
    Suspect(io::Error),
}

/// A file that is being written.
#[derive(Debug)]
pub struct Appender {
    file: Box<dyn DiskFile>,
    length: u64,
    /// Where the last batch ends.
    ended: u64,
    /// Up to here batches are whole and durable.
    synced: u64,
    sum: Sum,
    is_suspect: bool,
    /// Nothing was written since it was opened.
    is_fresh: bool,
}

impl Appender {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn create(disk: &dyn Disk, path: &Path) -> io::Result<Appender> {
        Ok(Appender::of(disk.create(path)?, 0))
    }

    /// Goes on in a file behind its first `length` bytes, which are made durable; what stands behind
    /// them is cut off.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn reopen(disk: &dyn Disk, path: &Path, length: u64) -> io::Result<Appender> {
        let mut file = disk.append(path)?;
        file.truncate(length)?;
        file.sync()?;
        Ok(Appender::of(file, length))
    }

    fn of(file: Box<dyn DiskFile>, length: u64) -> Appender {
        let sum = Sum::default();
        Appender {
            file,
            length,
            ended: length,
            synced: length,
            sum,
            is_suspect: false,
            is_fresh: true,
        }
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether all batches that were ended are durable.
    pub fn is_synced(&self) -> bool {
        self.synced == self.ended
    }

    /// Adds `piece`, and a sum behind it if it ends a batch. Afterwards, `piece` is as it was.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn write(&mut self, piece: &mut Vec<u8>, ends: bool) -> Result<(), AppendError> {
        if self.is_suspect {
            return Err(AppendError::Suspect(io::Error::other("the file is suspect")));
        }
        let given = piece.len();
        let begin = if self.is_fresh { BEGIN } else { "" };
        piece.splice(..0, begin.bytes());
        let mut sum = self.sum.clone();
        sum.add(piece);
        if ends {
            sum.note(self.synced).write(piece);
        }
        let written = self.file.write_all(piece);
        let total = piece.len() as u64;
        piece.drain(..begin.len());
        piece.truncate(given);
        if let Err(error) = written {
            self.is_suspect = self.file.truncate(self.length).is_err();
            return Err(if self.is_suspect {
                AppendError::Suspect(error)
            } else {
                AppendError::Refused(error)
            });
        }
        self.length += total;
        self.is_fresh = false;
        if ends {
            self.ended = self.length;
            self.sum = Sum::default();
        } else {
            self.sum = sum;
        }
        Ok(())
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// That of the disk; the file is suspect then.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.is_suspect {
            return Err(io::Error::other("the file is suspect"));
        }
        if self.is_synced() {
            return Ok(());
        }
        self.file.sync().inspect_err(|_| self.is_suspect = true)?;
        self.synced = self.ended;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;
    use crate::records::{Record, Records};
    use crate::survey::survey;
    use base::disk::memory::{Fault, MemoryDisk};
    use base::random::Random;
    use base::{Offset, RunId};

    const PATH: &str = "/d/a";

    fn request(number: u64) -> Vec<u8> {
        let word = number.to_string();
        format!("*2\r\n$3\r\nDEL\r\n${}\r\n{word}\r\n", word.len()).into_bytes()
    }

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        let mut records = Records::new(bytes, 0);
        let mut found = Vec::new();
        while let Some(record) = records.next_record().unwrap() {
            if let Record::Request(words) = record {
                found.push(std::str::from_utf8(&words[1]).unwrap().parse().unwrap());
            }
        }
        found
    }

    #[test]
    fn a_full_disk_leaves_whole_pieces_and_the_rest_comes_later() {
        for call in 1..12 {
            let disk = MemoryDisk::default();
            let mut appender = Appender::create(&disk, Path::new(PATH)).unwrap();
            disk.set_fault(Some(Fault::Once(call, io::ErrorKind::StorageFull)));
            for number in 0..10 {
                let mut piece = request(number);
                match appender.write(&mut piece, true) {
                    Ok(()) => {}
                    Err(AppendError::Refused(_)) => appender.write(&mut piece, true).unwrap(),
                    Err(AppendError::Suspect(error)) => panic!("{error}"),
                }
            }
            let bytes = disk.bytes(Path::new(PATH)).unwrap();
            assert_eq!(numbers(&bytes), (0..10).collect::<Vec<_>>(), "call {call}");
            assert_eq!(bytes.len() as u64, appender.length());
        }
    }

    #[test]
    fn a_failed_sync_makes_the_file_suspect_for_good() {
        let disk = MemoryDisk::default();
        let mut appender = Appender::create(&disk, Path::new(PATH)).unwrap();
        appender.write(&mut request(1), true).unwrap();
        disk.set_fault(Some(Fault::Once(1, io::ErrorKind::Other)));
        appender.sync().unwrap_err();
        appender.sync().unwrap_err();
        let error = appender.write(&mut request(2), true).unwrap_err();
        assert!(matches!(error, AppendError::Suspect(_)));
    }

    #[test]
    fn after_a_power_cut_what_was_synced_is_there_and_what_is_there_is_whole() {
        let mut shortened = 0;
        for seed in 0..500 {
            let mut random = Random::from_seed(seed);
            let disk = MemoryDisk::default();
            let path = Path::new(PATH);
            let mut appender = Appender::create(&disk, path).unwrap();
            disk.sync_directory(Path::new("/d")).unwrap();
            let (written, mut synced) = (random.below(40), 0);
            for number in 0..written {
                let ends = random.one_in(2);
                appender.write(&mut request(number), ends).unwrap();
                if random.one_in(6) {
                    appender.sync().unwrap();
                    synced = if ends { number + 1 } else { synced };
                }
            }
            let after = disk.cut_power(&mut random);
            let bytes = after.bytes(path).unwrap();
            let found = survey(&bytes[..], 0, None);
            assert!(found.damage.is_none() || found.is_torn, "seed {seed}: {found:?}");
            let whole = usize::try_from(found.whole_until).unwrap();
            let survived = numbers(&bytes[..whole]);
            assert!(survived.len() as u64 >= synced, "seed {seed}");
            assert_eq!(
                survived,
                (0..survived.len() as u64).collect::<Vec<_>>(),
                "seed {seed} {found:?} {}",
                bytes.escape_ascii()
            );
            shortened += u64::from(found.damage.is_some());
            let mut appender = Appender::reopen(&after, path, found.whole_until).unwrap();
            let mut piece = Vec::new();
            Note::Place(RunId::zero(), Offset(5)).write(&mut piece);
            piece.extend(request(survived.len() as u64));
            appender.write(&mut piece, true).unwrap();
            let bytes = after.bytes(path).unwrap();
            let found = survey(&bytes[..], 0, None);
            let end = 5 + request(survived.len() as u64).len() as u64;
            assert_eq!(found.place, Some((RunId::zero(), Offset(end))));
            assert_eq!(numbers(&bytes).len(), survived.len() + 1, "seed {seed}");
        }
        assert!(shortened > 50, "{shortened}");
    }

    #[test]
    fn a_flipped_bit_in_what_was_durable_is_no_torn_end() {
        let disk = MemoryDisk::default();
        let path = Path::new(PATH);
        let mut appender = Appender::create(&disk, path).unwrap();
        for number in 0..5 {
            appender.write(&mut request(number), true).unwrap();
            appender.sync().unwrap();
        }
        let whole = disk.bytes(path).unwrap();
        let last_batch = whole.len() - request(4).len() - "#SUM:00000000 000\r\n".len();
        for at in 0..last_batch {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            let found = survey(&bytes[..], 0, None);
            assert!(found.damage.is_some() && !found.is_torn, "byte {at}: {found:?}");
        }
    }
}
