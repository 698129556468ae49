//! Watched keys: who is to be told, under the shard's lock, that a key has changed.
//!
//! A transaction owns one flag and registers it for each key it watches; a change sets the flag. The
//! flag is tested when EXEC holds the locks of all queued and watched keys, so nothing can slip in.
//!
//! A key that had expired when it was watched and is still there, taken out by nobody so far, carries a
//! mark for this watcher: that it goes is no change, and takes the mark away. To the watcher of an
//! absent key, one that comes with SWAPDB and has expired is as absent as before, and gets the mark.
//!
//! Source: behaviour observed with stock 7.0.15.

use crate::db::Presence;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once a watched key has changed.
#[derive(Clone, Debug, Default)]
pub struct WatchFlag(Arc<AtomicBool>);

impl WatchFlag {
    /// Whether a watched key has changed.
    pub fn is_dirty(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Says that a watched key has changed.
    pub fn set_dirty(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One transaction's watch of one key.
#[derive(Debug)]
struct Watcher {
    flag: WatchFlag,
    /// The key is there, and had expired before it was watched.
    had_expired: bool,
}

/// The watchers of one shard's keys.
#[derive(Debug, Default)]
pub(crate) struct Watchers(HashMap<(u32, Box<[u8]>), Vec<Watcher>>);

impl Watchers {
    pub(crate) fn add(&mut self, db: u32, key: &[u8], flag: &WatchFlag, had_expired: bool) {
        let watcher = Watcher { flag: flag.clone(), had_expired };
        self.0.entry((db, key.into())).or_default().push(watcher);
    }

    pub(crate) fn remove(&mut self, db: u32, key: &[u8], flag: &WatchFlag) {
        let place = (db, key.into());
        if let Some(watchers) = self.0.get_mut(&place) {
            watchers.retain(|other| !Arc::ptr_eq(&other.flag.0, &flag.0));
            if watchers.is_empty() {
                self.0.remove(&place);
            }
        }
    }

    /// Whether the key had expired when the owner of `flag` began to watch it, and is still there.
    pub(crate) fn had_expired(&self, db: u32, key: &[u8], flag: &WatchFlag) -> bool {
        let watchers = self.0.get(&(db, key.into()));
        watchers
            .into_iter()
            .flatten()
            .any(|one| one.had_expired && Arc::ptr_eq(&one.flag.0, &flag.0))
    }

    /// The key has changed, and is there.
    #[inline]
    pub(crate) fn changed(&self, db: u32, key: &[u8]) {
        if self.0.is_empty() {
            return;
        }
        for watcher in self.0.get(&(db, key.into())).into_iter().flatten() {
            watcher.flag.set_dirty();
        }
    }

    /// The key has gone.
    #[inline]
    pub(crate) fn gone(&mut self, db: u32, key: &[u8]) {
        if self.0.is_empty() {
            return;
        }
        for watcher in self.0.get_mut(&(db, key.into())).into_iter().flatten() {
            watcher.becomes(Presence::Live, Presence::Absent);
        }
    }

    /// The keys of `db` have become others; `presence` says of each what it was and what it is.
    pub(crate) fn exchanged(
        &mut self,
        db: u32,
        mut presence: impl FnMut(&[u8]) -> (Presence, Presence),
    ) {
        for ((_, key), watchers) in self.0.iter_mut().filter(|((place, _), _)| *place == db) {
            let (before, after) = presence(key);
            for watcher in watchers {
                watcher.becomes(before, after);
            }
        }
    }
}

impl Watcher {
    fn becomes(&mut self, before: Presence, after: Presence) {
        match (before, after, self.had_expired) {
            (Presence::Absent, Presence::Absent, _) | (_, Presence::Expired, true) => {}
            (_, Presence::Absent, true) => self.had_expired = false,
            (Presence::Absent, Presence::Expired, false) => self.had_expired = true,
            _ => self.flag.set_dirty(),
        }
    }
}
