//! Waiting: an eventfd that ends another thread's sleep, and poll over a few descriptors.

use base::Millis;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Ends a sleep in [`wait`].
pub(super) struct Wake(OwnedFd);

impl Wake {
    pub(super) fn new() -> io::Result<Wake> {
        Ok(Wake(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    pub(super) fn wake(&self) {
        // A full counter means that the thread is awake already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Whether somebody has ended the next sleep; it is to be ended anew.
    #[cfg(test)]
    pub(super) fn take(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }

    fn clear(&self) {
        // Nothing to be read means that nobody has woken us.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// A descriptor to wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch<'a> {
    pub(super) fd: BorrowedFd<'a>,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// Waits until one of `watches` is ready, somebody wakes this thread, or the time is up. A descriptor
/// of which nothing is wanted is left out, errors and all.
pub(super) fn wait(wake: Option<&Wake>, watches: &[Watch<'_>], timeout: Millis) -> Vec<Ready> {
    let mut fds = Vec::with_capacity(watches.len() + 1);
    let mut places = Vec::with_capacity(watches.len());
    if let Some(wake) = wake {
        fds.push(PollFd::new(&wake.0, PollFlags::IN));
    }
    for (at, watch) in watches.iter().enumerate() {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, watch.read);
        flags.set(PollFlags::OUT, watch.write);
        if !flags.is_empty() {
            fds.push(PollFd::from_borrowed_fd(watch.fd, flags));
            places.push(at);
        }
    }
    let timeout = Timespec::try_from(Duration::from_millis(timeout.0))
        .unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let mut ready = vec![Ready::default(); watches.len()];
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => tracing::error!("poll: {error}"),
    }
    let own = usize::from(wake.is_some());
    for (fd, &at) in fds.iter().skip(own).zip(&places) {
        let events = fd.revents();
        let ended = events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        if let (Some(ready), Some(watch)) = (ready.get_mut(at), watches.get(at)) {
            ready.readable = watch.read && (events.contains(PollFlags::IN) || ended);
            ready.writable = watch.write && (events.contains(PollFlags::OUT) || ended);
        }
    }
    if let Some(wake) = wake {
        wake.clear();
    }
    ready
}
