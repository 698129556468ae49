//! Large collections and strings that are saved fragment by fragment while they are changed.
//!
//! A snapshot walk cannot encode millions of members, or copy half a gigabyte, under one lock. So it
//! hangs a [`Side`] on the collection and visits a few fragments at a time ([`Fragmented::save_some`]),
//! while whoever is about to change or take out a fragment that the walk lacks gives it to the side
//! first. A fragment has an epoch, as the entry of a key has: it is lacking if that is below the side's
//! cut, and whoever saves it raises the epoch, so that it is saved exactly once. Fragments made
//! meanwhile carry the epoch of the newest side. A fragment is what one epoch can be kept for: a member,
//! a page of them, or a chunk of a string.
//!
//! What a collection with fragments owes ([`Fragmented`]):
//!
//! 1. It holds [`Sides`], which are not copied with it. Without sides a change costs one test.
//! 2. Before a fragment is changed, moved among others or taken out, its members go through
//!    [`Sides::raise`], and it is given the epoch that returns. A new fragment gets [`Sides::epoch`]; one
//!    that is split off, or takes members in from another, must have been raised before, as must the other.
//! 3. `save_some` visits every fragment that stays from the first call to the last at least once,
//!    whatever happens in between, and saves those with [`Sides::raise_to`].
//! 4. Its `Drop` calls [`Sides::hand_over`], so that a collection that is overwritten, expires or is
//!    flushed goes to the walk, which saves what is left. If it becomes another form, it drops the old
//!    one with all that was not raised still in it.
//!
//! Invariant, with several sides: an epoch is raised from `v` to `e` only after every side with
//! `v < cut <= e` has the fragment. Sides come in the order of their cuts, since the key's entry keeps the
//! same invariant; so no fragment has an epoch at or above the cut of a side that joins.

use crate::Kind;
use base::Millis;
use base::lock::{Mutex, Rank};
use std::fmt;
use std::sync::Arc;

/// Heap bytes from which on a value is not saved at once.
pub const FRAGMENTED_BYTES_MIN: usize = 64 << 10;

/// The same of strings, which are only copied: what is queued whole can wait on disk.
pub const FRAGMENTED_TEXT_BYTES_MIN: usize = 256 << 10;

/// Bytes of a chunk of a string.
pub const CHUNK_BYTES: usize = 4 << 10;

/// Members that are saved in one step, about.
pub const STEP_MEMBERS: usize = 256;

/// Bytes of members after which a step ends early.
pub const STEP_BYTES: usize = 64 << 10;

/// What a fragment consists of.
#[derive(Clone, Copy, Debug)]
pub enum Fragment<'a> {
    /// The chunk of a string of that number, from zero.
    Chunk(usize, &'a [u8]),
    /// A member of a set and its expiry.
    Member(&'a [u8], Option<Millis>),
    /// A member of a sorted set, its score and its expiry.
    Scored(&'a [u8], f64, Option<Millis>),
    /// A field of a hash, its value and its expiry.
    Field(&'a [u8], &'a [u8], Option<Millis>),
}

/// A collection whose key has gone while sides still lack some of it.
pub type Detached = Mutex<Box<dyn Fragmented>>;

/// One walk's interest in one collection. Called under a shard's lock: nothing here waits.
pub trait Side: fmt::Debug + Send + Sync {
    /// Takes a member as it was at the cut.
    fn save(&self, fragment: Fragment<'_>);
    /// The collection stands at `key` from here on.
    fn moved(&self, key: &[u8]);
    /// The collection's key is gone: the side holds on to it until it is through, and answers for `bytes`
    /// of its memory. False if it does not want it any more.
    fn adopt(&self, detached: &Arc<Detached>, bytes: usize) -> bool;
    /// Whether it wants nothing any more.
    fn is_over(&self) -> bool;
}

/// How far a side has visited a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Position {
    /// Nothing was visited.
    #[default]
    Start,
    /// A table up to this cursor.
    Cursor(u64),
    /// All that comes behind this score and member.
    Above(f64, Box<[u8]>),
}

/// What was visited in one step.
#[derive(Debug, Default)]
pub(crate) struct Step {
    members: usize,
    bytes: usize,
}

impl Step {
    /// Counts in a member of so many bytes.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.members += 1;
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.members >= STEP_MEMBERS || self.bytes >= STEP_BYTES
    }
}

impl Position {
    /// Goes on through a table until a step is full. `scan` visits what comes at a cursor, and gives the
    /// next one, zero at the end. False when there is no more.
    pub(crate) fn advance(&mut self, mut scan: impl FnMut(u64, &mut Step) -> u64) -> bool {
        let mut cursor = if let Position::Cursor(cursor) = self { *cursor } else { 0 };
        let mut step = Step::default();
        while !step.is_full() {
            cursor = scan(cursor, &mut step);
            if cursor == 0 {
                return false;
            }
        }
        *self = Position::Cursor(cursor);
        true
    }
}

/// A collection or string that is saved fragment by fragment; the head of this file says what it owes.
pub trait Fragmented: Send {
    /// The sides.
    fn sides(&self) -> &Sides;
    /// The sides, to let one join or leave.
    fn sides_mut(&mut self) -> &mut Sides;
    /// What the head of its record says of it.
    fn outline(&self) -> Outline;
    /// Bytes on the heap. O(1).
    fn heap_bytes(&self) -> usize;
    /// Visits about [`STEP_MEMBERS`] members from `position` on, and saves for the side of `cut` what it
    /// lacks. False when there are no more.
    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool;
}

/// What the head of a record says of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The type.
    pub kind: Kind,
    /// How many members there are; of a string, how many bytes.
    pub len: usize,
    /// A time before which no member ends, if any ever does.
    pub soonest: Option<Millis>,
}

/// The sides of a collection. Without one, a null pointer.
#[derive(Debug, Default)]
pub struct Sides(Option<Box<List>>);

#[derive(Debug, Default)]
struct List {
    /// By rising cuts; never empty.
    joined: Vec<(u32, Arc<dyn Side>)>,
}

impl Sides {
    /// No sides.
    pub const fn none() -> Sides {
        Sides(None)
    }

    /// Whether nobody saves the collection.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn joined(&self) -> &[(u32, Arc<dyn Side>)] {
        self.0.as_ref().map_or(&[], |list| &list.joined)
    }

    /// The epoch of fragments that are made now.
    pub fn epoch(&self) -> u32 {
        self.joined().last().map_or(0, |(cut, _)| *cut)
    }

    /// Lets `save` give a fragment of epoch `from`, which is about to change, to every side that lacks it.
    /// The fragment then has the epoch that this returns.
    #[must_use = "the fragment has this epoch from here on"]
    pub fn raise(&self, from: u32, save: impl FnMut(&dyn Side)) -> u32 {
        self.raise_to(from, self.epoch(), save)
    }

    /// As [`Sides::raise`], for the sides up to the one of `cut`.
    #[must_use = "the fragment has this epoch from here on"]
    pub fn raise_to(&self, from: u32, cut: u32, mut save: impl FnMut(&dyn Side)) -> u32 {
        for (own, side) in self.joined() {
            if from < *own && *own <= cut {
                save(&**side);
            }
        }
        from.max(cut)
    }

    /// Adds the side of a walk with a higher cut than all that are there.
    pub fn join(&mut self, cut: u32, side: Arc<dyn Side>) {
        let list = self.0.get_or_insert_default();
        list.joined.retain(|(_, side)| !side.is_over());
        debug_assert!(list.joined.iter().all(|(other, _)| *other < cut), "cuts rise");
        list.joined.push((cut, side));
    }

    /// Whether `side` has joined and not left.
    pub fn has(&self, side: &Arc<dyn Side>) -> bool {
        self.joined().iter().any(|(_, other)| Arc::ptr_eq(other, side))
    }

    /// Takes a side out that is through.
    pub fn leave(&mut self, side: &Arc<dyn Side>) {
        if let Some(list) = &mut self.0 {
            list.joined.retain(|(_, other)| !Arc::ptr_eq(other, side));
            if list.joined.is_empty() {
                self.0 = None;
            }
        }
    }

    /// Tells the sides that the collection stands at `key` from here on.
    pub fn moved(&self, key: &[u8]) {
        self.joined().iter().for_each(|(_, side)| side.moved(key));
    }

    /// Gives a collection that is being dropped to the sides that still want it. `rest` makes one of what
    /// it was and of the sides. O(1).
    #[cold]
    pub fn hand_over(&mut self, rest: impl FnOnce(Sides) -> Box<dyn Fragmented>) {
        let Some(mut list) = self.0.take() else { return };
        list.joined.retain(|(_, side)| !side.is_over());
        if list.joined.is_empty() {
            return;
        }
        let sides: Vec<_> = list.joined.iter().map(|(_, side)| Arc::clone(side)).collect();
        let rest = rest(Sides(Some(list)));
        // Several sides have one collection.
        let share = rest.heap_bytes() / sides.len();
        let detached = Arc::new(Mutex::new(Rank::Detached, rest));
        for side in sides {
            if !side.adopt(&detached, share) {
                detached.lock().sides_mut().leave(&side);
            }
        }
    }
}
