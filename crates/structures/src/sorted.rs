//! Members in the order of their scores: a [`Table`] that finds a member's score, and a counted tree
//! that finds a member's place and the member at a place.
//!
//! The table's entries hold the members' bytes and, as their inline value, the score's bits; one that
//! expires says when. The tree's items point to these entries, so no byte is kept twice.
//!
//! Invariants:
//! 1. The tree's items are exactly the table's entries, each once, with the same score.
//! 2. An entry's allocation and its key in it stay where they are while the tree has its item: growth
//!    moves pointers, a score replaces a score in place, and who moves the key takes the item out before.
//!    Only `relocate_members` moves an entry, and has the tree point to the new place before the old one is
//!    freed.
//! 3. An entry leaves the tree before it leaves the table.

mod relocate;
mod tree;

use crate::{Entry, NewValue, Table, ValueRef};
use base::Millis;
use std::fmt;
use std::ops::Range;
use tree::{Item, Member, Tree};

/// How members are hashed.
pub type MemberHash = fn(&[u8]) -> u64;

/// Members in the order of (score, member). Scores are never NaN.
pub struct Sorted {
    hash: MemberHash,
    table: Table<()>,
    tree: Tree,
    sums: Sums,
}

/// What is counted of the table's entries.
#[derive(Default)]
struct Sums {
    bytes: usize,
    /// How many have an expiry.
    expiring: usize,
}

impl Sums {
    fn add(&mut self, entry: &Entry<()>) {
        self.bytes += entry.allocated_bytes();
        self.expiring += usize::from(entry.expire_at().is_some());
    }

    fn subtract(&mut self, entry: &Entry<()>) {
        self.bytes -= entry.allocated_bytes();
        self.expiring -= usize::from(entry.expire_at().is_some());
    }
}

impl fmt::Debug for Sorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter(0..self.len())).finish()
    }
}

impl Clone for Sorted {
    fn clone(&self) -> Sorted {
        let mut copy = Sorted::new(self.hash);
        for entry in self.entries(0..self.len()) {
            let member = entry.key();
            copy.put((copy.hash)(member), member, score_of(entry), entry.expire_at());
        }
        copy
    }
}

impl Sorted {
    /// An empty one.
    pub fn new(hash: MemberHash) -> Sorted {
        let (table, tree) = (Table::default(), Tree::default());
        Sorted { hash, table, tree, sums: Sums::default() }
    }

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// About how many bytes of heap it holds. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.sums.bytes + self.len() * 3 * size_of::<Item>() / 2
    }

    /// The score of `member`. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.find((self.hash)(member), member).map(score_of)
    }

    /// The entry that holds `member`: its key is the member. O(1).
    pub fn entry(&self, member: &[u8]) -> Option<&Entry<()>> {
        self.table.find((self.hash)(member), member)
    }

    /// The score in an entry of a sorted set.
    #[inline]
    pub fn score_of(entry: &Entry<()>) -> f64 {
        score_of(entry)
    }

    /// How many members have an expiry.
    #[inline]
    pub fn expiring(&self) -> usize {
        self.sums.expiring
    }

    /// Puts `member` in, or changes its score and not its expiry; gives the score before. O(log n).
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let hash = (self.hash)(member);
        let value = NewValue::Int(score.to_bits().cast_signed());
        if let Some(entry) = self.table.find_mut(hash, member) {
            let before = score_of(entry);
            if before.to_bits() != score.to_bits() {
                self.tree.remove(before, member);
                entry.set_value(value);
                self.tree.insert(Item { score, member: Member::of(entry) });
            }
            return Some(before);
        }
        self.put(hash, member, score, None);
        None
    }

    /// Puts a member in that is not there.
    fn put(&mut self, hash: u64, member: &[u8], score: f64, expire_at: Option<Millis>) {
        let entry = Entry::new(member, NewValue::Int(score.to_bits().cast_signed()), expire_at);
        self.sums.add(&entry);
        let pointer = Member::of(&entry);
        self.table.insert_unique(hash, entry, &self.hash);
        self.tree.insert(Item { score, member: pointer });
    }

    /// Sets or removes the expiry of `member`; false if it is not there. O(log n).
    pub fn set_expire_at(&mut self, member: &[u8], at: Option<Millis>) -> bool {
        let Some(entry) = self.table.find_mut((self.hash)(member), member) else { return false };
        if entry.expire_at().is_some() == at.is_some() {
            // Nothing moves.
            entry.set_expire_at(at);
            return true;
        }
        let score = score_of(entry);
        self.tree.remove(score, member);
        self.sums.subtract(entry);
        entry.set_expire_at(at);
        self.sums.add(entry);
        self.tree.insert(Item { score, member: Member::of(entry) });
        true
    }

    /// Takes `member` out and gives its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = (self.hash)(member);
        let score = score_of(self.table.find(hash, member)?);
        self.tree.remove(score, member);
        if let Some(entry) = self.table.remove(hash, member) {
            self.sums.subtract(&entry);
        }
        Some(score)
    }

    /// Takes the members of these ranks out. O(members * log n).
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        for _ in ranks.start..ranks.end.min(self.len()) {
            let Some(member) = self.at(ranks.start).map(|(member, _)| member.to_vec()) else {
                return;
            };
            self.remove(&member);
        }
    }

    /// How many members `is_before` holds for; it must hold for a first part of the order. O(log n).
    pub fn partition(&self, mut is_before: impl FnMut(&[u8], f64) -> bool) -> usize {
        self.tree.partition(&mut |item| is_before(item.member.bytes(self), item.score))
    }

    /// The rank of `member`. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.partition(|other, other_score| (other_score, other) < (score, member)))
    }

    /// The member of that rank and its score. O(log n).
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        let (items, at) = self.tree.leaf(rank)?;
        items.get(at).map(|item| (item.member.bytes(self), item.score))
    }

    /// The members of these ranks, from both ends.
    pub fn iter(&self, ranks: Range<usize>) -> SortedIter<'_> {
        let end = ranks.end.min(self.len());
        SortedIter {
            sorted: self,
            ranks: ranks.start.min(end)..end,
            front: (&[], 0),
            back: (&[], 0),
        }
    }

    /// Hints that the entries of the members of these ranks will be read.
    pub fn prefetch(&self, ranks: Range<usize>) {
        Items(self.iter(ranks)).for_each(|item| item.member.prefetch());
    }

    /// The entries of the members of these ranks, from both ends.
    pub fn entries(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = &Entry<()>> {
        Items(self.iter(ranks)).map(|item| item.member.entry(self))
    }

    /// Goes through the members of some buckets, as [`Table::scan`].
    pub fn scan(&self, cursor: u64, mut found: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, |entry| found(entry.key(), score_of(entry)))
    }

    /// As [`Sorted::scan`], and takes out every member for whose entry `remove` holds, telling `removed`.
    /// O(removed * log n).
    pub fn drain_where(
        &mut self,
        cursor: u64,
        mut remove: impl FnMut(&Entry<()>) -> bool,
        mut removed: impl FnMut(&[u8]),
    ) -> u64 {
        let Sorted { table, tree, sums, .. } = self;
        let leaves = |entry: &mut Entry<()>| {
            let leaves = remove(entry);
            if leaves {
                tree.remove(score_of(entry), entry.key());
            }
            leaves
        };
        table.drain_where(cursor, leaves, |entry| {
            sums.subtract(&entry);
            removed(entry.key());
        })
    }
}

fn score_of(entry: &Entry<()>) -> f64 {
    match entry.value() {
        ValueRef::Int(bits) => f64::from_bits(bits.cast_unsigned()),
        _ => 0.0,
    }
}

/// Members with their scores, in order.
#[derive(Clone, Debug)]
pub struct SortedIter<'a> {
    sorted: &'a Sorted,
    ranks: Range<usize>,
    front: (&'a [Item], usize),
    back: (&'a [Item], usize),
}

impl<'a> SortedIter<'a> {
    fn next_item(&mut self) -> Option<&'a Item> {
        let rank = self.ranks.next()?;
        if self.front.1 >= self.front.0.len() {
            self.front = self.sorted.tree.leaf(rank)?;
        }
        let item = self.front.0.get(self.front.1)?;
        self.front.1 += 1;
        Some(item)
    }

    fn next_item_back(&mut self) -> Option<&'a Item> {
        let rank = self.ranks.next_back()?;
        if self.back.1 == 0 {
            let (items, at) = self.sorted.tree.leaf(rank)?;
            self.back = (items, at + 1);
        }
        self.back.1 -= 1;
        self.back.0.get(self.back.1)
    }
}

impl<'a> Iterator for SortedIter<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let item = self.next_item()?;
        Some((item.member.bytes(self.sorted), item.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl DoubleEndedIterator for SortedIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let item = self.next_item_back()?;
        Some((item.member.bytes(self.sorted), item.score))
    }
}

/// As a [`SortedIter`], the tree's items.
struct Items<'a>(SortedIter<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = &'a Item;

    fn next(&mut self) -> Option<&'a Item> {
        self.0.next_item()
    }
}

impl DoubleEndedIterator for Items<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_item_back()
    }
}

impl ExactSizeIterator for SortedIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(super) fn hash(member: &[u8]) -> u64 {
        member
            .iter()
            .fold(7, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_is_a_sorted_map(steps in prop::collection::vec((0..5u8, 0..900u32, -20..20i32), 1..3000)) {
            let mut sorted = Sorted::new(hash);
            let mut model: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
            let mut ends: BTreeMap<Vec<u8>, Millis> = BTreeMap::new();
            for (what, name, score) in steps {
                let member = format!("m{name}").into_bytes();
                match what {
                    0 => {
                        prop_assert_eq!(sorted.remove(&member), model.remove(&member).map(f64::from));
                        ends.remove(&member);
                    }
                    1 => {
                        let at = u64::try_from(score).ok().map(Millis);
                        let is_there = model.contains_key(&member);
                        prop_assert_eq!(sorted.set_expire_at(&member, at), is_there);
                        ends.remove(&member);
                        ends.extend(at.filter(|_| is_there).map(|at| (member, at)));
                    }
                    2 if score == 0 => {
                        let limit = Millis(u64::from(name / 50));
                        let (mut cursor, mut gone) = (0, Vec::new());
                        loop {
                            let ended = |entry: &Entry<()>| entry.expire_at().is_some_and(|at| at < limit);
                            cursor = sorted.drain_where(cursor, ended, |member| gone.push(member.to_vec()));
                            if cursor == 0 { break; }
                        }
                        gone.sort();
                        let expected: Vec<_> =
                            ends.extract_if(.., |_, at| *at < limit).map(|(member, _)| member).collect();
                        prop_assert_eq!(&gone, &expected);
                        model.retain(|member, _| !gone.contains(member));
                    }
                    _ => {
                        let before = sorted.insert(&member, f64::from(score));
                        prop_assert_eq!(before, model.insert(member, score).map(f64::from));
                    }
                }
                prop_assert_eq!(sorted.expiring(), ends.len());
            }
            let held = |sorted: &Sorted| -> BTreeMap<Vec<u8>, Millis> {
                let entries = sorted.entries(0..sorted.len());
                entries.filter_map(|entry| Some((entry.key().to_vec(), entry.expire_at()?))).collect()
            };
            prop_assert_eq!(&held(&sorted), &ends);
            prop_assert_eq!(&held(&sorted.clone()), &ends);
            let bytes: usize = sorted.table.iter().map(Entry::allocated_bytes).sum();
            prop_assert_eq!(sorted.sums.bytes, bytes);
            let mut expected: Vec<(i32, Vec<u8>)> = model.into_iter().map(|(m, s)| (s, m)).collect();
            expected.sort();
            let found: Vec<_> = sorted.iter(0..sorted.len()).collect();
            let wanted: Vec<_> = expected.iter().map(|(s, m)| (&m[..], f64::from(*s))).collect();
            prop_assert_eq!(&found, &wanted);
            let reversed: Vec<_> = sorted.iter(0..sorted.len()).rev().collect();
            prop_assert!(reversed.iter().eq(wanted.iter().rev()));
            for (rank, (member, _)) in wanted.iter().enumerate() {
                prop_assert_eq!(sorted.rank(member), Some(rank));
                prop_assert_eq!(sorted.at(rank), Some(wanted[rank]));
            }
            let (third, len) = (sorted.len() / 3, sorted.len());
            let mut copy = sorted.clone();
            copy.remove_ranks(third..2 * third);
            prop_assert_eq!(copy.len(), len - third);
        }
    }
}
