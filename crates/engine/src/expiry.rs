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

/// What came of a look at a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The shard is done, or somebody had it before its turn began.
    Done,
    /// There is more to look through.
    More,
    /// Somebody has the shard in the middle of its turn, which goes on later.
    Taken,
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
            match self.look(worker, now) {
                Look::Done => {
                    visited += self.stride;
                    self.next_shard();
                }
                Look::More => {}
                Look::Taken => break,
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

    /// Looks through a piece of the current shard.
    fn look(&mut self, worker: &mut Worker<'_>, now: Millis) -> Look {
        let node = worker.node();
        let Some(mut shard) = node.keyspace.try_lock(self.shard) else {
            if self.cursor == 0 {
                return Look::Done;
            }
            // A pass that began anew whenever the shard is taken would never get through a busy one.
            node.keyspace.want(self.shard);
            return Look::Taken;
        };
        let mut result = Look::More;
        for _ in 0..BUCKETS_PER_LOCK {
            let Some(db) = shard.next_db(self.db) else {
                result = Look::Done;
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
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use conf::Settings;
    use keyspace::{Entry, Keyspace};
    use std::sync::Arc;
    use structures::NewValue;

    /// Somebody has the shard at each second look: the pass goes on where it was, and comes to its end.
    #[test]
    fn a_shard_that_is_taken_in_the_middle_is_gone_on_with() {
        const KEYS: usize = 2_000;
        let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
        let shard = Keyspace::shard_of(b"{x}");
        for number in 0..KEYS {
            let key = format!("{{x}}{number}");
            // Since one key has expired, every bucket must be looked through.
            let at = if number == 0 { Millis(1) } else { Millis(u64::MAX - 1) };
            let entry = Entry::new(key.as_bytes(), NewValue::Int(1), Some(at));
            node.keyspace.lock(shard).insert(0, Keyspace::hash(key.as_bytes()), entry);
        }
        let mut worker = Worker::new(&node).expect("the only worker");
        let mut expirer = Expirer { shard, ..Expirer::new(0, 1) };
        worker.enter();
        let mut pieces = 0;
        while expirer.look(&mut worker, Millis(2)) == Look::More {
            pieces += 1;
            assert!(pieces <= KEYS, "the pass has no end");
            let (cursor, taken) = (expirer.cursor, node.keyspace.lock(shard));
            assert!(expirer.step(&mut worker));
            drop(taken);
            assert_eq!((expirer.shard, expirer.cursor), (shard, cursor));
            assert!(node.keyspace.is_wanted(shard));
        }
        worker.leave();
        let shard = node.keyspace.lock(shard);
        assert!(pieces > 1 && !shard.db(0).expect("keys").may_have_expired(Millis(2)));
    }
}
