//! Large collections that walks save fragment by fragment: where each of them is, and its turn.
//!
//! A walk that lacks such a collection does not record it but hangs a [`Walked`] on it, as the side of
//! `values::fragment`. From then on the collection may be renamed, moved to another database, swapped with
//! it, deleted, overwritten, evicted or flushed. Its shard tells the side each new key; the walk's thread
//! finds it under that key in whatever database it is. A collection that is dropped comes to the side
//! itself, for whose walk alone it lives until it is saved.
//!
//! The walk's thread goes through one collection after the other, in the order in which they were begun,
//! before it goes on with its shards. Each visit holds one lock, that of the shard or of the dropped
//! collection, for a few hundred members; if somebody has tried in vain to lock the shard meanwhile, the walk
//! leaves it alone for a while.

use crate::keyspace::Keyspace;
use crate::walk::{Record, Walk};
use base::lock::{Mutex, Rank};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use values::fragment::{Detached, Fragment, Fragmented, Position, Side};

/// Where a collection is.
#[derive(Clone)]
enum Home {
    /// Under this key, or on its way.
    Key(Arc<[u8]>),
    /// Without a key; so many bytes of it are this walk's.
    Detached(Arc<Detached>, usize),
    /// Of no concern any more.
    Left,
}

/// A collection that a walk saves.
pub(crate) struct Walked {
    record: Arc<dyn Record>,
    home: Mutex<Home>,
    is_aborted: Arc<AtomicBool>,
}

/// What came of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Some members were visited, and there are more.
    More,
    /// The rest was visited.
    Last,
    /// It is between two places.
    Absent,
}

impl std::fmt::Debug for Walked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walked").field("record", &self.record).finish_non_exhaustive()
    }
}

impl Side for Walked {
    fn save(&self, fragment: Fragment<'_>) {
        if !self.is_aborted.load(Ordering::Relaxed) {
            self.record.push(fragment);
        }
    }

    fn moved(&self, key: &[u8]) {
        let mut home = self.home.lock();
        if let Home::Key(old) = &mut *home {
            *old = key.into();
        }
    }

    fn adopt(&self, detached: &Arc<Detached>, bytes: usize) -> bool {
        let mut home = self.home.lock();
        let is_wanted = matches!(*home, Home::Key(_)) && !self.is_aborted.load(Ordering::Acquire);
        if is_wanted {
            *home = Home::Detached(Arc::clone(detached), bytes);
            self.record.keep(bytes);
        }
        is_wanted
    }

    fn is_over(&self) -> bool {
        self.is_aborted.load(Ordering::Acquire) || matches!(*self.home.lock(), Home::Left)
    }
}

impl Walked {
    pub(crate) fn new(walk: &Walk, record: Arc<dyn Record>, key: &[u8]) -> Walked {
        let home = Mutex::new(Rank::Walk, Home::Key(key.into()));
        Walked { record, home, is_aborted: walk.aborted_flag() }
    }

    /// What has been saved of it.
    pub(crate) fn record(&self) -> &Arc<dyn Record> {
        &self.record
    }

    /// Lets `act` have the collection under its lock; `None` if it is between two places.
    fn with<T>(
        self: &Arc<Walked>,
        keyspace: &Keyspace,
        act: impl FnOnce(&mut dyn Fragmented) -> T,
    ) -> Option<T> {
        let side: Arc<dyn Side> = Arc::clone(self) as Arc<dyn Side>;
        loop {
            let home = self.home.lock().clone();
            match &home {
                Home::Key(key) => {
                    let mut shard = keyspace.lock(Keyspace::shard_of(key));
                    if let Some(found) = shard.fragmented_mut(Keyspace::hash(key), key, &side) {
                        return Some(act(found));
                    }
                    drop(shard);
                    // Whoever moves it tells so before letting its shard go.
                    if matches!(&*self.home.lock(), Home::Key(now) if Arc::ptr_eq(now, key)) {
                        return None;
                    }
                }
                Home::Detached(detached, _) => return Some(act(&mut **detached.lock())),
                Home::Left => return None,
            }
        }
    }

    /// Saves some members for the walk of `cut`; with the last ones it takes its leave.
    pub(crate) fn visit(
        self: &Arc<Walked>,
        keyspace: &Keyspace,
        cut: u32,
        position: &mut Position,
    ) -> Visit {
        let more = self.with(keyspace, |collection| {
            let more = collection.save_some(cut, position);
            if !more {
                collection.sides_mut().leave(&(Arc::clone(self) as Arc<dyn Side>));
            }
            more
        });
        match more {
            Some(true) => Visit::More,
            Some(false) => {
                self.forget();
                Visit::Last
            }
            None => Visit::Absent,
        }
    }

    /// Whether others have tried to lock its shard in vain since this was asked last.
    pub(crate) fn is_wanted(&self, keyspace: &Keyspace) -> bool {
        match &*self.home.lock() {
            Home::Key(key) => keyspace.is_wanted(Keyspace::shard_of(key)),
            Home::Detached(..) | Home::Left => false,
        }
    }

    /// Takes leave early.
    pub(crate) fn give_up(self: &Arc<Walked>, keyspace: &Keyspace) {
        self.with(keyspace, |collection| {
            collection.sides_mut().leave(&(Arc::clone(self) as Arc<dyn Side>));
        });
        self.forget();
    }

    /// Lets go of a collection without a key, which is freed if no other walk wants it.
    fn forget(&self) {
        let home = std::mem::replace(&mut *self.home.lock(), Home::Left);
        if let Home::Detached(detached, bytes) = home {
            // What counts no longer must be free already, or it would seem to be in use.
            drop(detached);
            self.record.let_go(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
