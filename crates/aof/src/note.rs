//! Notes between the requests of a file: lines that begin with `#`, which every reader may pass over.
//!
//! ```text
//! #TS:1795867315\r\n                                         Unix seconds at which what follows was written
//! #BEGIN\r\n                                                 sums begin anew: a server has opened the file
//! #PLACE:8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb 9137\r\n  history, and its offset where the next request begins
//! #SUM:1a2b3c4d 9100\r\n                                     checksum of what stands since the last sum; how far
//!                                                          the file was durable when this was written
//! ```
//!
//! Each batch that is written ends with a sum, which is of the number beside it too. What is wrong before the durable end is damage to what
//! was promised; what is wrong behind it was on its way when the power went. CRC-32C, as iSCSI has it.
//!
//! Source: `#TS:` is stock 7's; the others are ours, and stock passes over them.

use base::{Offset, RunId};
use crc::{CRC_32_ISCSI, Crc, Table};
use std::io::Write;

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Unix seconds at which what follows was written.
    Time(u64),
    /// Sums begin anew, with this line: a server has opened the file.
    Begin,
    /// The history that what follows belongs to, and the offset in it of the next request.
    Place(RunId, Offset),
    /// The checksum of what stands since the last sum.
    Sum {
        /// The checksum.
        sum: u32,
        /// How many bytes of the file were durable when it was written.
        synced: u64,
    },
    /// Nothing that is known here.
    Other,
}

/// [`Note::Begin`] as it is written.
pub(crate) const BEGIN: &str = "#BEGIN\r\n";

impl Note {
    /// Adds the note as a line to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = match self {
            Note::Time(seconds) => write!(out, "#TS:{seconds}\r\n"),
            Note::Begin => write!(out, "{BEGIN}"),
            Note::Place(replid, offset) => write!(out, "#PLACE:{} {offset}\r\n", replid.as_str()),
            Note::Sum { sum, synced } => write!(out, "#SUM:{sum:08x} {synced}\r\n"),
            Note::Other => Ok(()),
        };
    }
}

/// Reads a note, given without the `#` and the line end.
pub(crate) fn parse(text: &[u8]) -> Note {
    known(text).unwrap_or(Note::Other)
}

fn known(text: &[u8]) -> Option<Note> {
    if text == b"BEGIN" {
        return Some(Note::Begin);
    }
    let (name, rest) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some(match name {
        "TS" => Note::Time(rest.parse().ok()?),
        "PLACE" => {
            let (replid, offset) = rest.split_once(' ')?;
            Note::Place(RunId::parse(replid.as_bytes())?, Offset(offset.parse().ok()?))
        }
        "SUM" => {
            let (sum, synced) = rest.split_once(' ')?;
            Note::Sum { sum: u32::from_str_radix(sum, 16).ok()?, synced: synced.parse().ok()? }
        }
        _ => return None,
    })
}

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A checksum under way.
#[derive(Clone)]
pub(crate) struct Sum(crc::Digest<'static, u32, Table<16>>);

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sum").finish_non_exhaustive()
    }
}

impl Default for Sum {
    fn default() -> Sum {
        Sum(CRC.digest())
    }
}

impl Sum {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum, that of `synced` as it is written included.
    pub(crate) fn with(&self, synced: u64) -> u32 {
        let mut digest = self.0.clone();
        digest.update(synced.to_string().as_bytes());
        digest.finalize()
    }

    /// The note that ends a batch.
    pub(crate) fn note(&self, synced: u64) -> Note {
        Note::Sum { sum: self.with(synced), synced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive() {
        let replid = RunId::parse(b"8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb").unwrap();
        for (note, text) in [
            (Note::Time(1_795_867_315), "#TS:1795867315\r\n"),
            (
                Note::Place(replid, Offset(9137)),
                "#PLACE:8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb 9137\r\n",
            ),
            (Note::Begin, "#BEGIN\r\n"),
            (Note::Sum { sum: 0x00c0_ffee, synced: 7 }, "#SUM:00c0ffee 7\r\n"),
        ] {
            let mut line = Vec::new();
            note.write(&mut line);
            assert_eq!(line, text.as_bytes());
            assert_eq!(parse(&line[1..line.len() - 2]), note);
        }
        for text in ["", "TS:", "TS:x", "PLACE:1 2", "SUM:xyz 1", "SUM:1", "other"] {
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
            let mut sum = Sum::default();
            sum.add(&bytes[..10]);
            sum.add(&bytes[10..]);
            assert_eq!(sum.0.finalize(), expected);
        }
    }
}
