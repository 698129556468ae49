//! The large form of a sorted set: a [`Sorted`] and the walks that save it fragment by fragment.
//!
//! A fragment is a member; its epoch is in the header of the entry that holds it. A walk goes from the
//! greatest member down, the order in which sorted sets load fastest: a member that keeps its score is met
//! on the way, and one that is given another has been saved before.

use super::Sorted;
use crate::Kind;
use crate::fragment::{Fragment, Fragmented, Outline, Position, STEP_BYTES, STEP_MEMBERS, Sides};
use crate::relocate::{self, NODE_ELEMENTS};
use std::mem;
use std::ops::Range;
use structures::{KeyHash, Mover};

/// Marks how far a relocation has come: the table is done.
const IN_TREE: u128 = 1 << 127;

/// A table and a tree, with the sides of walks.
#[derive(Debug)]
pub(super) struct Large {
    sorted: Sorted,
    sides: Sides,
}

impl Default for Large {
    fn default() -> Large {
        Large { sorted: Sorted::new(KeyHash::of), sides: Sides::default() }
    }
}

impl Large {
    pub(super) fn sorted(&self) -> &Sorted {
        &self.sorted
    }

    /// As [`Sorted::insert`].
    #[inline]
    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        if self.sides.is_empty() {
            return self.sorted.insert(member, score);
        }
        self.save(member);
        let before = self.sorted.insert(member, score);
        if before.is_none()
            && let Some(entry) = self.sorted.entry(member)
        {
            entry.set_epoch(self.sides.epoch());
        }
        before
    }

    /// As [`Sorted::remove`].
    #[inline]
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        if !self.sides.is_empty() {
            self.save(member);
        }
        self.sorted.remove(member)
    }

    /// As [`Sorted::remove_ranks`].
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        if !self.sides.is_empty() {
            self.sorted.entries(ranks.clone()).for_each(|entry| self.save_entry(entry));
        }
        self.sorted.remove_ranks(ranks);
    }

    /// Moves what it owns where `mover` wants it, as [`crate::Object::relocate`]: the table, then the
    /// tree, of which `reached` is a rank with [`IN_TREE`].
    pub(super) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        if reached & IN_TREE == 0 {
            let next = relocate::through(reached, elements, |cursor| {
                self.sorted.relocate_members(cursor, mover)
            });
            if next != 0 {
                return next;
            }
        }
        let next = relocate::through(reached & !IN_TREE, elements, |rank| {
            let rank = usize::try_from(rank).unwrap_or(usize::MAX);
            (NODE_ELEMENTS, self.sorted.relocate_nodes(rank, mover) as u64)
        });
        if next == 0 { 0 } else { next | IN_TREE }
    }

    /// Saves a member that is about to change.
    #[cold]
    fn save(&self, member: &[u8]) {
        if let Some(entry) = self.sorted.entry(member) {
            self.save_entry(entry);
        }
    }

    fn save_entry(&self, entry: &structures::Entry<()>) {
        let fragment = Fragment::Scored(entry.key(), Sorted::score_of(entry));
        entry.set_epoch(self.sides.raise(entry.epoch(), |side| side.save(fragment)));
    }
}

impl Fragmented for Large {
    fn sides(&self) -> &Sides {
        &self.sides
    }

    fn sides_mut(&mut self) -> &mut Sides {
        &mut self.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::SortedSet, len: self.sorted.len(), soonest: None }
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        let end = match &*position {
            Position::Above(score, member) => self
                .sorted
                .partition(|other, other_score| (other_score, other) < (*score, &**member)),
            _ => self.sorted.len(),
        };
        let mut bytes = 0;
        let mut last = None;
        let mut visited = 0;
        let ranks = end.saturating_sub(STEP_MEMBERS)..end;
        self.sorted.prefetch(ranks.clone());
        for entry in self.sorted.entries(ranks).rev() {
            let fragment = Fragment::Scored(entry.key(), Sorted::score_of(entry));
            let raised = self.sides.raise_to(entry.epoch(), cut, |side| side.save(fragment));
            entry.set_epoch(raised);
            (visited, last, bytes) = (visited + 1, Some(entry), bytes + entry.key().len());
            if bytes > STEP_BYTES {
                break;
            }
        }
        let Some(last) = last.filter(|_| visited < end) else { return false };
        *position = Position::Above(Sorted::score_of(last), last.key().into());
        true
    }
}

impl Clone for Large {
    fn clone(&self) -> Large {
        Large { sorted: self.sorted.clone(), sides: Sides::default() }
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            let sorted = mem::replace(&mut self.sorted, Sorted::new(KeyHash::of));
            self.sides.hand_over(|sides| Box::new(Large { sorted, sides }));
        }
    }
}
