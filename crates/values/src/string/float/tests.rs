//! Rows observed with stock 7.0.15 on x86-64 (SET key value, INCRBYFLOAT key by), and properties.

use super::*;
use proptest::prelude::*;

fn check(value: &str, by: &str, expected: Result<&str, StringError>) {
    let sum = increment_float(value.as_bytes(), by.as_bytes());
    let sum = sum.map(|text| String::from_utf8(text).unwrap());
    assert_eq!(sum.as_deref(), expected.as_ref().map(|text| *text), "{value} + {by}");
}

#[test]
fn sums_are_those_of_a_long_double() {
    let rows = [
        ("0.1", "0.2", "0.3"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("3", "-5", "-2"),
        ("0", "-0", "0"),
        ("-0.1", "0.1", "0"),
        ("0", "1e-17", "0.00000000000000001"),
        ("0", "1e-18", "0"),
        ("0", "-1e-18", "0"),
        ("0", "9223372036854775807", "9223372036854775807"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("18446744073709551616", "3", "18446744073709551620"),
        ("0", "0x10", "16"),
        ("0", "0x1.8p1", "3"),
        ("0", "0X.8", "0.5"),
        ("+1", "+.5", "1.5"),
        ("1.", "0", "1"),
        ("007", "0", "7"),
    ];
    for (value, by, expected) in rows {
        check(value, by, Ok(expected));
    }
}

#[test]
fn what_is_no_number_is_refused() {
    let rows = [
        "",
        " 1",
        "1 ",
        "a",
        "1a",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "0x",
        "0xp1",
        "nan",
        "-nan",
        "nan(1)",
        "1..2",
        "1e1.5",
        "--1",
        "1e5000",
        "1e-5000",
        "1e999999999999999999999",
        "inf1",
        "1e-999999999999999999999",
        "0x1p99999",
        "0x1p-99999",
        "1_000",
        "1\0",
    ];
    for text in rows {
        check(text, "1", Err(StringError::NotFloat));
        check("1", text, Err(StringError::NotFloat));
    }
    check(&"1".repeat(TEXT_LEN_LIMIT), "1", Err(StringError::NotFloat));
}

#[test]
fn infinities_are_numbers_but_their_sums_are_refused() {
    for text in ["inf", "-INF", "+Infinity", "infinity"] {
        check(text, "1", Err(StringError::NotFinite));
        check("1", text, Err(StringError::NotFinite));
    }
    check("1.1e4932", "1.1e4932", Err(StringError::NotFinite));
}

#[test]
fn the_ends_of_the_range() {
    // The largest number of the format, and the smallest, which prints as nothing.
    let largest = "0xffffffffffffffffp16320";
    let text = increment_float(largest.as_bytes(), b"0").unwrap();
    assert_eq!((text.len(), &text[..17]), (4933, &b"11897314953572317"[..]));
    check(largest, "0x1p16320", Err(StringError::NotFinite));
    check("0x1p-16445", "0", Ok("0"));
    check("0x1p-16447", "0", Err(StringError::NotFloat));
    // Half the smallest number is a tie with zero.
    for text in ["2e-4951", "0x1.8p-16446", "0x1.00000000000000000000000000000001p-16446"] {
        check(text, "0", Ok("0"));
    }
    for text in ["1.8e-4951", "0x1p-16446", "0x.ffffffffffffffffffffffffffffffffp-16446"] {
        check(text, "0", Err(StringError::NotFloat));
    }
}

proptest! {
    #[test]
    fn integers_add_exactly(a in -(1i64 << 62)..(1 << 62), b in -(1i64 << 62)..(1 << 62)) {
        let sum = increment_float(a.to_string().as_bytes(), b.to_string().as_bytes()).unwrap();
        prop_assert_eq!(sum, (a + b).to_string().into_bytes());
    }

    #[test]
    fn short_decimals_add_as_on_paper(a in -30_000i64..30_000, b in -30_000i64..30_000) {
        let written = |n: i64| format!("{}{}.{:04}", if n < 0 { "-" } else { "" }, n.abs() / 10_000, n.abs() % 10_000);
        let sum = increment_float(written(a).as_bytes(), written(b).as_bytes()).unwrap();
        let paper = written(a + b);
        let paper = paper.trim_end_matches('0').trim_end_matches('.');
        prop_assert_eq!(String::from_utf8(sum).unwrap(), if paper == "-0" { "0" } else { paper });
    }

    #[test]
    fn any_bytes_are_answered(a: Vec<u8>, b in "[-+0-9.eExXpPa-f]{0,30}") {
        let _ = increment_float(&a, b.as_bytes());
        let _ = increment_float(b.as_bytes(), b.as_bytes());
    }

    #[test]
    fn hexadecimal_doubles_are_exact(value in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
        let bits = value.to_bits();
        let (fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52) & 0x7ff);
        let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, i64::try_from(biased).unwrap() - 1075) };
        let hex = Extended::parse(format!("0x{mantissa:x}p{exponent}").as_bytes());
        let decimal = Extended::parse(format!("{:e}", value.abs()).as_bytes());
        // The shortest decimal form of a double is not its value, but within half a double's unit.
        if let (Some(Extended::Finite { mantissa: a, exponent: e, .. }), Some(Extended::Finite { mantissa: b, exponent: f, .. })) = (hex, decimal) {
            if e == f { prop_assert!(a.abs_diff(b) <= 1 << 11 || biased == 0); }
        } else { prop_assert!(value == 0.0, "{value}"); }
    }
}
