//! Pure operations on strings: what they mean, which limits hold, how they are stored.
//!
//! A string that is the canonical decimal form of an `i64` is stored as that integer; everything
//! else is bytes. OBJECT ENCODING shows three names (`int`, `embstr`, `raw`), as stock does.
//!
//! Source: Redis documentation of each command; behaviour observed with stock 7.0.15.

pub mod digest;
pub mod double;
pub mod float;
pub mod integer;
pub mod lcs;
pub mod range;
pub mod raw;

pub use digest::{DIGEST_DIGITS, digest};
pub use double::{human_double, parse_double, read_double};
pub use float::increment_float;
pub use integer::{IntegerText, decimal_len, increment, parse_i64, push_i64};
pub use lcs::{Common, Match, common_idx, common_len, common_text};
pub use range::{check_length, overwrite, substring};
pub use raw::RawString;

/// The length of the longest decimal form of an `i64` (`-9223372036854775808`).
pub const INTEGER_LEN_MAX: usize = 20;

/// The length up to which stock stores a string in one piece with its header.
pub const EMBSTR_LEN_MAX: usize = 44;

/// The default of `proto-max-bulk-len`: the longest string a command may create.
pub const STRING_LEN_MAX: usize = 512 * 1024 * 1024;

/// Why an operation on a string is refused. The texts are stock's, without the leading `ERR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StringError {
    /// The client or the stored value is not a canonical integer.
    #[error("value is not an integer or out of range")]
    NotInteger,
    /// The sum leaves the range of an `i64`.
    #[error("increment or decrement would overflow")]
    Overflow,
    /// The client or the stored value is not a floating-point number.
    #[error("value is not a valid float")]
    NotFloat,
    /// The sum of two floating-point numbers is not finite.
    #[error("increment would produce NaN or Infinity")]
    NotFinite,
    /// The result would be longer than `proto-max-bulk-len`.
    #[error("string exceeds maximum allowed size (proto-max-bulk-len)")]
    TooLong,
    /// LCS: one of the strings has 2^32 - 2 bytes or more.
    #[error("String too long for LCS")]
    TooLongForLcs,
    /// LCS: the table of the two lengths would exceed `proto-max-bulk-len`.
    #[error("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")]
    LcsTable,
}

/// How a string is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringForm {
    /// The canonical decimal form of this integer.
    Int(i64),
    /// Any other bytes.
    Bytes,
}

/// How `value` is to be stored: an integer if, and only if, formatting it gives `value` back.
pub fn encode(value: &[u8]) -> StringForm {
    parse_i64(value).map_or(StringForm::Bytes, StringForm::Int)
}

/// The name OBJECT ENCODING answers for a string of `len` bytes.
///
/// `grown` says that the value was changed in place (APPEND, SETRANGE, SETBIT): stock then keeps it
/// `raw` whatever its length.
pub const fn encoding_name(is_int: bool, len: usize, grown: bool) -> &'static str {
    if is_int {
        "int"
    } else if len <= EMBSTR_LEN_MAX && !grown {
        "embstr"
    } else {
        "raw"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_become_integers() {
        let rows: &[(&[u8], StringForm)] = &[
            (b"0", StringForm::Int(0)),
            (b"-1", StringForm::Int(-1)),
            (b"9223372036854775807", StringForm::Int(i64::MAX)),
            (b"-9223372036854775808", StringForm::Int(i64::MIN)),
            (b"9223372036854775808", StringForm::Bytes),
            (b"-0", StringForm::Bytes),
            (b"007", StringForm::Bytes),
            (b"+1", StringForm::Bytes),
            (b"", StringForm::Bytes),
            (b"1 ", StringForm::Bytes),
        ];
        for &(value, expected) in rows {
            assert_eq!(encode(value), expected, "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn encoding_names_follow_stock() {
        let rows = [
            (true, 1, false, "int"),
            (false, 44, false, "embstr"),
            (false, 45, false, "raw"),
            (false, 3, true, "raw"),
            (false, 0, false, "embstr"),
        ];
        for (is_int, len, grown, expected) in rows {
            assert_eq!(encoding_name(is_int, len, grown), expected);
        }
    }
}
