//! One replica's connection.

use super::fan::Target;
use base::{Millis, Offset};
use conf::ClassLimit;
use engine::Node;
use engine::client::ClientInfo;
use oplog::{ReadError, Reader};
use resp::request::{Arguments, Limits, Parser, Progress};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes taken from the log at once.
const FILL_BYTES: usize = 256 << 10;
/// The log is read again when less than this is left to be sent.
const LOW_BYTES: usize = 64 << 10;
/// A replica that lacks more of the log does not keep up, and no reply waits for it.
const KEEPS_UP_BYTES: u64 = 1 << 20;
/// Bytes read from a replica at once.
const READ_BYTES: usize = 16 << 10;
/// Bytes of a request that is not complete; replicas send short ones.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// A replica.
pub(super) struct ReplicaLink {
    pub(super) info: Arc<ClientInfo>,
    pub(super) ip: String,
    socket: Arc<OwnedFd>,
    parser: Parser,
    arguments: Arguments,
    input: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// The cursor at the cut of its snapshot.
    pub(super) held: Option<Reader>,
    /// The cursor of its stream.
    pub(super) stream: Option<Reader>,
    /// A snapshot is being sent by another thread, which alone writes to the socket.
    pub(super) lent: Option<Arc<Target>>,
    progress: u64,
    /// It is closed once its output is sent.
    pub(super) closing: bool,
    soft_since: Option<Millis>,
    /// The replicas thread is told when the socket has room.
    is_watched: bool,
}

impl ReplicaLink {
    pub(super) fn new(
        node: &Node,
        info: Arc<ClientInfo>,
        socket: OwnedFd,
        unread: Vec<u8>,
    ) -> io::Result<ReplicaLink> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        if !info.unix_socket {
            sockopt::set_tcp_nodelay(&socket, !node.settings.repl_disable_tcp_nodelay.get())?;
        }
        info.replica.store(true, Ordering::Relaxed);
        let ip = info.address.rsplit_once(':').map_or("", |(ip, _)| ip);
        let ip = ip.trim_matches(['[', ']']).to_owned();
        Ok(ReplicaLink {
            info,
            ip,
            socket: Arc::new(socket),
            parser: Parser::new(),
            arguments: Arguments::new(),
            input: unread,
            out: Vec::new(),
            sent: 0,
            held: None,
            stream: None,
            lent: None,
            progress: 0,
            closing: false,
            soft_since: None,
            is_watched: false,
        })
    }

    /// Adds to what is sent.
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes that were taken from the log, or made here, and not sent yet.
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    /// The memory of its output buffer, in bytes: what that takes now, or is about to.
    pub(super) fn output_buffer_bytes(&self) -> usize {
        let least = if self.stream.is_some() { FILL_BYTES + LOW_BYTES } else { 0 };
        self.out.capacity().max(least)
    }

    /// Gives the socket to the thread that sends the snapshot, behind what is to be sent before it.
    pub(super) fn lend(&mut self) -> Arc<Target> {
        let before = self.out.split_off(self.sent);
        (self.out, self.sent) = (Vec::new(), 0);
        let target = Arc::new(Target::new(self.info.id, Arc::clone(&self.socket), before));
        self.progress = 0;
        self.lent = Some(Arc::clone(&target));
        target
    }

    /// Whether the snapshot has come further since this was last asked.
    pub(super) fn has_progressed(&mut self) -> bool {
        let Some(target) = &self.lent else { return false };
        let sent = target.sent();
        let further = sent != self.progress;
        self.progress = sent;
        further
    }

    /// Takes from the log what there is room for.
    pub(super) fn fill(&mut self) -> Result<(), ReadError> {
        if self.lent.is_some() || self.closing || self.unsent() >= LOW_BYTES {
            return Ok(());
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        self.out.drain(..self.sent);
        self.sent = 0;
        self.out.reserve_exact(FILL_BYTES + LOW_BYTES - self.out.len());
        stream.read(FILL_BYTES, &mut self.out).map(drop)
    }

    /// Sends what the socket takes; gives the number of bytes.
    pub(super) fn write(&mut self) -> io::Result<u64> {
        if self.lent.is_some() {
            return Ok(0);
        }
        let mut count = 0;
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(&*self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.sent += sent;
                    count += sent as u64;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.unsent() == 0 {
            self.out.clear();
            self.sent = 0;
        }
        self.info.total_out.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }

    /// Bytes of its stream that it has not been sent.
    pub(super) fn owed_bytes(&self) -> u64 {
        self.stream.as_ref().map_or(0, Reader::lag) + self.unsent() as u64
    }

    /// Bytes that the log keeps for this replica, and those to be sent.
    fn behind(&self) -> u64 {
        let reader = self.stream.as_ref().or(self.held.as_ref());
        reader.map_or(0, Reader::lag) + self.unsent() as u64
    }

    /// Whether it has fallen behind further than it may.
    pub(super) fn exceeds(&mut self, now: Millis, hard: u64, limits: &ClassLimit) -> bool {
        let behind = self.behind();
        self.info
            .output_bytes
            .store(usize::try_from(behind).unwrap_or(usize::MAX), Ordering::Relaxed);
        if behind > hard {
            return true;
        }
        if limits.soft_bytes == 0 || behind <= limits.soft_bytes {
            self.soft_since = None;
            return false;
        }
        let since = *self.soft_since.get_or_insert(now);
        now.since(since).0 > limits.soft_seconds * 1000
    }

    /// Up to where the kernel has been handed the log, if the replica keeps up: it takes what it is
    /// sent, and little is left to be sent.
    pub(super) fn handed(&self) -> Option<Offset> {
        let stream = self.stream.as_ref().filter(|_| self.wants_log())?;
        (stream.lag() <= KEEPS_UP_BYTES).then(|| stream.position())
    }

    /// Whether it waits for the log to move.
    pub(super) fn wants_log(&self) -> bool {
        self.stream.is_some() && self.lent.is_none() && !self.closing && self.unsent() == 0
    }

    /// Whether it has room for more of what was in the log at `seen`.
    pub(super) fn lacks(&self, seen: Offset) -> bool {
        self.wants_log() && self.stream.as_ref().is_some_and(|stream| stream.position() < seen)
    }

    fn awaits_room(&self) -> bool {
        self.lent.is_none() && self.unsent() > 0
    }

    /// Whether the replicas thread must look after its socket, and does not.
    pub(super) fn needs_watch(&self) -> bool {
        self.awaits_room() && !self.is_watched
    }

    /// Its socket, and whether room in it is waited for; until this is asked again it counts as watched.
    pub(super) fn watch(&mut self) -> (Arc<OwnedFd>, bool) {
        self.is_watched = self.awaits_room();
        (Arc::clone(&self.socket), self.is_watched)
    }

    /// Reads what there is and hands the requests in it to `take`.
    pub(super) fn read(&mut self, now: Millis, mut take: impl FnMut(&[&[u8]])) -> io::Result<()> {
        self.input.reserve(READ_BYTES);
        match recv(&*self.socket, spare_capacity(&mut self.input), RecvFlags::empty()) {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((count, _)) => {
                self.info.total_in.fetch_add(count as u64, Ordering::Relaxed);
                self.info.last_interaction.store(now.0, Ordering::Relaxed);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut at = 0;
        loop {
            let front = self.input.get(at..).unwrap_or_default();
            match self.parser.parse(front, &Limits::default(), &mut self.arguments) {
                Ok(Progress::Complete { consumed }) => {
                    take(&self.arguments.iter(front).collect::<Vec<_>>());
                    at += consumed;
                }
                Ok(Progress::Empty { consumed }) => at += consumed,
                Ok(Progress::Incomplete { .. }) => break,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        self.input.drain(..at);
        if self.input.len() > INPUT_BYTES_MAX {
            return Err(io::Error::other("a replica's request exceeds all bounds"));
        }
        Ok(())
    }

    /// Ends the connection, for the thread too that it may be lent to.
    pub(super) fn end(&self) {
        if let Some(target) = &self.lent {
            target.give_up();
            // The peer may have closed it already.
            let _ = shutdown(&*self.socket, Shutdown::Both);
        }
    }
}
