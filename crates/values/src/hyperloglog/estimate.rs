//! Ertl's estimator: the cardinality from how many registers hold what.

use super::{REGISTERS, RUN_BITS};

/// `1 / (2 ln 2)`.
const ALPHA: f64 = 0.721_347_520_444_481_7;
#[allow(clippy::cast_precision_loss, reason = "a power of two")]
const M: f64 = REGISTERS as f64;

/// How many registers hold what.
#[derive(Clone, Debug)]
pub(super) struct Histogram([u32; 64]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; 64])
    }
}

impl Histogram {
    /// Counts `len` registers that hold `run`.
    pub(super) fn count(&mut self, run: u8, len: usize) {
        if let Some(count) = self.0.get_mut(usize::from(run)) {
            *count += u32::try_from(len).unwrap_or(0);
        }
    }

    fn of(&self, run: u32) -> f64 {
        self.0.get(run as usize).copied().map_or(0.0, f64::from)
    }

    /// The cardinality. Rounded as stock does, to the nearest, halves away from zero.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number, and casts of floats saturate"
    )]
    pub(super) fn cardinality(&self) -> u64 {
        let mut z = M * tau((M - self.of(RUN_BITS + 1)) / M);
        for run in (1..=RUN_BITS).rev() {
            z += self.of(run);
            z *= 0.5;
        }
        z += M * sigma(self.of(0) / M);
        (ALPHA * M * M / z).round() as u64
    }
}

/// Repeats a step until it changes nothing any more.
#[allow(clippy::float_cmp, reason = "the series ends when a term no longer counts")]
fn converge(mut z: f64, mut step: impl FnMut() -> f64) -> f64 {
    loop {
        let before = z;
        z += step();
        if before == z {
            return z;
        }
    }
}

#[allow(clippy::float_cmp, reason = "the value at exactly one is a limit")]
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let mut y = 1.0;
    converge(x, || {
        x *= x;
        let term = x * y;
        y += y;
        term
    })
}

#[allow(clippy::float_cmp, reason = "the values at exactly zero and one are limits")]
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let mut y = 1.0;
    converge(1.0 - x, || {
        x = x.sqrt();
        y *= 0.5;
        -((1.0 - x).powi(2) * y)
    }) / 3.0
}
