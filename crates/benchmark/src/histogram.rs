//! Latencies, counted in buckets that are as wide as their third significant digit.
//!
//! A value stands in a row of 1024 buckets; each row's are twice as wide as those of the row before. The
//! narrowest are 8 microseconds wide, and the first row has twice as many:
//!
//! ```text
//! 0 .. 16383 us        2048 buckets of 8 us
//! 16384 .. 32767 us    1024 buckets of 16 us
//! 32768 .. 65535 us    1024 buckets of 32 us    and so on, up to 3 s
//! ```
//!
//! These are the buckets, and the edges that are printed, of redis-benchmark 7.0.15 (observed), so that the
//! figures of both can be compared line by line.

/// Bits of the narrowest bucket.
const UNIT_BITS: u32 = 3;
/// Bits of the place in the first row.
const ROW_BITS: u32 = 11;
/// Buckets of every later row.
const HALF: u64 = 1 << (ROW_BITS - 1);
/// Longer latencies count as this.
const MAX_US: u64 = 3_000_000;
/// Rows behind the first that `MAX_US` needs.
const ROWS: u64 = 8;

/// Counted latencies.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let len = usize::try_from((ROWS + 2) * HALF).unwrap_or(0);
        Histogram { counts: vec![0; len], total: 0 }
    }
}

/// The bucket of a latency.
fn bucket(us: u64) -> usize {
    let us = us.min(MAX_US);
    let row = (u64::BITS - us.leading_zeros()).saturating_sub(UNIT_BITS + ROW_BITS);
    let at = u64::from(row) * HALF + (us >> (UNIT_BITS + row));
    usize::try_from(at).unwrap_or(0)
}

/// The least latency of a bucket, and how many there are.
fn edges(bucket: usize) -> (u64, u64) {
    let at = bucket as u64;
    let row = (at / HALF).saturating_sub(1);
    let width = 1 << (u64::from(UNIT_BITS) + row);
    ((at - row * HALF) * width, width)
}

fn last_of(bucket: usize) -> u64 {
    let (first, width) = edges(bucket);
    first + width - 1
}

impl Histogram {
    /// Counts `count` latencies of `us` microseconds.
    pub(crate) fn record(&mut self, us: u64, count: u64) {
        if let Some(held) = self.counts.get_mut(bucket(us)) {
            *held += count;
            self.total += count;
        }
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        for (held, more) in self.counts.iter_mut().zip(&other.counts) {
            *held += more;
        }
        self.total += other.total;
    }

    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// The mean, in microseconds; every latency counts as the middle of its bucket.
    pub(crate) fn mean_us(&self) -> f64 {
        let middle = |(bucket, count): (usize, u64)| {
            let (first, width) = edges(bucket);
            to_float(first + width / 2) * to_float(count)
        };
        self.filled().map(middle).sum::<f64>() / to_float(self.total)
    }

    /// The least, rounded down to its bucket.
    pub(crate) fn min_us(&self) -> u64 {
        self.filled().next().map_or(0, |(bucket, _)| edges(bucket).0)
    }

    /// The greatest, rounded up to its bucket.
    pub(crate) fn max_us(&self) -> u64 {
        self.filled().last().map_or(0, |(bucket, _)| last_of(bucket))
    }

    /// What so many percent stay below, and how many those are.
    fn at(&self, percent: f64) -> (u64, u64) {
        let mut seen = 0;
        for (bucket, count) in self.filled() {
            seen += count;
            if 100.0 * to_float(seen) / to_float(self.total) >= percent {
                return (last_of(bucket), seen);
            }
        }
        (self.max_us(), seen)
    }

    /// What so many percent stay below, in microseconds.
    pub(crate) fn percentile_us(&self, percent: f64) -> u64 {
        self.at(percent).0
    }

    /// Percentiles, each half as far from all as the one before: percent, microseconds, how many.
    pub(crate) fn halves(&self) -> Vec<(f64, u64, u64)> {
        let (mut lines, mut percent) = (Vec::new(), 0.0);
        if self.total == 0 {
            return lines;
        }
        loop {
            let (us, seen) = self.at(percent);
            lines.push((percent, us, seen));
            if seen == self.total {
                lines.push((100.0, us, seen));
                return lines;
            }
            percent += (100.0 - percent) / 2.0;
        }
    }

    /// How many stay below steps of 0.1 ms up to 2.1 ms, then of 1 ms; steps that add nothing are left
    /// out, but for the first.
    pub(crate) fn steps(&self) -> Vec<(f64, u64, u64)> {
        let (mut lines, mut level, mut before) = (Vec::new(), 100, None);
        if self.total == 0 {
            return lines;
        }
        loop {
            let upto = bucket(level);
            let seen: u64 = self.counts.iter().take(upto + 1).sum();
            if before != Some(seen) {
                lines.push((100.0 * to_float(seen) / to_float(self.total), last_of(upto), seen));
            }
            before = Some(seen);
            if seen == self.total {
                return lines;
            }
            level += if level < 2_100 { 100 } else { 1_000 };
        }
    }
}

/// As a float, for shares and means; counts here are far below 2^53.
pub(crate) fn to_float(count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let float = count as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_those_of_stock() {
        // Latency, and the edge that redis-benchmark prints for it.
        for (us, printed) in [
            (100, 103),
            (200, 207),
            (400, 407),
            (2_100, 2_103),
            (16_383, 16_383),
            (16_384, 16_399),
            (20_100, 20_111),
            (2_999_999, 3_000_319),
            (u64::MAX, 3_000_319),
        ] {
            assert_eq!(last_of(bucket(us)), printed, "{us}");
        }
        for us in 0..MAX_US {
            let (first, width) = edges(bucket(us));
            assert!((first..first + width).contains(&us), "{us}");
        }
    }

    #[test]
    fn figures() {
        let mut histogram = Histogram::default();
        histogram.record(500, 1);
        assert_eq!(histogram.halves(), [(0.0, 503, 1), (100.0, 503, 1)]);
        assert_eq!(histogram.steps(), [(0.0, 103, 0), (100.0, 503, 1)]);
        assert!((histogram.mean_us() - 500.0).abs() < 0.1);
        assert_eq!((histogram.min_us(), histogram.max_us()), (496, 503));
        let mut other = Histogram::default();
        other.record(3_000, 3);
        histogram.merge(&other);
        assert_eq!(histogram.halves()[..2], [(0.0, 503, 1), (50.0, 3_007, 4)]);
        let steps = histogram.steps();
        assert_eq!(steps, [(0.0, 103, 0), (25.0, 503, 1), (100.0, 3_103, 4)]);
        assert_eq!(histogram.percentile_us(25.0), 503);
        assert!(
            Histogram::default().halves().is_empty() && Histogram::default().steps().is_empty()
        );
    }
}
