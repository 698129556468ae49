//! LZF, the compression of long strings in snapshots.
//!
//! ```text
//! 000lllll  l+1 bytes                     these bytes
//! lllooooo  oooooooo                      l+2 bytes from o+1 bytes back, 1 <= l <= 6
//! 111ooooo  llllllll  oooooooo            l+9 bytes from o+1 bytes back
//! ```
//!
//! A copy may overlap what it makes: that is how runs are written. One copy makes at most 264 bytes
//! of 3, which bounds what a hostile input of a given length can become ([`EXPANSION_MAX`]).
//!
//! Source: the format as liblzf's documentation gives it; strings in files written by stock 7.0.15.

/// The longest copy.
const COPY_LEN_MAX: usize = 264;

/// The shortest copy worth its bytes.
const COPY_LEN_MIN: usize = 3;

/// The farthest copy.
const DISTANCE_MAX: usize = 8192;

/// The longest run of bytes behind one control byte.
const LITERAL_LEN_MAX: usize = 32;

/// No input becomes more than this many times its length.
pub const EXPANSION_MAX: usize = COPY_LEN_MAX / 3;

/// The bits of a hash of three bytes: 2^13 places of 4 bytes fit a first-level cache.
const HASH_BITS: u32 = 13;

/// Compresses one input after another. Keeps its 32 KB of memory between them, uncleared: places
/// are numbered on from one input to the next, so those of earlier inputs are known to be stale.
#[derive(Clone, Debug)]
pub struct Compressor {
    places: Vec<u32>,
    base: u32,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

impl Compressor {
    /// A compressor.
    pub fn new() -> Compressor {
        Compressor { places: vec![0; 1 << HASH_BITS], base: 1 }
    }

    /// Appends the packed form of `input` to `out` if it takes at most `packed_len_max` bytes. Gives
    /// its length, or `None`, `out` being as it was. O(input).
    pub fn compress(
        &mut self,
        input: &[u8],
        packed_len_max: usize,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let input_len = u32::try_from(input.len()).ok()?;
        if self.base.checked_add(input_len).is_none() {
            self.places.fill(0);
            self.base = 1;
        }
        let begin = out.len();
        let packed = self.pack(input, begin.saturating_add(packed_len_max), out);
        self.base = self.base.saturating_add(input_len);
        if packed.is_none() {
            out.truncate(begin);
        }
        packed.map(|()| out.len() - begin)
    }

    fn pack(&mut self, input: &[u8], out_len_max: usize, out: &mut Vec<u8>) -> Option<()> {
        let (mut at, mut literal) = (0, 0);
        while let Some(found) = input.get(at..).and_then(<[u8]>::first_chunk::<COPY_LEN_MIN>) {
            let Some((distance, len)) = self.find(input, at, *found) else {
                at += 1;
                continue;
            };
            push_literals(input.get(literal..at)?, out);
            push_copy(distance, len, out);
            if out.len() > out_len_max {
                return None;
            }
            // The last places of a copy are the likeliest to be met again.
            for inside in (at + len).saturating_sub(2)..at + len {
                if let Some(chunk) = input.get(inside..).and_then(<[u8]>::first_chunk) {
                    self.note(*chunk, inside);
                }
            }
            at += len;
            literal = at;
        }
        push_literals(input.get(literal..)?, out);
        (out.len() <= out_len_max).then_some(())
    }

    /// Remembers that `chunk` is at `at`, and gives the number of the place it was at before.
    fn note(&mut self, chunk: [u8; COPY_LEN_MIN], at: usize) -> u32 {
        let [a, b, c] = chunk;
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS);
        let number = self.base.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        match self.places.get_mut(hash as usize) {
            Some(place) => std::mem::replace(place, number),
            None => 0,
        }
    }

    /// The distance and length of a copy that could be made at `at`, where `chunk` is.
    fn find(
        &mut self,
        input: &[u8],
        at: usize,
        chunk: [u8; COPY_LEN_MIN],
    ) -> Option<(usize, usize)> {
        let place = self.note(chunk, at).checked_sub(self.base)? as usize;
        let distance = at.checked_sub(place).filter(|&distance| distance <= DISTANCE_MAX)?;
        let (earlier, here) = (input.get(place..)?, input.get(at..)?);
        let same = earlier.iter().zip(here).take(COPY_LEN_MAX).take_while(|(a, b)| a == b).count();
        (distance > 0 && same >= COPY_LEN_MIN).then_some((distance, same))
    }
}

fn push_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERAL_LEN_MAX) {
        out.push(u8::try_from(run.len() - 1).unwrap_or(0));
        out.extend_from_slice(run);
    }
}

/// `1 <= distance <= DISTANCE_MAX`, `COPY_LEN_MIN <= len <= COPY_LEN_MAX`.
fn push_copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    let [high, low] = u16::try_from(distance - 1).unwrap_or(0).to_be_bytes();
    if let short @ 0..7 = u8::try_from(len - 2).unwrap_or(u8::MAX) {
        out.extend_from_slice(&[short << 5 | high, low]);
    } else {
        let long = u8::try_from(len - 9).unwrap_or(u8::MAX);
        out.extend_from_slice(&[7 << 5 | high, long, low]);
    }
}

/// Why packed bytes cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LzfError {
    /// The input ends within an element.
    #[error("packed string ends early")]
    Truncated,
    /// A copy reaches to before the beginning.
    #[error("packed string copies from before its beginning")]
    BadDistance,
    /// The result has not the length it should have.
    #[error("packed string has another length than it says")]
    BadLength,
}

/// Unpacks `packed` into exactly `len` bytes.
///
/// Allocates `len` bytes at once, but only if `packed` is long enough to become that many.
///
/// # Errors
/// [`LzfError`] if `packed` is damaged or becomes another length.
pub fn decompress(packed: &[u8], len: usize) -> Result<Vec<u8>, LzfError> {
    if len > packed.len().saturating_mul(EXPANSION_MAX) {
        return Err(LzfError::BadLength);
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = packed;
    while let Some((&control, after)) = rest.split_first() {
        let left = len - out.len();
        if usize::from(control) < LITERAL_LEN_MAX {
            let (run, after) =
                after.split_at_checked(usize::from(control) + 1).ok_or(LzfError::Truncated)?;
            if run.len() > left {
                return Err(LzfError::BadLength);
            }
            out.extend_from_slice(run);
            rest = after;
            continue;
        }
        let (copy_len, low, after) = match (control >> 5, after) {
            (7, [long, low, after @ ..]) => (usize::from(*long) + 9, *low, after),
            (short @ 0..7, [low, after @ ..]) => (usize::from(short) + 2, *low, after),
            _ => return Err(LzfError::Truncated),
        };
        if copy_len > left {
            return Err(LzfError::BadLength);
        }
        let distance = usize::from(u16::from_be_bytes([control & 0x1f, low])) + 1;
        let from = out.len().checked_sub(distance).ok_or(LzfError::BadDistance)?;
        copy_within(&mut out, from, copy_len);
        rest = after;
    }
    if out.len() == len { Ok(out) } else { Err(LzfError::BadLength) }
}

/// Appends `len` bytes from `from` on, which may reach into what is being appended.
fn copy_within(out: &mut Vec<u8>, from: usize, len: usize) {
    let mut left = len;
    while left > 0 {
        let piece = left.min(out.len() - from);
        out.extend_from_within(from..from + piece);
        left -= piece;
    }
}

#[cfg(test)]
mod tests;
