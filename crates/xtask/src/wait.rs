//! Waiting for something another process does: look, pause, look again, give up at a limit.
//!
//! This is the only place of the tasks that sleeps. A pause is never taken for proof: what is waited
//! for is looked at.

use crate::failure::{Failure, Outcome};
use base::clock;
use std::thread;
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Between two looks when the time is measured.
const LOOK_CLOSELY_EVERY: Duration = Duration::from_millis(2);

/// Looks until `look` finds something, for at most `limit_ms`.
///
/// # Errors
/// That `what` did not come about in time.
pub fn until<T>(what: &str, limit_ms: u64, look: impl FnMut() -> Option<T>) -> Outcome<T> {
    look_every(LOOK_EVERY, what, limit_ms, look)
}

/// As [`until`], looking so often that the time it took can be told.
///
/// # Errors
/// That `what` did not come about in time.
pub fn closely<T>(what: &str, limit_ms: u64, look: impl FnMut() -> Option<T>) -> Outcome<T> {
    look_every(LOOK_CLOSELY_EVERY, what, limit_ms, look)
}

fn look_every<T>(
    step: Duration,
    what: &str,
    limit_ms: u64,
    mut look: impl FnMut() -> Option<T>,
) -> Outcome<T> {
    let start = clock::monotonic();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if clock::monotonic().since(start).0 > limit_ms {
            return Err(Failure::new(format!("waited {limit_ms} ms in vain: {what}")));
        }
        pause(step);
    }
}

/// Lets `span` pass: pacing of a load or of a fault, not a way to wait for somebody.
pub fn pause(span: Duration) {
    thread::sleep(span);
}
