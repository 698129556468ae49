//! Processor time: that of the server, from /proc, and our own.

use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// Nanoseconds that a process has run so far: the sum over its threads of what the scheduler counted.
/// `None` if there is no such process, or none that may be looked at.
///
/// Source: Linux, Documentation/scheduler/sched-stats.rst: the first number of schedstat.
pub(crate) fn of_process_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may have ended since.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        sum += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// Nanoseconds that this process has run so far.
pub(crate) fn own_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + rest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let began = (of_process_ns(std::process::id()).unwrap(), own_ns());
        let mut sum = 0_u64;
        while own_ns() - began.1 < 20_000_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 1);
        }
        assert!(of_process_ns(std::process::id()).unwrap() > began.0);
        assert_eq!(of_process_ns(u32::MAX), None);
    }
}
