//! The bytes under a loader: buffered, counted and summed up.
//!
//! `buffer[start..end]` is read but not consumed; `buffer[..start]` is consumed, and of that
//! `buffer[..summed]` is in the checksum. So the checksum is taken in large pieces, and still stops
//! exactly at the byte that is consumed. While there is a capture, what is consumed is also kept:
//! `captured` and then `buffer[mark..start]`.

use super::LoadError;
use crate::checksum::Checksum;
use crate::format::length as marks;
use std::io;

/// The bytes asked for at once, and the first allocation of a long string.
const BUFFER_BYTES: usize = 64 * 1024;

/// What stands where a string begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// The number of bytes that follow.
    Plain(u64),
    /// Another form of string; which one.
    Special(u8),
}

#[derive(Debug)]
pub(super) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    /// The bytes asked for at once, if the buffer is not larger anyway.
    room: usize,
    start: usize,
    end: usize,
    summed: usize,
    before: u64,
    /// `None` if nobody will ask for it.
    checksum: Option<Checksum>,
    captured: Vec<u8>,
    mark: Option<usize>,
}

impl Source<io::Empty> {
    /// A source of `bytes` alone, the first of which is at `offset` of something larger.
    pub(super) fn of_bytes(bytes: Vec<u8>, offset: u64) -> Source<io::Empty> {
        Source::with_prefix(bytes, offset, io::empty())
    }
}

impl<R: io::Read> Source<R> {
    pub(super) fn new(input: R) -> Source<R> {
        Source::with_buffer(input, BUFFER_BYTES)
    }

    /// A source that reads at most `len` bytes at once.
    pub(super) fn with_buffer(input: R, len: usize) -> Source<R> {
        Source {
            input,
            buffer: Vec::new(),
            room: len.clamp(1, BUFFER_BYTES),
            start: 0,
            end: 0,
            summed: 0,
            before: 0,
            checksum: Some(Checksum::new()),
            captured: Vec::new(),
            mark: None,
        }
    }

    /// A source of `prefix`, the first byte of which is at `offset`, and then `input`; without a
    /// checksum.
    pub(super) fn with_prefix(prefix: Vec<u8>, offset: u64, input: R) -> Source<R> {
        Source {
            input,
            start: 0,
            end: prefix.len(),
            buffer: prefix,
            room: BUFFER_BYTES,
            summed: 0,
            before: offset,
            checksum: None,
            captured: Vec::new(),
            mark: None,
        }
    }

    /// The number of bytes consumed.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.start as u64
    }

    /// The checksum of the bytes consumed.
    pub(super) fn checksum(&mut self) -> u64 {
        self.sum_up();
        self.checksum.as_ref().map_or(0, Checksum::value)
    }

    /// Keeps what is consumed from here on, behind what `kept` holds already.
    pub(super) fn capture(&mut self, kept: Vec<u8>) {
        self.captured = kept;
        self.mark = Some(self.start);
    }

    /// The bytes kept so far.
    pub(super) fn captured_len(&self) -> usize {
        self.captured.len() + self.mark.map_or(0, |mark| self.start.saturating_sub(mark))
    }

    /// Ends the capture and gives what was kept.
    pub(super) fn captured(&mut self) -> Vec<u8> {
        self.keep();
        self.mark = None;
        std::mem::take(&mut self.captured)
    }

    fn keep(&mut self) {
        if let Some(mark) = &mut self.mark {
            let kept = self.buffer.get(*mark..self.start).unwrap_or_default();
            self.captured.extend_from_slice(kept);
            *mark = self.start;
        }
    }

    /// Whether all that was read is consumed.
    pub(super) fn is_drained(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes are read but not consumed.
    pub(super) fn unread_len(&self) -> usize {
        self.end - self.start
    }

    /// Takes back the consumption of the last `len` bytes, which are still in the buffer.
    pub(super) fn unread(&mut self, len: usize) {
        self.start = self.start.saturating_sub(len).max(self.summed);
    }

    /// The next byte, which stays unconsumed.
    pub(super) fn peek(&mut self) -> Result<u8, LoadError> {
        let byte = self.available()?.first().copied();
        byte.ok_or(LoadError::UnexpectedEnd { offset: self.offset() })
    }

    pub(super) fn into_rest(mut self) -> (R, Vec<u8>) {
        self.buffer.truncate(self.end);
        (self.input, self.buffer.split_off(self.start.min(self.end)))
    }

    pub(super) fn malformed(&self, what: &'static str) -> LoadError {
        LoadError::Malformed { what, offset: self.offset() }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, LoadError> {
        if self.start < self.end
            && let Some(&byte) = self.buffer.get(self.start)
        {
            self.start += 1;
            return Ok(byte);
        }
        self.byte_after_filling()
    }

    #[cold]
    fn byte_after_filling(&mut self) -> Result<u8, LoadError> {
        let byte = self.available()?.first().copied();
        self.start += 1;
        byte.ok_or(LoadError::UnexpectedEnd { offset: self.offset() })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let buffered = self.buffer.get(self.start..self.end).and_then(<[u8]>::first_chunk);
        if let Some(&array) = buffered {
            self.start += N;
            return Ok(array);
        }
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    /// Reads `len` bytes. What is allocated grows with what has arrived, whatever `len` promises.
    pub(super) fn bytes(&mut self, len: usize) -> Result<Vec<u8>, LoadError> {
        let mut bytes = Vec::with_capacity(len.min(BUFFER_BYTES));
        while bytes.len() < len {
            let left = len - bytes.len();
            let piece = self.piece(left)?;
            if bytes.capacity() - bytes.len() < piece.len() {
                bytes.reserve_exact(left.min(bytes.len().max(BUFFER_BYTES)).max(piece.len()));
            }
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    /// Gives the next `len` bytes to `take`, in place if they lie in the buffer.
    pub(super) fn with_bytes<T>(
        &mut self,
        len: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, LoadError> {
        if len <= self.unread_len() {
            let begin = self.start;
            self.start += len;
            return Ok(take(self.buffer.get(begin..self.start).unwrap_or_default()));
        }
        self.bytes(len).map(|bytes| take(&bytes))
    }

    /// Passes over `len` bytes.
    #[inline]
    pub(super) fn skip(&mut self, len: u64) -> Result<(), LoadError> {
        if let Ok(len) = usize::try_from(len)
            && len <= self.unread_len()
        {
            self.start += len;
            return Ok(());
        }
        let mut left = len;
        while left > 0 {
            left -= self.piece(usize::try_from(left).unwrap_or(usize::MAX))?.len() as u64;
        }
        Ok(())
    }

    /// A length where no other form is allowed.
    pub(super) fn length(&mut self) -> Result<u64, LoadError> {
        match self.length_or_special()? {
            Length::Plain(length) => Ok(length),
            Length::Special(_) => Err(self.malformed("a string where a length is expected")),
        }
    }

    #[inline]
    pub(super) fn length_or_special(&mut self) -> Result<Length, LoadError> {
        let first = self.byte()?;
        Ok(match first {
            0..0x40 => Length::Plain(u64::from(first)),
            0x40..0x80 => {
                let low = self.byte()?;
                Length::Plain(u64::from(u16::from_be_bytes([first ^ marks::BITS_14, low])))
            }
            marks::BITS_32 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            marks::BITS_64 => Length::Plain(u64::from_be_bytes(self.array()?)),
            marks::SPECIAL.. => Length::Special(first ^ marks::SPECIAL),
            _ => return Err(self.malformed("an unknown form of length")),
        })
    }

    /// Consumes between one and `max` bytes that are contiguous; `max` is not zero.
    fn piece(&mut self, max: usize) -> Result<&[u8], LoadError> {
        let len = self.available()?.len().min(max);
        let begin = self.start;
        self.start += len;
        Ok(self.buffer.get(begin..self.start).unwrap_or_default())
    }

    /// The bytes that are read but not consumed; at least one.
    fn available(&mut self) -> Result<&[u8], LoadError> {
        if self.start == self.end {
            self.fill()?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// Reads at least one byte into the buffer, all of which is consumed.
    fn fill(&mut self) -> Result<(), LoadError> {
        self.sum_up();
        self.keep();
        self.before += self.end as u64;
        (self.start, self.end, self.summed) = (0, 0, 0);
        self.mark = self.mark.map(|_| 0);
        if self.buffer.len() < self.room {
            self.buffer = vec![0; self.room];
        }
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(0) => return Err(LoadError::UnexpectedEnd { offset: self.before }),
                Ok(len) => {
                    self.end = len.min(self.buffer.len());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(LoadError::Io { offset: self.before, source }),
            }
        }
    }

    fn sum_up(&mut self) {
        if let Some(checksum) = &mut self.checksum
            && let Some(bytes) = self.buffer.get(self.summed..self.start)
        {
            checksum.update(bytes);
        }
        self.summed = self.start;
    }
}

/// What is consumed by somebody who reads it from here.
impl<R: io::Read> io::Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        match self.piece(out.len()) {
            Ok(piece) => {
                let len = piece.len();
                if let Some(place) = out.get_mut(..len) {
                    place.copy_from_slice(piece);
                }
                Ok(len)
            }
            Err(LoadError::UnexpectedEnd { .. }) => Ok(0),
            Err(LoadError::Io { source, .. }) => Err(source),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
