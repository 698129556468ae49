//! Floating-point numbers of 64 bits as clients write them, and as commands about places show them.
//!
//! Source: ISO C `strtod`; behaviour observed with stock 7.0.15.

use super::float::Extended;

/// What `strtod` reads from exactly `text`, if stock takes it for a number: no blanks, no `nan`, and
/// nothing that is infinite or zero only because its exponent is out of range.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let extended = Extended::parse(text)?;
    let number = nearest(text, extended)?;
    let is_in_range = match extended {
        Extended::Infinite => true,
        Extended::Finite { mantissa, .. } => number.is_finite() && (number != 0.0 || mantissa == 0),
    };
    is_in_range.then_some(number)
}

/// What `strtod` reads from exactly `text`, for commands of stock that take whatever it gives but `nan`: blanks
/// may stand in front, and what is out of range is infinite or zero.
pub fn read_double(text: &[u8]) -> Option<f64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let text = text.get(start..)?;
    let number = match Extended::parse(text) {
        Some(extended) => nearest(text, extended)?,
        // Out of range even for what has more bits.
        None => std::str::from_utf8(text).ok()?.parse().ok()?,
    };
    Some(number).filter(|number: &f64| !number.is_nan())
}

/// The double nearest to what `text` spells, which is known as an `extended` number.
fn nearest(text: &[u8], extended: Extended) -> Option<f64> {
    let negative = text.first() == Some(&b'-');
    let is_hexadecimal = text.iter().any(|byte| matches!(byte, b'x' | b'X'));
    let magnitude = match extended {
        Extended::Infinite => f64::INFINITY,
        Extended::Finite { mantissa, exponent, .. } if is_hexadecimal => scaled(mantissa, exponent),
        Extended::Finite { .. } => return std::str::from_utf8(text).ok()?.parse().ok(),
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `mantissa * 2^exponent`.
#[allow(clippy::cast_precision_loss, reason = "the rounding that is wanted")]
fn scaled(mantissa: u64, exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-4000, 4000)).unwrap_or(0);
    // In two steps, since half of the powers that matter are no numbers themselves.
    mantissa as f64 * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

/// `%.17Lf` without trailing zeros: how GEOPOS shows coordinates.
pub fn human_double(number: f64) -> String {
    let mut text = format!("{number:.17}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken and refused as ZADD and GEOADD of stock do.
    #[test]
    fn reads_what_stock_reads() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("-1.5", Some(-1.5)),
            ("+1", Some(1.0)),
            (".5", Some(0.5)),
            ("2.", Some(2.0)),
            ("1e1", Some(10.0)),
            ("0x10", Some(16.0)),
            ("-0x1p3", Some(-8.0)),
            ("0x.8", Some(0.5)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("5e-324", Some(5e-324)),
            ("0e-400", Some(0.0)),
            ("1e400", None),
            ("1e-400", None),
            ("0x1p5000", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("nan", None),
            ("nan(1)", None),
            ("1.0x", None),
            ("1e", None),
            ("--1", None),
        ] {
            assert_eq!(parse_double(text.as_bytes()), expected, "{text}");
        }
    }

    /// From stock's GEOPOS.
    #[test]
    fn shows_what_stock_shows() {
        for (number, expected) in [
            (180.0, "180"),
            (-0.0, "0"),
            (100.0, "100"),
            (85.051_128_78, "85.0511287799999991"),
            (0.000_001_267_360_580_93, "0.00000126736058093"),
        ] {
            assert_eq!(human_double(number), expected);
        }
    }
}
