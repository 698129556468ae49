//! The two clocks of the machine, the only place that reads them.
//!
//! Durations are measured with the boot-time monotonic clock (it counts suspends); instants that are
//! stored or shown (key expiry, LASTSAVE, TIME) use the Unix clock.

use crate::Millis;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static START: LazyLock<Instant> = LazyLock::new(now_instant);

#[allow(clippy::disallowed_methods, reason = "this is the sanctioned reader of the clock")]
fn now_instant() -> Instant {
    Instant::now()
}

/// Milliseconds since this process first asked. Never goes back.
pub fn monotonic() -> Millis {
    Millis(u64::try_from(now_instant().duration_since(*START).as_millis()).unwrap_or(u64::MAX))
}

/// Microseconds since this process first asked. Never goes back.
pub fn monotonic_us() -> u64 {
    u64::try_from(now_instant().duration_since(*START).as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since the Unix epoch.
pub fn unix() -> Millis {
    Millis(unix_us() / 1000)
}

/// Microseconds since the Unix epoch, zero if the clock stands before it.
#[allow(clippy::disallowed_methods, reason = "this is the sanctioned reader of the clock")]
pub fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
