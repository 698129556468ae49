//! How long a command takes, as a histogram of fixed size: each thread counts into its own, readers add
//! them up.
//!
//! The buckets are those of an HDR histogram of two significant digits over 1 ns to 1 s, which is what
//! stock keeps, so that percentiles come out the same to the digit:
//!
//! ```text
//! values 0..256         one bucket each
//! values 2^n..2^(n+1)   128 buckets, each 2^(n-7) wide (n >= 8)
//! ```
//!
//! What takes longer is counted as the longest. Recording is a load and a store of two counters; the
//! buckets of a power of two are made when the first value falls into it (1 KiB each).

use crate::stats::add;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest duration that is told apart, in nanoseconds.
const LONGEST_NS: u64 = 1_000_000_000;
/// Values below are counted one by one.
const SINGLE: u64 = 256;
/// Buckets of each power of two above.
const PER_POWER: usize = 128;
/// Groups of so many buckets: two of the single ones, and those of 2^8 up to 2^29.
const GROUPS: usize = 2 + 22;
/// All buckets.
const BUCKETS: usize = GROUPS * PER_POWER;
/// The first level of a cumulative distribution, in nanoseconds; each next one is twice that.
const LEVEL_NS: u64 = 1024;

fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.clamp(1, LONGEST_NS);
    if nanos < SINGLE {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let shift = nanos.ilog2() - 7;
    // 128..256: where in its power the value stands, beyond half of the single buckets.
    let within = usize::try_from(nanos >> shift).unwrap_or(0);
    shift as usize * PER_POWER + within
}

/// The least value of a bucket, and the width of the bucket.
fn span(bucket: usize) -> (u64, u64) {
    if bucket < PER_POWER * 2 {
        return (bucket as u64, 1);
    }
    let shift = bucket / PER_POWER - 1;
    let within = bucket % PER_POWER + PER_POWER;
    ((within as u64) << shift, 1 << shift)
}

/// The counts of a group of buckets.
type Group = OnceLock<Box<[AtomicU64]>>;

/// One thread's histogram of one command.
#[derive(Debug, Default)]
pub struct Histogram {
    groups: OnceLock<Box<[Group; GROUPS]>>,
}

impl Histogram {
    /// Counts a duration. Only by the thread that owns the histogram.
    #[inline]
    pub fn record(&self, micros: u64) {
        let bucket = bucket_of(micros.saturating_mul(1000));
        let Some(group) = self.groups.get_or_init(Box::default).get(bucket / PER_POWER) else {
            return;
        };
        let counts = group.get_or_init(|| (0..PER_POWER).map(|_| AtomicU64::new(0)).collect());
        if let Some(count) = counts.get(bucket % PER_POWER) {
            add(count, 1);
        }
    }

    /// Forgets all.
    pub fn clear(&self) {
        for (_, count) in self.counts() {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// The counts that there are, each with its bucket.
    fn counts(&self) -> impl Iterator<Item = (usize, &AtomicU64)> {
        let groups = self.groups.get().into_iter().flat_map(|groups| groups.iter().enumerate());
        groups.flat_map(|(group, counts)| {
            let counts = counts.get().into_iter().flatten().enumerate();
            counts.map(move |(at, count)| (group * PER_POWER + at, count))
        })
    }
}

/// The sum of several threads' histograms.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
}

impl Distribution {
    /// Adds what a thread has counted.
    pub fn add(&mut self, histogram: &Histogram) {
        for (bucket, count) in histogram.counts() {
            self.counts.resize(BUCKETS, 0);
            let count = count.load(Ordering::Relaxed);
            self.total += count;
            if let Some(sum) = self.counts.get_mut(bucket) {
                *sum += count;
            }
        }
    }

    /// How many durations were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `percent` of all do not exceed, in nanoseconds.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded to a whole count, as stock does"
    )]
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = ((percent.clamp(0.0, 100.0) / 100.0) * self.total as f64 + 0.5) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        let (least, width) = span(found.unwrap_or(0));
        if percent == 0.0 { least } else { least + width - 1 }
    }

    /// How many durations are at most so many microseconds: a pair for each power of two at which that
    /// rises.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let (mut pairs, mut seen, mut from, mut level) = (Vec::new(), 0, 0, LEVEL_NS);
        while seen < self.total {
            let last = if level > LONGEST_NS { BUCKETS - 1 } else { bucket_of(level) };
            let step: u64 = self.counts.iter().take(last + 1).skip(from).sum();
            from = last + 1;
            seen += step;
            let (least, width) = span(last);
            if step > 0 {
                pairs.push(((least + width - 1) / 1000, seen));
            }
            level = level.saturating_mul(2);
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_documentation() {
        let histogram = Histogram::default();
        for micros in [0, 1, 5, 7, 30, 60, 61, 130, 200, 2_000_000] {
            histogram.record(micros);
        }
        let mut sum = Distribution::default();
        sum.add(&histogram);
        let expected = [(1, 2), (8, 4), (33, 5), (66, 7), (132, 8), (264, 9), (1_073_741, 10)];
        assert_eq!(sum.cumulative(), expected);
        assert_eq!(sum.total(), 10);
    }

    #[test]
    fn percentiles() {
        let histogram = Histogram::default();
        let mut sum = Distribution::default();
        sum.add(&histogram);
        assert_eq!(sum.percentile_ns(50.0), 0);
        for _ in 0..99 {
            histogram.record(1);
        }
        histogram.record(50_000);
        sum.add(&histogram);
        // The last bucket begins at 190 * 2^18.
        let rows =
            [(0.0, 1_000), (50.0, 1_003), (99.0, 1_003), (99.9, 50_069_503), (100.0, 50_069_503)];
        for (percent, nanos) in rows {
            assert_eq!(sum.percentile_ns(percent), nanos, "{percent}");
        }
        histogram.clear();
        let mut cleared = Distribution::default();
        cleared.add(&histogram);
        assert_eq!((cleared.total(), cleared.cumulative()), (0, Vec::new()));
    }

    #[test]
    fn a_value_lies_in_its_bucket() {
        let mut nanos = 1;
        while nanos <= LONGEST_NS {
            let bucket = bucket_of(nanos);
            let (least, width) = span(bucket);
            assert!(bucket < BUCKETS && least <= nanos && nanos < least + width, "{nanos}");
            assert!(width == 1 || width * 100 <= least, "{nanos}");
            nanos += 1 + nanos / 1000;
        }
    }
}
