//! The large form of a set: a [`PagedSet`], and when its members end.
//!
//! Nothing here expires by itself: whoever looks says what time it is, and `sweep` takes out what has
//! ended.
//!
//! To walks a page is a fragment.

use crate::fragment::{Fragment, Fragmented, Outline, Position, Side, Sides};
use crate::sweep::Sweep;
use crate::{Kind, relocate};
use base::Millis;
use base::random::Random;
use std::fmt;
use std::mem;
use structures::{KeyHash, Member, Mover, PageIter, PageWatch, PagedIter, PagedSet};

/// Different members, each with or without an expiry.
#[derive(Default)]
pub struct LargeSet {
    members: PagedSet,
    sweep: Sweep,
    sides: Sides,
}

/// Saves a page that is about to change.
struct Saving<'a>(&'a Sides);

impl PageWatch for Saving<'_> {
    #[inline]
    fn before(&mut self, epoch: u32, members: PageIter<'_>) -> u32 {
        if self.0.is_empty() {
            return epoch;
        }
        self.0.raise(epoch, |side| save_page(side, members.clone()))
    }
}

#[cold]
fn save_page(side: &dyn Side, members: PageIter<'_>) {
    members.for_each(|member| side.save(Fragment::Member(member.bytes, member.expire_at)));
}

impl LargeSet {
    /// The number of members, ended ones that are still held included.
    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The number of members with an expiry.
    pub fn expiring(&self) -> usize {
        self.members.expiring()
    }

    /// A time before which no member ends.
    #[inline]
    pub fn soonest(&self) -> Option<Millis> {
        (self.expiring() > 0).then_some(self.sweep.soonest())
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.members.heap_bytes()
    }

    /// Whether `member` is in it, ended or not.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.contains(KeyHash::of(member), member)
    }

    /// Puts a member in unless it is there; true if it was not.
    pub fn insert(&mut self, member: &[u8], expire_at: Option<Millis>) -> bool {
        let hash = KeyHash::of(member);
        let is_first = self.expiring() == 0;
        let is_new =
            self.members.insert(hash, member, expire_at, &KeyHash, &mut Saving(&self.sides));
        if is_new {
            self.sweep.note(expire_at, is_first);
        }
        is_new
    }

    /// Sets or removes the expiry of `member`; false if there is no such member.
    pub fn set_expire_at(&mut self, member: &[u8], at: Option<Millis>) -> bool {
        let is_first = self.expiring() == 0;
        let found =
            self.members.set_expire_at(KeyHash::of(member), member, at, &mut Saving(&self.sides));
        if found {
            self.sweep.note(at, is_first);
        }
        found
    }

    /// Takes a member out; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.members.remove(KeyHash::of(member), member, &mut Saving(&self.sides))
    }

    /// All members, in no order.
    pub fn iter(&self) -> PagedIter<'_> {
        self.members.iter()
    }

    /// Visits some members, as SCAN does.
    pub fn scan<'a>(&'a self, cursor: u64, visit: impl FnMut(Member<'a>)) -> u64 {
        self.members.scan(cursor, visit)
    }

    /// A member chosen about evenly.
    pub fn random(&self, random: &mut Random) -> Option<&[u8]> {
        self.members.random(random).map(|member| member.bytes)
    }

    /// Takes out what has ended by `now` in at most `pages` pages, going on where the last call stopped.
    /// True if the pass is over: then `soonest` is exact.
    pub fn sweep(&mut self, now: Millis, pages: usize, mut removed: impl FnMut(&[u8])) -> bool {
        let LargeSet { members, sweep, sides } = self;
        sweep.run(pages, |cursor, gathered| {
            let ended = |member: Member<'_>| gathered.has_ended(member.expire_at, now);
            members.drain_where(cursor, ended, |member| removed(member.bytes), &mut Saving(sides))
        })
    }

    /// Moves what it owns where `mover` wants it, as [`crate::Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        relocate::through(reached, elements, |cursor| self.members.relocate_some(cursor, mover))
    }
}

impl Fragmented for LargeSet {
    fn sides(&self) -> &Sides {
        &self.sides
    }

    fn sides_mut(&mut self) -> &mut Sides {
        &mut self.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::Set, len: self.len(), soonest: self.soonest() }
    }

    fn heap_bytes(&self) -> usize {
        LargeSet::heap_bytes(self)
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        let LargeSet { members, sides, .. } = self;
        position.advance(|cursor, step| {
            members.scan_page(cursor, |epoch, page| {
                page.clone().for_each(|member| step.count(member.bytes.len()));
                sides.raise_to(epoch, cut, |side| save_page(side, page.clone()))
            })
        })
    }
}

impl Drop for LargeSet {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            let members = mem::take(&mut self.members);
            self.sides.hand_over(|sides| {
                let mut rest = LargeSet::default();
                (rest.members, rest.sides) = (members, sides);
                Box::new(rest)
            });
        }
    }
}

impl Clone for LargeSet {
    fn clone(&self) -> LargeSet {
        let mut copy = LargeSet::default();
        copy.members = self.members.clone();
        copy.sweep.note(self.soonest(), true);
        copy
    }
}

impl PartialEq for LargeSet {
    fn eq(&self, other: &LargeSet) -> bool {
        let has = |member: Member<'_>| {
            other.members.get(KeyHash::of(member.bytes), member.bytes) == Some(member)
        };
        self.len() == other.len() && self.iter().all(has)
    }
}

impl Eq for LargeSet {}

impl fmt::Debug for LargeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members.fmt(f)
    }
}

impl<'a> IntoIterator for &'a LargeSet {
    type Item = Member<'a>;
    type IntoIter = PagedIter<'a>;

    fn into_iter(self) -> PagedIter<'a> {
        self.iter()
    }
}
