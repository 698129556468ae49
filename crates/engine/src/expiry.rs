//! Active expiry: expired keys, and fields of hashes, are taken out even if nobody asks for them.
//!
//! There is no second index of volatile keys. Each shard's database knows a lower bound of its next
//! expiry; only those whose bound has passed are looked through, a few buckets to a lock, within a
//! time budget. A full pass makes the bound exact again. Each loop looks after its own shards.

use crate::effects::Effects;
use crate::keys::Place;
use crate::node::Node;
use crate::pipeline::Worker;
use base::Millis;
use keyspace::{Ended, SHARD_COUNT, Shard};
use std::sync::atomic::Ordering;

/// Microseconds of one step.
const STEP_US: u64 = 1_000;
/// Bucket chains looked through before a shard is let go.
const BUCKETS_PER_LOCK: usize = 16;

/// Takes `keys` out of `shard`, all of which a command has found expired while it held only that shard.
/// Outside of a transaction (`at_once`) their ends are logged before the shard is let go; inside, where
/// everything is held, they join the transaction.
pub fn take_out(
    node: &Node,
    effects: &mut Effects,
    shard: &mut Shard,
    db: u32,
    keys: &[Box<[u8]>],
    at_once: bool,
) {
    for key in keys {
        if let Some(entry) = shard.remove(db, Place::of(key).hash, key) {
            node.lazyfree.entry(entry, node.settings.lazyfree_lazy_expire.get());
            effects.expired(node, db, key);
        }
    }
    if at_once && !keys.is_empty() {
        effects.perform(node);
    }
}

/// One loop's progress.
#[derive(Debug)]
pub struct Expirer {
    first: u16,
    stride: u16,
    shard: u16,
    db: u32,
    cursor: u64,
    soonest: Millis,
}

impl Expirer {
    /// The expirer of loop `index` of `loops`.
    pub fn new(index: usize, loops: usize) -> Expirer {
        let clamp = |n: usize| u16::try_from(n).unwrap_or(1).clamp(1, SHARD_COUNT);
        let first = u16::try_from(index).unwrap_or(0) % clamp(loops);
        Expirer {
            first,
            stride: clamp(loops),
            shard: first,
            db: 0,
            cursor: 0,
            soonest: Millis(u64::MAX),
        }
    }

    /// Works for at most about a millisecond, inside a window of `worker`. True if there is more to
    /// do at once.
    pub fn step(&mut self, worker: &mut Worker<'_>) -> bool {
        let node = worker.node();
        if !node.expires() || !node.active_expire.load(Ordering::Relaxed) {
            return false;
        }
        let began = base::clock::monotonic_us();
        let now = base::clock::unix();
        worker.effects.begin(node);
        let mut visited = 0;
        while visited < SHARD_COUNT {
            if self.look(worker, now) {
                visited += self.stride;
                self.next_shard();
            }
            if base::clock::monotonic_us().saturating_sub(began) > STEP_US {
                break;
            }
        }
        worker.serve_those_who_mind();
        let spent = base::clock::monotonic_us().saturating_sub(began);
        node.stats.expire_cycle_us.fetch_add(spent, Ordering::Relaxed);
        node.latency.note(node.settings.latency_monitor_threshold.get(), "expire-cycle", spent);
        visited < SHARD_COUNT
    }

    fn next_shard(&mut self) {
        self.shard = self.shard.saturating_add(self.stride);
        if self.shard >= SHARD_COUNT {
            self.shard = self.first;
        }
        self.db = 0;
        self.cursor = 0;
    }

    /// Looks through a piece of the current shard. True when the shard is done.
    fn look(&mut self, worker: &mut Worker<'_>, now: Millis) -> bool {
        let node = worker.node();
        let Some(mut shard) = node.keyspace.try_lock(self.shard) else { return true };
        let mut done = false;
        for _ in 0..BUCKETS_PER_LOCK {
            let Some(db) = shard.next_db(self.db) else {
                done = true;
                break;
            };
            if db != self.db {
                (self.db, self.cursor) = (db, 0);
            }
            if self.cursor == 0 && !shard.db(db).is_some_and(|db| db.may_have_expired(now)) {
                self.db += 1;
                continue;
            }
            if self.cursor == 0 {
                self.soonest = Millis(u64::MAX);
                shard.begin_expiry_pass(self.db);
            }
            self.cursor =
                shard.drain_expired(db, self.cursor, now, &mut self.soonest, |ended| match ended {
                    Ended::Key(entry) => {
                        worker.effects.expired(node, db, entry.key());
                        node.lazyfree.entry(entry, node.settings.lazyfree_lazy_expire.get());
                    }
                    Ended::Fields { key, kind, fields, emptied } => {
                        worker.effects.fields_expired(node, (db, key, kind), fields, emptied);
                    }
                });
            if self.cursor == 0 {
                shard.end_expiry_pass(self.db, self.soonest);
                self.db += 1;
            }
        }
        // Before the shard is let go: a key that is made anew must not be deleted in the log after.
        worker.effects.perform(node);
        done
    }
}
