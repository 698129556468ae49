//! Counters. Each loop writes its own; INFO adds them up.

use crate::histogram::{Distribution, Histogram};
use base::lock::{Mutex, Rank};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Samples behind the `instantaneous_*` fields.
const SAMPLES: usize = 16;
/// What is sampled: commands, bytes in and out, turns, microseconds of turns.
const RATES: usize = 7;

/// One command's figures in one loop.
#[derive(Debug, Default)]
pub struct CommandStat {
    /// Times it ran.
    pub calls: AtomicU64,
    /// Microseconds it ran.
    pub usec: AtomicU64,
    /// Times a gate refused it.
    pub rejected: AtomicU64,
    /// Times it ran and failed.
    pub failed: AtomicU64,
    /// How long it ran, while `latency-tracking` is on.
    pub latency: Histogram,
}

/// Microseconds of a thread above which a turn is called long.
pub const LONG_TURN_US: u64 = 2_000;

/// One loop's figures.
#[derive(Debug, Default)]
pub struct LoopStats {
    /// By the place of the command.
    pub commands: Box<[CommandStat]>,
    /// Commands that ran.
    pub processed: AtomicU64,
    /// Keys looked up and found.
    pub hits: AtomicU64,
    /// Keys looked up and not found.
    pub misses: AtomicU64,
    /// Bytes read from clients.
    pub bytes_in: AtomicU64,
    /// Bytes written to clients.
    pub bytes_out: AtomicU64,
    /// Error replies.
    pub errors: AtomicU64,
    /// Read calls.
    pub reads: AtomicU64,
    /// Write calls.
    pub writes: AtomicU64,
    /// Turns of the loop.
    pub cycles: AtomicU64,
    /// Microseconds of its turns, without sleep.
    pub cycle_us: AtomicU64,
    /// Microseconds of the longest turn.
    pub cycle_us_max: AtomicU64,
    /// Microseconds that the loop's thread ran in the turn in which it ran longest, while that is
    /// measured.
    pub cycle_cpu_us_max: AtomicU64,
    /// Turns in which it ran for more than [`LONG_TURN_US`], while that is measured.
    pub cycles_cpu_long: AtomicU64,
    /// Microseconds that commands ran.
    pub command_us: AtomicU64,
    /// Microseconds of housekeeping.
    pub cron_us: AtomicU64,
    /// Commands of the turn that had most.
    pub commands_per_cycle_max: AtomicU64,
}

/// Adds to a counter that only this thread writes: a load and a store, no bus lock.
#[inline]
pub fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

impl LoopStats {
    fn new(commands: usize) -> LoopStats {
        LoopStats {
            commands: (0..commands).map(|_| CommandStat::default()).collect(),
            ..LoopStats::default()
        }
    }

    fn clear(&self) {
        for stat in &self.commands {
            for counter in [&stat.calls, &stat.usec, &stat.rejected, &stat.failed] {
                counter.store(0, Ordering::Relaxed);
            }
            stat.latency.clear();
        }
        for counter in [
            &self.processed,
            &self.hits,
            &self.misses,
            &self.bytes_in,
            &self.bytes_out,
            &self.errors,
            &self.reads,
            &self.writes,
            &self.cycles,
            &self.cycle_us,
            &self.cycle_us_max,
            &self.cycle_cpu_us_max,
            &self.cycles_cpu_long,
            &self.command_us,
            &self.cron_us,
            &self.commands_per_cycle_max,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// The node's figures.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are those of INFO")]
pub struct Stats {
    loops: Mutex<Vec<Arc<LoopStats>>>,
    rates: Mutex<Rates>,
    error_codes: Mutex<std::collections::BTreeMap<String, u64>>,
    /// DEBUG TURN-CPU: whether loops ask how long their threads ran in a turn, which costs a system call.
    pub measures_turn_cpu: AtomicBool,
    pub expired_keys: AtomicU64,
    pub expired_subkeys: AtomicU64,
    pub evicted_keys: AtomicU64,
    pub expire_cycle_us: AtomicU64,
    pub sync_full: AtomicU64,
    pub sync_partial_ok: AtomicU64,
    pub sync_partial_err: AtomicU64,
    pub repl_bytes_in: AtomicU64,
    pub repl_bytes_out: AtomicU64,
    pub query_buffer_limit_disconnections: AtomicU64,
    pub output_buffer_limit_disconnections: AtomicU64,
    pub peak_memory: AtomicU64,
    pub startup_memory: AtomicU64,
}

#[derive(Debug, Default)]
struct Rates {
    last: Option<(u64, [u64; RATES])>,
    samples: [[u64; RATES]; SAMPLES],
    next: usize,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            loops: Mutex::new(Rank::Leaf, Vec::new()),
            rates: Mutex::new(Rank::Leaf, Rates::default()),
            error_codes: Mutex::new(Rank::Leaf, std::collections::BTreeMap::new()),
            measures_turn_cpu: AtomicBool::new(false),
            expired_keys: AtomicU64::new(0),
            expired_subkeys: AtomicU64::new(0),
            evicted_keys: AtomicU64::new(0),
            expire_cycle_us: AtomicU64::new(0),
            sync_full: AtomicU64::new(0),
            sync_partial_ok: AtomicU64::new(0),
            sync_partial_err: AtomicU64::new(0),
            repl_bytes_in: AtomicU64::new(0),
            repl_bytes_out: AtomicU64::new(0),
            query_buffer_limit_disconnections: AtomicU64::new(0),
            output_buffer_limit_disconnections: AtomicU64::new(0),
            peak_memory: AtomicU64::new(0),
            startup_memory: AtomicU64::new(crate::memory::used_memory()),
        }
    }
}

impl Stats {
    /// Figures for a new loop.
    pub fn add_loop(&self, commands: usize) -> Arc<LoopStats> {
        let stats = Arc::new(LoopStats::new(commands));
        self.loops.lock().push(Arc::clone(&stats));
        stats
    }

    /// The sum of one counter over the loops.
    pub fn sum(&self, counter: impl Fn(&LoopStats) -> &AtomicU64) -> u64 {
        self.loops.lock().iter().map(|stats| counter(stats).load(Ordering::Relaxed)).sum()
    }

    /// One command's figures over the loops: calls, microseconds, rejected, failed.
    pub fn command(&self, index: usize) -> [u64; 4] {
        let mut sums = [0; 4];
        for stats in self.loops.lock().iter() {
            if let Some(stat) = stats.commands.get(index) {
                let counters = [&stat.calls, &stat.usec, &stat.rejected, &stat.failed];
                for (sum, counter) in sums.iter_mut().zip(counters) {
                    *sum += counter.load(Ordering::Relaxed);
                }
            }
        }
        sums
    }

    /// How long one command ran, over the loops.
    pub fn latency(&self, index: usize) -> Distribution {
        let mut sum = Distribution::default();
        for stats in self.loops.lock().iter() {
            if let Some(stat) = stats.commands.get(index) {
                sum.add(&stat.latency);
            }
        }
        sum
    }

    /// Counts an error reply by its code, the first word of its text.
    pub fn count_error(&self, text: &str) {
        /// More codes than this are counted together.
        const CODES_MAX: usize = 128;
        /// The code they are counted under.
        const BEYOND: &str = "ERRORSTATS_OVERFLOW";
        let code = text.split(' ').next().unwrap_or_default();
        let mut codes = self.error_codes.lock();
        let known = codes.len() < CODES_MAX || codes.contains_key(code);
        let code = if known { code } else { BEYOND };
        *codes.entry(code.to_owned()).or_default() += 1;
    }

    /// Error replies by code.
    pub fn errors(&self) -> Vec<(String, u64)> {
        self.error_codes.lock().iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    /// The turns of the loop that turned most.
    pub fn cycles(&self) -> u64 {
        self.max(|stats| &stats.cycles)
    }

    /// The largest of one counter over the loops.
    pub fn max(&self, counter: impl Fn(&LoopStats) -> &AtomicU64) -> u64 {
        let loops = self.loops.lock();
        loops.iter().map(|stats| counter(stats).load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    /// Takes a sample of what is shown as a rate at `now_ms`; called ten times a second.
    pub fn sample(&self, now_ms: u64) {
        let totals = [
            self.sum(|s| &s.processed),
            self.sum(|s| &s.bytes_in),
            self.sum(|s| &s.bytes_out),
            self.cycles(),
            self.sum(|s| &s.cycle_us),
            self.repl_bytes_in.load(Ordering::Relaxed),
            self.repl_bytes_out.load(Ordering::Relaxed),
        ];
        let mut rates = self.rates.lock();
        if let Some((then, before)) = rates.last {
            let span = now_ms.saturating_sub(then).max(1);
            let at = rates.next;
            for which in 0..RATES {
                rates.samples[at][which] =
                    totals[which].saturating_sub(before[which]).saturating_mul(1000) / span;
            }
            rates.next = (at + 1) % SAMPLES;
        }
        rates.last = Some((now_ms, totals));
    }

    /// Commands, bytes in, bytes out, turns, microseconds of turns, and bytes of replication in and out per
    /// second, lately.
    pub fn rates(&self) -> [u64; RATES] {
        let rates = self.rates.lock();
        let mut means = [0; RATES];
        for sample in &rates.samples {
            for (mean, value) in means.iter_mut().zip(sample) {
                *mean += value;
            }
        }
        means.map(|sum| sum / SAMPLES as u64)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.loops.lock().iter().for_each(|stats| stats.clear());
        self.error_codes.lock().clear();
        for counter in [
            &self.expired_keys,
            &self.expired_subkeys,
            &self.evicted_keys,
            &self.expire_cycle_us,
            &self.sync_full,
            &self.sync_partial_ok,
            &self.sync_partial_err,
            &self.repl_bytes_in,
            &self.repl_bytes_out,
            &self.query_buffer_limit_disconnections,
            &self.output_buffer_limit_disconnections,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}
