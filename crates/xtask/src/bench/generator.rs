//! One thread that keeps many connections busy: each sends a batch, reads its replies, sends the next.
//!
//! Replies are only counted, errors end the run. A batch's latency is taken from before its write to
//! the last of its replies.

use super::CONNECTIONS;
use super::report::Sample;
use super::workload::{Requests, Workload};
use crate::failure::{Failure, Outcome, ensure};
use base::clock;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
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

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    awaited: usize,
    sent_us: u64,
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
    pub fn connect(
        port: u16,
        workload: Workload,
        pipeline: usize,
        keys: u64,
        seed: u64,
    ) -> Outcome<Generator> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS {
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
            requests: Requests::new(workload, keys, seed),
            pipeline,
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
        for at in 0..self.connections.len() {
            self.send(at)?;
        }
        let mut busy = self.connections.len();
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while busy > 0 {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let at = usize::try_from(event.data.u64())?;
                if self.receive(at)? {
                    if clock::monotonic_us() < end {
                        self.send(at)?;
                    } else {
                        busy -= 1;
                    }
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

    fn send(&mut self, at: usize) -> Outcome {
        self.batch.clear();
        self.requests.append(&mut self.batch, self.pipeline);
        let connection = &mut self.connections[at];
        connection.awaited = self.pipeline;
        connection.sent_us = clock::monotonic_us();
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
    while let Some(length) = reply_length(&bytes[used..])? {
        count += 1;
        used += length;
    }
    Ok((count, used))
}

fn reply_length(bytes: &[u8]) -> Outcome<Option<usize>> {
    let Some(line) = bytes.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    match bytes[0] {
        b'+' | b':' => Ok(Some(line + 1)),
        b'$' if bytes[1] != b'-' => {
            let digits = bytes[1..line].iter().filter(|byte| byte.is_ascii_digit());
            let body = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            let whole = line + 1 + body + 2;
            Ok((bytes.len() >= whole).then_some(whole))
        }
        _ => Err(Failure::new(format!(
            "the server answered `{}`",
            String::from_utf8_lossy(&bytes[..line]).trim_end()
        ))),
    }
}

/// Creates every key.
///
/// # Errors
/// When the server refuses.
pub fn fill(port: u16, keys: u64) -> Outcome {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let requests = Requests::new(Workload::Set, keys, 0);
    let (mut batch, mut unread) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    let mut next = 0;
    while next < keys {
        batch.clear();
        let upto = keys.min(next + FILL_BATCH);
        (next..upto).for_each(|number| requests.create(&mut batch, number));
        stream.write_all(&batch)?;
        let mut awaited = usize::try_from(2 * (upto - next))?;
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
        let rows: [(&[u8], (usize, usize)); 5] = [
            (b"", (0, 0)),
            (b"+OK\r\n:12\r\n", (2, 10)),
            (b"$3\r\nabc\r\n$3\r\nab", (1, 9)),
            (b"$0\r\n\r\n+O", (1, 6)),
            (b"$6", (0, 0)),
        ];
        for (bytes, expected) in rows {
            assert_eq!(count_replies(bytes).ok(), Some(expected));
        }
        assert!(count_replies(b"-ERR no\r\n").is_err());
        assert!(count_replies(b"$-1\r\n").is_err(), "a key that should exist is missing");
    }
}
