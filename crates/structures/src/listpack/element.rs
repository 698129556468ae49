//! One element of a pack: reading and writing its head, its body and the length behind them.

/// The longest head: that of a 64-bit integer, which is all head.
const HEAD_LEN_MAX: usize = 9;

/// Strings shorter than this have a head of one byte.
const SHORT_LEN_MIN: usize = 64;

/// Strings shorter than this have a head of two bytes.
const LONG_LEN_MIN: usize = 4096;

const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An integer, which stands for its decimal digits.
    Int(i64),
    /// Any other string.
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// `bytes` as a pack keeps them: as an integer if they spell one canonically.
    pub fn of(bytes: &'a [u8]) -> Item<'a> {
        integer(bytes).map_or(Item::Bytes(bytes), Item::Int)
    }

    /// Appends the string to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes(&mut itoa::Buffer::new()));
    }

    /// The string; digits of an integer are put into `buffer`.
    pub fn bytes<'b>(self, buffer: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Int(value) => buffer.format(value).as_bytes(),
            Item::Bytes(bytes) => bytes,
        }
    }

    /// The string as bytes of its own.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Whether the string is `bytes`.
    pub fn is(self, bytes: &[u8]) -> bool {
        match self {
            Item::Int(value) => integer(bytes) == Some(value),
            Item::Bytes(own) => own == bytes,
        }
    }

    /// The length of the string.
    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether the string is empty.
    pub fn is_empty(self) -> bool {
        matches!(self, Item::Bytes([]))
    }

    /// The integer that the string spells canonically, however it is kept.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Item::Int(value) => Some(value),
            Item::Bytes(bytes) => integer(bytes),
        }
    }
}

/// The integer that `bytes` spell as it would be printed: no sign but a minus, no needless zeros.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    // Nineteen digits fit u64.
    let mut value = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// An element about to be written.
pub(super) struct Encoded<'a> {
    head: [u8; HEAD_LEN_MAX],
    head_len: usize,
    body: &'a [u8],
    back: Back,
}

impl<'a> Encoded<'a> {
    pub(super) fn of(item: Item<'a>) -> Encoded<'a> {
        let (head, head_len, body) = match item {
            Item::Int(value) => {
                let (head, len) = int_head(value);
                (head, len, &[][..])
            }
            Item::Bytes(bytes) => {
                let (head, len) = string_head(bytes.len());
                (head, len, bytes)
            }
        };
        Encoded { head, head_len, body, back: Back::of(head_len + body.len()) }
    }

    /// The bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.head_len + self.body.len() + self.back.as_slice().len()
    }

    /// Adds it to `pack`.
    #[inline]
    pub(super) fn append(&self, pack: &mut Vec<u8>) {
        pack.extend_from_slice(&self.head[..self.head_len]);
        pack.extend_from_slice(self.body);
        pack.extend_from_slice(self.back.as_slice());
    }

    /// Fills `place`, which is [`Encoded::len`] long.
    pub(super) fn fill(&self, place: &mut [u8]) {
        let (head, rest) = place.split_at_mut(self.head_len);
        let (body, back) = rest.split_at_mut(self.body.len());
        head.copy_from_slice(&self.head[..self.head_len]);
        body.copy_from_slice(self.body);
        back.copy_from_slice(self.back.as_slice());
    }
}

/// The length behind an element.
pub(super) struct Back {
    bytes: [u8; 5],
    len: usize,
}

impl Back {
    /// The one for a head and body of `len` bytes.
    pub(super) fn of(len: usize) -> Back {
        let count = back_len(len);
        let mut bytes = [0; 5];
        let mut rest = len;
        for place in bytes[..count].iter_mut().rev() {
            *place = low_byte(rest) | 0x80;
            rest >>= 7;
        }
        bytes[0] &= 0x7f;
        Back { bytes, len: count }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How many bytes the length behind a head and body of `len` bytes takes. Those of more than one
/// byte leave out the greatest length they could hold, as stock's do.
pub(super) fn back_len(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The length that stands in the bytes before `at`.
pub(super) fn read_back(bytes: &[u8], at: usize) -> usize {
    let (mut len, mut shift) = (0, 0);
    for &byte in bytes[..at].iter().rev().take(5) {
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    len
}

/// The element at `at` of a pack, and the length of its head and body.
pub(super) fn decode(pack: &[u8], at: usize) -> (Item<'_>, usize) {
    // One-byte heads are nearly all there are; the rest is out of line.
    let head = pack[at];
    if head < 0x80 {
        (Item::Int(i64::from(head)), 1)
    } else if head < 0xc0 {
        let len = usize::from(head & 0x3f);
        (Item::Bytes(&pack[at + 1..at + 1 + len]), 1 + len)
    } else {
        decode_foreign(&pack[at..]).expect("the pack was made here or validated")
    }
}

/// The length of head and body of the element at `at` of a pack.
pub(super) fn len_at(pack: &[u8], at: usize) -> usize {
    match pack[at] {
        0..0x80 => 1,
        head @ 0x80..0xc0 => 1 + usize::from(head & 0x3f),
        0xc0..0xe0 => 2,
        _ => decode(pack, at).1,
    }
}

/// The length of head and body of an element whose head is `head`, if that says so.
pub(super) fn short_len(head: u8) -> Option<usize> {
    match head {
        0..0x80 => Some(1),
        0x80..0xc0 => Some(1 + usize::from(head & 0x3f)),
        0xc0.. => None,
    }
}

/// The element that `bytes` begin with and the length of its head and body, if they do.
pub(super) fn decode_foreign(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&head, rest) = bytes.split_first()?;
    let string = |head_len: usize, len: usize| {
        let end = head_len.checked_add(len)?;
        Some((Item::Bytes(bytes.get(head_len..end)?), end))
    };
    Some(match head {
        0..0x80 => (Item::Int(i64::from(head)), 1),
        0x80..0xc0 => string(1, usize::from(head & 0x3f))?,
        0xc0..0xe0 => {
            let low = *rest.first()?;
            // The sign moves to the highest bit and back, so that it fills the bits it leaves.
            let value = i16::from_be_bytes([head << 3 | low >> 5, low << 3]) >> 3;
            (Item::Int(value.into()), 2)
        }
        0xe0..0xf0 => string(2, usize::from(head & 0x0f) << 8 | usize::from(*rest.first()?))?,
        STRING_32 => string(5, usize::try_from(u32::from_le_bytes(*rest.first_chunk()?)).ok()?)?,
        INT_16 => (Item::Int(i16::from_le_bytes(*rest.first_chunk()?).into()), 3),
        INT_24 => {
            let [a, b, c] = *rest.first_chunk()?;
            (Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()), 4)
        }
        INT_32 => (Item::Int(i32::from_le_bytes(*rest.first_chunk()?).into()), 5),
        INT_64 => (Item::Int(i64::from_le_bytes(*rest.first_chunk()?)), 9),
        _ => return None,
    })
}

fn int_head(value: i64) -> ([u8; HEAD_LEN_MAX], usize) {
    let [a, b, c, d, ..] = value.to_le_bytes();
    let mut head = [0; HEAD_LEN_MAX];
    let len = match value {
        0..=127 => {
            head[0] = a;
            1
        }
        -4096..4096 => {
            head[..2].copy_from_slice(&[0xc0 | b & 0x1f, a]);
            2
        }
        -0x8000..0x8000 => {
            head[..3].copy_from_slice(&[INT_16, a, b]);
            3
        }
        -0x80_0000..0x80_0000 => {
            head[..4].copy_from_slice(&[INT_24, a, b, c]);
            4
        }
        -0x8000_0000..0x8000_0000 => {
            head[..5].copy_from_slice(&[INT_32, a, b, c, d]);
            5
        }
        _ => {
            head[0] = INT_64;
            head[1..].copy_from_slice(&value.to_le_bytes());
            9
        }
    };
    (head, len)
}

fn string_head(len: usize) -> ([u8; HEAD_LEN_MAX], usize) {
    let mut head = [0; HEAD_LEN_MAX];
    let head_len = if len < SHORT_LEN_MIN {
        head[0] = 0x80 | low_byte(len);
        1
    } else if len < LONG_LEN_MIN {
        head[0] = 0xe0 | low_byte(len >> 8);
        head[1] = low_byte(len);
        2
    } else {
        head[0] = STRING_32;
        let len = u32::try_from(len).expect("an element of a pack is shorter than 4 GB");
        head[1..5].copy_from_slice(&len.to_le_bytes());
        5
    };
    (head, head_len)
}

fn low_byte(value: usize) -> u8 {
    u8::try_from(value & 0xff).unwrap_or(0)
}
