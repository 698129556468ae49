//! The large form of a sorted set: a [`Sorted`], when its members end, and the walks that save it fragment
//! by fragment.
//!
//! Nothing here expires by itself: whoever looks says what time it is, and `sweep` takes out what has
//! ended.
//!
//! A fragment is a member; its epoch is in the header of the entry that holds it. A walk goes from the
//! greatest member down, the order in which sorted sets load fastest: a member that keeps its score is met
//! on the way, and one that is given another has been saved before.

use crate::Kind;
use crate::fragment::{
    Fragment, Fragmented, Outline, Position, STEP_BYTES, STEP_MEMBERS, Side, Sides,
};
use crate::relocate::{self, NODE_ELEMENTS};
use crate::sweep::Sweep;
use base::Millis;
use std::fmt;
use std::mem;
use std::ops::Range;
use structures::{Entry, KeyHash, Mover, Sorted};

/// Marks how far a relocation has come: the table is done.
const IN_TREE: u128 = 1 << 127;

/// A table and a tree, each member with or without an expiry.
pub struct LargeSortedSet {
    sorted: Sorted,
    sweep: Sweep,
    sides: Sides,
}

impl Default for LargeSortedSet {
    fn default() -> LargeSortedSet {
        let (sweep, sides) = (Sweep::default(), Sides::default());
        LargeSortedSet { sorted: Sorted::new(KeyHash::of), sweep, sides }
    }
}

impl LargeSortedSet {
    /// The members, ended ones that are still held included.
    #[inline]
    pub fn sorted(&self) -> &Sorted {
        &self.sorted
    }

    /// A time before which no member ends.
    #[inline]
    pub fn soonest(&self) -> Option<Millis> {
        (self.sorted.expiring() > 0).then_some(self.sweep.soonest())
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
            self.sorted.entries(ranks.clone()).for_each(|entry| save(&self.sides, entry));
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

    /// As [`Sorted::set_expire_at`].
    pub(super) fn set_expire_at(&mut self, member: &[u8], at: Option<Millis>) -> bool {
        if !self.sides.is_empty() {
            self.save(member);
        }
        let is_first = self.sorted.expiring() == 0;
        let found = self.sorted.set_expire_at(member, at);
        if found {
            self.sweep.note(at, is_first);
        }
        found
    }

    /// Takes out what has ended by `now` in at most `buckets` buckets, going on where the last call
    /// stopped. True if the pass is over: then `soonest` is exact.
    pub(super) fn sweep(
        &mut self,
        now: Millis,
        buckets: usize,
        mut removed: impl FnMut(&[u8]),
    ) -> bool {
        let LargeSortedSet { sorted, sweep, sides } = self;
        sweep.run(buckets, |cursor, gathered| {
            let ended = |entry: &Entry<()>| {
                let ended = gathered.has_ended(entry.expire_at(), now);
                if ended && !sides.is_empty() {
                    save(sides, entry);
                }
                ended
            };
            sorted.drain_where(cursor, ended, &mut removed)
        })
    }

    /// Saves a member that is about to change.
    #[cold]
    fn save(&self, member: &[u8]) {
        if let Some(entry) = self.sorted.entry(member) {
            save(&self.sides, entry);
        }
    }
}

/// Saves a member that is about to change.
fn save(sides: &Sides, entry: &Entry<()>) {
    entry.set_epoch(sides.raise(entry.epoch(), |side| side.save(fragment(entry))));
}

fn fragment(entry: &Entry<()>) -> Fragment<'_> {
    Fragment::Scored(entry.key(), Sorted::score_of(entry), entry.expire_at())
}

impl Fragmented for LargeSortedSet {
    fn sides(&self) -> &Sides {
        &self.sides
    }

    fn sides_mut(&mut self) -> &mut Sides {
        &mut self.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::SortedSet, len: self.sorted.len(), soonest: self.soonest() }
    }

    fn heap_bytes(&self) -> usize {
        self.sorted.memory_bytes()
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
            let save = |side: &dyn Side| side.save(fragment(entry));
            let raised = self.sides.raise_to(entry.epoch(), cut, save);
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

impl Clone for LargeSortedSet {
    fn clone(&self) -> LargeSortedSet {
        let mut copy = LargeSortedSet::default();
        copy.sorted = self.sorted.clone();
        copy.sweep.note(self.soonest(), true);
        copy
    }
}

impl Drop for LargeSortedSet {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            let sorted = mem::replace(&mut self.sorted, Sorted::new(KeyHash::of));
            self.sides.hand_over(|sides| {
                let mut rest = LargeSortedSet::default();
                (rest.sorted, rest.sides) = (sorted, sides);
                Box::new(rest)
            });
        }
    }
}

impl fmt::Debug for LargeSortedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sorted.fmt(f)
    }
}
