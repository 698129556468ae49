//! An intset: the members of a set that are all integers, sorted, in one run of bytes.
//!
//! ```text
//! bytes per member: u32 (2, 4 or 8)   members: u32   member*   everything little-endian
//! ```
//!
//! A member too wide for the others makes all of them wider; they never become narrower again, as in
//! stock, whose bytes these are. [`Intset`] and [`IntsetBuf`] trust their bytes;
//! [`Intset::validate`] is the door for foreign ones.
//!
//! Source: sets dumped by stock 7.0.15.

#![deny(unsafe_code)]

use crate::Mover;

/// The bytes before the first member.
const HEADER_LEN: usize = 8;

/// A view of an intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intset<'a>(&'a [u8]);

impl<'a> Intset<'a> {
    /// Views bytes that are known to be an intset.
    pub fn of(bytes: &'a [u8]) -> Intset<'a> {
        debug_assert!(bytes.len() >= HEADER_LEN);
        Intset(bytes)
    }

    /// Views foreign bytes if they are an intset: of the right length, ascending, no member twice.
    /// O(n), never panics.
    pub fn validate(bytes: &'a [u8]) -> Option<Intset<'a>> {
        let width = u32::from_le_bytes(*bytes.first_chunk()?);
        let count = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
        let width = usize::try_from(width).ok().filter(|width| matches!(width, 2 | 4 | 8))?;
        let len = usize::try_from(count).ok()?.checked_mul(width)?.checked_add(HEADER_LEN)?;
        if len != bytes.len() {
            return None;
        }
        let view = Intset(bytes);
        view.iter().is_sorted_by(|a, b| a < b).then_some(view)
    }

    /// The bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The number of members.
    pub fn len(self) -> usize {
        (self.0.len() - HEADER_LEN) / self.width()
    }

    /// Whether there are no members.
    pub fn is_empty(self) -> bool {
        self.0.len() == HEADER_LEN
    }

    /// The member number `index` in ascending order.
    pub fn get(self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The least member.
    pub fn first(self) -> Option<i64> {
        self.get(0)
    }

    /// The greatest member.
    pub fn last(self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Whether `value` is a member. O(log n).
    pub fn contains(self, value: i64) -> bool {
        self.find(value).is_ok()
    }

    /// The number of the member `value`, or the one it would have, as an error. O(log n).
    ///
    /// # Errors
    /// Where `value` would have to be inserted.
    pub fn find(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.at(middle).cmp(&value) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The members, ascending.
    pub fn iter(
        self,
    ) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + use<'a> {
        self.0[HEADER_LEN..].chunks_exact(self.width()).map(member)
    }

    fn width(self) -> usize {
        usize::from(self.0[0])
    }

    fn at(self, index: usize) -> i64 {
        let width = self.width();
        let at = HEADER_LEN + index * width;
        member(&self.0[at..at + width])
    }
}

/// The integer in 2, 4 or 8 bytes.
fn member(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => bytes.try_into().map_or(0, i64::from_le_bytes),
    }
}

/// The bytes that `value` needs.
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

/// An intset of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntsetBuf(Vec<u8>);

impl Default for IntsetBuf {
    fn default() -> IntsetBuf {
        IntsetBuf::new()
    }
}

impl IntsetBuf {
    /// Moves its bytes where `mover` wants them.
    pub fn relocate(&mut self, mover: &mut Mover) {
        mover.vec(&mut self.0);
    }

    /// An intset without members.
    pub fn new() -> IntsetBuf {
        IntsetBuf(vec![2, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Takes bytes that are known to be an intset.
    pub fn from_trusted(bytes: Vec<u8>) -> IntsetBuf {
        debug_assert!(bytes.len() >= HEADER_LEN);
        IntsetBuf(bytes)
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Views it.
    pub fn view(&self) -> Intset<'_> {
        Intset::of(&self.0)
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Adds a member; gives whether it is new. O(log n) and one move.
    pub fn insert(&mut self, value: i64) -> bool {
        let Err(index) = self.view().find(value) else { return false };
        let width = width_of(value);
        if width > self.view().width() {
            self.widen(width);
        }
        let width = self.view().width();
        let (at, len) = (HEADER_LEN + index * width, self.0.len());
        self.0.resize(len + width, 0);
        self.0.copy_within(at..len, at + width);
        self.0[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.set_count();
        true
    }

    /// Removes a member; gives whether it was there. O(log n) and one move.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.view().find(value) else { return false };
        let width = self.view().width();
        let at = HEADER_LEN + index * width;
        self.0.drain(at..at + width);
        self.set_count();
        true
    }

    /// Writes all members with `width` bytes.
    fn widen(&mut self, width: usize) {
        let view = self.view();
        let mut bytes = Vec::with_capacity(HEADER_LEN + (view.len() + 1) * width);
        bytes.extend_from_slice(&[u8::try_from(width).unwrap_or(8), 0, 0, 0, 0, 0, 0, 0]);
        for value in view.iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.0 = bytes;
    }

    fn set_count(&mut self) {
        let count = u32::try_from(self.len()).expect("an intset has less than 2^32 members");
        self.0[4..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
    }
}

impl FromIterator<i64> for IntsetBuf {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> IntsetBuf {
        let mut set = IntsetBuf::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

#[cfg(test)]
mod tests;
