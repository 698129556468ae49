//! Active defragmentation: while too much memory is held by slabs of the allocator that are nearly empty,
//! what is left in them is moved together, so that their pages go back.
//!
//! Housekeeping looks once a second how much of the slabs is not used. If that is more than the settings
//! allow, it starts the thread `defrag`, which goes through the shards in steps of at most about
//! [`STEP_US`] under one lock, and rests in between, so that it runs for the share of the time that the
//! settings say: the more there is to gain, the more. When it has been through everything it looks again,
//! and ends if it is good. What it moves, and how it knows what to move, stands in `structures::Mover`.
//!
//! Moving something is no change: walks may be under way, and nobody is told.
//!
//! Source: Redis documentation, the comments of `redis.conf` on active defragmentation and INFO.

use crate::memory::{sparse_bytes, used_memory};
use crate::node::Node;
use conf::Settings;
use keyspace::{Keyspace, SHARD_COUNT, Shard, Unmoved};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;
use structures::{Hints, Mover};

/// Microseconds of one step.
const STEP_US: u64 = 250;
/// Elements of a large value between two looks at the clock.
const PIECE_ELEMENTS: usize = 64;
/// Milliseconds between two looks at the fragmentation.
const LOOK_MS: u64 = 1_000;
/// How many times longer than a step a shard is left to others who have tried in vain to lock it.
const WANTED_REST: u64 = 3;

/// What is known of defragmentation.
#[derive(Debug, Default)]
pub struct Defrag {
    hints: OnceLock<Option<Hints>>,
    /// Percent of its time that the thread runs; zero if there is none.
    running: AtomicU64,
    looked_at_ms: AtomicU64,
    began_us: AtomicU64,
    spent_us: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    key_hits: AtomicU64,
    key_misses: AtomicU64,
}

/// The figures of INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Percent of a processor that moving is to take now.
    pub running: u64,
    /// Allocations that were moved.
    pub hits: u64,
    /// Allocations that were looked at and left where they are.
    pub misses: u64,
    /// Keys of which something was moved.
    pub key_hits: u64,
    /// Keys of which nothing was.
    pub key_misses: u64,
    /// Milliseconds for which there was too much fragmentation.
    pub total_ms: u64,
    /// Milliseconds since it became too much; zero if it is not.
    pub current_ms: u64,
}

impl Defrag {
    /// Whether the allocator tells what should be moved.
    pub fn is_possible(&self) -> bool {
        self.hints().is_some()
    }

    fn hints(&self) -> Option<Hints> {
        *self.hints.get_or_init(Hints::new)
    }

    /// The figures.
    pub fn figures(&self) -> Figures {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let running = number(&self.running);
        let current_us = if running == 0 {
            0
        } else {
            base::clock::monotonic_us().saturating_sub(number(&self.began_us))
        };
        Figures {
            running,
            hits: number(&self.hits),
            misses: number(&self.misses),
            key_hits: number(&self.key_hits),
            key_misses: number(&self.key_misses),
            total_ms: (number(&self.spent_us) + current_us) / 1_000,
            current_ms: current_us / 1_000,
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for counter in [&self.hits, &self.misses, &self.key_hits, &self.key_misses, &self.spent_us]
        {
            counter.store(0, Ordering::Relaxed);
        }
        self.began_us.store(base::clock::monotonic_us(), Ordering::Relaxed);
    }

    /// Begins if there is reason to; ten times a second, on one thread.
    pub(crate) fn tick(&self, node: &Arc<Node>) {
        let now_ms = base::clock::monotonic().0;
        let due = now_ms >= self.looked_at_ms.load(Ordering::Relaxed) + LOOK_MS;
        if !is_wanted(node) || !due {
            return;
        }
        self.looked_at_ms.store(now_ms, Ordering::Relaxed);
        let Some(hints) = self.hints() else { return };
        let effort = effort_now(&node.settings);
        if self.running.load(Ordering::Relaxed) > 0 {
            // Until it is through it may become more, not less.
            self.running.fetch_max(effort, Ordering::Relaxed);
        } else if effort > 0 {
            self.began_us.store(base::clock::monotonic_us(), Ordering::Relaxed);
            self.running.store(effort, Ordering::Relaxed);
            let shared = Arc::downgrade(node);
            let thread = thread::Builder::new().name("defrag".into());
            if let Err(error) = thread.spawn(move || run(&shared, hints)) {
                tracing::warn!("There is no thread to defragment memory: {error}");
                self.end();
            }
        }
    }

    fn end(&self) {
        let began = self.began_us.load(Ordering::Relaxed);
        let spent = base::clock::monotonic_us().saturating_sub(began);
        self.spent_us.fetch_add(spent, Ordering::Relaxed);
        self.running.store(0, Ordering::Relaxed);
    }
}

fn is_wanted(node: &Node) -> bool {
    node.settings.activedefrag.get() && !node.loading.load(Ordering::Acquire)
}

/// Percent of the time to be spent with `sparse` bytes of slabs not used and `used` bytes in use: zero
/// below the limits, then from the least to the most effort as it rises from one threshold to the other.
fn effort(settings: &Settings, sparse: u64, used: u64) -> u64 {
    let percent = sparse.saturating_mul(100) / used.max(1);
    let lower = settings.active_defrag_threshold_lower.count();
    let upper = settings.active_defrag_threshold_upper.count();
    let (least, most) =
        (settings.active_defrag_cycle_min.count(), settings.active_defrag_cycle_max.count());
    if percent < lower || sparse < settings.active_defrag_ignore_bytes.count() {
        return 0;
    }
    if percent >= upper || most <= least {
        return most.max(least);
    }
    least + (most - least) * (percent - lower) / (upper - lower)
}

fn effort_now(settings: &Settings) -> u64 {
    let used = used_memory();
    effort(settings, sparse_bytes(), used)
}

/// The thread.
fn run(shared: &Weak<Node>, hints: Hints) {
    let mut mover = Mover::new(hints);
    let mut pass = Pass::default();
    while let Some(node) = shared.upgrade() {
        let defrag = &node.defrag;
        if !is_wanted(&node) {
            return defrag.end();
        }
        let began = base::clock::monotonic_us();
        let is_over = pass.step(&node, &mut mover);
        let spent = base::clock::monotonic_us().saturating_sub(began);
        node.latency.note(
            node.settings.latency_monitor_threshold.get(),
            "active-defrag-cycle",
            spent,
        );
        if is_over {
            let effort = effort_now(&node.settings);
            if effort == 0 {
                return defrag.end();
            }
            defrag.running.store(effort, Ordering::Relaxed);
        }
        let share = defrag.running.load(Ordering::Relaxed).clamp(1, 100);
        let mut rest = spent * (100 - share) / share;
        if node.keyspace.is_wanted(pass.shard) {
            rest = rest.max(WANTED_REST * spent);
        }
        drop(node);
        thread::sleep(Duration::from_micros(rest));
    }
}

/// How far the thread has come.
#[derive(Debug, Default)]
struct Pass {
    shard: u16,
    db: u32,
    cursor: u64,
    /// Values of the last bucket that have more elements than may be moved at once.
    left: Vec<Unmoved>,
}

impl Pass {
    /// Moves what should be moved for about [`STEP_US`]. True if everything has been looked at; the next
    /// step begins anew.
    fn step(&mut self, node: &Node, mover: &mut Mover) -> bool {
        let end = base::clock::monotonic_us() + STEP_US;
        (mover.moved, mover.kept) = (0, 0);
        while self.shard < SHARD_COUNT && base::clock::monotonic_us() < end {
            let mut shard = node.keyspace.lock(self.shard);
            while self.look(node, &mut shard, mover) && base::clock::monotonic_us() < end {}
        }
        node.defrag.hits.fetch_add(mover.moved, Ordering::Relaxed);
        node.defrag.misses.fetch_add(mover.kept, Ordering::Relaxed);
        let is_over = self.shard >= SHARD_COUNT;
        if is_over {
            self.shard = 0;
        }
        is_over
    }

    /// Looks at a bucket, or at some elements of a value. False if the shard is done.
    fn look(&mut self, node: &Node, shard: &mut Shard, mover: &mut Mover) -> bool {
        if let Some(value) = self.left.last_mut() {
            let hash = Keyspace::hash(&value.key);
            if !shard.relocate_more(hash, value, PIECE_ELEMENTS, mover) {
                self.left.pop();
            }
            return true;
        }
        let Some(db) = shard.next_db(self.db) else {
            (self.shard, self.db, self.cursor) = (self.shard + 1, 0, 0);
            return false;
        };
        if db != self.db {
            (self.db, self.cursor) = (db, 0);
        }
        let elements = node.settings.active_defrag_max_scan_fields.count();
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        self.cursor =
            shard.relocate_some(db, self.cursor, elements, mover, &mut self.left, |was_moved| {
                let defrag = &node.defrag;
                let counter = if was_moved { &defrag.key_hits } else { &defrag.key_misses };
                counter.fetch_add(1, Ordering::Relaxed);
            });
        if self.cursor == 0 {
            self.db += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_rises_between_the_thresholds() {
        const MB: u64 = 1 << 20;
        // With the defaults: 100 MB and 10 % at least; 1 % of the time at 10 %, 25 % at 100 %.
        let rows = [
            (99 * MB, 100 * MB, 0),
            (100 * MB, 1_001 * MB, 0),
            (100 * MB, 1_000 * MB, 1),
            (550 * MB, 1_000 * MB, 13),
            (999 * MB, 1_000 * MB, 24),
            (1_000 * MB, 1_000 * MB, 25),
            (9_000 * MB, 1_000 * MB, 25),
            (200 * MB, 0, 25),
        ];
        let settings = Settings::default();
        for (sparse, used, expected) in rows {
            assert_eq!(effort(&settings, sparse, used), expected, "{sparse} of {used}");
        }
        settings.active_defrag_threshold_upper.set(5);
        assert_eq!(effort(&settings, 200 * MB, 1_000 * MB), 25);
        settings.active_defrag_cycle_max.set(1);
        settings.active_defrag_cycle_min.set(2);
        assert_eq!(effort(&settings, 200 * MB, 1_000 * MB), 2);
    }
}
