//! The latency monitor: delays beyond `latency-monitor-threshold`, by the kind of event that caused them.
//!
//! A kind keeps its last [`SAMPLES_MAX`] seconds; of several delays in one second the longest counts.
//! Kinds are made by the server, not by clients, so that there are few.

use base::lock::{Mutex, Rank};
use std::collections::{BTreeMap, VecDeque};

/// Samples kept of a kind.
const SAMPLES_MAX: usize = 160;

/// One second with a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix seconds.
    pub time_s: u64,
    /// The longest delay in it.
    pub latency_ms: u64,
}

/// What is known of one kind of event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Oldest first; none is empty while the series is kept.
    pub samples: VecDeque<Sample>,
    /// The longest delay since the last reset.
    pub max_ms: u64,
}

/// All kinds of events that were slow.
#[derive(Debug)]
pub struct Latency(Mutex<BTreeMap<&'static str, Series>>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Mutex::new(Rank::Leaf, BTreeMap::new()))
    }
}

impl Latency {
    /// Notes a delay if it reaches `threshold_ms`; zero switches the monitor off.
    #[inline]
    pub fn note(&self, threshold_ms: i64, event: &'static str, spent_us: u64) {
        let spent_ms = spent_us / 1000;
        if threshold_ms > 0 && spent_ms >= threshold_ms.unsigned_abs() {
            self.add(event, base::clock::unix_us() / 1_000_000, spent_ms);
        }
    }

    #[cold]
    fn add(&self, event: &'static str, time_s: u64, latency_ms: u64) {
        let mut all = self.0.lock();
        let series = all.entry(event).or_default();
        series.max_ms = series.max_ms.max(latency_ms);
        match series.samples.back_mut() {
            Some(last) if last.time_s == time_s => {
                last.latency_ms = last.latency_ms.max(latency_ms);
            }
            _ => series.samples.push_back(Sample { time_s, latency_ms }),
        }
        if series.samples.len() > SAMPLES_MAX {
            series.samples.pop_front();
        }
    }

    /// All kinds by name.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        self.0.lock().iter().map(|(event, series)| (*event, series.clone())).collect()
    }

    /// One kind, named without regard to case.
    pub fn find(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        let all = self.0.lock();
        let mut found = all.iter().filter(|(name, _)| name.as_bytes().eq_ignore_ascii_case(event));
        found.next().map(|(name, series)| (*name, series.clone()))
    }

    /// Forgets a kind. True if there was one.
    pub fn forget(&self, event: &[u8]) -> bool {
        let mut all = self.0.lock();
        let name = all.keys().find(|name| name.as_bytes().eq_ignore_ascii_case(event)).copied();
        name.is_some_and(|name| all.remove(name).is_some())
    }

    /// Forgets all kinds; tells how many there were.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut *self.0.lock()).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_delay_of_a_second_counts() {
        let latency = Latency::default();
        for (time, spent) in [(1, 5), (1, 9), (1, 7), (3, 4)] {
            latency.add("command", time, spent);
        }
        let (_, series) = latency.find(b"COMMAND").expect("a series");
        let samples: Vec<_> = series.samples.iter().map(|s| (s.time_s, s.latency_ms)).collect();
        assert_eq!(samples, [(1, 9), (3, 4)]);
        assert_eq!(series.max_ms, 9);
        for time in 10..400 {
            latency.add("expire-cycle", time, 1);
        }
        let (_, series) = latency.find(b"expire-cycle").expect("a series");
        assert_eq!((series.samples.len(), series.samples[0].time_s), (SAMPLES_MAX, 240));
        assert!(!latency.forget(b"fork") && latency.forget(b"command"));
        assert_eq!((latency.clear(), latency.all().len()), (1, 0));
    }

    #[test]
    fn a_threshold_of_zero_notes_nothing() {
        let latency = Latency::default();
        latency.note(0, "command", 5_000_000);
        latency.note(100, "command", 99_999);
        assert!(latency.all().is_empty());
        latency.note(100, "command", 100_000);
        assert_eq!(latency.all()[0].1.max_ms, 100);
    }
}
