//! A listpack: strings and integers one behind the other in one run of bytes, walked both ways.
//!
//! ```text
//! pack      total bytes: u32  elements: u16 (0xffff: count them)  element*  0xff
//! element   head body back
//! head      0vvvvvvv                         the integer v, 0..=127
//!           10llllll                         l bytes
//!           110vvvvv vvvvvvvv                a signed integer of 13 bits, high bits first
//!           1110llll llllllll                l bytes, l < 4096, high bits first
//!           11110000 u32                     that many bytes
//!           11110001 i16, 11110010 i24, 11110011 i32, 11110100 i64
//! back      the length of head and body in groups of 7 bits, the highest first; all but the first
//!           have their high bit set, so that it is read backwards
//! ```
//!
//! All but the bit fields is little-endian. Bytes are those stock writes, so packs go to snapshots and
//! replicas as they are. Elements that spell an `i64` canonically are kept as integers. An element is
//! named by the offset of its head; an edit moves what is behind it once and keeps offsets before it.
//!
//! [`Listpack`] and [`ListpackBuf`] trust their bytes: with other bytes they may give wrong elements
//! or panic, never more. [`Listpack::validate`] is the door for foreign bytes.
//!
//! Source: the listpack specification (antirez/listpack, `listpack.md`); packs written by stock 7.0.15.

#![deny(unsafe_code)]

mod edit;
mod element;
mod iter;

pub use edit::ListpackBuf;
pub use element::{Item, integer};
pub use iter::Iter;

use element::{back_len, decode, read_back};

/// The bytes before the first element.
const HEADER_LEN: usize = 6;

/// The byte behind the last element.
const END: u8 = 0xff;

/// What the header says if the elements must be counted.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The pack without elements.
const EMPTY: [u8; HEADER_LEN + 1] = [7, 0, 0, 0, 0, 0, END];

/// A view of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listpack<'a>(&'a [u8]);

impl<'a> Listpack<'a> {
    /// Views bytes that are known to be a pack.
    pub fn of(bytes: &'a [u8]) -> Listpack<'a> {
        debug_assert!(bytes.len() > HEADER_LEN && bytes.last() == Some(&END));
        Listpack(bytes)
    }

    /// Views foreign bytes if they are a pack: every element within bounds and with the right length
    /// behind it, and as many as the header says. O(bytes), never panics.
    pub fn validate(bytes: &'a [u8]) -> Option<Listpack<'a>> {
        let total = u32::from_le_bytes(*bytes.first_chunk()?);
        let said = u16::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
        let end = bytes.len().checked_sub(1).filter(|&end| end >= HEADER_LEN)?;
        if usize::try_from(total).ok()? != bytes.len() || bytes.last() != Some(&END) {
            return None;
        }
        let (mut at, mut count) = (HEADER_LEN, 0_usize);
        while at < end {
            // Nearly all elements have a head of one byte and a length behind them of one.
            if let Some(len) = element::short_len(*bytes.get(at)?) {
                let next = at + len + 1;
                if next > end || usize::from(*bytes.get(next - 1)?) != len {
                    return None;
                }
                at = next;
                count += 1;
                continue;
            }
            let (_, len) = element::decode_foreign(bytes.get(at..end)?)?;
            let back_at = at.checked_add(len)?;
            let next = back_at.checked_add(back_len(len))?;
            if bytes.get(back_at..next.min(end))? != element::Back::of(len).as_slice() {
                return None;
            }
            at = next;
            count += 1;
        }
        let counted = said == COUNT_UNKNOWN || usize::from(said) == count;
        (at == end && counted).then_some(Listpack(bytes))
    }

    /// The bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The number of elements. O(1) up to 65,534, else O(n).
    pub fn len(self) -> usize {
        match self.said() {
            COUNT_UNKNOWN => self.iter().count(),
            said => usize::from(said),
        }
    }

    /// Whether there are no elements. O(1).
    pub fn is_empty(self) -> bool {
        self.end() == HEADER_LEN
    }

    /// The elements in order; from both ends.
    pub fn iter(self) -> Iter<'a> {
        Iter::new(self.0, HEADER_LEN, self.end())
    }

    /// The elements from the one at `at` on.
    pub fn iter_from(self, at: usize) -> Iter<'a> {
        Iter::new(self.0, at, self.end())
    }

    /// Where the first element is.
    pub fn first(self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER_LEN)
    }

    /// Where the last element is.
    pub fn last(self) -> Option<usize> {
        self.before(self.end())
    }

    /// Where the element behind the one at `at` is.
    pub fn next(self, at: usize) -> Option<usize> {
        let next = self.behind(at);
        (next < self.end()).then_some(next)
    }

    /// Where the element before the one at `at` is.
    pub fn previous(self, at: usize) -> Option<usize> {
        self.before(at)
    }

    /// Where the element number `index` is; negative numbers count from the end, the last being -1.
    /// O(n), walking from the nearer end.
    pub fn index(self, index: isize) -> Option<usize> {
        let (said, distance) = (self.said(), index.unsigned_abs());
        let (mut forward, mut steps) =
            (index >= 0, if index >= 0 { distance } else { distance - 1 });
        if said != COUNT_UNKNOWN {
            let count = usize::from(said);
            if steps >= count {
                return None;
            }
            if steps > count / 2 {
                (forward, steps) = (!forward, count - 1 - steps);
            }
        }
        let mut at = if forward { self.first() } else { self.last() }?;
        for _ in 0..steps {
            at = if forward { self.next(at) } else { self.previous(at) }?;
        }
        Some(at)
    }

    /// The element at `at`.
    pub fn get(self, at: usize) -> Item<'a> {
        decode(self.0, at).0
    }

    /// Where the first element is that spells `wanted`, looking from `from` (the beginning if `None`)
    /// on and passing over `skip` elements after each one compared. O(n).
    pub fn find(self, from: Option<usize>, wanted: &[u8], skip: usize) -> Option<usize> {
        let end = self.end();
        let mut at = from.unwrap_or(HEADER_LEN);
        let number = integer(wanted);
        while at < end {
            let (item, len) = decode(self.0, at);
            let same = match item {
                Item::Bytes(bytes) => bytes == wanted,
                Item::Int(value) => number == Some(value),
            };
            if same {
                return Some(at);
            }
            at += len + back_len(len);
            for _ in 0..skip {
                if at < end {
                    at = self.behind(at);
                }
            }
        }
        None
    }

    /// What the header says of the number of elements.
    fn said(self) -> u16 {
        u16::from_le_bytes([self.0[4], self.0[5]])
    }

    /// Where the end mark is.
    fn end(self) -> usize {
        self.0.len() - 1
    }

    /// Where the element at `at` ends.
    fn behind(self, at: usize) -> usize {
        let len = element::len_at(self.0, at);
        at + len + back_len(len)
    }

    /// Where the element is that ends at `at`.
    fn before(self, at: usize) -> Option<usize> {
        (at > HEADER_LEN).then(|| {
            let len = read_back(self.0, at);
            at - len - back_len(len)
        })
    }
}

#[cfg(test)]
mod tests;
