//! The slice that the scheduler gives a thread: those that clients wait for ask for short ones, savers for long ones.
//!
//! Linux 6.12 and later run whoever's slice ends first, and let nobody interrupt a slice but a thread of a shorter one
//! (EEVDF). A loop has little to do at a time; with the usual slice of some milliseconds it waits, once it
//! wakes, until a saver on its core has used up its own. Shares of the processor stay as they are.

use engine::placement::Slices;
use std::io;

/// The shortest slice that the kernel grants, in nanoseconds.
const SHORT_NS: u64 = 100_000;
/// The longest.
const LONG_NS: u64 = 100_000_000;

/// Asks for such slices for the calling thread, and usual ones for threads that it starts (at a nice value of
/// zero at least). Older kernels take no notice, and some containers forbid the call: all stays as it was then.
pub fn take_slices(slices: Slices) {
    let nanoseconds = match slices {
        Slices::Short => SHORT_NS,
        Slices::Long => LONG_NS,
    };
    if let Err(error) = set_slice(nanoseconds) {
        tracing::debug!("the scheduler's slices stay as they are: {error}");
    }
}

const THIS_THREAD: libc::pid_t = 0;
const NO_FLAGS: libc::c_uint = 0;

#[allow(unsafe_code, reason = "a system call that rustix does not offer")]
fn attributes() -> io::Result<libc::sched_attr> {
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
    if got == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code, reason = "a system call that rustix does not offer")]
fn set_slice(nanoseconds: u64) -> io::Result<()> {
    let mut attributes = attributes()?;
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
    use std::thread;

    /// Whether the kernel is one that knows slices of a thread's own.
    fn knows_slices() -> bool {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        version >= (6, 12)
    }

    #[test]
    fn a_thread_gets_the_slices_it_asks_for_and_keeps_its_share() {
        for asked in [SHORT_NS, LONG_NS] {
            let before = attributes().expect("every kernel tells them");
            if let Err(error) = set_slice(asked) {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
                return;
            }
            let after = attributes().expect("told before");
            assert_eq!(
                (after.sched_policy, after.sched_nice),
                (before.sched_policy, before.sched_nice)
            );
            if knows_slices() {
                assert_eq!(after.sched_runtime, asked);
                let started = thread::spawn(|| attributes().expect("told before").sched_runtime);
                let of_started = started.join().expect("ended");
                assert!(of_started != SHORT_NS && of_started != LONG_NS, "{of_started}");
            }
        }
    }
}
