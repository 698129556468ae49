//! Lines out of a byte stream that may be cut anywhere, with a limit on their length.

/// The longest line a peer may send before we give it up.
pub const LINE_BYTES_MAX: usize = 1024;

/// The peer sent a line longer than [`LINE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is longer than {LINE_BYTES_MAX} bytes")]
pub(crate) struct LineTooLong;

/// The beginning of a line whose end has not arrived yet.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer(Vec<u8>);

impl LineBuffer {
    /// Moves bytes out of `input` up to the end of a line; the line without its end if it is whole.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, LineTooLong> {
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input.split_at(end.unwrap_or(input.len()));
        if self.0.len() + part.len() > LINE_BYTES_MAX {
            return Err(LineTooLong);
        }
        self.0.extend_from_slice(part);
        *input = rest.get(1..).unwrap_or_default();
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.0);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_lines_cut_anywhere() {
        let text: &[u8] = b"\n+OK\r\nab\r\n";
        for cut in 0..=text.len() {
            let (mut buffer, mut lines) = (LineBuffer::default(), Vec::new());
            for mut part in [&text[..cut], &text[cut..]] {
                while let Some(line) = buffer.take(&mut part).unwrap() {
                    lines.push(line);
                }
                assert!(part.is_empty());
            }
            assert_eq!(lines, [&b""[..], b"+OK", b"ab"]);
        }
    }

    #[test]
    fn refuses_long_lines() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(LineBuffer::default().take(&mut &long[..]), Err(LineTooLong));
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.take(&mut &long[1..]), Ok(None));
        assert_eq!(buffer.take(&mut &b"x"[..]), Err(LineTooLong));
    }
}
