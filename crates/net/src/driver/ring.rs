//! `io_uring`: one receive per connection that goes on by itself, and the sends of a turn in one call.
//!
//! A connection's receive takes buffers of [`Buffers`], which the kernel and we pass to each other; the
//! loop copies what came and gives the buffer back. A connection's output is handed over whole and
//! belongs to the driver until the kernel says that it is sent; one send per connection is under way.
//! A turn makes one system call, which submits its sends and waits for one event more than there are
//! sends. Should one of them not end at once, that is one too many; so the kernel is told to be content
//! with less after [`PATIENCE_US`] (Linux 6.12; with an older one a turn makes two calls, one to send and
//! one to wait).
//!
//! What the kernel does is told by a word that was given with the request:
//!
//! ```text
//! 63..56 kind   55..32 generation of the slot   31..0 slot, listener, or send
//! ```
//!
//! Invariants: a request names a descriptor only until it is submitted, and descriptors are closed after
//! that; memory of a request is not freed before its end was told; what was told of an older generation
//! concerns nobody.
//!
//! Needs Linux 6.1 (deferred task work); a container may forbid it.

mod buffers;

use super::{Driver, Event, Sent};
use crate::connection::Connection;
use buffers::Buffers;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Requests that are collected before they must be submitted.
const SUBMISSIONS: u32 = 1024;
/// Ends of requests that the kernel can tell before we look.
const COMPLETIONS: u32 = 8192;
/// Attempts to find room for a request.
const PUSHES_MAX: usize = 1000;
/// Attempts to hand a connection over before its bytes under way are given up.
const RELEASE_TRIES_MAX: usize = 1000;

/// How long a wait expects sends to end, in microseconds.
const PATIENCE_US: u32 = 100;

const WAKE: u64 = 1;
const LISTEN: u64 = 2;
const RECEIVE: u64 = 3;
const SEND: u64 = 4;
const CANCEL: u64 = 5;

/// Error numbers of the kernel that mean something here.
const ENOBUFS: i32 = 105;
const ECANCELED: i32 = 125;
const POLLIN: u32 = 1;
const NOSIGNAL: i32 = 0x4000;
const WAITALL: i32 = 0x100;

/// The word of a request.
fn word(kind: u64, generation: u32, index: usize) -> u64 {
    kind << 56 | u64::from(generation & 0xff_ffff) << 32 | (index as u64 & 0xffff_ffff)
}

/// Kind, generation and index of a word.
fn parts(word: u64) -> (u64, u32, usize) {
    let generation = u32::try_from(word >> 32 & 0xff_ffff).unwrap_or(0);
    (word >> 56, generation, usize::try_from(word & 0xffff_ffff).unwrap_or(usize::MAX))
}

/// A connection, or a listener.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    generation: u32,
    fd: RawFd,
    /// Its input is wanted.
    reads: bool,
    /// Its receive, or its poll, is under way.
    is_armed: bool,
    /// Its send that is under way.
    send: Option<usize>,
    /// It is being handed over: its send is not to go on.
    is_leaving: bool,
}

impl Place {
    /// The same slot for somebody else, or for nobody.
    fn renew(&mut self, fd: RawFd, reads: bool) {
        let generation = self.generation.wrapping_add(1) & 0xff_ffff;
        *self = Place { generation, fd, reads, ..Place::default() };
    }
}

#[derive(Debug)]
struct Sending {
    slot: usize,
    generation: u32,
    bytes: Vec<u8>,
    done: usize,
}

/// A ring and what is under way in it.
pub(crate) struct Ring {
    io: IoUring,
    buffers: Buffers,
    places: Vec<Place>,
    listeners: Vec<Place>,
    wake: RawFd,
    /// Sends that were begun since the last submission, if the kernel can wait for their end.
    begun: Option<usize>,
    sends: Vec<Option<Sending>>,
    free_sends: Vec<usize>,
    /// What was told and not asked for yet; events of connections with their generation.
    events: VecDeque<(Event, u32)>,
    sent: VecDeque<Sent>,
    ended: Vec<cqueue::Entry>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("places", &self.places.len()).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring of this thread's own.
    pub(crate) fn open() -> io::Result<Ring> {
        let io = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::register(&io)?;
        let begun = io.params().is_feature_min_timeout().then_some(0);
        Ok(Ring {
            io,
            buffers,
            places: Vec::new(),
            listeners: Vec::new(),
            wake: -1,
            begun,
            sends: Vec::new(),
            free_sends: Vec::new(),
            events: VecDeque::new(),
            sent: VecDeque::new(),
            ended: Vec::new(),
        })
    }

    /// Adds a request; all that it points to lives until its end is told.
    fn push(&mut self, entry: &squeue::Entry) {
        for _ in 0..PUSHES_MAX {
            // SAFETY: (1) descriptors of requests stay open until they are submitted, since `forget` and
            // `release` submit before the caller may close one; (2) the only memory that a request points
            // to is that of a `Sending`, which stays in `sends` until the kernel has told its end, and
            // is leaked with the ring; buffers of receives belong to `Buffers`, which is never freed.
            #[allow(unsafe_code, reason = "the kernel is given addresses")]
            let pushed = unsafe { self.io.submission().push(entry) };
            if pushed.is_ok() {
                return;
            }
            // If that fails, so will the wait that follows, which ends the loop.
            let _ = self.submit();
        }
        tracing::error!("io_uring takes no more requests");
    }

    fn submit(&mut self) -> io::Result<()> {
        self.begun = self.begun.map(|_| 0);
        match self.io.submit() {
            Ok(_) => Ok(()),
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn arm(&mut self, slot: usize) {
        let Some(place) = self.places.get_mut(slot).filter(|place| !place.is_armed) else { return };
        place.is_armed = true;
        let (fd, told) = (Fd(place.fd), word(RECEIVE, place.generation, slot));
        self.push(&opcode::RecvMulti::new(fd, buffers::GROUP).build().user_data(told));
    }

    fn arm_listener(&mut self, at: usize) {
        let Some(place) = self.listeners.get_mut(at).filter(|place| !place.is_armed) else {
            return;
        };
        place.is_armed = true;
        let (fd, told) = (Fd(place.fd), word(LISTEN, place.generation, at));
        self.push(&opcode::PollAdd::new(fd, POLLIN).build().user_data(told));
    }

    fn arm_wake(&mut self) {
        self.push(&opcode::PollAdd::new(Fd(self.wake), POLLIN).build().user_data(word(WAKE, 0, 0)));
    }

    fn cancel(&mut self, told: u64) {
        self.push(&opcode::AsyncCancel::new(told).build().user_data(word(CANCEL, 0, 0)));
    }

    /// Sends what is left of a send.
    fn push_send(&mut self, at: usize) {
        let Some(Some(sending)) = self.sends.get(at) else { return };
        let Some(fd) = self.places.get(sending.slot).map(|place| place.fd) else { return };
        let left = sending.bytes.get(sending.done..).unwrap_or_default();
        let len = u32::try_from(left.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(fd), left.as_ptr(), len).flags(NOSIGNAL | WAITALL);
        self.push(&entry.build().user_data(word(SEND, 0, at)));
    }

    /// Takes what the kernel has told.
    fn reap(&mut self) {
        let mut ended = std::mem::take(&mut self.ended);
        ended.extend(self.io.completion());
        for entry in ended.drain(..) {
            self.take(&entry);
        }
        self.ended = ended;
    }

    fn take(&mut self, entry: &cqueue::Entry) {
        let (kind, generation, index) = parts(entry.user_data());
        match kind {
            WAKE => {
                self.events.push_back((Event::Wake, 0));
                self.arm_wake();
            }
            LISTEN => {
                let place = self.listeners.get_mut(index);
                let Some(place) = place.filter(|place| place.generation == generation) else {
                    return;
                };
                place.is_armed = false;
                self.events.push_back((Event::Accept(index), 0));
                self.arm_listener(index);
            }
            RECEIVE => self.take_received(entry, generation, index),
            SEND => self.take_sent(entry.result(), index),
            _ => {}
        }
    }

    fn take_received(&mut self, entry: &cqueue::Entry, generation: u32, slot: usize) {
        let buffer = cqueue::buffer_select(entry.flags());
        let goes_on = cqueue::more(entry.flags());
        let place = self.places.get_mut(slot).filter(|place| place.generation == generation);
        let Some(place) = place else {
            return self.give_back(buffer);
        };
        place.is_armed &= goes_on;
        let reads = place.reads;
        match (usize::try_from(entry.result()), buffer) {
            (Ok(len), Some(buffer)) if len > 0 => {
                self.events.push_back((Event::Received { slot, buffer, len }, generation));
            }
            (result, buffer) => {
                self.give_back(buffer);
                let is_passing = [-ENOBUFS, -ECANCELED].contains(&entry.result());
                if result.is_ok() || !is_passing {
                    self.events.push_back((Event::End { slot }, generation));
                    return;
                }
            }
        }
        if reads && !goes_on {
            self.arm(slot);
        }
    }

    fn give_back(&mut self, buffer: Option<u16>) {
        if let Some(buffer) = buffer {
            self.buffers.recycle(buffer);
        }
    }

    fn take_sent(&mut self, result: i32, at: usize) {
        let Some(Some(sending)) = self.sends.get_mut(at) else { return };
        let place = self.places.get_mut(sending.slot);
        let place = place.filter(|place| place.generation == sending.generation);
        if let Ok(count) = usize::try_from(result) {
            sending.done += count;
            let is_short = count > 0 && sending.done < sending.bytes.len();
            if is_short && place.as_ref().is_some_and(|place| !place.is_leaving) {
                return self.push_send(at);
            }
        }
        if let Some(place) = place
            && let Some(Some(sending)) = self.sends.get_mut(at).map(Option::take)
        {
            place.send = None;
            let whole = sending.done == sending.bytes.len();
            let error = || io::Error::from_raw_os_error(-result.min(-1));
            let result = if whole { Ok(()) } else { Err(error()) };
            let Sending { slot, bytes, done, .. } = sending;
            self.sent.push_back(Sent { slot, bytes, done, result });
        } else if let Some(sending) = self.sends.get_mut(at) {
            *sending = None;
        }
        self.free_sends.push(at);
    }

    /// Ends what is under way for a connection, once everything that names its descriptor is submitted.
    fn end_requests(&mut self, slot: usize) {
        let Some(&place) = self.places.get(slot) else { return };
        if place.is_armed {
            self.cancel(word(RECEIVE, place.generation, slot));
        }
        if let Some(at) = place.send {
            self.cancel(word(SEND, 0, at));
        }
    }
}

/// Whether the call may simply be made again.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut};
    // ETIME has no kind of its own.
    const ETIME: i32 = 62;
    matches!(error.kind(), Interrupted | ResourceBusy | TimedOut)
        || error.raw_os_error() == Some(ETIME)
}

impl Driver for Ring {
    fn wait(&mut self, timeout_ms: u64) -> io::Result<()> {
        let waits = self.events.is_empty() && self.sent.is_empty();
        let timeout_ms = if waits { timeout_ms } else { 0 };
        let nanoseconds = u32::try_from(timeout_ms % 1000 * 1_000_000).unwrap_or(0);
        let timeout = Timespec::new().sec(timeout_ms / 1000).nsec(nanoseconds);
        let mut arguments = SubmitArgs::new().timespec(&timeout);
        let begun = self.begun.as_mut().map_or(0, std::mem::take);
        if begun > 0 && waits && timeout_ms > 0 {
            arguments = arguments.min_wait_usec(PATIENCE_US);
        }
        let wanted = if waits { 1 + begun } else { 1 };
        match self.io.submitter().submit_with_args(wanted, &arguments) {
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        self.reap();
        Ok(())
    }

    fn next_event(&mut self) -> Option<Event> {
        loop {
            let (event, generation) = self.events.pop_front()?;
            let (Event::Received { slot, .. } | Event::End { slot }) = event else {
                return Some(event);
            };
            // Its connection may be gone since.
            if self.places.get(slot).is_some_and(|place| place.generation == generation) {
                return Some(event);
            }
            if let Event::Received { buffer, .. } = event {
                self.buffers.recycle(buffer);
            }
        }
    }

    fn watch_wake(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.wake = fd.as_raw_fd();
        self.arm_wake();
        Ok(())
    }

    fn listen(&mut self, at: usize, fd: BorrowedFd<'_>) -> io::Result<()> {
        if self.listeners.len() <= at {
            self.listeners.resize_with(at + 1, Place::default);
        }
        self.listeners[at].renew(fd.as_raw_fd(), true);
        self.arm_listener(at);
        Ok(())
    }

    fn stop_listening(&mut self, at: usize, _fd: BorrowedFd<'_>) -> bool {
        let Some(&place) = self.listeners.get(at).filter(|place| place.reads) else { return false };
        self.listeners[at].renew(-1, false);
        if place.is_armed {
            self.cancel(word(LISTEN, place.generation, at));
        }
        // The caller may close the descriptor now. What could not be submitted ends in an error.
        let _ = self.submit();
        true
    }

    fn add(&mut self, slot: usize, fd: BorrowedFd<'_>) -> io::Result<()> {
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, Place::default);
        }
        self.places[slot].renew(fd.as_raw_fd(), true);
        self.arm(slot);
        Ok(())
    }

    fn watch(
        &mut self,
        slot: usize,
        _fd: BorrowedFd<'_>,
        reads: bool,
        _wants_room: bool,
    ) -> io::Result<()> {
        let Some(place) = self.places.get_mut(slot) else { return Ok(()) };
        let (before, generation) = (place.reads, place.generation);
        place.reads = reads;
        match (before, reads) {
            (false, true) => self.arm(slot),
            (true, false) if self.places[slot].is_armed => {
                self.cancel(word(RECEIVE, generation, slot));
            }
            _ => {}
        }
        Ok(())
    }

    fn ignore(&mut self, slot: usize, fd: BorrowedFd<'_>) {
        // That a receive cannot be ended is no reason to keep its connection.
        let _ = self.watch(slot, fd, false, false);
    }

    fn forget(&mut self, slot: usize, _fd: BorrowedFd<'_>) {
        self.end_requests(slot);
        // The descriptor is closed next; what could not be submitted ends in an error.
        let _ = self.submit();
        if let Some(place) = self.places.get_mut(slot) {
            place.renew(-1, false);
        }
    }

    fn release(&mut self, slot: usize, connection: &mut Connection) {
        let fd = connection.socket.as_fd();
        self.ignore(slot, fd);
        if let Some(place) = self.places.get_mut(slot) {
            place.is_leaving = true;
        }
        self.end_requests(slot);
        let is_over = |place: &Place| !place.is_armed && place.send.is_none();
        for _ in 0..RELEASE_TRIES_MAX {
            if self.places.get(slot).is_none_or(is_over) || self.io.submit_and_wait(1).is_err() {
                break;
            }
            self.reap();
        }
        let is_its =
            |event: &Event| matches!(event, Event::Received { slot: of, .. } if *of == slot);
        let (its, others) =
            std::mem::take(&mut self.events).into_iter().partition(|e| is_its(&e.0));
        self.events = others;
        let its: VecDeque<(Event, u32)> = its;
        for (event, _) in its {
            if let Event::Received { buffer, len, .. } = event {
                connection.input.extend_from_slice(self.buffers.bytes(buffer, len));
                self.buffers.recycle(buffer);
            }
        }
        if let Some(at) = self.sent.iter().position(|sent| sent.slot == slot)
            && let Some(mut sent) = self.sent.remove(at)
        {
            sent.bytes.drain(..sent.done);
            sent.bytes.append(&mut connection.output);
            connection.output = sent.bytes;
        }
        connection.in_flight = 0;
        if let Some(place) = self.places.get_mut(slot) {
            place.renew(-1, false);
        }
    }

    fn bytes(&self, buffer: u16, len: usize) -> &[u8] {
        self.buffers.bytes(buffer, len)
    }

    fn recycle(&mut self, buffer: u16) {
        self.buffers.recycle(buffer);
    }

    fn send(&mut self, slot: usize, connection: &mut Connection) -> io::Result<usize> {
        let Some(place) = self.places.get_mut(slot) else { return Ok(0) };
        if place.send.is_some() || connection.output.is_empty() {
            return Ok(0);
        }
        let bytes = std::mem::take(&mut connection.output);
        let (len, generation) = (bytes.len(), place.generation);
        connection.in_flight = len;
        let at = self.free_sends.pop().unwrap_or_else(|| {
            self.sends.push(None);
            self.sends.len() - 1
        });
        place.send = Some(at);
        self.sends[at] = Some(Sending { slot, generation, bytes, done: 0 });
        self.push_send(at);
        self.begun = self.begun.map(|begun| begun + 1);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.begun.is_some() || self.io.submission().is_empty() {
            return Ok(());
        }
        self.submit()?;
        self.reap();
        Ok(())
    }

    fn next_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel ends requests some time after the ring is closed.
        std::mem::take(&mut self.sends).into_iter().flatten().for_each(std::mem::forget);
    }
}

#[cfg(test)]
mod tests;
