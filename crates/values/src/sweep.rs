//! Where the removal of ended elements of a table stands.
//!
//! `soonest` is a lower bound of the next expiry, made exact by every full pass, so that nobody sweeps in
//! vain.

use base::Millis;

/// No element expires.
const NEVER: Millis = Millis(u64::MAX);

/// A pass over a table by its cursor, some buckets at a time.
pub(crate) struct Sweep {
    /// No element ends before this.
    soonest: Millis,
    cursor: u64,
    /// The least expiry that this pass has met, or that was set meanwhile.
    gathered: Millis,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep { soonest: NEVER, cursor: 0, gathered: NEVER }
    }
}

impl Sweep {
    /// A time before which no element ends.
    #[inline]
    pub(crate) fn soonest(&self) -> Millis {
        self.soonest
    }

    /// Notes when an element ends; `is_first` if none did before, whose passes are over then.
    pub(crate) fn note(&mut self, at: Option<Millis>, is_first: bool) {
        if let Some(at) = at {
            if is_first {
                *self = Sweep::default();
            }
            self.soonest = self.soonest.min(at);
            self.gathered = self.gathered.min(at);
        }
    }

    /// Visits at most `buckets` buckets, going on where the last call stopped. `drain` is given the cursor
    /// and what to ask whether an element has ended, and gives the next cursor. True if the pass is over:
    /// then `soonest` is exact.
    pub(crate) fn run(
        &mut self,
        buckets: usize,
        mut drain: impl FnMut(u64, &mut Gathered<'_>) -> u64,
    ) -> bool {
        for _ in 0..buckets {
            if self.cursor == 0 {
                self.gathered = NEVER;
            }
            self.cursor = drain(self.cursor, &mut Gathered(&mut self.gathered));
            if self.cursor == 0 {
                self.soonest = self.gathered;
                return true;
            }
        }
        false
    }
}

/// The least expiry that a pass has met.
pub(crate) struct Gathered<'a>(&'a mut Millis);

impl Gathered<'_> {
    /// Whether an element that ends at `at` has ended by `now`; if not, it is reckoned with.
    pub(crate) fn has_ended(&mut self, at: Option<Millis>, now: Millis) -> bool {
        let at = at.unwrap_or(NEVER);
        let ended = at <= now;
        if !ended {
            *self.0 = at.min(*self.0);
        }
        ended
    }
}
