//! The two clocks of the machine, the only place that reads them.
//!
//! Durations are measured with the boot-time monotonic clock (it counts suspends); instants that are
//! stored or shown (key expiry, LASTSAVE, TIME) use the Unix clock.

use crate::Millis;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static START_US: LazyLock<u64> = LazyLock::new(|| micros(ClockId::Boottime));

/// Microseconds that [`pass`] has let go by.
static PASSED_US: AtomicU64 = AtomicU64::new(0);

/// Lets time go by at once, on both clocks and for the whole process: tests of what depends on time need
/// not wait for it.
pub fn pass(span: Millis) {
    PASSED_US.fetch_add(span.0 * 1000, Ordering::Relaxed);
}

/// A clock's reading. About 20 ns; no system call.
fn micros(clock: ClockId) -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    let read_us = tv_sec.unsigned_abs() * 1_000_000 + tv_nsec.unsigned_abs() / 1000;
    read_us + PASSED_US.load(Ordering::Relaxed)
}

/// Milliseconds since this process first asked. Never goes back, and counts suspends.
pub fn monotonic() -> Millis {
    Millis(monotonic_us() / 1000)
}

/// Microseconds since this process first asked. Never goes back, and counts suspends.
pub fn monotonic_us() -> u64 {
    let start = *START_US;
    micros(ClockId::Boottime).saturating_sub(start)
}

/// Microseconds that the calling thread has run on a processor. A system call.
pub fn thread_cpu_us() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    tv_sec.unsigned_abs() * 1_000_000 + tv_nsec.unsigned_abs() / 1000
}

/// Milliseconds since the Unix epoch.
pub fn unix() -> Millis {
    Millis(unix_us() / 1000)
}

/// Microseconds since the Unix epoch.
pub fn unix_us() -> u64 {
    micros(ClockId::Realtime)
}
