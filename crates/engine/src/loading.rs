//! How far the load of a start has come: for INFO, and as a line in the log now and then.

use base::Millis;
use std::sync::atomic::{AtomicU64, Ordering};

/// Between two lines.
const SAY_EVERY: Millis = Millis(5_000);

/// A load under way.
#[derive(Debug, Default)]
pub struct Loading {
    /// Unix seconds at which it began.
    began_s: AtomicU64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    /// Monotonic milliseconds of the last line.
    said_ms: AtomicU64,
}

/// What is known of a load at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// Unix seconds at which it began.
    pub began_s: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Bytes that were read.
    pub loaded_bytes: u64,
    /// Hundredths of a percent.
    pub basis_points: u64,
    /// Seconds that are left; `None` while nobody can tell.
    pub eta_s: Option<u64>,
}

impl Loading {
    /// A load of `total_bytes` begins.
    pub fn begin(&self, total_bytes: u64) {
        self.began_s.store(base::clock::unix().0 / 1000, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.loaded_bytes.store(0, Ordering::Relaxed);
        self.said_ms.store(base::clock::monotonic().0, Ordering::Relaxed);
    }

    /// So many bytes were read. Called by the thread that loads.
    pub fn note(&self, loaded_bytes: u64) {
        self.loaded_bytes.store(loaded_bytes, Ordering::Relaxed);
        let now = base::clock::monotonic();
        if now.since(Millis(self.said_ms.load(Ordering::Relaxed))) < SAY_EVERY {
            return;
        }
        self.said_ms.store(now.0, Ordering::Relaxed);
        let LoadProgress { basis_points, eta_s, .. } = self.progress();
        let left = eta_s.map_or_else(String::new, |seconds| format!(", {seconds} seconds left"));
        tracing::info!("Loading: {} %{left}", basis_points / 100);
    }

    /// What is known.
    pub fn progress(&self) -> LoadProgress {
        let elapsed_s =
            (base::clock::unix().0 / 1000).saturating_sub(self.began_s.load(Ordering::Relaxed));
        progress(
            self.began_s.load(Ordering::Relaxed),
            elapsed_s,
            self.total_bytes.load(Ordering::Relaxed),
            self.loaded_bytes.load(Ordering::Relaxed),
        )
    }
}

fn progress(began_s: u64, elapsed_s: u64, total_bytes: u64, loaded_bytes: u64) -> LoadProgress {
    let left = u128::from(total_bytes.saturating_sub(loaded_bytes));
    let eta = (u128::from(elapsed_s) * left).checked_div(u128::from(loaded_bytes));
    let share = (u128::from(loaded_bytes) * 10_000).checked_div(u128::from(total_bytes));
    LoadProgress {
        began_s,
        total_bytes,
        loaded_bytes,
        basis_points: share.and_then(|share| u64::try_from(share).ok()).unwrap_or(0),
        eta_s: eta.and_then(|eta| u64::try_from(eta).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_what_was_done() {
        for ((elapsed_s, total, loaded), expected) in [
            ((10, 1000, 250), (2500, Some(30))),
            ((10, 1000, 1000), (10_000, Some(0))),
            ((10, 1000, 0), (0, None)),
            ((0, 0, 0), (0, None)),
            ((u64::MAX, u64::MAX, 1), (0, None)),
        ] {
            let found = progress(7, elapsed_s, total, loaded);
            assert_eq!((found.basis_points, found.eta_s), expected, "{loaded} of {total}");
        }
    }
}
