//! Finds complete client requests in a read buffer, in place: the first thing the server does with
//! every byte, so it neither copies nor allocates for a request that has arrived whole.
//!
//! Two forms, told apart by the first byte:
//!
//! ```text
//!     *2\r\n$3\r\nGET\r\n$1\r\nk\r\n     multibulk: count, then length and bytes of each argument
//!     GET "k"\r\n                       inline: a typed line, see crate::inline
//! ```
//!
//! The parser is small and per connection. Between calls it remembers how far it came inside a
//! request that is still incomplete, counted from the front of the unconsumed buffer; the buffer may
//! be moved or reallocated between calls, but its front must not be consumed before `Complete` or
//! `Empty` says so. Nothing is looked at twice: a large bulk waits by arithmetic, a long line by
//! remembering where the search for its end stopped.
//!
//! Invariants: `Arguments` holds only ranges that lie inside the buffer given to the same call (or
//! inside its own bytes, for inline requests). Memory used grows with the bytes that arrived, never
//! with a count that was announced. As in stock, what stands between `\r` and the next header is
//! skipped unseen: two bytes end a header or a bulk, whatever the second is.
//!
//! Source: the Redis protocol specification; limits, order of checks and texts as observed with Redis
//! 7.0.15.

use crate::inline;
use crate::number::parse_i64;
use memchr::memchr;
use std::mem;
use std::ops::Range;
use thiserror::Error;

/// The longest header or inline request, in bytes, that is waited for.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// The most arguments one request may announce.
pub const ARGUMENTS_MAX: i64 = i32::MAX as i64;
/// The most arguments a connection may send before it has authenticated.
pub const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
/// The longest argument, in bytes, that a connection may send before it has authenticated.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: i64 = 16 * 1024;
/// The default of `proto-max-bulk-len`, in bytes.
pub const BULK_BYTES_MAX_DEFAULT: usize = 512 * 1024 * 1024;
/// `Arguments` that grew beyond this many gives its memory back before the next request.
const KEPT_RANGES_MAX: usize = 1024;
/// An inline side buffer that grew beyond this many bytes is given back before the next request.
const KEPT_INLINE_BYTES_MAX: usize = 16 * 1024;
/// A header whose number has more digits than this is read by the general path.
const FAST_DIGITS_MAX: usize = 10;

/// What a connection may send at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// False while the connection still has to authenticate.
    pub authenticated: bool,
    /// `proto-max-bulk-len`: the longest argument, in bytes. `usize::MAX` for a link to a primary.
    pub bulk_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { authenticated: true, bulk_bytes_max: BULK_BYTES_MAX_DEFAULT }
    }
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A request with at least one argument; it takes the first `consumed` bytes of the buffer.
    Complete {
        /// Bytes to remove from the front before the next call.
        consumed: usize,
    },
    /// A request without arguments (`*0`, a blank line): it gets no reply and is not counted.
    Empty {
        /// Bytes to remove from the front before the next call.
        consumed: usize,
    },
    /// The request at the front is not whole; call again with the same front and more behind it.
    Incomplete {
        /// At least so many more bytes are needed; never zero.
        needed_hint: usize,
    },
}

/// A violation of the protocol. The connection is told [`ProtocolError::message`] and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The count after `*` is not a number, or too large.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// The length after `$` is not a number, negative, or above `proto-max-bulk-len`.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// An argument does not begin with `$` but with this byte.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// The line of a count does not end within [`LINE_BYTES_MAX`].
    #[error("Protocol error: too big mbulk count string")]
    TooBigMultibulkCount,
    /// The line of a length does not end within [`LINE_BYTES_MAX`].
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    /// An inline request does not end within [`LINE_BYTES_MAX`].
    #[error("Protocol error: too big inline request")]
    TooBigInline,
    /// An inline request has an open quote.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// Too many arguments before authentication.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulk,
    /// Too long an argument before authentication.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
}

impl ProtocolError {
    /// The text of the error reply, without the leading `-ERR ` and without CR LF. Bytes, because the
    /// offending byte is quoted as it came (line ends and NUL as blanks).
    pub fn message(&self) -> Vec<u8> {
        if let ProtocolError::ExpectedBulk(byte) = self {
            let shown = if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte };
            let mut text = b"Protocol error: expected '$', got '".to_vec();
            text.extend_from_slice(&[shown, b'\'']);
            return text;
        }
        self.to_string().into_bytes()
    }
}

/// The arguments of the request last found: ranges into the read buffer, or, for an inline request,
/// into bytes of its own. Reused from request to request; one may serve many connections.
#[derive(Debug, Default)]
pub struct Arguments {
    ranges: Vec<Range<usize>>,
    inline_bytes: Vec<u8>,
    is_inline: bool,
}

impl Arguments {
    /// No arguments; allocates nothing.
    pub fn new() -> Arguments {
        Arguments::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether they came as a typed line.
    pub fn is_inline(&self) -> bool {
        self.is_inline
    }

    /// The argument at `index`. `buffer` is the slice the request was found in, at its front.
    pub fn get<'a>(&'a self, buffer: &'a [u8], index: usize) -> Option<&'a [u8]> {
        self.bytes(buffer).get(self.ranges.get(index)?.clone())
    }

    /// All arguments in order. `buffer` is the slice the request was found in, at its front; an
    /// argument whose range lies outside another buffer reads as empty.
    pub fn iter<'a>(
        &'a self,
        buffer: &'a [u8],
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone {
        let bytes = self.bytes(buffer);
        self.ranges.iter().map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }

    /// The bytes the ranges point into.
    pub fn bytes<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        if self.is_inline { &self.inline_bytes } else { buffer }
    }

    /// The ranges of the arguments in [`Arguments::bytes`].
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Forgets the arguments, keeping a bounded amount of memory for the next.
    pub fn clear(&mut self) {
        self.ranges.clear();
        if self.ranges.capacity() > KEPT_RANGES_MAX {
            self.ranges = Vec::new();
        }
        if self.is_inline {
            self.is_inline = false;
            self.inline_bytes.clear();
            self.inline_bytes.shrink_to(KEPT_INLINE_BYTES_MAX);
        }
    }
}

/// Where a connection stands inside an incomplete request. See the head of this file.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments still to come of a multibulk request; zero between requests.
    remaining: u32,
    /// The length announced for the argument whose bytes begin at `at`.
    bulk: Option<usize>,
    /// Where the next header, or the bytes of `bulk`, begin.
    at: usize,
    /// No line end lies between `at` and here.
    scanned: usize,
    /// The arguments found so far of an incomplete request.
    partial: Vec<Range<usize>>,
}

/// The line of a count or a length.
enum Header {
    Number { number: i64, next: usize },
    NotANumber,
    Missing,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Whether no part of a multibulk request has been taken in.
    pub fn is_between_requests(&self) -> bool {
        self.remaining == 0
    }

    /// Where the argument that is not whole yet begins, behind the front of the buffer, and how long it
    /// is said to become.
    pub fn awaited(&self) -> Option<(usize, usize)> {
        self.bulk.map(|length| (self.at, length))
    }

    /// Forgets an incomplete request, for a connection whose buffer is thrown away.
    pub fn reset(&mut self) {
        *self = Parser::default();
    }

    /// Looks for the next request at the front of `buffer`. O(bytes not seen before), no allocation
    /// for a multibulk request that is whole.
    ///
    /// `out` holds its arguments after `Complete` and is empty after anything else.
    ///
    /// # Errors
    /// A [`ProtocolError`]; the parser is of no use afterwards, as the connection is to be closed.
    pub fn parse(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
        out: &mut Arguments,
    ) -> Result<Progress, ProtocolError> {
        out.clear();
        if self.remaining > 0 {
            return self.resume(buffer, limits, out);
        }
        match buffer.first() {
            None => return Ok(Progress::Incomplete { needed_hint: 1 }),
            Some(b'*') => {}
            Some(_) => return self.inline(buffer, out),
        }
        match self.header(buffer, 0) {
            Header::Number { number, next } => {
                if number > ARGUMENTS_MAX {
                    return Err(ProtocolError::InvalidMultibulkLength);
                }
                if number > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated {
                    return Err(ProtocolError::UnauthenticatedMultibulk);
                }
                match u32::try_from(number) {
                    Ok(count) if count > 0 => {
                        self.arguments(buffer, next, count, limits, &mut out.ranges)
                    }
                    _ => {
                        self.scanned = 0;
                        Ok(Progress::Empty { consumed: next })
                    }
                }
            }
            Header::NotANumber => Err(ProtocolError::InvalidMultibulkLength),
            Header::Missing if buffer.len() > LINE_BYTES_MAX && !self.line_end_seen(buffer) => {
                Err(ProtocolError::TooBigMultibulkCount)
            }
            Header::Missing => Ok(Progress::Incomplete { needed_hint: 1 }),
        }
    }

    /// Goes on with a request of which some arguments were found before.
    #[cold]
    fn resume(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
        out: &mut Arguments,
    ) -> Result<Progress, ProtocolError> {
        mem::swap(&mut out.ranges, &mut self.partial);
        let progress = self.arguments(buffer, self.at, self.remaining, limits, &mut out.ranges);
        if let Ok(Progress::Complete { .. }) = progress {
            self.partial = Vec::new();
        } else {
            // `arguments` moved what it found into `partial`.
            out.ranges.clear();
        }
        progress
    }

    /// Reads `remaining` arguments from `at`, adding them to `ranges`.
    #[inline]
    fn arguments(
        &mut self,
        buffer: &[u8],
        mut at: usize,
        mut remaining: u32,
        limits: &Limits,
        ranges: &mut Vec<Range<usize>>,
    ) -> Result<Progress, ProtocolError> {
        while remaining > 0 {
            let length = if let Some(length) = self.bulk.take() {
                length
            } else if let Some((length, next)) = self.bulk_header(buffer, at, limits)? {
                at = next;
                length
            } else {
                self.suspend(at, remaining, ranges);
                return Ok(Progress::Incomplete { needed_hint: 1 });
            };
            let end = at.saturating_add(length);
            let next = end.saturating_add(2);
            if next > buffer.len() {
                self.bulk = Some(length);
                self.suspend(at, remaining, ranges);
                return Ok(Progress::Incomplete { needed_hint: next.saturating_sub(buffer.len()) });
            }
            ranges.push(at..end);
            at = next;
            remaining -= 1;
        }
        self.remaining = 0;
        self.at = 0;
        self.scanned = 0;
        Ok(Progress::Complete { consumed: at })
    }

    /// Keeps the place and the arguments found so far.
    fn suspend(&mut self, at: usize, remaining: u32, ranges: &mut Vec<Range<usize>>) {
        self.at = at;
        self.remaining = remaining;
        mem::swap(ranges, &mut self.partial);
        ranges.clear();
    }

    /// The length line of an argument: its length and where its bytes begin; `None` if not whole.
    #[inline]
    fn bulk_header(
        &mut self,
        buffer: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        let header = self.header(buffer, at);
        if let Header::Missing = header {
            let waiting = buffer.len().saturating_sub(at);
            if waiting > LINE_BYTES_MAX && !self.line_end_seen(buffer) {
                return Err(ProtocolError::TooBigBulkCount);
            }
            return Ok(None);
        }
        match buffer.get(at) {
            Some(b'$') => {}
            other => return Err(ProtocolError::ExpectedBulk(other.copied().unwrap_or(b' '))),
        }
        let Header::Number { number, next } = header else {
            return Err(ProtocolError::InvalidBulkLength);
        };
        let length = usize::try_from(number).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > limits.bulk_bytes_max {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if !limits.authenticated && number > UNAUTHENTICATED_BULK_BYTES_MAX {
            return Err(ProtocolError::UnauthenticatedBulk);
        }
        Ok(Some((length, next)))
    }

    /// The line that begins at `at`, whose first byte is a marker.
    #[inline]
    fn header(&mut self, buffer: &[u8], at: usize) -> Header {
        // Nearly all numbers have one digit or two.
        match buffer.get(at.saturating_add(1)..) {
            Some(&[digit @ b'0'..=b'9', b'\r', _, ..]) => {
                Header::Number { number: i64::from(digit - b'0'), next: at + 4 }
            }
            Some(&[ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', _, ..]) => {
                let number = i64::from(ten - b'0') * 10 + i64::from(one - b'0');
                Header::Number { number, next: at + 5 }
            }
            _ => self.longer_header(buffer, at),
        }
    }

    /// As `header`, for all other lines.
    fn longer_header(&mut self, buffer: &[u8], at: usize) -> Header {
        let line = buffer.get(at.saturating_add(1)..).unwrap_or_default();
        let mut number = 0;
        for (digits, byte) in line.iter().take(FAST_DIGITS_MAX).enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                if *byte == b'\r' && digits > 0 && line.len() > digits + 1 {
                    return Header::Number { number, next: at + digits + 3 };
                }
                break;
            }
            if digits > 0 && number == 0 {
                break;
            }
            number = number * 10 + i64::from(digit);
        }
        self.unusual_header(buffer, at)
    }

    /// As `header`, for lines that are incomplete, negative, long or wrong.
    #[cold]
    fn unusual_header(&mut self, buffer: &[u8], at: usize) -> Header {
        let from = self.scanned.max(at);
        let Some(offset) = memchr(b'\r', buffer.get(from..).unwrap_or_default()) else {
            self.scanned = buffer.len();
            return Header::Missing;
        };
        let end = from + offset;
        self.scanned = end;
        if end + 2 > buffer.len() {
            return Header::Missing;
        }
        match buffer.get(at + 1..end).and_then(parse_i64) {
            Some(number) => Header::Number { number, next: end + 2 },
            None => Header::NotANumber,
        }
    }

    /// Whether the search for a line end stopped at one, at the very end of `buffer`.
    fn line_end_seen(&self, buffer: &[u8]) -> bool {
        self.scanned < buffer.len()
    }

    /// Reads an inline request.
    #[cold]
    fn inline(&mut self, buffer: &[u8], out: &mut Arguments) -> Result<Progress, ProtocolError> {
        let unseen = buffer.get(self.scanned..).unwrap_or_default();
        let Some(offset) = memchr(b'\n', unseen) else {
            self.scanned = buffer.len();
            if buffer.len() > LINE_BYTES_MAX {
                return Err(ProtocolError::TooBigInline);
            }
            return Ok(Progress::Incomplete { needed_hint: 1 });
        };
        let end = self.scanned + offset;
        if end > LINE_BYTES_MAX {
            return Err(ProtocolError::TooBigInline);
        }
        self.scanned = 0;
        let line = buffer.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let consumed = end + 1;
        let Arguments { ranges, inline_bytes, is_inline } = out;
        *is_inline = true;
        let mut begin = 0;
        let split = inline::split_into(line, inline_bytes, &mut |bytes| {
            ranges.push(begin..bytes.len());
            begin = bytes.len();
        });
        if split.is_err() {
            out.clear();
            return Err(ProtocolError::UnbalancedQuotes);
        }
        if out.is_empty() {
            return Ok(Progress::Empty { consumed });
        }
        Ok(Progress::Complete { consumed })
    }
}

#[cfg(test)]
mod tests;
