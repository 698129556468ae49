//! Eviction: keys are deleted when more memory is in use than `maxmemory` allows.
//!
//! There is no index by use. `maxmemory-samples` entries that lie anywhere are looked at for each key
//! that is evicted, and the best of them join a small pool of the best seen so far, which is emptied
//! from its better end. Each thread has a pool of its own. Shards are tried, never waited for; entries
//! with an expiry are found by looking through a few buckets of shards that hold some, and through a
//! whole shard, a piece at a time, only if that finds none.
//!
//! Source: Redis documentation, "Key eviction"; Salvatore Sanfilippo, "Random notes on improving the
//! Redis LRU algorithm" (2016).

use crate::access::AccessClock;
use crate::effects::{Effects, Event};
use crate::keys::Place;
use crate::memory::balance;
use crate::node::Node;
use crate::pipeline::Worker;
use base::random::Random;
use conf::MaxmemoryPolicy;
use keyspace::{Entry, SHARD_COUNT, Shard};
use std::sync::atomic::Ordering;

/// Candidates that a pool keeps.
const POOL_MAX: usize = 16;
/// Buckets of one database that are looked through for entries with an expiry.
const BUCKETS_SAMPLED: usize = 64;
/// Buckets that are looked through when sampling finds none.
const BUCKETS_SEARCHED: usize = 4_096;
/// Times the pool is filled for one key: its candidates may be gone or their shards taken.
const FILLS_MAX: usize = 8;
/// Keys evicted between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;

/// What came of making room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room.
    Enough,
    /// There is not enough yet; it goes on later.
    Later,
    /// There is none, and nothing that may be evicted.
    None,
}

/// A key that may be evicted.
#[derive(Debug)]
struct Candidate {
    score: u64,
    db: u32,
    place: Place,
    key: Box<[u8]>,
}

/// One thread's sampling.
#[derive(Debug)]
pub(crate) struct Evictor {
    random: Random,
    /// The better a candidate, the later it stands.
    pool: Vec<Candidate>,
    policy: MaxmemoryPolicy,
    /// Where a search through a whole shard stands: shard, database, cursor.
    search: (u16, u32, u64),
}

/// Whether only keys with an expiry may be evicted.
fn is_volatile(policy: MaxmemoryPolicy) -> bool {
    policy.as_str().starts_with("volatile")
}

/// How gladly an entry is evicted.
fn score(policy: MaxmemoryPolicy, clock: AccessClock, entry: &Entry) -> u64 {
    match policy {
        MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::VolatileLru => clock.idle_s(entry.access()),
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => {
            u64::from(255 - clock.frequency(entry.access()).min(255))
        }
        MaxmemoryPolicy::VolatileTtl => entry.expire_at().map_or(0, |at| u64::MAX - at.0),
        _ => 0,
    }
}

impl Default for Evictor {
    fn default() -> Evictor {
        Evictor {
            random: Random::from_system(),
            pool: Vec::new(),
            policy: MaxmemoryPolicy::Noeviction,
            search: (0, 0, 0),
        }
    }
}

impl Evictor {
    /// Evicts one key; gives the bytes that this has freed or will, `None` if no key was found.
    fn evict_one(&mut self, node: &Node, effects: &mut Effects) -> Option<u64> {
        let policy = node.settings.maxmemory_policy.get();
        if policy != self.policy {
            self.pool.clear();
            self.policy = policy;
        }
        let clock = node.access_clock();
        for _ in 0..FILLS_MAX {
            if self.fill(node, clock) == 0 && self.pool.is_empty() {
                return None;
            }
            while let Some(candidate) = self.pool.pop() {
                if let Some(freed) = take_out(node, effects, policy, clock, &candidate) {
                    return Some(freed);
                }
            }
        }
        None
    }

    /// Brings candidates into the pool; gives how many entries were looked at.
    fn fill(&mut self, node: &Node, clock: AccessClock) -> usize {
        let ranked = !self.policy.as_str().ends_with("random");
        let samples = node.settings.maxmemory_samples.get().unsigned_abs();
        let samples = if ranked { usize::try_from(samples).unwrap_or(1) } else { 1 };
        let volatile = is_volatile(self.policy);
        let mut seen = 0;
        let first = self.below(usize::from(SHARD_COUNT));
        let mut holder = None;
        for step in 0..SHARD_COUNT {
            let index = (u16::try_from(first).unwrap_or(0) + step) % SHARD_COUNT;
            let Some(shard) = node.keyspace.try_lock(index) else { continue };
            for (number, db) in shard.dbs() {
                let eligible = if volatile { db.volatile() } else { db.len() };
                if eligible == 0 {
                    continue;
                }
                holder = Some(index);
                let start = self.random.next_u64();
                // At random there is one sample, and it should not always be a bucket's first.
                let skip = if ranked { 0 } else { self.below(eligible.min(4)) };
                let wanted = (samples - seen).min(eligible) + skip;
                let found = self.gather(&shard, number, start, (BUCKETS_SAMPLED, wanted), clock);
                seen += found.0.min(samples - seen);
                if seen >= samples {
                    return seen;
                }
            }
        }
        match holder {
            Some(index) if seen == 0 => self.search(node, index, clock),
            _ => seen,
        }
    }

    /// Looks through the next piece of a shard that holds what sampling did not find.
    fn search(&mut self, node: &Node, index: u16, clock: AccessClock) -> usize {
        let volatile = is_volatile(self.policy);
        let Some(shard) = node.keyspace.try_lock(index) else { return 0 };
        let (at, from_db, from) = self.search;
        for (number, db) in shard.dbs() {
            if (if volatile { db.volatile() } else { db.len() }) == 0 {
                continue;
            }
            let cursor = if (at, from_db) == (index, number) { from } else { 0 };
            let (found, next) = self.gather(&shard, number, cursor, (BUCKETS_SEARCHED, 1), clock);
            self.search = (index, number, next);
            if found > 0 || next != 0 {
                return 1;
            }
        }
        0
    }

    /// Offers eligible entries from `cursor` on to the pool, until `wanted` were found or `buckets`
    /// looked through. Gives how many were found, and the next cursor.
    fn gather(
        &mut self,
        shard: &Shard,
        db: u32,
        mut cursor: u64,
        (buckets, wanted): (usize, usize),
        clock: AccessClock,
    ) -> (usize, u64) {
        let (policy, mut found) = (self.policy, 0);
        let volatile = is_volatile(policy);
        for _ in 0..buckets {
            cursor = shard.scan(db, cursor, |entry| {
                if found < wanted && !(volatile && entry.expire_at().is_none()) {
                    found += 1;
                    self.offer(score(policy, clock, entry), db, entry.key());
                }
            });
            if found >= wanted {
                break;
            }
        }
        (found, cursor)
    }

    /// Puts a candidate into the pool if it is among the best.
    fn offer(&mut self, score: u64, db: u32, key: &[u8]) {
        let at = self.pool.partition_point(|other| other.score < score);
        let full = self.pool.len() >= POOL_MAX;
        if (full && at == 0) || self.pool.iter().any(|other| other.db == db && *other.key == *key) {
            return;
        }
        let candidate = Candidate { score, db, place: Place::of(key), key: key.into() };
        if full {
            self.pool.remove(0);
            self.pool.insert(at - 1, candidate);
        } else {
            self.pool.insert(at, candidate);
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap_or(0)
    }
}

/// Deletes a candidate, unless it is gone, has been used since, or its shard is taken. Gives the
/// bytes freed, those included that are freed later, and do not count until then.
fn take_out(
    node: &Node,
    effects: &mut Effects,
    policy: MaxmemoryPolicy,
    clock: AccessClock,
    candidate: &Candidate,
) -> Option<u64> {
    let Candidate { db, place, key, .. } = candidate;
    let mut shard = node.keyspace.try_lock(place.shard)?;
    let entry = shard.find(*db, place.hash, key)?;
    let spared = is_volatile(policy) && entry.expire_at().is_none();
    if spared || score(policy, clock, entry) < candidate.score {
        return None;
    }
    let (before, behind) = (balance(), node.lazyfree.pending_bytes());
    let recorded = node.walk_queues.bytes();
    let entry = shard.remove(*db, place.hash, key)?;
    node.lazyfree.entry(entry, node.settings.lazyfree_lazy_eviction.get());
    let freed = u64::try_from(before - balance()).unwrap_or(0);
    let later = node.lazyfree.pending_bytes().saturating_sub(behind);
    // What walks lack lives on for them. That of lists and streams waits to be freed as well.
    let kept = node.walk_queues.bytes().saturating_sub(recorded) as u64;
    effects.evicted(node, *db, key);
    // Before the shard is let go: a key that is made anew must not be deleted in the log after.
    effects.perform(node);
    Some(freed + later.max(kept))
}

impl Effects {
    /// A key was evicted.
    fn evicted(&mut self, node: &Node, db: u32, key: &[u8]) {
        node.stats.evicted_keys.fetch_add(1, Ordering::Relaxed);
        node.changes.fetch_add(1, Ordering::Relaxed);
        let lazy = node.settings.lazyfree_lazy_eviction.get();
        let verb: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        self.delete(node, db, &[verb, key], Event::Evicted);
    }
}

/// Microseconds that one command may spend on eviction.
fn budget_us(tenacity: i64) -> u64 {
    match tenacity {
        ..=10 => 50 * tenacity.max(0).unsigned_abs(),
        11..=99 => (11..=tenacity).fold(500_000, |nanos, _| nanos * 115 / 100) / 1_000,
        _ => u64::MAX,
    }
}

impl Worker<'_> {
    /// Makes room under the limit of memory, before a command and with no shard held.
    pub(crate) fn make_room(&mut self) -> Room {
        let node = self.node();
        let limit = node.settings.maxmemory.get();
        if limit <= 0 || node.memory.publish() <= limit {
            return Room::Enough;
        }
        if !node.expires() {
            return Room::Enough;
        }
        let over = excess(node, limit);
        if over == 0 {
            return Room::Enough;
        }
        if node.settings.maxmemory_policy.get() == MaxmemoryPolicy::Noeviction {
            return Room::None;
        }
        let began = base::clock::monotonic_us();
        self.effects.begin(node);
        let room = self.evict(over, began);
        self.serve_those_who_mind();
        let spent = base::clock::monotonic_us().saturating_sub(began);
        node.latency.note(node.settings.latency_monitor_threshold.get(), "eviction-cycle", spent);
        room
    }

    fn evict(&mut self, over: u64, began: u64) -> Room {
        let node = self.node();
        let budget = budget_us(node.settings.maxmemory_eviction_tenacity.get());
        let (mut freed, mut count) = (0, 0);
        while freed < over {
            let Some(bytes) = self.evictor.evict_one(node, &mut self.effects) else {
                node.memory.evicting.store(false, Ordering::Relaxed);
                return Room::None;
            };
            freed += bytes;
            count += 1;
            let looks = count % KEYS_PER_LOOK == 0;
            if looks && base::clock::monotonic_us().saturating_sub(began) > budget {
                node.memory.evicting.store(true, Ordering::Relaxed);
                return Room::Later;
            }
        }
        node.memory.evicting.store(false, Ordering::Relaxed);
        Room::Enough
    }

    /// Goes on with an eviction that has not come to its end, inside a window. True if there is more
    /// to do at once.
    pub fn evict_step(&mut self) -> bool {
        self.node().memory.evicting.load(Ordering::Relaxed) && self.make_room() == Room::Later
    }
}

/// Bytes in use that are no reason to evict, or evictions would cause each other: the log and what is on
/// its way from it to replicas, which hold the deletions; pushes that tell of them, until they were
/// sent or have to wait in a connection's output; what a snapshot has queued, and what is out of the data
/// set and lives until a snapshot has it.
pub fn not_counted(node: &Node) -> u64 {
    let log = node.log.memory() + node.replication.output_buffer_bytes();
    let pushes: usize = node.mailboxes().iter().map(|mailbox| mailbox.in_transit_bytes()).sum();
    (log + pushes + node.walk_queues.bytes()) as u64
}

/// Bytes in use beyond the limit, without those that do not count or are about to be freed.
fn excess(node: &Node, limit: i64) -> u64 {
    // What does not count first, or what is freed in between would seem to count.
    let not_counted = not_counted(node);
    let used = node.memory.recent(not_counted);
    let not_counted = not_counted + node.lazyfree.pending_bytes();
    let over = used.saturating_sub_unsigned(not_counted).saturating_sub(limit);
    u64::try_from(over).unwrap_or(0)
}
