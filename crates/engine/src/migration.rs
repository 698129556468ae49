//! Keys on their way to another server (MIGRATE).
//!
//! Sending takes as long as a network takes, and no shard may be held that long. So the command runs
//! twice. The first time, under the locks of its keys, it packs their values, marks the keys as moving and
//! lets its connection wait; a thread of the program then sends them ([`crate::Services::migrate`]). The
//! second time ([`crate::pipeline::Worker::finish_migration`]), under the same locks, it deletes what the
//! target has taken, and answers.
//!
//! Invariant: between the two nobody reads or changes a moving key by naming it. A command that names one
//! is parked; one that changes everything (FLUSHALL, SWAPDB) waits for all moves. So a key is at one
//! server only for whoever asks for it by name, as with a server that does nothing else meanwhile. Walks,
//! SCAN and KEYS still see it here; expiry and eviction may take it.

use crate::blocking::Waiting;
use base::Millis;
use base::lock::{Mutex, Rank};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Where keys go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port; 0 if what was given is none.
    pub port: u16,
    /// The database there, as the client named it: the target judges it.
    pub db: i64,
    /// User, if one is named, and password.
    pub login: Option<(Option<Vec<u8>>, Vec<u8>)>,
    /// The longest wait for the target at any point.
    pub timeout: Millis,
    /// The keys stay here.
    pub copy: bool,
    /// What the target has under their names goes.
    pub replace: bool,
}

/// One key, packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its name.
    pub key: Box<[u8]>,
    /// Milliseconds that it has left to live; 0 is for ever.
    pub ttl_ms: u64,
    /// Its value, as DUMP gives it.
    pub payload: Vec<u8>,
}

/// A MIGRATE between its two halves.
#[derive(Debug)]
pub struct Migration {
    /// Where the keys go.
    pub target: Target,
    /// The keys.
    pub parcels: Vec<Parcel>,
    /// Who waits for the answer.
    pub(crate) waiting: Arc<Waiting>,
    /// Monotonic time at which it began.
    pub(crate) began_us: u64,
    /// The node was a primary then.
    pub(crate) originated: bool,
}

/// What the target has made of a migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The keys that it has taken.
    pub taken: Vec<Box<[u8]>>,
    /// The error for the client, if there was one.
    pub error: Option<String>,
}

impl Delivery {
    /// Nothing was taken, for this reason.
    pub fn failed(error: impl Into<String>) -> Delivery {
        Delivery { taken: Vec::new(), error: Some(error.into()) }
    }
}

/// The moving keys of a node.
#[derive(Debug)]
pub struct Moves {
    count: AtomicUsize,
    keys: Mutex<HashSet<Box<[u8]>>>,
    /// Somebody who waits for a key was passed over, since what he would change is moving.
    passed_over: AtomicBool,
    /// Connections to targets that are kept for the next migration.
    pub sockets: AtomicUsize,
}

impl Default for Moves {
    fn default() -> Moves {
        Moves {
            count: AtomicUsize::new(0),
            keys: Mutex::new(Rank::Leaf, HashSet::new()),
            passed_over: AtomicBool::new(false),
            sockets: AtomicUsize::new(0),
        }
    }
}

impl Moves {
    /// Whether any key moves. One load; exact for keys whose locks the caller holds.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Whether one of `keys` moves, whatever its database.
    #[cold]
    pub(crate) fn hold_any<'a>(&self, mut keys: impl Iterator<Item = &'a [u8]>) -> bool {
        let moving = self.keys.lock();
        keys.any(|key| moving.contains(key))
    }

    /// Marks keys, whose locks the caller holds and of which none moves.
    pub(crate) fn begin<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let mut moving = self.keys.lock();
        moving.extend(keys.map(Box::from));
        self.count.store(moving.len(), Ordering::Release);
    }

    /// Takes the marks off, under the locks of the keys.
    pub(crate) fn end<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let mut moving = self.keys.lock();
        for key in keys {
            moving.remove(key);
        }
        self.count.store(moving.len(), Ordering::Release);
    }

    /// Notes that somebody was passed over.
    pub(crate) fn pass_over(&self) {
        self.passed_over.store(true, Ordering::Release);
    }

    /// Whether somebody was passed over since this was last asked.
    pub(crate) fn take_passed_over(&self) -> bool {
        self.passed_over.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_moves_from_begin_to_end() {
        let moves = Moves::default();
        let holds = |key: &[u8]| moves.hold_any([key].into_iter());
        moves.begin([&b"a"[..], b"b", b"a"].into_iter());
        assert!(moves.any() && holds(b"a") && holds(b"b") && !holds(b"c"));
        moves.end([&b"a"[..]].into_iter());
        assert!(moves.any() && !holds(b"a"));
        moves.end([&b"b"[..]].into_iter());
        assert!(!moves.any());
        assert!(!moves.take_passed_over());
        moves.pass_over();
        assert!(moves.take_passed_over() && !moves.take_passed_over());
    }
}
