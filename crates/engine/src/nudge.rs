//! What wakes a thread of the program that waits for something of the engine's.

use std::fmt;
use std::sync::OnceLock;

/// A call that is set once, at the start; before, there is nobody to wake.
#[derive(Default)]
pub(crate) struct Nudge(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl Nudge {
    /// Sets what is called. It must be quick and take no lock.
    pub(crate) fn set(&self, nudge: Box<dyn Fn() + Send + Sync>) {
        let _first_wins = self.0.set(nudge);
    }

    pub(crate) fn call(&self) {
        if let Some(nudge) = self.0.get() {
            nudge();
        }
    }
}

impl fmt::Debug for Nudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nudge").finish_non_exhaustive()
    }
}
