//! The keyspace of one node: 1024 shards, the gate, and the walks under way.

use crate::fragments::{Visit, Walked};
use crate::gate::{Exclusive, Gate};
use crate::shard::Shard;
use crate::slot::Slot;
use crate::walk::{Recorder, Step, WALKS_MAX, Walk};
use base::clock;
use base::lock::{Mutex, MutexGuard, Rank};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use structures::KeyHash;
use values::fragment::Position;

/// How many shards there are. A power of two that divides the slot count.
pub const SHARD_COUNT: u16 = 1024;

/// Bucket chains a walk visits before it lets a shard go.
const WALK_STEP_BUCKETS: usize = 32;

#[derive(Debug)]
#[repr(align(64))]
struct Place(Mutex<Shard>);

/// The keys of a node.
#[derive(Debug)]
pub struct Keyspace {
    shards: Box<[Place]>,
    /// Of each shard: whether somebody has given up trying to lock it.
    wanted: Box<[AtomicBool]>,
    /// Who may touch it, and how one gets it alone.
    pub gate: Gate,
    epoch: AtomicU32,
    walks: AtomicUsize,
}

impl Keyspace {
    /// An empty keyspace that at most `threads` threads touch.
    pub fn new(threads: usize) -> Keyspace {
        let shard = || Place(Mutex::new(Rank::Shard, Shard::default()));
        Keyspace {
            shards: (0..SHARD_COUNT).map(|_| shard()).collect(),
            wanted: (0..SHARD_COUNT).map(|_| AtomicBool::new(false)).collect(),
            gate: Gate::new(threads),
            epoch: AtomicU32::new(0),
            walks: AtomicUsize::new(0),
        }
    }

    /// The shard of `key`.
    #[inline]
    pub fn shard_of(key: &[u8]) -> u16 {
        Slot::of(key).0 % SHARD_COUNT
    }

    /// The hash of `key` that shards are asked with.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        KeyHash::of(key)
    }

    /// Waits for shard `index`. For threads that are not loops, and for an exclusive owner.
    pub fn lock(&self, index: u16) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(index)].0.lock()
    }

    /// Takes shard `index` if it is free.
    #[inline]
    pub fn try_lock(&self, index: u16) -> Option<MutexGuard<'_, Shard>> {
        self.shards[usize::from(index)].0.try_lock()
    }

    /// Notes that somebody has tried to lock shard `index` for a while, and will try again.
    #[cold]
    pub fn want(&self, index: u16) {
        self.wanted[usize::from(index)].store(true, Ordering::Relaxed);
    }

    /// Whether somebody has tried in vain to lock shard `index` since this was asked last.
    pub fn is_wanted(&self, index: u16) -> bool {
        self.wanted[usize::from(index)].swap(false, Ordering::Relaxed)
    }

    /// Visits every shard, one lock at a time.
    pub fn each_shard(&self, mut visit: impl FnMut(u16, &mut Shard)) {
        for index in 0..SHARD_COUNT {
            visit(index, &mut self.lock(index));
        }
    }

    /// The number of keys of `db`, and how many of them have an expiry. O(shards).
    pub fn count(&self, db: u32) -> (usize, usize) {
        let (mut keys, mut volatile) = (0, 0);
        self.each_shard(|_, shard| {
            if let Some(db) = shard.db(db) {
                keys += db.len();
                volatile += db.volatile();
            }
        });
        (keys, volatile)
    }

    /// How many walks are under way.
    pub fn walks(&self) -> usize {
        self.walks.load(Ordering::Acquire)
    }

    /// Cuts: from here on `recorder` gets every entry as it is now. `None` if too many walks are
    /// under way. The caller then runs [`Keyspace::walk`] on a thread of its own.
    pub fn cut(&self, _alone: &Exclusive<'_>, recorder: Box<dyn Recorder>) -> Option<Arc<Walk>> {
        if self.walks.load(Ordering::Acquire) >= WALKS_MAX {
            return None;
        }
        self.walks.fetch_add(1, Ordering::AcqRel);
        let cut = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        let walk = Arc::new(Walk::new(cut, recorder));
        self.each_shard(|_, shard| shard.join(&walk));
        Some(walk)
    }

    /// Visits everything that `walk` must save, a few buckets or members to a lock, calling `between`
    /// after each; ends early when it answers false or the walk is aborted. True if it came to the end.
    pub fn walk(&self, walk: &Arc<Walk>, mut between: impl FnMut(Step<'_>) -> bool) -> bool {
        let mut reached = Reached::default();
        loop {
            let begun_us = clock::monotonic_us();
            let Some(stepped) = self.walk_step(walk, &mut reached) else { break };
            let goes_on = match &stepped {
                Stepped::Entries => between(Step::Entries),
                Stepped::Fragments(walked, Visit::More) => {
                    if walked.is_wanted(self) {
                        let held_us = clock::monotonic_us().saturating_sub(begun_us);
                        let rest_us = (WANTED_REST * held_us).min(WANTED_REST_US_MAX);
                        thread::sleep(Duration::from_micros(rest_us));
                    }
                    between(Step::Fragments(&**walked.record()))
                }
                Stepped::Fragments(walked, Visit::Last) => {
                    between(Step::LastFragments(&**walked.record()))
                }
                Stepped::Fragments(_, Visit::Absent) => {
                    thread::sleep(ABSENT_WAIT);
                    true
                }
            };
            if !goes_on {
                walk.abort();
            }
        }
        !walk.is_aborted()
    }

    /// One step of a walk: some members of a large collection, or some buckets of one shard, or, if the
    /// walk is aborted, its way out of everything. `None` when the walk is over.
    pub(crate) fn walk_step(&self, walk: &Arc<Walk>, reached: &mut Reached) -> Option<Stepped> {
        if reached.is_over {
            return None;
        }
        if walk.is_aborted() {
            self.walk_out(walk, reached);
        } else if let Some(walked) = reached.collection.take().or_else(|| walk.next_begun()) {
            let visit = walked.visit(self, walk.cut, &mut reached.position);
            if visit == Visit::Last {
                reached.position = Position::Start;
            } else {
                reached.collection = Some(Arc::clone(&walked));
            }
            return Some(Stepped::Fragments(walked, visit));
        } else if reached.shard < SHARD_COUNT {
            self.walk_buckets(walk, reached);
            return Some(Stepped::Entries);
        }
        reached.is_over = true;
        self.walks.fetch_sub(1, Ordering::AcqRel);
        None
    }

    fn walk_buckets(&self, walk: &Arc<Walk>, reached: &mut Reached) {
        let mut shard = self.lock(reached.shard);
        for _ in 0..WALK_STEP_BUCKETS {
            let Some(db) = shard.next_db(reached.db) else { break };
            if db != reached.db {
                (reached.db, reached.cursor) = (db, 0);
            }
            reached.cursor = shard.walk_some(walk, reached.db, reached.cursor);
            if reached.cursor == 0 {
                reached.db += 1;
            }
            if walk.is_busy() {
                break;
            }
        }
        if shard.next_db(reached.db).is_none() {
            shard.leave(walk);
            (reached.shard, reached.db, reached.cursor) = (reached.shard + 1, 0, 0);
        }
    }

    fn walk_out(&self, walk: &Arc<Walk>, reached: &mut Reached) {
        (reached.shard..SHARD_COUNT).for_each(|index| self.lock(index).leave(walk));
        let current = reached.collection.take();
        let begun = std::iter::from_fn(|| walk.next_begun());
        current.into_iter().chain(begun).for_each(|walked| walked.give_up(self));
    }
}

/// How many times longer than it held the lock of a shard a walk leaves it to others who wanted it: a
/// large value takes many turns with one lock, and whoever tries and never waits would not get it.
const WANTED_REST: u64 = 3;

/// Microseconds of the longest such rest.
const WANTED_REST_US_MAX: u64 = 1_000;

/// How long a walk waits for a collection that is between two places: one that is on its way to be freed,
/// behind others.
const ABSENT_WAIT: Duration = Duration::from_millis(1);

/// What a step has done.
#[derive(Debug)]
pub(crate) enum Stepped {
    Entries,
    Fragments(Arc<Walked>, Visit),
}

/// How far a walk has come.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    shard: u16,
    db: u32,
    cursor: u64,
    /// The large collection it is in, and where.
    collection: Option<Arc<Walked>>,
    position: Position,
    is_over: bool,
}

#[cfg(test)]
mod tests;
