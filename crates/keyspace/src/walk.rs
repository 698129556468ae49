//! A snapshot walk: the data set as it was at one instant, saved without a fork while writes go on.
//!
//! At the cut, with the whole keyspace to itself, the walk gets the next epoch and is entered in every
//! shard. From then on, for each entry whose epoch is below the cut: whoever is about to change, move
//! or free it saves it first (the write guard), or the walk's own thread does when it comes by; either
//! sets the entry's epoch, so it is saved exactly once. Entries made after the cut carry its epoch.
//!
//! Invariant, with several walks at once: an entry's epoch is raised from `v` to `e` only after every
//! walk with `v < cut <= e` that has not left the shard has recorded the entry.

use crate::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use structures::ValueRef;

/// How many walks may go on at once.
pub const WALKS_MAX: usize = 4;

/// Where a walk's entries go. Called under the shard's lock, so it must be short and must not wait.
pub trait Recorder: Send + Sync {
    /// Takes the entry as it was at the cut, in database `db` of the cut.
    fn record(&self, db: u32, entry: &Entry);
}

/// One walk.
pub struct Walk {
    pub(crate) cut: u32,
    pub(crate) recorder: Box<dyn Recorder>,
    aborted: AtomicBool,
    ahead_bytes: AtomicU64,
}

impl Walk {
    pub(crate) fn new(cut: u32, recorder: Box<dyn Recorder>) -> Walk {
        Walk { cut, recorder, aborted: AtomicBool::new(false), ahead_bytes: AtomicU64::new(0) }
    }

    /// The memory of the entries that were saved before the walk came by, since they were about to
    /// change: what a forked child would have had copied.
    pub fn ahead_bytes(&self) -> u64 {
        self.ahead_bytes.load(Ordering::Relaxed)
    }

    /// Takes `entry` as it was at the cut; the walk has come by.
    pub(crate) fn record(&self, db: u32, entry: &Entry) {
        self.recorder.record(db, entry);
    }

    /// Takes `entry` as it was at the cut, which somebody is about to change.
    pub(crate) fn record_ahead(&self, db: u32, entry: &Entry) {
        let boxed = match entry.value() {
            ValueRef::Boxed(object) => object.memory_bytes(),
            _ => 0,
        };
        self.ahead_bytes.fetch_add((entry.allocated_bytes() + boxed) as u64, Ordering::Relaxed);
        self.record(db, entry);
    }

    /// Ends the walk early: what it recorded is not a snapshot.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
    }

    /// Whether the walk was ended early.
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("cut", &self.cut).finish_non_exhaustive()
    }
}
