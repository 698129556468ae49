//! INCRBYFLOAT's arithmetic: x87 extended precision, computed in software on every machine.
//!
//! Stock adds in C's `long double`, on x86 a 64-bit mantissa with a 15-bit exponent, and prints with
//! `%.17Lf`, trailing zeros cut off. Clients see the difference: 0.1 + 0.2 is 0.3 there, and
//! 0.30000000000000004 with an `f64`. So a number is here
//!
//! ```text
//! (-1)^negative * mantissa * 2^exponent     mantissa: 0, or 2^63 <= mantissa < 2^64;
//!                                           below 2^63 only where exponent = EXPONENT_MIN
//! ```
//!
//! and reading, adding and printing each round once, to nearest, ties to even, as the hardware and
//! the C library do. Accepted is what `strtold` accepts without blanks before it: decimal and
//! hexadecimal fractions with exponents, `inf` and `infinity`; not `nan`, and nothing that rounds
//! to infinity or to zero because its exponent is out of range.
//!
//! Source: IEEE 754 "extended"; ISO C `strtold`; behaviour observed with stock 7.0.15 on x86-64.

use super::StringError;
use num_bigint::BigUint;

/// The first length of text that is refused whatever it says.
const TEXT_LEN_LIMIT: usize = 5 * 1024;

/// Digits behind the decimal point that are printed.
const FRACTION_DIGITS: usize = 17;

/// `10^FRACTION_DIGITS`; times a mantissa it still fits 121 bits.
const FRACTION_UNIT: u128 = 100_000_000_000_000_000;

/// The bits of a mantissa.
const MANTISSA_BITS: i64 = 64;

/// The exponent of the smallest numbers: 2^-16445 is the smallest of all.
const EXPONENT_MIN: i64 = -16_445;

/// The exponent of the largest: `(2^64 - 1) * 2^16320`.
const EXPONENT_MAX: i64 = 16_320;

/// Decimal exponents beyond this are out of range for any mantissa of `TEXT_LEN_LIMIT` digits.
const WRITTEN_EXPONENT_MAX: i64 = 100_000;

/// The sum of the numbers written in `value` and `by`, in the form that INCRBYFLOAT stores.
///
/// # Errors
/// `NotFloat` if either is not a number; `NotFinite` if the sum is infinite or undefined.
pub fn increment_float(value: &[u8], by: &[u8]) -> Result<Vec<u8>, StringError> {
    let value = Extended::parse(value).ok_or(StringError::NotFloat)?;
    let by = Extended::parse(by).ok_or(StringError::NotFloat)?;
    match value.add(by) {
        Some(sum) => Ok(sum.to_text()),
        None => Err(StringError::NotFinite),
    }
}

/// A number of x87 extended precision, or an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extended {
    Finite { negative: bool, mantissa: u64, exponent: i64 },
    Infinite,
}

impl Extended {
    /// What `strtold` reads from exactly `text`, if stock takes it for a number.
    pub(super) fn parse(text: &[u8]) -> Option<Extended> {
        if text.is_empty() || text.len() >= TEXT_LEN_LIMIT {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(Extended::Infinite);
        }
        let (mantissa, exponent) = match unsigned {
            [b'0', b'x' | b'X', rest @ ..] => read_hexadecimal(rest)?,
            _ => read_decimal(unsigned)?,
        };
        Some(Extended::Finite { negative, mantissa, exponent })
    }

    /// The rounded sum; `None` if it is not finite.
    fn add(self, other: Extended) -> Option<Extended> {
        let Extended::Finite { negative, mantissa, exponent } = self else { return None };
        let Extended::Finite {
            negative: other_negative,
            mantissa: other_mantissa,
            exponent: other,
        } = other
        else {
            return None;
        };
        let base = exponent.min(other);
        let (shift, other_shift) = (exponent.abs_diff(base), other.abs_diff(base));
        if shift.max(other_shift) < MANTISSA_BITS.unsigned_abs() - 1 {
            // Both fit 127 bits, and so does their sum 128.
            let left = u128::from(mantissa) << shift;
            let right = u128::from(other_mantissa) << other_shift;
            let (negative, magnitude) = if negative == other_negative {
                (negative, left + right)
            } else if left >= right {
                (negative, left - right)
            } else {
                (other_negative, right - left)
            };
            let (mantissa, exponent) = round(magnitude, base, false)?;
            return Some(Extended::Finite { negative, mantissa, exponent });
        }
        let left = BigUint::from(mantissa) << shift;
        let right = BigUint::from(other_mantissa) << other_shift;
        let (negative, magnitude) = if negative == other_negative {
            (negative, left + right)
        } else if left >= right {
            (negative, left - right)
        } else {
            (other_negative, right - left)
        };
        let (mantissa, exponent) = round_big(&magnitude, base, false)?;
        Some(Extended::Finite { negative, mantissa, exponent })
    }

    /// `%.17Lf` without trailing zeros, and without the sign of a zero.
    fn to_text(self) -> Vec<u8> {
        let Extended::Finite { negative, mantissa, exponent } = self else {
            return if self == Extended::Infinite { b"inf".to_vec() } else { Vec::new() };
        };
        let digits = if exponent >= 0 {
            let mut digits = (BigUint::from(mantissa) << exponent.unsigned_abs()).to_string();
            digits.push_str(&"0".repeat(FRACTION_DIGITS));
            digits
        } else {
            shift_rounding(u128::from(mantissa) * FRACTION_UNIT, exponent.unsigned_abs())
                .to_string()
        };
        place_point(negative, &digits)
    }
}

/// Writes `digits`, an integer of units of `10^-FRACTION_DIGITS`, with a point where it is needed.
fn place_point(negative: bool, digits: &str) -> Vec<u8> {
    let digits = format!("{digits:0>width$}", width = FRACTION_DIGITS + 1);
    let (whole, fraction) = digits.split_at(digits.len() - FRACTION_DIGITS);
    let fraction = fraction.trim_end_matches('0');
    let mut text = Vec::with_capacity(digits.len() + 2);
    if negative && (whole != "0" || !fraction.is_empty()) {
        text.push(b'-');
    }
    text.extend_from_slice(whole.as_bytes());
    if !fraction.is_empty() {
        text.push(b'.');
        text.extend_from_slice(fraction.as_bytes());
    }
    text
}

/// `value / 2^shift`, to nearest, ties to even.
fn shift_rounding(value: u128, shift: u64) -> u128 {
    match shift {
        0 => value,
        1..128 => {
            let (quotient, half) = (value >> shift, 1 << (shift - 1));
            let rest = value & ((1 << shift) - 1);
            quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
        }
        128 => u128::from(value > 1 << 127),
        _ => 0,
    }
}

/// Rounds `magnitude * 2^exponent` to a mantissa and an exponent; `sticky` says that the true value
/// lies above by less than one unit of `magnitude`, which then has more bits than a mantissa needs.
/// `None` if the result is infinite.
fn round(magnitude: u128, exponent: i64, sticky: bool) -> Option<(u64, i64)> {
    if magnitude == 0 {
        return Some((0, EXPONENT_MIN));
    }
    let bits = i64::from(u128::BITS - magnitude.leading_zeros());
    let target = (exponent + bits - MANTISSA_BITS).max(EXPONENT_MIN);
    if target <= exponent {
        let mantissa = magnitude << exponent.abs_diff(target);
        return finish(u64::try_from(mantissa).ok()?, target);
    }
    // A sticky bit below the last: it breaks a tie and changes nothing else.
    let drop = exponent.abs_diff(target);
    let mantissa = match (magnitude.checked_mul(2), sticky) {
        (_, false) => shift_rounding(magnitude, drop),
        (Some(doubled), true) => shift_rounding(doubled | 1, drop + 1),
        (None, true) => shift_rounding(magnitude | 1, drop),
    };
    match u64::try_from(mantissa) {
        Ok(mantissa) => finish(mantissa, target),
        Err(_) => finish(1 << (MANTISSA_BITS - 1), target + 1),
    }
}

/// As [`round`], of any number of bits: all but the first 128 only count as sticky.
fn round_big(magnitude: &BigUint, exponent: i64, sticky: bool) -> Option<(u64, i64)> {
    let drop = magnitude.bits().saturating_sub(u64::from(u128::BITS));
    let lost = drop > 0 && magnitude.trailing_zeros().is_some_and(|zeros| zeros < drop);
    let head = u128::try_from(magnitude >> drop).ok()?;
    round(head, exponent + i64::try_from(drop).ok()?, sticky || lost)
}

fn finish(mantissa: u64, exponent: i64) -> Option<(u64, i64)> {
    (exponent <= EXPONENT_MAX).then_some((mantissa, exponent))
}

/// Reads `digits[.digits][e[+-]digits]`: what a written number, not zero, rounds to must not be zero.
fn read_decimal(text: &[u8]) -> Option<(u64, i64)> {
    let (digits, scale, rest) = read_digits(text, 10)?;
    let power = read_exponent(rest, b'e')?.saturating_sub(scale);
    if let Some(rounded) = round_short(&digits, power) {
        return Some(rounded);
    }
    let value = BigUint::from_radix_be(&digits, 10)?;
    if value.bits() == 0 {
        return Some((0, EXPONENT_MIN));
    }
    // `digits` is below 10^5120 and a number of the format between 10^-4951 and 10^4933.
    if !(-11_000..=5_000).contains(&power) {
        return None;
    }
    let ten_to_power = BigUint::from(10u32).pow(u32::try_from(power.unsigned_abs()).ok()?);
    let rounded = if power >= 0 {
        round_big(&(value * ten_to_power), 0, false)?
    } else {
        // Enough bits in front of the division that the quotient has more than a mantissa.
        let wanted = ten_to_power.bits() + 2 * MANTISSA_BITS.unsigned_abs();
        let extra = wanted.saturating_sub(value.bits());
        let scaled = value << extra;
        let quotient = &scaled / &ten_to_power;
        let sticky = &quotient * &ten_to_power != scaled;
        round_big(&quotient, -i64::try_from(extra).ok()?, sticky)?
    };
    (rounded.0 != 0).then_some(rounded)
}

/// The usual case, without big integers: at most 19 digits, at most 18 of them behind the point.
fn round_short(digits: &[u8], power: i64) -> Option<(u64, i64)> {
    if digits.len() > 19 || !(-18..=0).contains(&power) {
        return None;
    }
    let value = digits.iter().fold(0, |sum: u128, &digit| sum * 10 + u128::from(digit));
    if value == 0 || power == 0 {
        return round(value, 0, false);
    }
    // 128 bits divided by at most 60 leave at least 68, and a mantissa needs 64.
    let divisor = 10u128.pow(u32::try_from(power.unsigned_abs()).ok()?);
    let extra = value.leading_zeros();
    let scaled = value << extra;
    let quotient = scaled / divisor;
    round(quotient, -i64::from(extra), quotient * divisor != scaled)
}

/// Reads what follows `0x`: hexadecimal digits with a point, and `p` with a decimal power of two.
fn read_hexadecimal(text: &[u8]) -> Option<(u64, i64)> {
    let (digits, scale, rest) = read_digits(text, 16)?;
    let written = read_exponent(rest, b'p')?;
    let value = BigUint::from_radix_be(&digits, 16)?;
    if value.bits() == 0 {
        return Some((0, EXPONENT_MIN));
    }
    let rounded = round_big(&value, written.saturating_sub(4 * scale), false)?;
    (rounded.0 != 0).then_some(rounded)
}

/// Reads digits with at most one point: the digits' values, how many of them are behind the point,
/// and the rest of the text. At least one digit is needed.
fn read_digits(text: &[u8], radix: u32) -> Option<(Vec<u8>, i64, &[u8])> {
    let mut digits = Vec::with_capacity(text.len());
    let mut point: Option<usize> = None;
    let mut rest = text;
    while let Some((&byte, later)) = rest.split_first() {
        match char::from(byte).to_digit(radix) {
            Some(digit) => digits.push(u8::try_from(digit).ok()?),
            None if byte == b'.' && point.is_none() => point = Some(digits.len()),
            None => break,
        }
        rest = later;
    }
    let scale = point.map_or(0, |point| digits.len() - point);
    (!digits.is_empty()).then_some(())?;
    Some((digits, i64::try_from(scale).ok()?, rest))
}

/// Reads all of an exponent `<mark>[+-]digits`, which may be absent. Clamped, never overflowing.
fn read_exponent(text: &[u8], mark: u8) -> Option<i64> {
    let Some((first, rest)) = text.split_first() else { return Some(0) };
    first.eq_ignore_ascii_case(&mark).then_some(())?;
    let (negative, digits) = match rest {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, rest),
    };
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(())?;
    let magnitude = digits
        .iter()
        .fold(0, |sum: i64, &digit| (sum * 10 + i64::from(digit - b'0')).min(WRITTEN_EXPONENT_MAX));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests;
