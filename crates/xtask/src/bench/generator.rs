//! One thread that keeps many connections busy: each sends a batch, reads its replies, sends the next,
//! at once or when its time has come.
//!
//! Replies are only counted, errors end the run. A batch's latency is taken from before its write, or
//! from when it should have been written, to the last of its replies.

use super::report::Sample;
use super::workload::{Data, Requests, Template, Workload};
use crate::failure::{Failure, Outcome, ensure};
use base::clock;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Events taken at once.
const EVENTS: usize = 64;
/// Latencies above this many microseconds count as this.
const LATENCY_MAX_US: usize = 1_000_000;
/// Commands of one batch while filling.
const FILL_BATCH: u64 = 500;
/// The deepest array in an array.
const DEPTH_MAX: usize = 4;

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    awaited: usize,
    sent_us: u64,
}

/// What a generator asks for, and how.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What it asks for.
    pub workload: Workload,
    /// Over how many connections.
    pub connections: usize,
    /// Commands sent at once.
    pub pipeline: usize,
    /// Keys of each kind.
    pub keys: u64,
    /// Where the drawing of keys begins.
    pub seed: u64,
}

/// The generator with its connections.
pub struct Generator {
    connections: Vec<Connection>,
    epoll: rustix::fd::OwnedFd,
    requests: Requests,
    pipeline: usize,
    buffer: Vec<u8>,
    batch: Vec<u8>,
    replies: u64,
    latencies: Vec<u32>,
}

impl Generator {
    /// Connects to the server at `port`.
    ///
    /// # Errors
    /// When it does not accept the connections.
    pub fn connect(port: u16, load: &Load) -> Outcome<Generator> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(load.connections);
        for number in 0..load.connections {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(u64::try_from(number)?);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            connections.push(Connection { stream, unread: Vec::new(), awaited: 0, sent_us: 0 });
        }
        Ok(Generator {
            connections,
            epoll,
            requests: Requests::new(&load.workload, load.keys, load.seed),
            pipeline: load.pipeline,
            buffer: vec![0; READ_BYTES],
            batch: Vec::new(),
            replies: 0,
            latencies: vec![0; LATENCY_MAX_US + 1],
        })
    }

    /// Keeps all connections busy for `span_ms`, then waits for what is still to come. Returns how
    /// many microseconds that took.
    ///
    /// # Errors
    /// When a connection breaks or an error is answered.
    pub fn run(&mut self, span_ms: u64) -> Outcome<u64> {
        let start = clock::monotonic_us();
        let end = start + span_ms * 1000;
        self.run_while(|| clock::monotonic_us() < end)?;
        Ok(clock::monotonic_us() - start)
    }

    /// Lets each connection send `batches` batches or so, so that their sum is right, and waits for all.
    ///
    /// # Errors
    /// As [`Generator::run`].
    pub fn run_batches(&mut self, batches: u64) -> Outcome {
        let mut left = batches.saturating_sub(u64::try_from(self.connections.len())?);
        self.run_while(|| {
            let more = left > 0;
            left = left.saturating_sub(1);
            more
        })
    }

    fn run_while(&mut self, mut sends_more: impl FnMut() -> bool) -> Outcome {
        for at in 0..self.connections.len() {
            self.send(at, clock::monotonic_us())?;
        }
        let mut busy = self.connections.len();
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while busy > 0 {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let at = usize::try_from(event.data.u64())?;
                if self.receive(at)? {
                    if sends_more() {
                        self.send(at, clock::monotonic_us())?;
                    } else {
                        busy -= 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends `rate` batches a second for `span_ms`, evenly, each over a connection that is free; what
    /// finds none free waits for one, and that counts as latency. Never sleeps. Returns how many
    /// microseconds it took.
    ///
    /// # Errors
    /// As [`Generator::run`].
    pub fn run_paced(&mut self, span_ms: u64, rate: u64) -> Outcome<u64> {
        let start = clock::monotonic_us();
        let total = rate * span_ms / 1000;
        let due = |number: u64| start + number * 1_000_000 / rate.max(1);
        let mut free: Vec<usize> = (0..self.connections.len()).collect();
        let (mut sent, mut answered) = (0, 0);
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while answered < total {
            while sent < total && due(sent) <= clock::monotonic_us() {
                let Some(at) = free.pop() else { break };
                self.send(at, due(sent))?;
                sent += 1;
            }
            events.clear();
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&now))?;
            for event in &events {
                let at = usize::try_from(event.data.u64())?;
                if self.receive(at)? {
                    free.push(at);
                    answered += 1;
                }
            }
        }
        Ok(clock::monotonic_us() - start)
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        self.replies = 0;
        self.latencies.fill(0);
    }

    /// The figures since [`Generator::forget`].
    pub fn sample(&self, elapsed_us: u64, cpu_ns: u64) -> Sample {
        Sample {
            operations: self.replies,
            elapsed_us,
            cpu_ns,
            p50_us: self.percentile(50),
            p99_us: self.percentile(99),
        }
    }

    fn percentile(&self, percent: u64) -> u64 {
        let all: u64 = self.latencies.iter().map(|&count| u64::from(count)).sum();
        let mut seen = 0;
        for (us, &count) in (0..).zip(&self.latencies) {
            seen += u64::from(count);
            if seen * 100 >= all * percent {
                return us;
            }
        }
        0
    }

    fn send(&mut self, at: usize, due_us: u64) -> Outcome {
        self.batch.clear();
        self.requests.append(&mut self.batch, self.pipeline);
        let connection = &mut self.connections[at];
        connection.awaited = self.pipeline;
        connection.sent_us = due_us;
        // A batch is far smaller than a socket's buffer, and nothing else is under way.
        Ok(connection.stream.write_all(&self.batch)?)
    }

    /// Reads what is there. True when the batch is answered.
    fn receive(&mut self, at: usize) -> Outcome<bool> {
        let connection = &mut self.connections[at];
        let length = match connection.stream.read(&mut self.buffer) {
            Ok(0) => return Err(Failure::new("the server closed a connection")),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let fresh = &self.buffer[..length];
        let answered = if connection.unread.is_empty() {
            let (answered, used) = count_replies(fresh)?;
            connection.unread.extend_from_slice(&fresh[used..]);
            answered
        } else {
            connection.unread.extend_from_slice(fresh);
            let (answered, used) = count_replies(&connection.unread)?;
            connection.unread.drain(..used);
            answered
        };
        ensure(answered <= connection.awaited, || "more replies than requests".to_owned())?;
        connection.awaited -= answered;
        self.replies += u64::try_from(answered)?;
        if connection.awaited > 0 {
            return Ok(false);
        }
        let took = clock::monotonic_us().saturating_sub(connection.sent_us);
        let took = usize::try_from(took)?.min(LATENCY_MAX_US);
        self.latencies[took] += 1;
        Ok(true)
    }
}

/// How many whole replies `bytes` begins with, and their length.
fn count_replies(bytes: &[u8]) -> Outcome<(usize, usize)> {
    let (mut count, mut used) = (0, 0);
    while let Some(length) = reply_length(&bytes[used..], DEPTH_MAX)? {
        count += 1;
        used += length;
    }
    Ok((count, used))
}

/// The length of the reply that `bytes` begins with, if it is whole.
fn reply_length(bytes: &[u8], depth: usize) -> Outcome<Option<usize>> {
    let Some(line) = bytes.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let number = || {
        let digits = bytes[1..line].iter().filter(|byte| byte.is_ascii_digit());
        digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
    };
    match bytes[0] {
        b'+' | b':' => Ok(Some(line + 1)),
        b'$' if bytes[1] != b'-' => {
            let whole = line + 1 + number() + 2;
            Ok((bytes.len() >= whole).then_some(whole))
        }
        b'*' if bytes[1] != b'-' && depth > 0 => {
            let mut used = line + 1;
            for _ in 0..number() {
                let Some(length) = reply_length(&bytes[used..], depth - 1)? else {
                    return Ok(None);
                };
                used += length;
            }
            Ok(Some(used))
        }
        _ => Err(Failure::new(format!(
            "the server answered `{}`",
            String::from_utf8_lossy(&bytes[..line]).trim_end()
        ))),
    }
}

/// Sends the request of `data` once for each number below its count, or else `keys`.
///
/// # Errors
/// When the server refuses.
pub fn fill(port: u16, data: Data, keys: u64) -> Outcome {
    let template = Template::new(data.request);
    fill_with(port, &template, data.count.unwrap_or(keys))
}

/// Sends the request of `template` once for each number below `count`.
///
/// # Errors
/// When the server refuses.
pub fn fill_with(port: u16, template: &Template, count: u64) -> Outcome {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut batch, mut unread) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    let mut next = 0;
    while next < count {
        batch.clear();
        let upto = count.min(next + FILL_BATCH);
        (next..upto).for_each(|number| template.append(&mut batch, || number));
        stream.write_all(&batch)?;
        let mut awaited = usize::try_from(upto - next)?;
        while awaited > 0 {
            let length = stream.read(&mut buffer)?;
            ensure(length > 0, || "the server closed the connection".to_owned())?;
            unread.extend_from_slice(&buffer[..length]);
            let (answered, used) = count_replies(&unread)?;
            unread.drain(..used);
            awaited = awaited.saturating_sub(answered);
        }
        next = upto;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_replies_are_counted() {
        let rows: [(&[u8], (usize, usize)); 7] = [
            (b"", (0, 0)),
            (b"+OK\r\n:12\r\n", (2, 10)),
            (b"$3\r\nabc\r\n$3\r\nab", (1, 9)),
            (b"$0\r\n\r\n+O", (1, 6)),
            (b"$6", (0, 0)),
            (b"*2\r\n$1\r\na\r\n:1\r\n*0\r\n+", (2, 19)),
            (b"*2\r\n$1\r\na\r\n:1", (0, 0)),
        ];
        for (bytes, expected) in rows {
            assert_eq!(count_replies(bytes).ok(), Some(expected));
        }
        assert!(count_replies(b"-ERR no\r\n").is_err());
        assert!(count_replies(b"$-1\r\n").is_err(), "a key that should exist is missing");
    }
}
