//! The slice that the scheduler gives a thread: those that clients wait for ask for short ones.
//!
//! Linux 6.12 and later run whoever's slice ends first, and let nobody interrupt a slice but a thread of a shorter one
//! (EEVDF). A loop has little to do at a time; with the usual slice of some milliseconds it waits, once it
//! wakes, until a saver on its core has used up its own. Shares of the processor stay as they are.

use std::io;

/// The shortest slice that the kernel grants, in nanoseconds.
const SLICE_NS: u64 = 100_000;

/// Asks for short slices for the calling thread, which runs for a fraction of a millisecond at a time, and usual
/// ones for threads that it starts (at a nice value of zero at least). Older kernels take no notice, and some
/// containers forbid the call: all stays as it was then.
pub fn take_short_slices() {
    if let Err(error) = set_slice(SLICE_NS) {
        tracing::debug!("the scheduler's slices stay as they are: {error}");
    }
}

#[allow(unsafe_code, reason = "system calls that rustix does not offer")]
fn set_slice(nanoseconds: u64) -> io::Result<()> {
    const THIS_THREAD: libc::pid_t = 0;
    const NO_FLAGS: libc::c_uint = 0;
    let mut attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (size, place) = (attributes.size, &raw mut attributes);
    // SAFETY: the kernel writes `size` bytes at most, as many as the structure has.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, place, size, NO_FLAGS) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    attributes.sched_runtime = nanoseconds;
    attributes.sched_flags = u64::try_from(libc::SCHED_FLAG_RESET_ON_FORK).unwrap_or(0);
    let place = &raw const attributes;
    // SAFETY: the kernel reads as many bytes as the structure's `size` says, which it has.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, place, NO_FLAGS) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, thread};

    /// What the kernel says of the calling thread, as far as it has such a line.
    fn scheduled(name: &str) -> Option<u64> {
        let text = fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().next_back()?.parse().ok()
    }

    #[test]
    fn a_thread_gets_short_slices_and_keeps_its_share() {
        let (slice, share) = (scheduled("se.slice"), scheduled("se.load.weight"));
        take_short_slices();
        // Kernels without slices of one's own have no such line, or leave it as it is.
        let short = scheduled("se.slice");
        assert!(short == slice || short == Some(SLICE_NS), "{short:?}");
        let started = thread::spawn(|| scheduled("se.slice"));
        assert_eq!(started.join().unwrap_or(None), slice);
        assert_eq!(scheduled("se.load.weight"), share);
    }
}
