//! A small blocking client: one connection, requests out, replies in.
//!
//! For tests, `redoubt cli`, `up`, `drill` and `bench`: programs that ask few questions at a time and
//! want to see exactly what the server said. So error replies are values, nothing is retried, and
//! nothing is redirected; a connection that failed is to be dropped.
//!
//! Requests may be sent ahead ([`Client::send`], [`Client::flush`]) and their replies read later, in
//! order. RESP3 pushes are not replies: [`Client::receive`] puts them aside for [`Client::take_push`],
//! [`Client::receive_any`] returns them where they stand.
//!
//! Invariants: every wait is bounded by the timeout that was set; memory is bounded by the longest
//! reply accepted and [`PUSHES_MAX`].

mod stream;
pub mod uri;

use resp::value::FRAME_BYTES_MAX_DEFAULT;
use resp::{DecodeError, Decoder, Protocol, Value};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use stream::Stream;
use thiserror::Error;

/// The most pushes put aside while replies are awaited.
pub const PUSHES_MAX: usize = 100_000;
/// Bytes read from the connection at a time.
const READ_BYTES: usize = 64 * 1024;
/// A read buffer that grew beyond this many bytes is given back when it is empty.
const KEPT_BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// Requests sent ahead are written out when they exceed this many bytes.
const SEND_AHEAD_BYTES_MAX: usize = 256 * 1024;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or IP address, and a port.
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// A TCP address.
    pub fn tcp(host: impl Into<String>, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(out, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(out, "{host}:{port}"),
            Address::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// What went wrong on a connection.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No connection came about.
    #[error("could not connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing came within the read timeout. A later `receive` may still get the reply.
    #[error("timed out")]
    TimedOut,
    /// The server closed the connection.
    #[error("server closed the connection")]
    Closed,
    /// Reading or writing failed.
    #[error("connection failed: {0}")]
    Io(io::Error),
    /// The server sent what is no reply.
    #[error(transparent)]
    Protocol(#[from] DecodeError),
    /// More than [`PUSHES_MAX`] pushes came before a reply.
    #[error("too many pushes before a reply")]
    TooManyPushes,
    /// AUTH or HELLO was answered by this error.
    #[error("{0}")]
    Refused(String),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> ClientError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ClientError::TimedOut,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => ClientError::Closed,
            _ => ClientError::Io(error),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    decoder: Decoder,
    /// What was read; the bytes before `front` are used up.
    input: Vec<u8>,
    front: usize,
    output: Vec<u8>,
    pushes: VecDeque<Value>,
}

impl Client {
    /// Connects, trying every address the host has. `timeout` bounds each attempt, and then every read
    /// and write until it is changed; `None` waits for ever.
    ///
    /// # Errors
    /// `Connect` with the last attempt's reason.
    pub fn connect(
        address: &Address,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Client, ClientError> {
        let timeout = timeout.into();
        let stream = Stream::connect(address, timeout)
            .map_err(|source| ClientError::Connect { address: address.to_string(), source })?;
        let mut client = Client {
            stream,
            decoder: Decoder::with_frame_bytes_max(FRAME_BYTES_MAX_DEFAULT),
            input: Vec::new(),
            front: 0,
            output: Vec::new(),
            pushes: VecDeque::new(),
        };
        client.set_read_timeout(timeout)?;
        client.stream.set_write_timeout(timeout)?;
        Ok(client)
    }

    /// Bounds every later wait for bytes; `None` waits for ever.
    ///
    /// # Errors
    /// `Io` if the system refuses, or the timeout is zero.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.stream.set_read_timeout(timeout).map_err(ClientError::Io)
    }

    /// Bounds every later read and write.
    ///
    /// # Errors
    /// `Io` if the system refuses, or the timeout is zero.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.stream.set_write_timeout(timeout).map_err(ClientError::Io)?;
        self.set_read_timeout(timeout)
    }

    /// Authenticates; without a user as `default`.
    ///
    /// # Errors
    /// `Refused` with the server's text, or what happened to the connection.
    pub fn auth(&mut self, user: Option<&str>, password: &str) -> Result<(), ClientError> {
        let reply = match user {
            Some(user) => self.call(&["AUTH", user, password])?,
            None => self.call(&["AUTH", password])?,
        };
        refused(reply).map(|_| ())
    }

    /// Chooses the protocol and returns what the server says about itself.
    ///
    /// # Errors
    /// `Refused` with the server's text, or what happened to the connection.
    pub fn hello(&mut self, protocol: Protocol) -> Result<Value, ClientError> {
        let version = match protocol {
            Protocol::Resp2 => "2",
            Protocol::Resp3 => "3",
        };
        refused(self.call(&["HELLO", version])?)
    }

    /// Sends a request and waits for its reply, which may be an error reply.
    ///
    /// # Errors
    /// What happened to the connection.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, ClientError> {
        self.send(arguments)?;
        self.receive()
    }

    /// Adds a request to those sent at the next `flush` or wait. Replies must be read before the
    /// server has sent more than the sockets hold, or both ends wait for each other.
    ///
    /// # Errors
    /// What happened to the connection; much at once is written already here.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<(), ClientError> {
        resp::command_into(&mut self.output, arguments);
        if self.output.len() > SEND_AHEAD_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    /// Writes bytes as they are, after what was sent before.
    ///
    /// # Errors
    /// What happened to the connection.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.output.extend_from_slice(bytes);
        self.flush()
    }

    /// Writes out all requests sent so far.
    ///
    /// # Errors
    /// What happened to the connection.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        if !self.output.is_empty() {
            let written = self.stream.write_all(&self.output);
            self.output.clear();
            written?;
        }
        Ok(())
    }

    /// The next reply that is not a push.
    ///
    /// # Errors
    /// What happened to the connection; after `TimedOut` it may be called again.
    pub fn receive(&mut self) -> Result<Value, ClientError> {
        loop {
            let value = self.receive_any()?;
            if !matches!(value.plain(), Value::Push(_)) {
                return Ok(value);
            }
            if self.pushes.len() >= PUSHES_MAX {
                return Err(ClientError::TooManyPushes);
            }
            self.pushes.push_back(value);
        }
    }

    /// The next thing the server says, reply or push. Pushes put aside earlier come first.
    ///
    /// # Errors
    /// What happened to the connection; after `TimedOut` it may be called again.
    pub fn receive_next(&mut self) -> Result<Value, ClientError> {
        match self.pushes.pop_front() {
            Some(push) => Ok(push),
            None => self.receive_any(),
        }
    }

    /// The next thing the server sends, reply or push, leaving aside what was put aside.
    ///
    /// # Errors
    /// What happened to the connection; after `TimedOut` it may be called again.
    pub fn receive_any(&mut self) -> Result<Value, ClientError> {
        self.flush()?;
        loop {
            if let Some(value) = self.buffered()? {
                return Ok(value);
            }
            self.fill()?;
        }
    }

    /// The oldest push put aside by [`Client::receive`].
    pub fn take_push(&mut self) -> Option<Value> {
        self.pushes.pop_front()
    }

    /// The bytes the server sends until it closes the connection, at most `bytes_max`.
    ///
    /// # Errors
    /// `TimedOut` if it does not close in time, or another failure.
    pub fn read_until_closed(&mut self, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        self.flush()?;
        loop {
            match self.fill() {
                Ok(()) if self.input.len() - self.front < bytes_max => {}
                Ok(()) | Err(ClientError::Closed) => break,
                Err(error) => return Err(error),
            }
        }
        let mut bytes = self.input.split_off(self.front);
        bytes.truncate(bytes_max);
        self.input.clear();
        self.front = 0;
        Ok(bytes)
    }

    /// Waits for raw bytes that are no reply, such as a snapshot: whatever is at hand, at least one.
    ///
    /// # Errors
    /// What happened to the connection.
    pub fn receive_raw(&mut self) -> Result<Vec<u8>, ClientError> {
        self.flush()?;
        if self.front == self.input.len() {
            self.fill()?;
        }
        let bytes = self.input.split_off(self.front);
        self.input.clear();
        self.front = 0;
        Ok(bytes)
    }

    /// A decoded reply, if one is whole.
    fn buffered(&mut self) -> Result<Option<Value>, ClientError> {
        let unread = self.input.get(self.front..).unwrap_or_default();
        let Some((value, consumed)) = self.decoder.decode(unread)? else {
            return Ok(None);
        };
        self.front += consumed;
        if self.front == self.input.len() {
            self.front = 0;
            self.input.clear();
            self.input.shrink_to(KEPT_BUFFER_BYTES_MAX);
        }
        Ok(Some(value))
    }

    /// Reads more, moving what is unread to the front first.
    fn fill(&mut self) -> Result<(), ClientError> {
        if self.front > 0 {
            self.input.drain(..self.front);
            self.front = 0;
        }
        let held = self.input.len();
        self.input.resize(held + READ_BYTES, 0);
        let read = loop {
            match self.stream.read(self.input.get_mut(held..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.input.truncate(held + read.as_ref().copied().unwrap_or(0));
        match read? {
            0 => Err(ClientError::Closed),
            _ => Ok(()),
        }
    }
}

fn refused(reply: Value) -> Result<Value, ClientError> {
    match reply.as_error() {
        Some(text) => Err(ClientError::Refused(text.into_owned())),
        None => Ok(reply),
    }
}

#[cfg(test)]
mod tests;
