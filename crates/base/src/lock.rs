//! Locks with ranks: a thread takes them in ascending order of rank, checked in debug builds.
//!
//! The ranks are one table, [`Rank`]; a thread may hold several locks of [`Rank::Shard`] (taken in
//! ascending shard order by the lock set), never two of any other rank.

use parking_lot::{MutexGuard as RawGuard, RawMutex, lock_api};
use std::ops::{Deref, DerefMut};

/// The order in which locks are taken, first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// The turn of those who want the whole keyspace.
    Gate,
    /// Shards of the keyspace, several at once in ascending order.
    Shard,
    /// A large collection whose key has gone while a snapshot walk still saves it.
    Detached,
    /// What a snapshot walk encodes with.
    Walk,
    /// The file of what a snapshot walk has encoded.
    SpoolFile,
    /// What a snapshot walk has encoded, in memory and in its file.
    Spool,
    /// The connections of this node's replicas.
    Replicas,
    /// Role, primary address and replica list of the node.
    Replication,
    /// The ordered log.
    Log,
    /// Connections that wait for keys.
    Waiters,
    /// Keys that clients cache.
    Tracking,
    /// Channels and patterns.
    PubSub,
    /// The registry of connections.
    Clients,
    /// A loop's mailbox.
    Mailbox,
    /// Values of settings.
    Settings,
    /// Counters, slow log and other records that nothing is called under.
    Leaf,
}

/// A mutual exclusion lock with a rank.
#[derive(Debug)]
pub struct Mutex<T: ?Sized> {
    rank: Rank,
    inner: lock_api::Mutex<RawMutex, T>,
}

/// Access to what a [`Mutex`] guards, until dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T: ?Sized> {
    inner: RawGuard<'a, T>,
    _held: held::Held,
}

impl<T> Mutex<T> {
    /// A free lock.
    pub const fn new(rank: Rank, value: T) -> Mutex<T> {
        Mutex { rank, inner: lock_api::Mutex::new(value) }
    }

    /// What the lock guarded.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    ///
    /// # Panics
    /// In debug builds, if this thread holds a lock of the same or a later rank.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let held = held::Held::enter(self.rank);
        MutexGuard { inner: self.inner.lock(), _held: held }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        Some(MutexGuard { inner, _held: held::Held::enter(self.rank) })
    }

    /// The guarded value, without locking, for an exclusive owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[cfg(debug_assertions)]
mod held {
    use super::Rank;
    use std::cell::RefCell;

    thread_local! {
        static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    #[derive(Debug)]
    pub(super) struct Held(Rank);

    impl Held {
        pub(super) fn enter(rank: Rank) -> Held {
            HELD.with_borrow_mut(|held| {
                if let Some(&top) = held.iter().max() {
                    assert!(
                        rank > top || (rank == Rank::Shard && top == Rank::Shard),
                        "lock of rank {rank:?} taken while {top:?} is held"
                    );
                }
                held.push(rank);
            });
            Held(rank)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            HELD.with_borrow_mut(|held| {
                if let Some(at) = held.iter().rposition(|&rank| rank == self.0) {
                    held.remove(at);
                }
            });
        }
    }
}

#[cfg(not(debug_assertions))]
mod held {
    use super::Rank;

    #[derive(Debug)]
    pub(super) struct Held;

    impl Held {
        #[inline]
        pub(super) fn enter(_: Rank) -> Held {
            Held
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "while Log is held")]
    fn taking_an_earlier_rank_is_refused() {
        let (log, shard) = (Mutex::new(Rank::Log, ()), Mutex::new(Rank::Shard, ()));
        let _log = log.lock();
        let _shard = shard.lock();
    }

    #[test]
    fn several_shards_may_be_held() {
        let (a, b, log) =
            (Mutex::new(Rank::Shard, 1), Mutex::new(Rank::Shard, 2), Mutex::new(Rank::Log, 3));
        let (a, b, log) = (a.lock(), b.lock(), log.lock());
        assert_eq!(*a + *b + *log, 6);
    }
}
