//! Groups of consumers: who was given which entries and has not acknowledged them yet.
//!
//! An entry that is pending in a group is held by exactly one consumer: the group's list names it,
//! and the consumer's own list has the id.

use super::StreamId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The highest count: the log and replies tell counts as signed numbers.
pub(super) const COUNT_MAX: u64 = i64::MAX.unsigned_abs();

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The last entry that was given to anybody.
    pub last_id: StreamId,
    /// How many entries were read up to `last_id`, if that is known, as far as a signed number counts.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: BTreeMap<Arc<[u8]>, Consumer>,
}

/// An entry that is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who holds it.
    pub consumer: Arc<[u8]>,
    /// Unix time in milliseconds of its last delivery.
    pub delivered_at_ms: u64,
    /// How often it was delivered, as far as a signed number counts.
    pub deliveries: u64,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    seen_at_ms: AtomicU64,
    /// When it last got an entry; `None` if never.
    pub active_at_ms: Option<u64>,
    pending: BTreeSet<StreamId>,
}

impl Clone for Consumer {
    fn clone(&self) -> Consumer {
        Consumer {
            seen_at_ms: AtomicU64::new(self.seen_at_ms()),
            active_at_ms: self.active_at_ms,
            pending: self.pending.clone(),
        }
    }
}

impl PartialEq for Consumer {
    fn eq(&self, other: &Consumer) -> bool {
        self.seen_at_ms() == other.seen_at_ms()
            && self.active_at_ms == other.active_at_ms
            && self.pending == other.pending
    }
}

impl Eq for Consumer {}

impl Consumer {
    fn new(seen_at_ms: u64) -> Consumer {
        let seen_at_ms = AtomicU64::new(seen_at_ms);
        Consumer { seen_at_ms, active_at_ms: None, pending: BTreeSet::new() }
    }

    /// When it last asked for anything, Unix time in milliseconds.
    pub fn seen_at_ms(&self) -> u64 {
        self.seen_at_ms.load(Ordering::Relaxed)
    }

    /// Notes that it asked. No change of the value: whoever watches the key sees none.
    pub fn saw(&self, now_ms: u64) {
        self.seen_at_ms.store(now_ms, Ordering::Relaxed);
    }

    /// What it holds, in order.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    /// A group that has read up to `last_id`.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        let entries_read = entries_read.map(|read| read.min(COUNT_MAX));
        Group { last_id, entries_read, ..Group::default() }
    }

    /// What is not acknowledged, in order.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers by name.
    pub fn consumers(&self) -> &BTreeMap<Arc<[u8]>, Consumer> {
        &self.consumers
    }

    /// A consumer.
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// Makes a consumer; false if there is one of that name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> bool {
        let absent = !self.consumers.contains_key(name);
        if absent {
            self.consumers.insert(name.into(), Consumer::new(now_ms));
        }
        absent
    }

    /// Removes a consumer and what it holds. Gives how many entries that were.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Notes when a consumer last got an entry.
    pub fn set_active(&mut self, name: &[u8], at_ms: Option<u64>) {
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.active_at_ms = at_ms;
        }
    }

    /// Gives an entry to a consumer, whoever held it. The consumer must be there.
    pub fn assign(&mut self, id: StreamId, consumer: &[u8], delivered_at_ms: u64, deliveries: u64) {
        let Some((name, _)) = self.consumers.get_key_value(consumer) else { return };
        let deliveries = deliveries.min(COUNT_MAX);
        let new = Pending { consumer: Arc::clone(name), delivered_at_ms, deliveries };
        let old = self.pending.insert(id, new);
        let old = old.filter(|old| *old.consumer != *consumer);
        if let Some(holder) = old.and_then(|old| self.consumers.get_mut(&old.consumer)) {
            holder.pending.remove(&id);
        }
        if let Some(consumer) = self.consumers.get_mut(consumer) {
            consumer.pending.insert(id);
        }
    }

    /// Takes an entry from whoever holds it; false if nobody does.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// A rough number of heap bytes.
    pub fn heap_bytes(&self) -> usize {
        let names: usize = self.consumers.keys().map(|name| name.len() + 16).sum();
        names
            + self.consumers.len() * size_of::<(Arc<[u8]>, Consumer)>()
            + self.pending.len() * (size_of::<(StreamId, Pending)>() + size_of::<StreamId>())
    }
}
