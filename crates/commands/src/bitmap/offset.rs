//! Offsets of bits and ranges of bytes or bits, as clients state them.

use engine::{Args, CommandError, Context};
use values::string::parse_i64;

/// The bit that `word` names: a number, or `#` and a number of fields of `bits` bits if `fields`.
///
/// # Errors
/// If it is no number, below zero or beyond the longest string.
pub(super) fn bit_offset(
    cx: &Context<'_>,
    word: &[u8],
    bits: Option<u32>,
) -> Result<usize, CommandError> {
    let refused = || CommandError::text("ERR bit offset is not an integer or out of range");
    let (number, scale) = match (word.strip_prefix(b"#"), bits) {
        (Some(number), Some(bits)) => (number, i64::from(bits)),
        _ => (word, 1),
    };
    let number =
        parse_i64(number).and_then(|number| number.checked_mul(scale)).ok_or_else(refused)?;
    let bit = usize::try_from(number).map_err(|_| refused())?;
    if bit / 8 < cx.keys.string_bytes_max() { Ok(bit) } else { Err(refused()) }
}

/// A range as it came: `start [end [BYTE | BIT]]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated {
    start: i64,
    /// The end, if it was given.
    pub(super) end: Option<i64>,
    in_bits: bool,
}

impl Stated {
    /// What is left of the arguments, if anything.
    ///
    /// # Errors
    /// `Syntax` if there is too much or an unknown unit, `NotInteger` for what is no number.
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Option<Stated>, CommandError> {
        if args.left() == 0 {
            return Ok(None);
        }
        if args.left() > 3 {
            return Err(CommandError::Syntax);
        }
        let start = args.integer()?;
        let end = args.next();
        let in_bits = args.take_token("BIT");
        if !in_bits {
            args.take_token("BYTE");
        }
        args.end()?;
        let end = end.map(|end| parse_i64(end).ok_or(CommandError::NotInteger)).transpose()?;
        Ok(Some(Stated { start, end, in_bits }))
    }

    /// Whether it ends before it begins, both counted from the end. BITCOUNT finds nothing there;
    /// BITPOS takes ends before the string for its first place.
    pub(super) fn is_reversed(self) -> bool {
        let end = self.end.unwrap_or(-1);
        self.start < 0 && end < 0 && self.start > end
    }

    /// The first and the last bit of a string of `len` bytes, if the range holds any.
    pub(super) fn bits(self, len: usize) -> Option<(usize, usize)> {
        let end = self.end.unwrap_or(-1);
        let total = i64::try_from(len).ok()? * if self.in_bits { 8 } else { 1 };
        let from_end = |at: i64| if at < 0 { (total + at).max(0) } else { at };
        let first = usize::try_from(from_end(self.start)).ok()?;
        let last = usize::try_from(from_end(end).min(total - 1)).ok()?;
        if first > last {
            return None;
        }
        Some(if self.in_bits { (first, last) } else { (first * 8, last * 8 + 7) })
    }
}
