//! Notes between the requests of a file: lines that begin with `#`, which every reader may pass over.
//!
//! ```text
//! #TS:1795867315\r\n          Unix seconds at which what follows was written
//! #SUM:1a2b3c4d 9100 8800 8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb 51310\r\n
//!      |        |    |    |                                        where the history stands here
//!      |        |    |    history that the next request belongs to
//!      |        |    the file was durable up to here when this was written
//!      |        where what it is of begins; it ends at the note
//!      CRC-32C of that, and of the rest of the line
//! ```
//!
//! Sums are written now and then, and always before what has none would reach into another page
//! ([`PAGE_BYTES`]) and be in part durable. So what is durable without a sum ends in the page of the last
//! sum, and what a power cut leaves of later pages was on its way. What is wrong before the durable end
//! that some sum tells of is damage to what was promised. A sum of nothing begins anew where a server
//! opens the file, and tells of a new history.
//!
//! Source: `#TS:` is stock 7's, `#SUM:` is ours, and stock passes over it. CRC-32C is that of iSCSI.

use base::{Offset, RunId};
use crc::{CRC_32_ISCSI, Crc, Table};
use std::io::Write;

/// What a disk writes whole or not at all, and a file system fills with zeros.
pub const PAGE_BYTES: u64 = 4096;

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Unix seconds at which what follows was written.
    Time(u64),
    /// A checksum.
    Sum(Sum),
    /// Nothing that is known here.
    Other,
}

/// A checksum, and where the file and the history stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The checksum.
    pub sum: u32,
    /// The first byte it is of.
    pub since: u64,
    /// How many bytes of the file were durable when it was written.
    pub synced: u64,
    /// The history that the next request belongs to, and its offset there.
    pub place: (RunId, Offset),
}

impl Sum {
    /// What stands behind the checksum.
    fn rest(&self) -> String {
        let Sum { since, synced, place: (replid, offset), .. } = self;
        format!(" {since} {synced} {replid} {offset}")
    }
}

impl Note {
    /// Adds the note as a line to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = match self {
            Note::Time(seconds) => write!(out, "#TS:{seconds}\r\n"),
            Note::Sum(sum) => write!(out, "#SUM:{:08x}{}\r\n", sum.sum, sum.rest()),
            Note::Other => Ok(()),
        };
    }
}

/// Reads a note, given without the `#` and the line end.
pub(crate) fn parse(text: &[u8]) -> Note {
    known(text).unwrap_or(Note::Other)
}

fn known(text: &[u8]) -> Option<Note> {
    let (name, rest) = std::str::from_utf8(text).ok()?.split_once(':')?;
    match name {
        "TS" => Some(Note::Time(rest.parse().ok()?)),
        "SUM" => {
            let mut words = rest.split(' ');
            let mut word = || words.next();
            let sum = u32::from_str_radix(word()?, 16).ok()?;
            let (since, synced) = (word()?.parse().ok()?, word()?.parse().ok()?);
            let replid = RunId::parse(word()?.as_bytes())?;
            let place = (replid, Offset(word()?.parse().ok()?));
            Some(Note::Sum(Sum { sum, since, synced, place })).filter(|_| words.next().is_none())
        }
        _ => None,
    }
}

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A checksum under way.
#[derive(Clone)]
pub(crate) struct Digest(crc::Digest<'static, u32, Table<16>>);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digest").finish_non_exhaustive()
    }
}

impl Default for Digest {
    fn default() -> Digest {
        Digest(CRC.digest())
    }
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of what was added and of what `note` says besides.
    fn with(&self, note: &Sum) -> u32 {
        let mut digest = self.0.clone();
        digest.update(note.rest().as_bytes());
        digest.finalize()
    }

    /// The note that ends what was added.
    pub(crate) fn note(&self, since: u64, synced: u64, place: (RunId, Offset)) -> Note {
        let mut note = Sum { sum: 0, since, synced, place };
        note.sum = self.with(&note);
        Note::Sum(note)
    }

    /// Whether `note` is of what was added.
    pub(crate) fn fits(&self, note: &Sum) -> bool {
        self.with(note) == note.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLID: &str = "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb";

    #[test]
    fn notes_survive() {
        let place = (RunId::parse(REPLID.as_bytes()).unwrap(), Offset(51_310));
        let sum = Sum { sum: 0x00c0_ffee, since: 9100, synced: 8800, place };
        for (note, text) in [
            (Note::Time(1_795_867_315), "#TS:1795867315\r\n".to_owned()),
            (Note::Sum(sum), format!("#SUM:00c0ffee 9100 8800 {REPLID} 51310\r\n")),
        ] {
            let mut line = Vec::new();
            note.write(&mut line);
            assert_eq!(line, text.as_bytes());
            assert_eq!(parse(&line[1..line.len() - 2]), note);
        }
        let long = format!("SUM:00c0ffee 9100 8800 {REPLID} 51310 1");
        for text in ["", "TS:", "TS:x", "SUM:xyz 1", "SUM:1", "SUM:1 2 3 4 5", "other", &long] {
            assert_eq!(parse(text.as_bytes()), Note::Other, "{text}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
        for (bytes, expected) in [
            (vec![0; 32], 0x8a91_36aa),
            (vec![0xff; 32], 0x62a8_ab43),
            ((0..32).collect(), 0x46dd_794e),
        ] {
            let mut digest = Digest::default();
            digest.add(&bytes[..10]);
            digest.add(&bytes[10..]);
            assert_eq!(digest.0.finalize(), expected);
        }
    }
}
