//! Ziplists and zipmaps, the packs of servers before 7.0 and 2.6. Read, never written.
//!
//! ```text
//! ziplist   bytes: u32  last: u32  entries: u16 (0xffff: count them)  entry*  0xff
//! entry     back (1 byte, or 0xfe and u32)  head  body
//! head      00llllll, 01llllll llllllll, 10000000 u32 big-endian: so many bytes
//!           0xc0 i16, 0xd0 i32, 0xe0 i64, 0xf0 i24, 0xfe i8 little-endian; 0xf1 to 0xfd: 0 to 12
//! zipmap    fields: u8 (0xfe or 0xff: count them)
//!           (length field length unused: u8 value unused bytes)*  0xff
//! length    1 byte below 0xfe, or 0xfe and u32 little-endian
//! ```
//!
//! What comes out is a listpack of the same elements, hardly longer than what was read.

use super::{LoadError, Loader};
use std::io;
use structures::listpack::ListpackBuf;

const END: u8 = 0xff;
const ZIPLIST_HEADER_LEN: usize = 10;
const LONG: u8 = 0xfe;
const COUNT_UNKNOWN: u16 = u16::MAX;

impl<R: io::Read> Loader<R> {
    /// The elements of a ziplist in a string, as a listpack.
    pub(super) fn ziplist(&mut self) -> Result<Vec<u8>, LoadError> {
        let bytes = self.bytes()?;
        match ziplist(&bytes) {
            Some((pack, _)) => Ok(pack.into_bytes()),
            None => Err(self.source.malformed("ziplist integrity check failed")),
        }
    }

    /// The elements of a ziplist of an even number of them, as a listpack.
    pub(super) fn ziplist_of_pairs(&mut self, odd: &'static str) -> Result<Vec<u8>, LoadError> {
        let bytes = self.bytes()?;
        match ziplist(&bytes) {
            Some((pack, count)) if count.is_multiple_of(2) => Ok(pack.into_bytes()),
            Some(_) => Err(self.source.malformed(odd)),
            None => Err(self.source.malformed("ziplist integrity check failed")),
        }
    }

    /// The fields and values of a zipmap in a string, as a listpack.
    pub(super) fn zipmap(&mut self) -> Result<Vec<u8>, LoadError> {
        let bytes = self.bytes()?;
        match zipmap(&bytes) {
            Some(pack) => Ok(pack.into_bytes()),
            None => Err(self.source.malformed("zipmap integrity check failed")),
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.first_chunk().copied()
}

/// The elements, and how many they are.
fn ziplist(bytes: &[u8]) -> Option<(ListpackBuf, usize)> {
    let total = u32::from_le_bytes(*bytes.first_chunk()?);
    let count = u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    if usize::try_from(total).ok()? != bytes.len() {
        return None;
    }
    let (&end, mut rest) = bytes.get(ZIPLIST_HEADER_LEN..)?.split_last()?;
    let (mut pack, mut found) = (ListpackBuf::with_capacity(bytes.len()), 0);
    let last = usize::try_from(u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?)).ok()?;
    let (mut before, mut at) = (0, ZIPLIST_HEADER_LEN);
    while !rest.is_empty() {
        let len = rest.len();
        at = bytes.len() - 1 - len;
        let back = match array::<1>(&mut rest)? {
            [LONG] => u32::from_le_bytes(array(&mut rest)?),
            [END] => return None,
            [short] => u32::from(short),
        };
        if usize::try_from(back).ok()? != before {
            return None;
        }
        entry(&mut rest, &mut pack)?;
        found += 1;
        before = len - rest.len();
    }
    let counted = count == COUNT_UNKNOWN || usize::from(count) == found;
    (end == END && counted && at == last).then_some((pack, found))
}

/// Moves the first entry of `rest` to the end of `pack`.
fn entry(rest: &mut &[u8], pack: &mut ListpackBuf) -> Option<()> {
    let [head] = array(rest)?;
    let len = match head >> 6 {
        0 => usize::from(head),
        1 => usize::from(u16::from_be_bytes([head & 0x3f, array::<1>(rest)?[0]])),
        2 => usize::try_from(u32::from_be_bytes(array(rest)?)).ok()?,
        _ => return integer(head, rest).map(|value| pack.push_back_int(value)),
    };
    take(rest, len).map(|bytes| pack.push_back(bytes))
}

fn integer(head: u8, rest: &mut &[u8]) -> Option<i64> {
    Some(match head {
        0xc0 => i16::from_le_bytes(array(rest)?).into(),
        0xd0 => i32::from_le_bytes(array(rest)?).into(),
        0xe0 => i64::from_le_bytes(array(rest)?),
        0xf0 => {
            let [low, middle, high] = array(rest)?;
            (i32::from_le_bytes([0, low, middle, high]) >> 8).into()
        }
        0xfe => i8::from_le_bytes(array(rest)?).into(),
        0xf1..=0xfd => i64::from(head - 0xf1),
        _ => return None,
    })
}

fn zipmap(bytes: &[u8]) -> Option<ListpackBuf> {
    let (&count, rest) = bytes.split_first()?;
    let (&end, mut rest) = rest.split_last()?;
    let (mut pack, mut found) = (ListpackBuf::with_capacity(bytes.len()), 0);
    while !rest.is_empty() {
        let len = zipmap_len(&mut rest)?;
        pack.push_back(take(&mut rest, len)?);
        let len = zipmap_len(&mut rest)?;
        let [unused] = array(&mut rest)?;
        pack.push_back(take(&mut rest, len)?);
        take(&mut rest, usize::from(unused))?;
        found += 1;
    }
    let counted = count >= LONG || usize::from(count) == found;
    (end == END && counted).then_some(pack)
}

fn zipmap_len(rest: &mut &[u8]) -> Option<usize> {
    match array(rest)? {
        [LONG] => usize::try_from(u32::from_le_bytes(array(rest)?)).ok(),
        [END] => None,
        [short] => Some(usize::from(short)),
    }
}
