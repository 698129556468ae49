//! Writes replies in the protocol a session has chosen with HELLO.
//!
//! Types that RESP2 lacks are written as the types stock falls back to: a map becomes an array of twice
//! the length, a set or push an array, a double, big number or verbatim string a bulk string, a boolean
//! an integer. Lines (`+` and `-`) can never contain a line end: CR and LF are written as blanks.
//!
//! The caller writes exactly as many elements as it announced; [`Writer::deferred`] is for counts known
//! only afterwards.
//!
//! Source: the RESP2 and RESP3 specifications; fall-backs as observed with Redis 7.0.15.

use crate::number::{write_header, write_i64};

/// The protocol version of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every connection begins with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// The place of an aggregate whose length is not known yet. See [`Writer::deferred`].
#[must_use = "an aggregate without its length breaks the stream"]
#[derive(Debug)]
pub struct Deferred {
    at: usize,
}

/// Appends replies to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Writer<'a> {
        Writer { out, protocol }
    }

    /// The protocol written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether RESP3 is written.
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Changes the protocol for what follows (HELLO answers in the new one).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes in the buffer, including what was there before this writer.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Takes back everything written after `position`.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// Appends bytes that are already a reply.
    pub fn raw(&mut self, reply: &[u8]) {
        self.out.extend_from_slice(reply);
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status line.
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// An error line. `text` begins with its code: `ERR syntax error`.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'-', text.as_ref());
    }

    /// An integer.
    pub fn integer(&mut self, number: i64) {
        match number {
            0 => self.out.extend_from_slice(b":0\r\n"),
            1 => self.out.extend_from_slice(b":1\r\n"),
            _ => {
                self.out.push(b':');
                write_i64(self.out, number);
                self.end();
            }
        }
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.end();
    }

    /// The bulk string that is the text of `number`.
    pub fn bulk_integer(&mut self, number: i64) {
        self.bulk(itoa::Buffer::new().format(number));
    }

    /// The null of a missing string.
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The null of a missing array.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The head of an array; `len` replies follow.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// The head of a map; `len` pairs of replies follow.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len.saturating_mul(2)),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    /// The head of a set; `len` replies follow.
    pub fn set(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    /// The head of a message that answers no request; `len` replies follow.
    pub fn push(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    /// The head of out-of-band attributes of the reply after them. False, writing nothing, if the
    /// protocol has no attributes: then the `len` pairs must not be written.
    #[must_use = "the pairs must be left out where attributes do not exist"]
    pub fn attribute(&mut self, len: usize) -> bool {
        if self.is_resp3() {
            self.header(b'|', len);
        }
        self.is_resp3()
    }

    /// A floating-point number.
    pub fn double(&mut self, number: f64) {
        let mut text = Vec::with_capacity(32);
        base::double::write(&mut text, number);
        self.out_of_resp2(b',', &text);
    }

    /// A boolean.
    pub fn boolean(&mut self, holds: bool) {
        self.out.extend_from_slice(match (self.protocol, holds) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size, given as its decimal text.
    pub fn big_number(&mut self, digits: &str) {
        self.out_of_resp2(b'(', digits.as_bytes());
    }

    /// Text for people: `kind` is `txt` or `mkd`.
    pub fn verbatim(&mut self, kind: [u8; 3], text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len().saturating_add(4));
                self.out.extend_from_slice(&kind);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.end();
            }
        }
    }

    /// Leaves room for the head of an aggregate whose length is given to [`Writer::finish_array`],
    /// [`Writer::finish_map`] or [`Writer::finish_set`] when its elements are written. They move what
    /// was written since: O(bytes of the elements). Nested ones are finished from the inside out.
    pub fn deferred(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Puts the head of an array of `len` replies at `place`.
    pub fn finish_array(&mut self, place: Deferred, len: usize) {
        self.finish(place, |writer| writer.array(len));
    }

    /// Puts the head of a map of `len` pairs at `place`.
    pub fn finish_map(&mut self, place: Deferred, len: usize) {
        self.finish(place, |writer| writer.map(len));
    }

    /// Puts the head of a set of `len` replies at `place`.
    pub fn finish_set(&mut self, place: Deferred, len: usize) {
        self.finish(place, |writer| writer.set(len));
    }

    #[allow(clippy::needless_pass_by_value, reason = "a place is used once")]
    fn finish(&mut self, place: Deferred, head: impl FnOnce(&mut Writer<'_>)) {
        let mut bytes = Vec::with_capacity(24);
        head(&mut Writer::new(&mut bytes, self.protocol));
        let at = place.at.min(self.out.len());
        self.out.splice(at..at, bytes);
    }

    fn out_of_resp2(&mut self, marker: u8, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(marker, text),
        }
    }

    fn line(&mut self, marker: u8, text: &[u8]) {
        self.out.push(marker);
        let mut rest = text;
        while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.out.extend_from_slice(before);
            self.out.push(b' ');
            rest = after.get(1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
        self.end();
    }

    #[inline]
    fn header(&mut self, marker: u8, len: usize) {
        write_header(self.out, marker, len);
    }

    #[inline]
    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Writer<'_>)) -> (String, String) {
        let text = |protocol| {
            let mut out = Vec::new();
            write(&mut Writer::new(&mut out, protocol));
            String::from_utf8(out).unwrap()
        };
        (text(Protocol::Resp2), text(Protocol::Resp3))
    }

    #[test]
    fn writes_every_type_in_both_protocols() {
        type Row = (fn(&mut Writer<'_>), &'static str, &'static str);
        let rows: &[Row] = &[
            (|w| w.ok(), "+OK\r\n", "+OK\r\n"),
            (|w| w.simple("QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n"),
            (|w| w.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (|w| w.simple("\n"), "+ \r\n", "+ \r\n"),
            (|w| w.integer(0), ":0\r\n", ":0\r\n"),
            (|w| w.integer(-42), ":-42\r\n", ":-42\r\n"),
            (|w| w.bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
            (|w| w.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (|w| w.bulk_integer(12), "$2\r\n12\r\n", "$2\r\n12\r\n"),
            (|w| w.null(), "$-1\r\n", "_\r\n"),
            (|w| w.null_array(), "*-1\r\n", "_\r\n"),
            (|w| w.array(3), "*3\r\n", "*3\r\n"),
            (|w| w.map(3), "*6\r\n", "%3\r\n"),
            (|w| w.set(3), "*3\r\n", "~3\r\n"),
            (|w| w.push(3), "*3\r\n", ">3\r\n"),
            (|w| assert_eq!(w.attribute(1), w.is_resp3()), "", "|1\r\n"),
            (|w| w.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (|w| w.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
            (|w| w.boolean(true), ":1\r\n", "#t\r\n"),
            (|w| w.boolean(false), ":0\r\n", "#f\r\n"),
            (|w| w.big_number("123"), "$3\r\n123\r\n", "(123\r\n"),
            (|w| w.verbatim(*b"txt", "hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        ];
        for (write, resp2, resp3) in rows {
            assert_eq!(both(write), (resp2.to_string(), resp3.to_string()));
        }
    }

    #[test]
    fn deferred_lengths_land_in_front() {
        let texts = both(|writer| {
            writer.integer(7);
            let outer = writer.deferred();
            let inner = writer.deferred();
            writer.bulk("k");
            writer.integer(1);
            writer.finish_map(inner, 1);
            writer.null();
            writer.finish_array(outer, 2);
        });
        assert_eq!(texts.0, ":7\r\n*2\r\n*2\r\n$1\r\nk\r\n:1\r\n$-1\r\n");
        assert_eq!(texts.1, ":7\r\n*2\r\n%1\r\n$1\r\nk\r\n:1\r\n_\r\n");
    }
}
