//! Hot keys: which keys take most processor time and network bytes, while somebody wants to know.
//!
//! Each sampled command adds its share to each of its keys. A table holds at most twice [`KEPT_MIN`] keys
//! (or sixteen times those asked for): when it is full the smaller half is dropped. A key that is hot comes
//! back at once; what it had is lost, so that figures are lower bounds. While nobody tracks, a command
//! costs one load.

use crate::args::Request;
use crate::command::Registered;
use base::Millis;
use base::lock::{Mutex, Rank};
use base::random::Random;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keys that survive when a table is full.
const KEPT_MIN: usize = 1024;
/// Keys kept for each that is asked for.
const KEPT_PER_KEY: usize = 16;
/// Longer keys are not tracked.
const KEY_BYTES_MAX: usize = 4096;

/// What is to be tracked.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Processor time.
    pub cpu: bool,
    /// Network bytes.
    pub net: bool,
    /// Keys shown of each.
    pub count: usize,
    /// Ends by itself after so long.
    pub duration: Option<Millis>,
    /// One command of so many is looked at.
    pub sample_ratio: u64,
}

/// Milliseconds of user and of system time that the process has taken, from `/proc` (see proc(5)): the
/// 12th and 13th field behind the name, in ticks of 10 ms.
fn process_ms() -> [u64; 2] {
    const MS_PER_TICK: u64 = 10;
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = behind_name.split(' ').skip(11);
    let mut next = || fields.next().and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
    [next() * MS_PER_TICK, next() * MS_PER_TICK]
}

/// Keys and what they have taken.
#[derive(Debug)]
struct Table {
    kept: usize,
    taken: HashMap<Box<[u8]>, u64>,
}

impl Table {
    fn new(count: usize) -> Table {
        let kept = count.saturating_mul(KEPT_PER_KEY).max(KEPT_MIN);
        Table { kept, taken: HashMap::new() }
    }

    fn add(&mut self, key: &[u8], amount: u64) {
        if amount == 0 || key.len() > KEY_BYTES_MAX {
            return;
        }
        if let Some(taken) = self.taken.get_mut(key) {
            *taken += amount;
            return;
        }
        if self.taken.len() >= self.kept * 2 {
            let mut amounts: Vec<u64> = self.taken.values().copied().collect();
            let (_, least, _) = amounts.select_nth_unstable(self.kept);
            let least = *least;
            self.taken.retain(|_, taken| *taken > least);
        }
        self.taken.insert(key.into(), amount);
    }

    fn largest(&self, count: usize) -> Vec<(Box<[u8]>, u64)> {
        let mut all: Vec<_> = self.taken.iter().map(|(key, taken)| (key.clone(), *taken)).collect();
        all.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.truncate(count);
        all
    }
}

#[derive(Debug)]
struct Tracking {
    options: Options,
    began_unix: Millis,
    began: Millis,
    ended: Option<Millis>,
    /// User and system time of the process at the beginning, and at the end if that is past.
    process_ms: ([u64; 2], Option<[u64; 2]>),
    cpu: Option<Table>,
    net: Option<Table>,
    micros: u64,
    bytes: u64,
    random: Random,
}

impl Tracking {
    /// When it has ended or will.
    fn end(&self) -> Option<Millis> {
        let planned = self.options.duration.map(|duration| self.began + duration);
        self.ended.or(planned)
    }

    /// Notes that it has ended, if it has.
    fn close(&mut self, now: Millis) -> bool {
        let over = self.is_over(now);
        if over && self.process_ms.1.is_none() {
            self.process_ms.1 = Some(process_ms());
        }
        over
    }

    fn is_over(&self, now: Millis) -> bool {
        self.end().is_some_and(|end| end <= now)
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Tracking goes on.
    pub active: bool,
    /// What was asked for.
    pub options: Options,
    /// Unix time of the beginning.
    pub began: Millis,
    /// How long was tracked.
    pub lasted: Millis,
    /// Microseconds of all commands.
    pub micros: u64,
    /// Bytes of all commands and replies.
    pub bytes: u64,
    /// Milliseconds of user and of system time that the process took.
    pub process_ms: [u64; 2],
    /// The keys that took most processor time, in microseconds.
    pub by_cpu: Vec<(Box<[u8]>, u64)>,
    /// The keys with most bytes.
    pub by_net: Vec<(Box<[u8]>, u64)>,
}

/// The tracking of a node.
#[derive(Debug)]
pub struct HotKeys {
    active: AtomicBool,
    tracking: Mutex<Option<Tracking>>,
}

impl Default for HotKeys {
    fn default() -> HotKeys {
        HotKeys { active: AtomicBool::new(false), tracking: Mutex::new(Rank::Leaf, None) }
    }
}

impl HotKeys {
    /// Whether commands are to be counted. One load.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Begins; false if it is under way already.
    pub fn start(&self, options: Options) -> bool {
        let mut tracking = self.tracking.lock();
        let now = base::clock::monotonic();
        if tracking.as_ref().is_some_and(|tracking| !tracking.is_over(now)) {
            return false;
        }
        *tracking = Some(Tracking {
            options,
            began_unix: base::clock::unix(),
            began: now,
            ended: None,
            process_ms: (process_ms(), None),
            cpu: options.cpu.then(|| Table::new(options.count)),
            net: options.net.then(|| Table::new(options.count)),
            micros: 0,
            bytes: 0,
            random: Random::from_system(),
        });
        self.active.store(true, Ordering::Relaxed);
        true
    }

    /// Ends, and keeps what was found; false if nothing is tracked.
    pub fn stop(&self) -> bool {
        let mut tracking = self.tracking.lock();
        let now = base::clock::monotonic();
        let Some(tracking) = tracking.as_mut().filter(|tracking| !tracking.is_over(now)) else {
            return false;
        };
        tracking.ended = Some(now);
        tracking.close(now);
        self.active.store(false, Ordering::Relaxed);
        true
    }

    /// Forgets what was found; false if it is still being looked for.
    pub fn reset(&self) -> bool {
        let mut tracking = self.tracking.lock();
        let now = base::clock::monotonic();
        if tracking.as_ref().is_some_and(|tracking| !tracking.is_over(now)) {
            return false;
        }
        *tracking = None;
        true
    }

    /// What was found so far, if there was anything to look for.
    pub fn report(&self) -> Option<Report> {
        let mut tracking = self.tracking.lock();
        let tracking = tracking.as_mut()?;
        let now = base::clock::monotonic();
        let active = !tracking.close(now);
        let (first, last) = tracking.process_ms;
        let last = last.unwrap_or_else(process_ms);
        let until = tracking.end().map_or(now, |end| if end < now { end } else { now });
        let largest = |table: &Option<Table>| {
            table.as_ref().map_or_else(Vec::new, |table| table.largest(tracking.options.count))
        };
        Some(Report {
            active,
            options: tracking.options,
            began: tracking.began_unix,
            lasted: until.since(tracking.began),
            micros: tracking.micros,
            bytes: tracking.bytes,
            process_ms: [last[0].saturating_sub(first[0]), last[1].saturating_sub(first[1])],
            by_cpu: largest(&tracking.cpu),
            by_net: largest(&tracking.net),
        })
    }

    /// Counts a command that has run.
    #[cold]
    pub(crate) fn note(
        &self,
        command: &'static Registered,
        request: Request<'_>,
        micros: u64,
        bytes: u64,
    ) {
        let mut guard = self.tracking.lock();
        let Some(tracking) = guard.as_mut() else { return };
        if tracking.close(base::clock::monotonic()) {
            self.active.store(false, Ordering::Relaxed);
            return;
        }
        tracking.micros += micros;
        tracking.bytes += bytes;
        if tracking.random.below(tracking.options.sample_ratio) != 0 {
            return;
        }
        // A command of several keys is shared among them.
        let shares = (command.keys(request).count() as u64).max(1);
        for (_, key) in command.keys(request) {
            for (table, amount) in [(&mut tracking.cpu, micros), (&mut tracking.net, bytes)] {
                if let Some(table) = table {
                    table.add(key, amount / shares);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_keys_survive_many_cold_ones() {
        let mut table = Table::new(2);
        for round in 0..20_000u32 {
            table.add(b"hot", 10);
            table.add(b"warm", 5);
            table.add(&round.to_be_bytes(), 1);
        }
        assert!(table.taken.len() <= 2 * KEPT_MIN);
        let largest = table.largest(2);
        assert_eq!(largest[0], (Box::from(&b"hot"[..]), 200_000));
        assert_eq!(largest[1], (Box::from(&b"warm"[..]), 100_000));
        table.add(&[b'x'; KEY_BYTES_MAX + 1], 1 << 40);
        assert_eq!(table.largest(1)[0].1, 200_000);
    }

    #[test]
    fn tracking_begins_once_and_is_kept_until_reset() {
        let hot = HotKeys::default();
        let options = Options { cpu: true, net: false, count: 3, duration: None, sample_ratio: 1 };
        assert!(!hot.stop() && hot.report().is_none() && hot.reset());
        assert!(hot.start(options) && hot.is_active());
        assert!(!hot.start(options) && !hot.reset());
        assert!(hot.report().is_some_and(|report| report.active));
        assert!(hot.stop() && !hot.stop() && !hot.is_active());
        assert!(hot.report().is_some_and(|report| !report.active));
        assert!(hot.reset() && hot.report().is_none());
        // One that ends by itself at once.
        assert!(hot.start(Options { duration: Some(Millis(0)), ..options }));
        assert!(!hot.stop());
        assert!(hot.start(options));
    }
}
