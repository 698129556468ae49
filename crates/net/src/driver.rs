//! What moves bytes between sockets and a loop: epoll, or `io_uring` where it is wanted and allowed.
//!
//! A loop is told of [`Event`]s and hands output over; whether a socket is read when it is ready or has
//! been read already, and when a send happens, is the driver's business. Both tell of everything by the
//! slot of a connection. Between two calls of `wait` the loop calls `flush` once.

mod ready;
mod ring;

use crate::connection::Connection;
use conf::IoBackend;
use std::io;
use std::os::fd::BorrowedFd;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Another thread wants the loop.
    Wake,
    /// A listener has connections.
    Accept(usize),
    /// A connection's socket is ready.
    Ready {
        slot: usize,
        /// There is something to be read.
        readable: bool,
        /// It can be written to.
        writable: bool,
        /// It can no longer be written to.
        gone: bool,
    },
    /// Bytes of a connection are in a buffer of the driver, which gets it back by `recycle`.
    Received { slot: usize, buffer: u16, len: usize },
    /// A connection's peer has sent its last byte, or is gone.
    End { slot: usize },
}

/// The end of a send that was under way.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) slot: usize,
    /// The buffer, to be used again.
    pub(crate) bytes: Vec<u8>,
    /// How much of it the socket has taken.
    pub(crate) done: usize,
    pub(crate) result: io::Result<()>,
}

/// What moves bytes.
pub(crate) trait Driver {
    /// Waits until something happens, at most `timeout_ms`.
    fn wait(&mut self, timeout_ms: u64) -> io::Result<()>;

    /// The next thing that has happened.
    fn next_event(&mut self) -> Option<Event>;

    /// Tells of `fd`, the loop's wake-up descriptor. Once.
    fn watch_wake(&mut self, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Tells of connections at listener `at`.
    fn listen(&mut self, at: usize, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Tells of that listener no more; false if it did not before.
    fn stop_listening(&mut self, at: usize, fd: BorrowedFd<'_>) -> bool;

    /// Tells of a new connection's input.
    fn add(&mut self, slot: usize, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Tells of input if `reads`, of room in the socket if `wants_room`.
    fn watch(
        &mut self,
        slot: usize,
        fd: BorrowedFd<'_>,
        reads: bool,
        wants_room: bool,
    ) -> io::Result<()>;

    /// Tells of nothing any more; what is being sent goes on.
    fn ignore(&mut self, slot: usize, fd: BorrowedFd<'_>);

    /// Forgets a connection whose socket is about to be closed.
    fn forget(&mut self, slot: usize, fd: BorrowedFd<'_>);

    /// Forgets a connection whose socket goes to somebody else. What was read is in its input
    /// afterwards, what was not sent in its output.
    fn release(&mut self, slot: usize, connection: &mut Connection);

    /// The bytes of a buffer.
    fn bytes(&self, buffer: u16, len: usize) -> &[u8];

    /// Takes a buffer back.
    fn recycle(&mut self, buffer: u16);

    /// Sends a connection's output, or begins to. How many bytes it has taken.
    ///
    /// # Errors
    /// The connection is over.
    fn send(&mut self, slot: usize, connection: &mut Connection) -> io::Result<usize>;

    /// Carries out what was begun without waiting, if the next wait does not do it as well.
    fn flush(&mut self) -> io::Result<()>;

    /// The next send that has ended.
    fn next_sent(&mut self) -> Option<Sent>;
}

/// The driver that is wanted. If it is not to be had, `tells` says so in the log, and epoll does it.
pub(crate) fn open(wanted: IoBackend, tells: bool) -> io::Result<Box<dyn Driver>> {
    if wanted != IoBackend::Epoll {
        match ring::Ring::open() {
            Ok(ring) => return Ok(Box::new(ring)),
            Err(error) if tells => {
                tracing::warn!("io_uring cannot be used here ({error}); epoll is used instead");
            }
            Err(_) => {}
        }
    }
    Ok(Box::new(ready::Ready::open()?))
}
