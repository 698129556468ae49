//! A snapshot walk: the data set as it was at one instant, saved without a fork while writes go on.
//!
//! At the cut, with the whole keyspace to itself, the walk gets the next epoch and is entered in every
//! shard. From then on, for each entry whose epoch is below the cut: whoever is about to change, move
//! or free it saves it first (the write guard), or the walk's own thread does when it comes by; either
//! sets the entry's epoch, so it is saved exactly once. Entries made after the cut carry its epoch.
//! Of a large collection only the head is saved so; for the rest see `fragments`.
//!
//! Invariant, with several walks at once: an entry's epoch is raised from `v` to `e` only after every
//! walk with `v < cut <= e` that has not left the shard has recorded the entry.

use crate::Entry;
use crate::fragments::Walked;
use base::lock::{Mutex, Rank};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use structures::{ValueMut, ValueRef};
use values::fragment::{Fragment, Fragmented, Outline};

/// How many walks may go on at once.
pub const WALKS_MAX: usize = 4;

/// Who has come upon an entry that a walk lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// The walk's own thread.
    Walk,
    /// Somebody who is about to change it or take it out.
    Writer,
}

/// Where a walk's entries go. Called under the shard's lock, so it must be short and must not wait.
pub trait Recorder: Send + Sync {
    /// Takes the entry as it was at the cut, in database `db` of the cut. It may take a reference to
    /// parts of the value instead of a copy.
    fn record(&self, db: u32, entry: &mut Entry, visitor: Visitor);
    /// Begins the record of a large collection, whose members follow one by one.
    fn begin(&self, db: u32, entry: &Entry, outline: Outline) -> Arc<dyn Record>;
    /// Whether what was recorded should go on its way before the walk's thread looks for more.
    fn is_full(&self) -> bool;
}

/// The record of a large collection while it is put together. It has room for what writers save before
/// its turn has come.
pub trait Record: fmt::Debug + Send + Sync {
    /// Takes a member as it was at the cut, in any order. Called under a lock: it must not wait.
    fn push(&self, fragment: Fragment<'_>);
    /// Counts in `bytes` of the collection, which is out of the data set and lives for this record.
    fn keep(&self, bytes: usize);
    /// Counts them out.
    fn let_go(&self, bytes: usize);
    /// Takes what is there of the record, from where the last call ended.
    fn take(&self) -> Vec<u8>;
    /// The database it belongs to.
    fn db(&self) -> u32;
    /// Whether it has as many members as its head says.
    fn is_whole(&self) -> bool;
}

/// What a step of a walk has done.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Entries were recorded.
    Entries,
    /// Some members came to a record. Nothing may be written between its parts.
    Fragments(&'a dyn Record),
    /// The last members came to it.
    LastFragments(&'a dyn Record),
}

/// One walk.
pub struct Walk {
    pub(crate) cut: u32,
    pub(crate) recorder: Box<dyn Recorder>,
    is_aborted: Arc<AtomicBool>,
    /// Large collections whose turn has not come.
    begun: Mutex<VecDeque<Arc<Walked>>>,
    ahead_bytes: AtomicU64,
}

impl Walk {
    pub(crate) fn new(cut: u32, recorder: Box<dyn Recorder>) -> Walk {
        let begun = Mutex::new(Rank::Walk, VecDeque::new());
        let ahead_bytes = AtomicU64::new(0);
        Walk { cut, recorder, is_aborted: Arc::default(), begun, ahead_bytes }
    }

    /// The memory of the entries that were saved before the walk came by, since they were about to
    /// change: what a forked child would have had copied. Members of large collections do not count.
    pub fn ahead_bytes(&self) -> u64 {
        self.ahead_bytes.load(Ordering::Relaxed)
    }

    /// Ends the walk early: what it recorded is not a snapshot.
    pub fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
    }

    /// Whether the walk was ended early.
    pub fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Acquire)
    }

    pub(crate) fn aborted_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_aborted)
    }

    /// Saves `entry`, or begins to.
    pub(crate) fn save(&self, db: u32, entry: &mut Entry, visitor: Visitor) {
        let (mut bytes, mut outline) = (entry.allocated_bytes(), None);
        if let ValueRef::Boxed(object) = entry.value() {
            let large = object.is_large();
            outline = object.fragmented().filter(|_| large).map(Fragmented::outline);
            bytes += if outline.is_none() { object.memory_bytes() } else { 0 };
        }
        if visitor == Visitor::Writer {
            self.ahead_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        let Some(outline) = outline else { return self.recorder.record(db, entry, visitor) };
        let record = self.recorder.begin(db, entry, outline);
        let walked = Arc::new(Walked::new(self, record, entry.key()));
        if let ValueMut::Boxed(object) = entry.value_mut()
            && let Some(collection) = object.fragmented_mut()
        {
            collection.sides_mut().join(self.cut, Arc::<Walked>::clone(&walked));
            self.begun.lock().push_back(walked);
        }
    }

    /// The collection whose turn it is.
    pub(crate) fn next_begun(&self) -> Option<Arc<Walked>> {
        self.begun.lock().pop_front()
    }

    /// Whether the walk's thread has something better to do than to look for more.
    pub(crate) fn is_busy(&self) -> bool {
        self.recorder.is_full() || !self.begun.lock().is_empty()
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("cut", &self.cut).finish_non_exhaustive()
    }
}
