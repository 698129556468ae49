//! Replies decoded into owned values, for whoever stands at the client's end of a connection.
//!
//! Decoding has two steps. The first walks over the bytes, building nothing, until a whole reply is
//! there; it remembers its place, so that a reply that comes in a thousand pieces is walked over once.
//! The second builds the value from bytes known to be complete, so every announced length and count is
//! backed by bytes that arrived.
//!
//! Invariants: no input panics; nesting ends at [`DEPTH_MAX`], which bounds the recursion of building,
//! printing and dropping; attributes in a row are merged and add no depth of their own.
//!
//! Source: the RESP2 and RESP3 specifications (streamed strings and aggregates are not part of what
//! Redis sends, and are refused).

use crate::number::parse_i64;
use memchr::memchr;
use std::borrow::Cow;
use thiserror::Error;

/// The deepest nesting of aggregates.
pub const DEPTH_MAX: usize = 128;
/// The default for the longest reply, in bytes.
pub const FRAME_BYTES_MAX_DEFAULT: usize = 4 << 30;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`: a status line.
    Simple(Vec<u8>),
    /// `-` or `!`: an error, its code first.
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`: bytes.
    Bulk(Vec<u8>),
    /// `$-1`, `*-1` or `_`.
    Null,
    /// `*`
    Array(Vec<Value>),
    /// `%`: pairs in the order sent.
    Map(Vec<(Value, Value)>),
    /// `~`
    Set(Vec<Value>),
    /// `>`: a message that answers no request.
    Push(Vec<Value>),
    /// `,`: the number and the text it was sent as.
    Double {
        /// The number.
        number: f64,
        /// Its text.
        text: String,
    },
    /// `#`
    Boolean(bool),
    /// `(`: the decimal text of an integer of any size.
    BigNumber(String),
    /// `=`: text for people.
    Verbatim {
        /// `txt` or `mkd`.
        kind: [u8; 3],
        /// The text.
        text: Vec<u8>,
    },
    /// `|`: a reply with attributes before it; never directly inside another `Attributed`.
    Attributed {
        /// The attributes, in the order sent.
        attributes: Vec<(Value, Value)>,
        /// The reply itself.
        value: Box<Value>,
    },
}

impl Value {
    /// The bytes of a status line, bulk or verbatim string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.plain() {
            Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
                Some(bytes)
            }
            _ => None,
        }
    }

    /// The text of a status line, bulk or verbatim string; bytes that are not UTF-8 are replaced.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        self.as_bytes().map(String::from_utf8_lossy)
    }

    /// The number of an integer reply, or of a string that is the text of an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self.plain() {
            Value::Integer(number) => Some(*number),
            Value::Boolean(holds) => Some(i64::from(*holds)),
            other => other.as_bytes().and_then(parse_i64),
        }
    }

    /// The elements of an array, set or push.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self.plain() {
            Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// The pairs of a map, or of an array read as one (RESP2).
    pub fn as_pairs(&self) -> Option<Vec<(&Value, &Value)>> {
        match self.plain() {
            Value::Map(pairs) => Some(pairs.iter().map(|(key, value)| (key, value)).collect()),
            Value::Array(elements) if elements.len() % 2 == 0 => Some(
                elements
                    .chunks_exact(2)
                    .filter_map(|pair| Some((pair.first()?, pair.get(1)?)))
                    .collect(),
            ),
            _ => None,
        }
    }

    /// The text of an error reply.
    pub fn as_error(&self) -> Option<Cow<'_, str>> {
        match self.plain() {
            Value::Error(text) => Some(String::from_utf8_lossy(text)),
            _ => None,
        }
    }

    /// Whether this is an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self.plain(), Value::Error(_))
    }

    /// Whether this is a null.
    pub fn is_null(&self) -> bool {
        matches!(self.plain(), Value::Null)
    }

    /// Whether this is the status line `text`.
    pub fn is_status(&self, text: &str) -> bool {
        matches!(self.plain(), Value::Simple(line) if line == text.as_bytes())
    }

    /// The reply without its attributes.
    pub fn plain(&self) -> &Value {
        match self {
            Value::Attributed { value, .. } => value,
            other => other,
        }
    }

    /// The reply without its attributes.
    pub fn into_plain(self) -> Value {
        match self {
            Value::Attributed { value, .. } => *value,
            other => other,
        }
    }
}

/// Why bytes are not a reply. The connection they came from is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A reply begins with this byte, which marks no type.
    #[error("protocol error: got {:?} as reply type byte", char::from(*.0))]
    UnknownType(u8),
    /// A length or count is not a number, or a negative one.
    #[error("protocol error: invalid length")]
    InvalidLength,
    /// The text of a number, boolean, null or verbatim string is not one.
    #[error("protocol error: invalid value")]
    InvalidValue,
    /// A line or bulk does not end with CR LF.
    #[error("protocol error: missing line end")]
    MissingLineEnd,
    /// Aggregates are nested deeper than [`DEPTH_MAX`].
    #[error("protocol error: nested too deep")]
    TooDeep,
    /// The reply is longer than the decoder accepts.
    #[error("protocol error: reply too long")]
    TooLong,
}

/// Decodes the reply at the front of `bytes`, and says how many bytes it took; `None` if it is not
/// whole. For replies that arrive in pieces use [`Decoder`], which does not begin again each time.
///
/// # Errors
/// A [`DecodeError`] if `bytes` cannot become a reply.
pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
    Decoder::new().decode(bytes)
}

/// Decodes replies from the front of a growing buffer.
#[derive(Debug)]
pub struct Decoder {
    /// The aggregates that are open, the outermost first; the first stands for the reply itself.
    open: Vec<Open>,
    /// Where the next type byte, or the one whose element is incomplete, is.
    position: usize,
    /// No line end lies between `position` and here.
    scanned: usize,
    frame_bytes_max: usize,
}

#[derive(Debug)]
struct Open {
    remaining: u64,
    /// Attributes precede an element and are not counted as one.
    is_attribute: bool,
}

/// What the line at the front of an element says.
struct Line<'a> {
    marker: u8,
    text: &'a [u8],
    next: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new() -> Decoder {
        Decoder::with_frame_bytes_max(FRAME_BYTES_MAX_DEFAULT)
    }

    /// A decoder that refuses replies longer than `frame_bytes_max` as soon as that is certain.
    pub fn with_frame_bytes_max(frame_bytes_max: usize) -> Decoder {
        Decoder { open: Vec::new(), position: 0, scanned: 0, frame_bytes_max }
    }

    /// Decodes the reply at the front of `buffer`, and says how many bytes it took; `None` if it is
    /// not whole. Then call again with the same front and more behind it. O(bytes not seen before),
    /// and O(bytes) once to build.
    ///
    /// # Errors
    /// A [`DecodeError`]; the decoder is of no use afterwards, as the connection is to be closed.
    pub fn decode(&mut self, buffer: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
        let Some(end) = self.frame_end(buffer)? else {
            return Ok(None);
        };
        self.open.clear();
        self.position = 0;
        self.scanned = 0;
        let mut reader = Reader { rest: buffer.get(..end).unwrap_or_default() };
        Ok(Some((reader.value()?, end)))
    }

    /// Walks on to the end of the reply.
    fn frame_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, DecodeError> {
        if self.open.is_empty() {
            self.open.push(Open { remaining: 1, is_attribute: false });
        }
        while !self.open.is_empty() {
            let Some(next) = self.element(buffer)? else {
                let lacks = self.position.max(buffer.len());
                return if lacks > self.frame_bytes_max {
                    Err(DecodeError::TooLong)
                } else {
                    Ok(None)
                };
            };
            if next > self.frame_bytes_max {
                return Err(DecodeError::TooLong);
            }
            self.position = next;
            self.scanned = next;
        }
        Ok(Some(self.position))
    }

    /// Walks over one element, or over the head of an aggregate; returns where the next begins.
    fn element(&mut self, buffer: &[u8]) -> Result<Option<usize>, DecodeError> {
        let Some(line) = self.line(buffer)? else {
            return Ok(None);
        };
        match line.marker {
            b'$' | b'!' | b'=' => {
                let Some(length) = length(line.marker, line.text)? else {
                    self.count_element();
                    return Ok(Some(line.next));
                };
                let end = usize::try_from(length)
                    .ok()
                    .and_then(|length| line.next.checked_add(length)?.checked_add(2))
                    .filter(|end| *end <= self.frame_bytes_max)
                    .ok_or(DecodeError::TooLong)?;
                if end > buffer.len() {
                    return Ok(None);
                }
                if buffer.get(end - 2..end) != Some(b"\r\n") {
                    return Err(DecodeError::MissingLineEnd);
                }
                self.count_element();
                return Ok(Some(end));
            }
            b'*' | b'~' | b'>' => match length(line.marker, line.text)? {
                None | Some(0) => self.count_element(),
                Some(count) => self.open(count, false)?,
            },
            b'%' | b'|' => {
                let is_attribute = line.marker == b'|';
                let pairs = length(line.marker, line.text)?.unwrap_or(0);
                match pairs.checked_mul(2).ok_or(DecodeError::InvalidLength)? {
                    0 if is_attribute => {}
                    0 => self.count_element(),
                    count => self.open(count, is_attribute)?,
                }
            }
            _ => self.count_element(),
        }
        Ok(Some(line.next))
    }

    /// The line at `position`; `None` if it is not whole.
    fn line<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<Line<'a>>, DecodeError> {
        let Some(marker) = buffer.get(self.position) else {
            return Ok(None);
        };
        if !b"+-:$*%~>,#(=!|_".contains(marker) {
            return Err(DecodeError::UnknownType(*marker));
        }
        let from = self.scanned.max(self.position);
        let Some(offset) = memchr(b'\r', buffer.get(from..).unwrap_or_default()) else {
            self.scanned = buffer.len();
            return Ok(None);
        };
        let end = from.saturating_add(offset);
        self.scanned = end;
        match buffer.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => {
                let text = buffer.get(self.position + 1..end).unwrap_or_default();
                Ok(Some(Line { marker: *marker, text, next: end + 2 }))
            }
            Some(_) => Err(DecodeError::MissingLineEnd),
        }
    }

    fn open(&mut self, remaining: u64, is_attribute: bool) -> Result<(), DecodeError> {
        // The first one is the reply itself.
        if self.open.len() > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.open.push(Open { remaining, is_attribute });
        Ok(())
    }

    /// An element is complete; so may be the aggregates around it.
    fn count_element(&mut self) {
        while let Some(innermost) = self.open.last_mut() {
            innermost.remaining = innermost.remaining.saturating_sub(1);
            if innermost.remaining > 0 {
                return;
            }
            let was_attribute = innermost.is_attribute;
            self.open.pop();
            if was_attribute {
                return;
            }
        }
    }
}

/// The length or count of a line; `None` is the null of RESP2.
fn length(marker: u8, text: &[u8]) -> Result<Option<u64>, DecodeError> {
    match parse_i64(text) {
        Some(-1) if matches!(marker, b'$' | b'*') => Ok(None),
        Some(number) => u64::try_from(number).map(Some).map_err(|_| DecodeError::InvalidLength),
        None => Err(DecodeError::InvalidLength),
    }
}

/// Builds values from bytes that hold a whole reply.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Recursion ends at [`DEPTH_MAX`], which the walk has checked.
    fn value(&mut self) -> Result<Value, DecodeError> {
        let mut attributes = Vec::new();
        loop {
            let (marker, text) = self.line()?;
            if marker == b'|' {
                self.pairs(text, &mut attributes)?;
                continue;
            }
            let value = self.unattributed(marker, text)?;
            return Ok(if attributes.is_empty() {
                value
            } else {
                Value::Attributed { attributes, value: Box::new(value) }
            });
        }
    }

    fn unattributed(&mut self, marker: u8, text: &'a [u8]) -> Result<Value, DecodeError> {
        Ok(match marker {
            b'+' => Value::Simple(text.to_vec()),
            b'-' => Value::Error(text.to_vec()),
            b':' => Value::Integer(parse_i64(text).ok_or(DecodeError::InvalidValue)?),
            b'$' => match length(marker, text)? {
                Some(length) => Value::Bulk(self.bytes(length)?.to_vec()),
                None => Value::Null,
            },
            b'!' => Value::Error(self.bytes(length(marker, text)?.unwrap_or(0))?.to_vec()),
            b'=' => verbatim(self.bytes(length(marker, text)?.unwrap_or(0))?)?,
            b'*' => match length(marker, text)? {
                Some(count) => Value::Array(self.elements(count)?),
                None => Value::Null,
            },
            b'~' => Value::Set(self.elements(length(marker, text)?.unwrap_or(0))?),
            b'>' => Value::Push(self.elements(length(marker, text)?.unwrap_or(0))?),
            b'%' => {
                let mut pairs = Vec::new();
                self.pairs(text, &mut pairs)?;
                Value::Map(pairs)
            }
            b',' => double(text)?,
            b'#' => match text {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                _ => return Err(DecodeError::InvalidValue),
            },
            b'(' => big_number(text)?,
            b'_' if text.is_empty() => Value::Null,
            b'_' => return Err(DecodeError::InvalidValue),
            other => return Err(DecodeError::UnknownType(other)),
        })
    }

    fn line(&mut self) -> Result<(u8, &'a [u8]), DecodeError> {
        let end = memchr(b'\r', self.rest).ok_or(DecodeError::MissingLineEnd)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or(DecodeError::MissingLineEnd)?;
        self.rest = rest.get(2..).ok_or(DecodeError::MissingLineEnd)?;
        line.split_first().map(|(marker, text)| (*marker, text)).ok_or(DecodeError::MissingLineEnd)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::TooLong)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::InvalidLength)?;
        self.rest = rest.get(2..).ok_or(DecodeError::MissingLineEnd)?;
        Ok(bytes)
    }

    fn elements(&mut self, count: u64) -> Result<Vec<Value>, DecodeError> {
        let mut elements = Vec::with_capacity(self.room_for(count));
        for _ in 0..count {
            elements.push(self.value()?);
        }
        Ok(elements)
    }

    fn pairs(&mut self, text: &[u8], out: &mut Vec<(Value, Value)>) -> Result<(), DecodeError> {
        let count = length(b'%', text)?.unwrap_or(0);
        out.reserve(self.room_for(count));
        for _ in 0..count {
            out.push((self.value()?, self.value()?));
        }
        Ok(())
    }

    /// `count`, or less if the bytes left cannot hold so many: the shortest element has three.
    fn room_for(&self, count: u64) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len() / 3)
    }
}

fn verbatim(bytes: &[u8]) -> Result<Value, DecodeError> {
    match bytes {
        [first, second, third, b':', text @ ..] => {
            Ok(Value::Verbatim { kind: [*first, *second, *third], text: text.to_vec() })
        }
        _ => Err(DecodeError::InvalidValue),
    }
}

fn double(text: &[u8]) -> Result<Value, DecodeError> {
    let text = std::str::from_utf8(text).map_err(|_| DecodeError::InvalidValue)?;
    let number = text.parse().map_err(|_| DecodeError::InvalidValue)?;
    Ok(Value::Double { number, text: text.to_owned() })
}

fn big_number(text: &[u8]) -> Result<Value, DecodeError> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecodeError::InvalidValue);
    }
    Ok(Value::BigNumber(String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests;
