//! Watched keys: who is to be told, under the shard's lock, that a key has changed.
//!
//! A transaction owns one flag and registers it for each key it watches; a change sets the flag. The
//! flag is tested when EXEC holds the locks of all queued and watched keys, so nothing can slip in.

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

/// The watchers of one shard's keys.
#[derive(Debug, Default)]
pub(crate) struct Watchers(HashMap<(u32, Box<[u8]>), Vec<WatchFlag>>);

impl Watchers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, db: u32, key: &[u8], flag: &WatchFlag) {
        self.0.entry((db, key.into())).or_default().push(flag.clone());
    }

    pub(crate) fn remove(&mut self, db: u32, key: &[u8], flag: &WatchFlag) {
        let place = (db, key.into());
        if let Some(flags) = self.0.get_mut(&place) {
            flags.retain(|other| !Arc::ptr_eq(&other.0, &flag.0));
            if flags.is_empty() {
                self.0.remove(&place);
            }
        }
    }

    pub(crate) fn touched(&self, db: u32, key: &[u8]) {
        if let Some(flags) = self.0.get(&(db, key.into())) {
            flags.iter().for_each(WatchFlag::set_dirty);
        }
    }

    /// Tells the watchers of all keys of `db` for which `changed` holds.
    pub(crate) fn touched_where(&self, db: u32, mut changed: impl FnMut(&[u8]) -> bool) {
        for ((place, key), flags) in &self.0 {
            if *place == db && changed(key) {
                flags.iter().for_each(WatchFlag::set_dirty);
            }
        }
    }
}
