//! One non-blocking TCP connection with its two buffers, for links and for clients.
//!
//! Reading stops at a bound per turn and writing at what the socket takes; what is left is kept.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// Bytes read from one connection per turn at most, so that one cannot starve the others.
pub(super) const READ_BYTES_MAX: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Read, not yet used.
    pub(super) input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` already written.
    written: usize,
    /// True while the event queue watches for room to write.
    pub(super) watches_write: bool,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Bytes, or nothing yet.
    Open,
    /// The other end has closed.
    Closed,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            watches_write: false,
        }
    }

    /// Reads what is there, at most [`READ_BYTES_MAX`].
    pub(super) fn read(&mut self) -> io::Result<Arrived> {
        let mut chunk = [0; 16 * 1024];
        let mut total = 0;
        while total < READ_BYTES_MAX {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Arrived::Closed),
                Ok(len) => {
                    self.input.extend_from_slice(chunk.get(..len).unwrap_or_default());
                    total += len;
                    if len < chunk.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Arrived::Open)
    }

    /// Where to append what is to be sent.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes waiting to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            let rest = self.output.get(self.written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.output.shrink_to(READ_BYTES_MAX);
        self.written = 0;
        Ok(())
    }

    /// Forgets the first `len` bytes of the input.
    pub(super) fn consume(&mut self, len: usize) {
        self.input.drain(..len.min(self.input.len()));
    }
}
