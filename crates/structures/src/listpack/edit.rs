//! A pack that is changed: every edit moves the bytes behind it once.

use super::element::{Encoded, Item};
use super::{COUNT_UNKNOWN, EMPTY, END, HEADER_LEN, Listpack};
use crate::Mover;
use std::cmp::Ordering;
use std::ops::Range;

/// A pack of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListpackBuf(Vec<u8>);

impl Default for ListpackBuf {
    fn default() -> ListpackBuf {
        ListpackBuf::new()
    }
}

impl ListpackBuf {
    /// Moves its bytes where `mover` wants them.
    pub fn relocate(&mut self, mover: &mut Mover) {
        mover.vec(&mut self.0);
    }

    /// A pack without elements.
    pub fn new() -> ListpackBuf {
        ListpackBuf(EMPTY.to_vec())
    }

    /// A pack without elements with room for a pack of `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> ListpackBuf {
        let mut pack = Vec::with_capacity(bytes.max(EMPTY.len()));
        pack.extend_from_slice(&EMPTY);
        ListpackBuf(pack)
    }

    /// Takes bytes that are known to be a pack.
    pub fn from_trusted(bytes: Vec<u8>) -> ListpackBuf {
        debug_assert!(bytes.len() > HEADER_LEN && bytes.last() == Some(&END));
        ListpackBuf(bytes)
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
    pub fn view(&self) -> Listpack<'_> {
        Listpack::of(&self.0)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Adds an element at the end.
    ///
    /// # Panics
    /// As every edit, if the pack would become 4 GB or longer.
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.extend([Item::of(bytes)]);
    }

    /// Adds an integer at the end.
    pub fn push_back_int(&mut self, value: i64) {
        self.extend([Item::Int(value)]);
    }

    /// Adds elements at the end.
    pub fn extend<'a>(&mut self, items: impl IntoIterator<Item = Item<'a>>) {
        let (said, mut added) = (self.view().said(), 0_u16);
        self.0.pop();
        for item in items {
            Encoded::of(item).append(&mut self.0);
            added = added.saturating_add(1);
        }
        self.0.push(END);
        // One more than 65,534 is the mark for "unknown".
        self.set_header(said.saturating_add(added));
    }

    /// Gives room back that no element takes.
    pub fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Adds an element at the beginning.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert_item(HEADER_LEN, Item::of(bytes));
    }

    /// Adds an element before the one at `at`; then it is the one at `at`.
    pub fn insert_before(&mut self, at: usize, bytes: &[u8]) {
        self.insert_item(at, Item::of(bytes));
    }

    /// Adds an element behind the one at `at`.
    pub fn insert_after(&mut self, at: usize, bytes: &[u8]) {
        self.insert_item(self.view().behind(at), Item::of(bytes));
    }

    /// Makes the element at `at` another.
    pub fn replace(&mut self, at: usize, bytes: &[u8]) {
        self.replace_item(at, Item::of(bytes));
    }

    /// Makes the element at `at` an integer.
    pub fn replace_int(&mut self, at: usize, value: i64) {
        self.replace_item(at, Item::Int(value));
    }

    /// Removes the element at `at` and those behind it, at most `count` in all. Gives how many.
    pub fn remove(&mut self, at: usize, count: usize) -> usize {
        let end = self.0.len() - 1;
        let (mut behind, mut removed) = (at, 0);
        while removed < count && behind < end {
            behind = self.view().behind(behind);
            removed += 1;
        }
        self.cut(at..behind, removed);
        removed
    }

    /// Removes the first `count` elements, or all if there are fewer. O(count) and one move.
    pub fn truncate_front(&mut self, count: usize) {
        self.remove(HEADER_LEN, count);
    }

    /// Removes the last `count` elements, or all if there are fewer. O(count).
    pub fn truncate_back(&mut self, count: usize) {
        let end = self.0.len() - 1;
        let (mut from, mut removed) = (end, 0);
        while removed < count {
            let Some(before) = self.view().before(from) else { break };
            from = before;
            removed += 1;
        }
        self.cut(from..end, removed);
    }

    /// Removes all elements and keeps the room.
    pub fn clear(&mut self) {
        self.0.clear();
        self.0.extend_from_slice(&EMPTY);
    }

    /// Adds all elements of `other` at the end. One copy.
    pub fn append(&mut self, other: Listpack<'_>) {
        let (own, others) = (self.view().said(), other.said());
        self.0.pop();
        self.0.extend_from_slice(&other.as_bytes()[HEADER_LEN..]);
        let known = own != COUNT_UNKNOWN && others != COUNT_UNKNOWN;
        self.set_header(if known { own.saturating_add(others) } else { COUNT_UNKNOWN });
    }

    fn insert_item(&mut self, at: usize, item: Item<'_>) {
        self.exchange(at..at, item);
        let said = self.view().said();
        // One more than 65,534 is the mark for "unknown".
        self.set_header(said.saturating_add(1));
    }

    fn replace_item(&mut self, at: usize, item: Item<'_>) {
        let behind = self.view().behind(at);
        self.exchange(at..behind, item);
        self.set_header(self.view().said());
    }

    /// Puts `item` in the place of the bytes in `old`; the header is left as it was.
    fn exchange(&mut self, old: Range<usize>, item: Item<'_>) {
        let encoded = Encoded::of(item);
        let (len, behind) = (self.0.len(), old.start + encoded.len());
        match behind.cmp(&old.end) {
            Ordering::Equal => {}
            Ordering::Greater => {
                self.0.resize(len + (behind - old.end), 0);
                self.0.copy_within(old.end..len, behind);
            }
            Ordering::Less => {
                self.0.copy_within(old.end..len, behind);
                self.0.truncate(len - (old.end - behind));
            }
        }
        encoded.fill(&mut self.0[old.start..behind]);
    }

    /// Removes the bytes in `old`, which are `count` elements.
    fn cut(&mut self, old: Range<usize>, count: usize) {
        self.0.drain(old);
        let said = match self.view().said() {
            COUNT_UNKNOWN => self.recounted(),
            said => said.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX)),
        };
        self.set_header(said);
    }

    /// What the header should say after a removal from a pack too long to be counted in it. Only
    /// emptiness is worth knowing again; counting would make removals O(n).
    fn recounted(&self) -> u16 {
        if self.is_empty() { 0 } else { COUNT_UNKNOWN }
    }

    fn set_header(&mut self, said: u16) {
        let total = u32::try_from(self.0.len()).expect("a pack is shorter than 4 GB");
        self.0[..4].copy_from_slice(&total.to_le_bytes());
        self.0[4..HEADER_LEN].copy_from_slice(&said.to_le_bytes());
    }
}
