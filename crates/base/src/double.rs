//! The text of a floating-point number in replies: C's `%.17g`, which every 64-bit double survives.
//!
//! 17 significant digits, trailing zeros dropped; an exponent below -4 or above 16 switches to
//! `d.ddde+XX` with at least two exponent digits. Infinities are `inf` and `-inf`, a NaN is `nan`.
//!
//! Source: Redis 7.0.15, observed (`ZSCORE` of 0.1 is `0.10000000000000001`); C11, 7.21.6.1.

/// Significant digits written.
const DIGITS: usize = 17;

/// Appends the text of `number`.
pub fn write(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if number.is_infinite() {
        return out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
    }
    let scientific = format!("{:.*e}", DIGITS - 1, number.abs());
    if number.is_sign_negative() {
        out.push(b'-');
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let digits = digits.get(..kept).unwrap_or(&digits);
    match usize::try_from(exponent) {
        Ok(exponent) if exponent < DIGITS => write_plain(out, digits, exponent + 1),
        Err(_) if exponent >= -4 => {
            out.extend_from_slice(b"0.");
            let zeros = usize::try_from(-1 - exponent).unwrap_or(0);
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(digits);
        }
        _ => {
            write_plain(out, digits, 1);
            let sign = if exponent < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
        }
    }
}

/// Writes `digits` with the decimal point after the first `whole` of them, zeros filling what lacks.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], whole: usize) {
    match digits.split_at_checked(whole) {
        Some((front, [])) => out.extend_from_slice(front),
        Some((front, back)) => {
            out.extend_from_slice(front);
            out.push(b'.');
            out.extend_from_slice(back);
        }
        None => {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(digits.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_printf() {
        // Right column: `printf '%.17g\n' X` of the C library.
        let rows: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.10000000000000001"),
            (3.15, "3.1499999999999999"),
            (100.0, "100"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e-4, "0.0001"),
            (1.5e-5, "1.5e-05"),
            (1e100, "1e+100"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, expected) in rows {
            let mut out = Vec::new();
            write(&mut out, *number);
            assert_eq!(String::from_utf8_lossy(&out), *expected);
        }
    }

    proptest! {
        #[test]
        fn every_double_survives(number in any::<f64>()) {
            let mut out = Vec::new();
            write(&mut out, number);
            let back: f64 = String::from_utf8_lossy(&out).parse().unwrap();
            prop_assert!(back.total_cmp(&number).is_eq() || number.is_nan());
        }
    }
}
