//! One connection: its socket, what was read and not yet run, and what is to be sent.

use crate::pool::Pool;
use base::{Millis, Offset};
use conf::{ClassLimit, Settings};
use engine::Session;
use engine::client::Clients;
use resp::request::Parser;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

/// Bytes read from one socket in one turn, unless a large argument is on its way.
pub(crate) const READ_BYTES: usize = 16 << 10;
/// The most that is read at once while a large argument comes in.
const READ_BYTES_MAX: usize = 1 << 20;
/// An argument of this length or more gets room of its own.
const LARGE_BYTES: usize = 32 << 10;
/// With less room than this, more is made for a large argument: seldom, for that may move it.
const LARGE_ROOM_BYTES: usize = 128 << 10;
/// Bytes of output that count for no limit: what stock keeps beside its list of replies.
const REPLY_BYTES: usize = 1 << 10;
/// Below this, limits of output are looked at only when the peer does not take it.
const OUTPUT_CHECK_BYTES: usize = 16 << 10;
/// An input buffer that has grown beyond this shrinks to what was needed lately.
const GROWN_BYTES: usize = 32 << 10;
/// How long a connection is idle before its buffers are taken away, in milliseconds.
const IDLE_MS: u64 = 2_000;
/// A connection with more than this to be sent waits with its next requests until it has drained.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 16 << 20;

/// Why a connection does not go on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It does.
    None,
    /// A shard was taken, or clients are paused: tried again each turn.
    Parked,
    /// A reply comes later.
    Blocked,
    /// Its output must drain first.
    Draining,
}

/// One connection.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    pub(crate) session: Session,
    pub(crate) parser: Parser,
    /// Bytes read; those before `consumed` have been run.
    pub(crate) input: Vec<u8>,
    /// Up to here requests have been run.
    pub(crate) consumed: usize,
    /// Up to here requests have been parsed.
    pub(crate) parsed: usize,
    /// Bytes to be sent; those before `sent` are on their way.
    pub(crate) output: Vec<u8>,
    pub(crate) sent: usize,
    /// Bytes that the driver has taken and the socket has not, as far as we were told.
    pub(crate) in_flight: usize,
    pub(crate) hold: Hold,
    /// Nothing more is parsed until what is parsed has run (AUTH, HELLO, RESET).
    pub(crate) parse_held: bool,
    /// It is closed once its output is sent.
    pub(crate) closing: bool,
    /// It is closed at the end of the turn.
    pub(crate) dead: bool,
    /// The peer has sent its last byte, but some of what it sent has not run yet. Epoll does not
    /// watch it any more.
    pub(crate) ended: bool,
    /// A protocol error, told once what came before it is answered.
    pub(crate) fault: Option<Vec<u8>>,
    /// The driver tells of input, and of room in the socket.
    pub(crate) interest: (bool, bool),
    /// When it is to be looked at although nothing has happened, if it is blocked.
    pub(crate) look_at: Option<Millis>,
    /// It stands in the turn's list of connections to be parsed.
    pub(crate) queued: bool,
    /// It stands in the turn's list of connections to be written.
    pub(crate) dirty: bool,
    /// The tag of the replies that wait, once it is known (see `engine::Barrier`).
    pub(crate) tag: Option<Offset>,
    /// The last write whose reply was let go.
    pub(crate) passed: Offset,
    /// Since when its output is above the soft limit.
    pub(crate) soft_since: Option<Millis>,
    /// A request came in pieces: the input buffer stays until the connection is idle.
    pub(crate) keeps_input: bool,
    /// The most that was in the input buffer since the last housekeeping.
    input_peak: usize,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Bytes.
    Some(usize),
    /// Nothing now.
    Nothing,
    /// The connection is over.
    End,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd, session: Session) -> Connection {
        Connection {
            socket,
            session,
            parser: Parser::new(),
            input: Vec::new(),
            consumed: 0,
            parsed: 0,
            output: Vec::new(),
            sent: 0,
            in_flight: 0,
            hold: Hold::None,
            parse_held: false,
            closing: false,
            dead: false,
            ended: false,
            fault: None,
            interest: (true, false),
            look_at: None,
            queued: false,
            dirty: false,
            tag: None,
            passed: Offset(0),
            soft_since: None,
            keeps_input: false,
            input_peak: 0,
        }
    }

    /// Reads what is there, up to a limit.
    pub(crate) fn read(&mut self, pool: &mut Pool) -> Read {
        self.make_room(pool, READ_BYTES / 2);
        match recv(self.socket.as_fd(), spare_capacity(&mut self.input), RecvFlags::empty()) {
            Ok((0, _)) | Err(Errno::CONNRESET | Errno::PIPE) => Read::End,
            Ok((count, _)) => Read::Some(count),
            Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
            Err(_) => Read::End,
        }
    }

    /// Takes bytes that were read already.
    pub(crate) fn take_in(&mut self, bytes: &[u8], pool: &mut Pool) -> Read {
        self.make_room(pool, bytes.len());
        self.input.extend_from_slice(bytes);
        Read::Some(bytes.len())
    }

    /// Makes room for `least` bytes more, or for the large argument that is on its way.
    fn make_room(&mut self, pool: &mut Pool, least: usize) {
        if self.input.capacity() == 0 {
            self.input = pool.take(READ_BYTES);
        } else if self.consumed > 0 && self.consumed == self.input.len() {
            self.discard_consumed();
        }
        let room = self.input.capacity() - self.input.len();
        let lacking = self.lacking().map(|bytes| bytes.min(self.input.len().max(READ_BYTES_MAX)));
        if room < lacking.map_or(least, |bytes| bytes.min(LARGE_ROOM_BYTES)) {
            self.discard_consumed();
            match lacking {
                Some(bytes) => self.input.reserve_exact(bytes),
                None => self.input.reserve(self.input.len().clamp(READ_BYTES, READ_BYTES_MAX)),
            }
        }
    }

    /// How many bytes the large argument lacks that is on its way, its line end included.
    fn lacking(&self) -> Option<usize> {
        let (at, length) = self.parser.awaited().filter(|&(_, length)| length >= LARGE_BYTES)?;
        let end = self.parsed.saturating_add(at).saturating_add(length).saturating_add(2);
        Some(end.saturating_sub(self.input.len()).max(1))
    }

    /// Moves what has not been run to the front.
    fn discard_consumed(&mut self) {
        if self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.parsed -= self.consumed;
            self.consumed = 0;
        }
    }

    /// Whether nothing of it is to run any more: it ends, or somebody else has called for its end.
    pub(crate) fn ends(&self) -> bool {
        self.closing || self.dead || self.session.info.closing.load(Ordering::Relaxed)
    }

    /// Forgets what was parsed but has not run, so that it is parsed again.
    pub(crate) fn rewind(&mut self) {
        self.parsed = self.consumed;
        self.parser.reset();
        self.parse_held = false;
        self.fault = None;
    }

    /// The barrier lets its replies pass. True if there is more to be parsed: it stood still until now, or has
    /// ended, and is closed when all has run.
    pub(crate) fn goes_on_once_passed(&mut self) -> bool {
        let has_stood = self.tag.take().is_some();
        let has_more = has_stood && self.parsed < self.input.len();
        (has_more || self.ended) && self.hold == Hold::None && !self.queued && !self.closing
    }

    /// An empty request was passed over; it began at `start`. True if all before it has run.
    pub(crate) fn skip_empty(&mut self, start: usize) -> bool {
        let is_first = start == self.consumed;
        if is_first {
            self.consumed = self.parsed;
        }
        is_first
    }

    /// Sends what there is. An error means that the connection is over.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        let mut total = 0;
        while self.sent < self.output.len() {
            match send(self.socket.as_fd(), &self.output[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.sent += count;
                    total += count;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.discard_sent();
                    return Ok(total);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(total)
    }

    /// Gives the room of what has been sent back, for the output of a peer that is always a little
    /// behind is never empty. Moves at most as many bytes as were sent.
    fn discard_sent(&mut self) {
        if self.sent >= READ_BYTES && self.sent >= self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len() - self.sent + self.in_flight
    }

    /// Gives buffers that hold nothing back.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        if self.consumed == self.input.len() && self.parser.is_between_requests() {
            self.input_peak = self.input_peak.max(self.input.len());
            if self.keeps_input {
                self.input.clear();
            } else {
                pool.give(&mut self.input);
            }
            self.consumed = 0;
            self.parsed = 0;
        }
        if self.output.is_empty() {
            pool.give(&mut self.output);
        }
    }

    /// Whether the output is above the class's limits at `now`: the hard one, or the soft one for
    /// too long.
    pub(crate) fn exceeds_output_limit(&mut self, settings: &Settings, now: Millis) -> bool {
        let unsent = self.unsent().saturating_sub(REPLY_BYTES) as u64;
        if unsent == 0 {
            self.soft_since = None;
            return false;
        }
        let limits = settings.client_output_buffer_limit.get();
        let limit = self.session.info.output_limit(&limits);
        let ClassLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
        if hard_bytes > 0 && unsent > hard_bytes {
            return true;
        }
        if soft_bytes == 0 || unsent <= soft_bytes {
            self.soft_since = None;
            return false;
        }
        let since = *self.soft_since.get_or_insert(now);
        now.since(since).0 > soft_seconds * 1000
    }

    /// Whether there is so much to be sent that a limit may be exceeded.
    pub(crate) fn has_much_output(&self) -> bool {
        self.unsent() > OUTPUT_CHECK_BYTES
    }

    /// Gives room back that was not needed lately. Ten times a second.
    pub(crate) fn tidy(&mut self, pool: &mut Pool, now: Millis) {
        if self.input.capacity() == 0 {
            return;
        }
        let peak = std::mem::take(&mut self.input_peak).max(self.input.len());
        let last = Millis(self.session.info.last_interaction.load(Ordering::Relaxed));
        let is_idle = now.since(last).0 > IDLE_MS;
        if is_idle && self.input.is_empty() {
            pool.give(&mut self.input);
            self.keeps_input = false;
        } else if is_idle {
            self.input.shrink_to_fit();
        } else if self.input.capacity() > GROWN_BYTES && self.lacking().is_none() {
            self.input.shrink_to(peak.max(READ_BYTES));
        }
    }

    /// Bytes that the connection holds.
    pub(crate) fn memory(&self) -> usize {
        let buffers = self.input.capacity() + self.output.capacity() + self.in_flight;
        size_of::<Connection>() + buffers + self.session.held_bytes()
    }

    /// Writes what CLIENT LIST shows of the buffers.
    pub(crate) fn publish(&self, clients: &Clients) {
        let info = &self.session.info;
        if !self.dead {
            clients.set_memory(info, self.memory());
        }
        // A large argument stands alone in stock's buffer.
        let large = self.parser.awaited().filter(|&(_, length)| length >= LARGE_BYTES);
        let front = large.map_or(self.consumed, |(at, _)| self.parsed + at);
        info.query_buffer.store(self.input.len().saturating_sub(front), Ordering::Relaxed);
        info.query_buffer_free.store(self.input.capacity() - self.input.len(), Ordering::Relaxed);
        info.output_bytes.store(self.unsent(), Ordering::Relaxed);
        info.output_room.store(self.output.capacity(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::client::{Clients, Origin};
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    fn connection() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let session = Session::new(Clients::default().add(Origin::default()), true);
        (Connection::new(ours.into(), session), theirs)
    }

    #[test]
    fn a_peer_that_is_always_behind_costs_no_more_than_what_it_lacks() {
        const PIECE: usize = 1 << 20;
        let (mut connection, mut peer) = connection();
        let mut read = vec![0; PIECE];
        // Two pieces are always under way.
        connection.output.extend_from_slice(&vec![1; 2 * PIECE]);
        for _ in 0..50 {
            connection.output.extend_from_slice(&vec![1; PIECE]);
            let mut left = PIECE;
            while left > 0 {
                connection.write().unwrap();
                left -= peer.read(&mut read[..left]).unwrap();
            }
        }
        assert!(connection.unsent() > 0);
        assert!(connection.output.len() < 8 * PIECE, "{} bytes held", connection.output.len());
    }

    #[test]
    fn a_large_argument_gets_room_of_its_own_and_gives_it_back() {
        const LENGTH: usize = 3 << 20;
        let (mut connection, mut peer) = connection();
        let (mut pool, mut found) = (Pool::default(), resp::request::Arguments::new());
        let limits = resp::request::Limits { authenticated: true, bulk_bytes_max: LENGTH };
        let text = [format!("*1\r\n${LENGTH}\r\n").as_bytes(), &vec![b'v'; LENGTH]].concat();
        let (mut sent, mut moves, mut room) = (0, 0, 0);
        while connection.input.len() < text.len() {
            sent += peer.write(&text[sent..text.len().min(sent + (64 << 10))]).unwrap();
            assert!(matches!(connection.read(&mut pool), Read::Some(_)));
            moves += usize::from(connection.input.capacity() != room);
            room = connection.input.capacity();
            let progress = connection.parser.parse(&connection.input, &limits, &mut found);
            assert!(matches!(progress, Ok(resp::request::Progress::Incomplete { .. })));
        }
        assert!(moves < 10 && room <= text.len() + 2, "{moves} times, {room} bytes");
        let clients = Clients::default();
        connection.publish(&clients);
        assert_eq!(connection.session.info.query_buffer.load(Ordering::Relaxed), LENGTH);
        assert_eq!(clients.memory(), connection.memory());
        connection.dead = true;
        clients.set_memory(&connection.session.info, 0);
        connection.publish(&clients);
        assert_eq!(clients.memory(), 0);
        connection.tidy(&mut pool, Millis(u64::MAX));
        assert_eq!(connection.input.capacity(), text.len());
    }

    #[test]
    fn rewinding_keeps_what_has_not_run() {
        let (mut connection, _peer) = connection();
        connection.input.extend_from_slice(b"PING\r\nPING\r\n*2\r\n$4\r\nEC");
        (connection.consumed, connection.parsed) = (6, 12);
        connection.rewind();
        assert_eq!((connection.consumed, connection.parsed), (6, 6));
        connection.discard_consumed();
        assert_eq!((connection.consumed, connection.parsed), (0, 0));
        assert!(connection.input.starts_with(b"PING\r\n*2"));
        // Blank lines go with what stands before them.
        connection.parsed = 2;
        assert!(connection.skip_empty(0) && connection.consumed == 2);
        connection.parsed = 9;
        assert!(!connection.skip_empty(8) && connection.consumed == 2);
    }
}
