//! One increment while it is written: pieces in, and it is known what of them is in the file and durable.
//!
//! A piece is in the file whole or not at all: what a full disk took of it is cut off again. A sync that
//! fails makes the file *suspect*, for the system may have dropped what it could not write and say so
//! only once: such a file is never written again.

use crate::note::{Digest, PAGE_BYTES};
use base::disk::{Disk, DiskFile};
use base::{Offset, RunId};
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
    synced: u64,
    digest: Digest,
    /// Where the next sum begins.
    since: u64,
    is_suspect: bool,
}

impl Appender {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn create(disk: &dyn Disk, path: &Path) -> io::Result<Appender> {
        Ok(Appender::of(disk.create(path)?, 0))
    }

    /// Goes on in a file behind its first `length` bytes; what stands behind them is cut off. `place` is
    /// where the history stands. All of it is durable before anything is added, or what is there could
    /// be taken for what was on its way when the power went.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn reopen(
        disk: &dyn Disk,
        path: &Path,
        length: u64,
        place: (RunId, Offset),
    ) -> io::Result<Appender> {
        let mut file = disk.append(path)?;
        file.truncate(length)?;
        file.sync()?;
        let mut appender = Appender::of(file, length);
        match appender.begin(place) {
            Ok(()) => appender.sync()?,
            Err(AppendError::Refused(error) | AppendError::Suspect(error)) => return Err(error),
        }
        Ok(appender)
    }

    fn of(file: Box<dyn DiskFile>, length: u64) -> Appender {
        let digest = Digest::default();
        Appender { file, length, synced: length, digest, since: length, is_suspect: false }
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether what has no sum must have one before so many bytes are added: some of it is durable, and
    /// with them it would reach into another page.
    pub fn needs_sum_before(&self, bytes: u64) -> bool {
        self.since < self.synced && self.reaches_on(self.length + bytes)
    }

    /// Whether what has no sum must have one before it is made durable: it reaches into another page.
    pub fn needs_sum(&self) -> bool {
        self.reaches_on(self.length)
    }

    /// Whether `end` is in another page than the last sum.
    fn reaches_on(&self, end: u64) -> bool {
        self.since / PAGE_BYTES != end / PAGE_BYTES
    }

    /// Adds `piece`, which need not end with a request.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), AppendError> {
        if self.is_suspect {
            return Err(AppendError::Suspect(io::Error::other("the file is suspect")));
        }
        if let Err(error) = self.file.write_all(piece) {
            self.is_suspect = self.file.truncate(self.length).is_err();
            return Err(if self.is_suspect {
                AppendError::Suspect(error)
            } else {
                AppendError::Refused(error)
            });
        }
        self.length += piece.len() as u64;
        self.digest.add(piece);
        Ok(())
    }

    /// Sums up what stands since the last sum, between two requests; `place` is where the history stands.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn seal(&mut self, place: (RunId, Offset)) -> Result<(), AppendError> {
        if self.since == self.length {
            return Ok(());
        }
        self.add_sum(self.since, place)
    }

    /// Tells that what follows belongs to the history of `place`, and gives what stands before no sum
    /// that it does not have.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn begin(&mut self, place: (RunId, Offset)) -> Result<(), AppendError> {
        self.digest = Digest::default();
        self.add_sum(self.length, place)
    }

    fn add_sum(&mut self, since: u64, place: (RunId, Offset)) -> Result<(), AppendError> {
        let mut line = Vec::new();
        self.digest.note(since, self.synced, place).write(&mut line);
        self.write(&line)?;
        self.digest = Digest::default();
        self.since = self.length;
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
        if self.synced < self.length {
            self.file.sync().inspect_err(|_| self.is_suspect = true)?;
            self.synced = self.length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Record, Records};
    use crate::survey::survey;
    use base::disk::memory::{Fault, MemoryDisk};
    use base::random::Random;

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

    fn place(offset: u64) -> (RunId, Offset) {
        (RunId::zero(), Offset(offset))
    }

    #[test]
    fn a_full_disk_leaves_whole_pieces_and_the_rest_comes_later() {
        for call in 1..12 {
            let disk = MemoryDisk::default();
            let mut appender = Appender::create(&disk, Path::new(PATH)).unwrap();
            disk.set_fault(Some(Fault::Once(call, io::ErrorKind::StorageFull)));
            for number in 0..10 {
                match appender.write(&request(number)) {
                    Ok(()) => {}
                    Err(AppendError::Refused(_)) => appender.write(&request(number)).unwrap(),
                    Err(AppendError::Suspect(error)) => panic!("{error}"),
                }
            }
            // Without its sum it is as good.
            let _ = appender.seal(place(7));
            let bytes = disk.bytes(Path::new(PATH)).unwrap();
            assert_eq!(numbers(&bytes), (0..10).collect::<Vec<_>>(), "call {call}");
            assert_eq!(bytes.len() as u64, appender.length());
        }
    }

    #[test]
    fn a_failed_sync_makes_the_file_suspect_for_good() {
        let disk = MemoryDisk::default();
        let mut appender = Appender::create(&disk, Path::new(PATH)).unwrap();
        appender.write(&request(1)).unwrap();
        disk.set_fault(Some(Fault::Once(1, io::ErrorKind::Other)));
        appender.sync().unwrap_err();
        appender.sync().unwrap_err();
        let error = appender.write(&request(2)).unwrap_err();
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
            let (written, mut synced, mut offset) = (random.below(400), 0, 0);
            for number in 0..written {
                if appender.needs_sum_before(request(number).len() as u64) {
                    appender.seal(place(offset)).unwrap();
                }
                appender.write(&request(number)).unwrap();
                offset += request(number).len() as u64;
                if random.one_in(6) {
                    // Under `always` most syncs come without a sum.
                    if appender.needs_sum() || random.one_in(3) {
                        appender.seal(place(offset)).unwrap();
                    }
                    appender.sync().unwrap();
                    synced = number + 1;
                }
            }
            let after = disk.cut_power(&mut random);
            let bytes = after.bytes(path).unwrap();
            let found = survey(&bytes[..], 0, None, None);
            assert!(found.damage.is_none() || found.is_torn, "seed {seed}: {found:?}");
            let whole = usize::try_from(found.whole_until).unwrap();
            let survived = numbers(&bytes[..whole]);
            assert!(survived.len() as u64 >= synced, "seed {seed}");
            assert_eq!(survived, (0..survived.len() as u64).collect::<Vec<_>>(), "seed {seed}");
            shortened += u64::from(found.damage.is_some());
            goes_on(&after, found.whole_until, survived.len() as u64);
        }
        assert!(shortened > 50, "{shortened}");
    }

    fn goes_on(disk: &MemoryDisk, length: u64, number: u64) {
        let mut appender = Appender::reopen(disk, Path::new(PATH), length, place(1000)).unwrap();
        appender.write(&request(number)).unwrap();
        let bytes = disk.bytes(Path::new(PATH)).unwrap();
        assert_eq!(numbers(&bytes).len() as u64, number + 1);
        let end = 1000 + request(number).len() as u64;
        assert_eq!(survey(&bytes[..], 0, None, None).place, Some(place(end)));
        appender.seal(place(end)).unwrap();
        let bytes = disk.bytes(Path::new(PATH)).unwrap();
        assert!(survey(&bytes[..], 0, None, None).damage.is_none());
    }

    #[test]
    fn a_flipped_bit_in_what_was_durable_is_no_torn_end() {
        let disk = MemoryDisk::default();
        let path = Path::new(PATH);
        let mut appender = Appender::create(&disk, path).unwrap();
        let mut before_last = 0;
        for number in 0..5 {
            before_last = usize::try_from(appender.length()).unwrap();
            appender.write(&request(number)).unwrap();
            appender.seal(place(number)).unwrap();
            appender.sync().unwrap();
        }
        let whole = disk.bytes(path).unwrap();
        for at in 0..before_last {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            let found = survey(&bytes[..], 0, None, None);
            assert!(found.damage.is_some() && !found.is_torn, "byte {at}: {found:?}");
        }
    }
}
