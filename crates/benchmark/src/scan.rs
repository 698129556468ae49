//! Counts replies without looking into them.
//!
//! A generator must cost less than the server it measures, so replies are passed over in place: nothing
//! is allocated, bulk strings are skipped by their length, and what is left of a line is all that is kept
//! between two reads. Only errors are read.
//!
//! Invariant: what is counted does not depend on how the bytes were cut.

use memchr::memchr;
use thiserror::Error;

/// The longest line that is waited for.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What ends a run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ScanError {
    /// The server answers an error.
    #[error("Error from server: {0}")]
    Refused(String),
    /// The server sends what is no reply.
    #[error("Error: the server sends what is no reply")]
    Malformed,
}

/// Where in the stream of replies a connection is.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// A line that has not ended yet.
    line: Vec<u8>,
    /// Bytes of a bulk string that are still to come, its line end included.
    skip: u64,
    /// Values that the reply under way still lacks.
    lacking: u64,
    /// The reply under way is a push, which answers nothing.
    is_push: bool,
}

impl Scanner {
    /// How many replies end within `bytes`.
    ///
    /// # Errors
    /// The first error reply, or bytes that are no reply.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> Result<u64, ScanError> {
        let mut replies = 0;
        loop {
            if self.skip > 0 {
                let here = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[here..];
                self.skip -= here as u64;
                if self.skip > 0 {
                    return Ok(replies);
                }
                replies += self.value_ends();
            }
            let Some(end) = memchr(b'\n', bytes) else {
                self.line.extend_from_slice(bytes);
                let fits = self.line.len() <= LINE_BYTES_MAX;
                return if fits { Ok(replies) } else { Err(ScanError::Malformed) };
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            replies += if self.line.is_empty() {
                self.begin(line)?
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                let ended = self.begin(&whole)?;
                whole.clear();
                self.line = whole;
                ended
            };
        }
    }

    /// Takes a line; gives how many replies end with it.
    fn begin(&mut self, line: &[u8]) -> Result<u64, ScanError> {
        let line = line.strip_suffix(b"\r\n").ok_or(ScanError::Malformed)?;
        let (&kind, rest) = line.split_first().ok_or(ScanError::Malformed)?;
        if self.lacking == 0 {
            self.lacking = 1;
            self.is_push = kind == b'>';
        }
        match kind {
            b'-' => Err(ScanError::Refused(String::from_utf8_lossy(rest).into_owned())),
            b'+' | b':' | b',' | b'#' | b'_' | b'(' => Ok(self.value_ends()),
            b'$' | b'=' | b'!' => {
                if rest == b"-1" {
                    return Ok(self.value_ends());
                }
                self.skip = number(rest)? + 2;
                Ok(0)
            }
            b'*' | b'~' | b'>' => {
                let count = if rest == b"-1" { 0 } else { number(rest)? };
                self.lacking += count;
                Ok(self.value_ends())
            }
            b'%' => {
                self.lacking += 2 * number(rest)?;
                Ok(self.value_ends())
            }
            // Attributes stand before their value.
            b'|' => {
                self.lacking += 2 * number(rest)?;
                Ok(0)
            }
            _ => Err(ScanError::Malformed),
        }
    }

    fn value_ends(&mut self) -> u64 {
        self.lacking = self.lacking.saturating_sub(1);
        u64::from(self.lacking == 0 && !self.is_push)
    }
}

fn number(digits: &[u8]) -> Result<u64, ScanError> {
    let is_number =
        !digits.is_empty() && digits.len() < 16 && digits.iter().all(u8::is_ascii_digit);
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    is_number.then_some(value).ok_or(ScanError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_however_they_are_cut() {
        for (bytes, expected) in [
            (&b"+OK\r\n:12\r\n"[..], 2),
            (b"$3\r\nabc\r\n$-1\r\n$0\r\n\r\n_\r\n", 4),
            (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n*0\r\n*-1\r\n", 3),
            (b"%1\r\n+a\r\n#t\r\n~1\r\n,1.5\r\n", 2),
            (b"|1\r\n+ttl\r\n:9\r\n*2\r\n:1\r\n:2\r\n", 1),
            (b">2\r\n+invalidate\r\n*1\r\n+k\r\n+OK\r\n=6\r\ntxt:a\n\r\n", 2),
            (b"$6\r\n\r\n+OK\r\r\n", 1),
        ] {
            for step in 1..=bytes.len() {
                let mut scanner = Scanner::default();
                let pieces = bytes.chunks(step).map(|piece| scanner.count(piece));
                let found: u64 = pieces.map(Result::unwrap).sum();
                assert_eq!(found, expected, "{} by {step}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn errors_end_the_run() {
        let refused = ScanError::Refused("ERR no".into());
        for (bytes, expected) in [
            (&b"+OK\r\n-ERR no\r\n"[..], refused.clone()),
            (b"*1\r\n-ERR no\r\n", refused),
            (b"hello\r\n", ScanError::Malformed),
            (b"\r\n", ScanError::Malformed),
            (b"+OK\n", ScanError::Malformed),
            (b"$x\r\n", ScanError::Malformed),
            (b"$9999999999999999999\r\n", ScanError::Malformed),
        ] {
            assert_eq!(Scanner::default().count(bytes), Err(expected));
        }
        let endless = vec![b'+'; LINE_BYTES_MAX + 1];
        assert_eq!(Scanner::default().count(&endless), Err(ScanError::Malformed));
    }
}
