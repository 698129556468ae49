//! The load: threads, each with a loop over its connections, that keep requests under way.
//!
//! Every connection sends a batch, reads its replies, and sends the next, until all batches are given
//! out. A generator that costs as much as its server measures itself, so a batch is bytes that were made
//! before, sent by one call and read by one; replies are counted in place; nothing is allocated.

use crate::batch::Batch;
use crate::histogram::Histogram;
use crate::scan::{ScanError, Scanner};
use crate::target::Target;
use base::random::Random;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use thiserror::Error;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Events taken at once.
const EVENTS_MAX: usize = 256;
/// How long a loop sleeps before it looks whether another has failed.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Why a test ends before its time.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    /// What the server sent.
    #[error(transparent)]
    Reply(#[from] ScanError),
    /// The server closed a connection.
    #[error("Server closed the connection")]
    Closed,
    /// A system call failed.
    #[error("Error: {0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for LoadError {
    fn from(error: Errno) -> LoadError {
        match error {
            Errno::CONNRESET | Errno::PIPE => LoadError::Closed,
            other => LoadError::Io(other.into()),
        }
    }
}

/// What the threads of a test share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Requests that were given out.
    issued: AtomicU64,
    /// Requests to be given out.
    wanted: u64,
    /// Requests that were answered, and the sum of their latencies.
    pub(crate) answered: AtomicU64,
    pub(crate) latency_us: AtomicU64,
    failed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(wanted: u64) -> Shared {
        let zero = || AtomicU64::new(0);
        let (issued, answered, latency_us) = (zero(), zero(), zero());
        Shared { issued, wanted, answered, latency_us, failed: AtomicBool::new(false) }
    }
}

/// What a thread has to do.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) target: &'a Target,
    pub(crate) batch: Batch,
    pub(crate) pipeline: u64,
    pub(crate) clients: usize,
    pub(crate) keeps_alive: bool,
    /// Numbers below this are drawn.
    pub(crate) keys: u64,
    pub(crate) seed: u64,
}

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    batch: Batch,
    /// What of the greeting and of the batch is sent.
    greeted: usize,
    sent: usize,
    /// Replies to the greeting, and to the batch, that are still to come.
    courtesies: u64,
    awaited: u64,
    began_us: u64,
    scanner: Scanner,
    /// Epoll tells when there is room to send.
    wants_room: bool,
}

/// Runs a thread's part. `start` is passed when every thread has its connections.
///
/// # Errors
/// What went wrong first.
pub(crate) fn run(
    plan: &Plan<'_>,
    shared: &Shared,
    start: &Barrier,
) -> Result<Histogram, LoadError> {
    let made = Load::new(plan, shared);
    start.wait();
    let result = made.and_then(Load::run);
    if result.is_err() {
        shared.failed.store(true, Ordering::Release);
    }
    result
}

struct Load<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Connections with requests under way.
    busy: usize,
    buffer: Vec<u8>,
    random: Random,
    latencies: Histogram,
}

/// Opens connections and lets them idle for ever.
///
/// # Errors
/// What went wrong first.
pub(crate) fn idle(plan: &Plan<'_>) -> Result<(), LoadError> {
    let shared = Shared::new(0);
    let mut load = Load::new(plan, &shared)?;
    let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
    loop {
        events.clear();
        wait(&load.epoll, &mut events)?;
        // Nothing was asked, so what comes says why the connection ends.
        for event in &events {
            load.receive(usize::try_from(event.data.u64()).unwrap_or(usize::MAX))?;
        }
    }
}

fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> Result<(), LoadError> {
    match epoll::wait(epoll, spare_capacity(events), Some(&NAP)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan<'a>, shared: &'a Shared) -> Result<Load<'a>, LoadError> {
        let mut load = Load {
            plan,
            shared,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(plan.clients),
            busy: 0,
            buffer: Vec::with_capacity(READ_BYTES),
            random: Random::from_seed(plan.seed),
            latencies: Histogram::default(),
        };
        for at in 0..plan.clients {
            let connection = load.open(at)?;
            load.connections.push(connection);
        }
        Ok(load)
    }

    fn open(&self, at: usize) -> Result<Connection, LoadError> {
        let socket = self.plan.target.connect()?;
        let data = epoll::EventData::new_u64(at as u64);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        Ok(Connection {
            socket,
            batch: self.plan.batch.clone(),
            greeted: 0,
            sent: 0,
            courtesies: self.plan.target.greeting.1,
            awaited: 0,
            began_us: 0,
            scanner: Scanner::default(),
            wants_room: false,
        })
    }

    fn run(mut self) -> Result<Histogram, LoadError> {
        for at in 0..self.connections.len() {
            let now_us = base::clock::monotonic_us();
            self.begin(at, now_us)?;
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        while self.busy > 0 && !self.shared.failed.load(Ordering::Relaxed) {
            events.clear();
            wait(&self.epoll, &mut events)?;
            for event in &events {
                let at = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                let flags = event.flags;
                if flags.intersects(epoll::EventFlags::OUT) {
                    self.flush(at)?;
                }
                if flags.intersects(!epoll::EventFlags::OUT) {
                    self.receive(at)?;
                }
            }
        }
        Ok(self.latencies)
    }

    /// Sends the next batch, if there is one left.
    fn begin(&mut self, at: usize, now_us: u64) -> Result<(), LoadError> {
        let pipeline = self.plan.pipeline;
        if self.shared.issued.fetch_add(pipeline, Ordering::Relaxed) >= self.shared.wanted {
            return Ok(());
        }
        self.busy += 1;
        let connection = &mut self.connections[at];
        connection.batch.draw(&mut self.random, self.plan.keys);
        connection.sent = 0;
        connection.awaited = pipeline;
        connection.began_us = now_us;
        self.flush(at)
    }

    /// Sends what is to be sent, as far as the socket takes it.
    fn flush(&mut self, at: usize) -> Result<(), LoadError> {
        let greeting = &self.plan.target.greeting.0;
        let connection = &mut self.connections[at];
        loop {
            let greets = connection.greeted < greeting.len();
            let left = if greets {
                &greeting[connection.greeted..]
            } else {
                &connection.batch.bytes()[connection.sent..]
            };
            if left.is_empty() || connection.awaited == 0 {
                break;
            }
            match send(&connection.socket, left, SendFlags::NOSIGNAL) {
                Ok(count) if greets => connection.greeted += count,
                Ok(count) => connection.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return watch(&self.epoll, connection, at, true),
                Err(error) => return Err(error.into()),
            }
        }
        watch(&self.epoll, connection, at, false)
    }

    fn receive(&mut self, at: usize) -> Result<(), LoadError> {
        let connection = &mut self.connections[at];
        self.buffer.clear();
        let room = spare_capacity(&mut self.buffer);
        match recv(&connection.socket, room, RecvFlags::empty()) {
            Ok((0, _)) => return Err(LoadError::Closed),
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut replies = connection.scanner.count(&self.buffer)?;
        let courteous = replies.min(connection.courtesies);
        connection.courtesies -= courteous;
        replies = (replies - courteous).min(connection.awaited);
        if replies == 0 {
            return Ok(());
        }
        let now_us = base::clock::monotonic_us();
        let latency_us = now_us.saturating_sub(connection.began_us);
        self.latencies.record(latency_us, replies);
        self.shared.answered.fetch_add(replies, Ordering::Relaxed);
        self.shared.latency_us.fetch_add(latency_us * replies, Ordering::Relaxed);
        connection.awaited -= replies;
        if connection.awaited > 0 {
            return Ok(());
        }
        self.busy -= 1;
        if !self.plan.keeps_alive {
            // The set forgets a socket that is closed.
            self.connections[at] = self.open(at)?;
        }
        self.begin(at, now_us)
    }
}

/// Lets epoll tell when there is room to send, or no more.
fn watch(
    epoll: &OwnedFd,
    connection: &mut Connection,
    at: usize,
    wants_room: bool,
) -> Result<(), LoadError> {
    if connection.wants_room != wants_room {
        connection.wants_room = wants_room;
        let mut interest = epoll::EventFlags::IN;
        interest.set(epoll::EventFlags::OUT, wants_room);
        epoll::modify(epoll, &connection.socket, epoll::EventData::new_u64(at as u64), interest)?;
    }
    Ok(())
}
