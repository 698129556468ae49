//! Rows observed with stock 7.0.15, a slow recursive model, and the bound on time.

use super::*;
use proptest::prelude::*;

fn check(pattern: &[u8], text: &[u8], expected: bool) {
    assert_eq!(matches(pattern, text, false), expected, "{pattern:?} {text:?}");
}

#[test]
fn documented_patterns() {
    let rows = [
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "hllo", true),
        ("h*llo", "heeeello", true),
        ("h[ae]llo", "hello", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-b]llo", "hbllo", true),
        ("h[a-b]llo", "hcllo", false),
        ("h[b-a]llo", "hallo", true),
        ("[^a-z]x", "5x", true),
        ("[^a-z]x", "mx", false),
        ("h\\*llo", "h*llo", true),
        ("h\\*llo", "hello", false),
        ("\\", "\\", true),
        ("a\\", "a\\", true),
        ("[\\]]", "]", true),
        ("[\\-x]", "-", true),
        ("a**b***c", "a12b34c", true),
        ("a***", "a", true),
        ("*a*b*c*", "xxaxxbxxc", true),
        ("*a*b*c*", "xxaxxcxxb", false),
        ("*?", "a", true),
        ("*??", "a", false),
        ("**", "abc", true),
        ("", "", true),
        ("", "a", false),
        ("*", "", false),
        ("a", "", false),
        ("a", "ab", false),
        ("ab", "a", false),
        ("[abc", "b", true),
        ("[abc", "bx", false),
        ("[", "[", false),
        ("[]", "x", false),
        ("[^]", "x", true),
        ("[^", "x", true),
        ("[a-]", "^", true),
        ("[a-]", "-", false),
        ("[a-", "-", true),
        ("[\\", "\\", true),
        ("[*]", "*", true),
        ("[*]", "x", false),
        ("a[^]b", "axb", true),
    ];
    for (pattern, text, expected) in rows {
        check(pattern.as_bytes(), text.as_bytes(), expected);
    }
}

#[test]
fn bytes_compare_as_signed_numbers() {
    check(b"[\x80-\xff]", b"\x90", true);
    check(b"[a-\xff]", b"b", false);
    check(b"[a-\xff]", b"A", true);
}

#[test]
fn case_is_folded_on_request() {
    let rows = [
        ("ABC", "abc", true),
        ("[A-C]x", "bX", true),
        ("[Z-a]", "z", false),
        ("[ABC]", "b", true),
        ("[\\A]", "a", false),
        ("\\A", "a", true),
    ];
    for (pattern, text, expected) in rows {
        assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), true), expected, "{pattern}");
    }
}

#[test]
fn hostile_patterns_take_bounded_steps() {
    // Exponential in a naive matcher; at most 4 million byte comparisons here.
    let pattern = "*a".repeat(1000) + "b";
    let text = "a".repeat(2000);
    check(pattern.as_bytes(), text.as_bytes(), false);
    let (fits, text) = ("*?".repeat(1000), "a".repeat(1001));
    check(fits.as_bytes(), text.as_bytes(), true);
    check(("*?".to_owned() + &fits).as_bytes(), text.as_bytes(), false);
    let classes = "*[aaaaaaaaaa]".repeat(80) + "c";
    check(classes.as_bytes(), &b"a".repeat(1000), false);
}

/// The definition: a star takes every possible number of bytes in turn.
fn model(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|taken| model(rest, &text[taken..])),
        _ => text.split_first().is_some_and(|(&byte, later)| {
            take_one(pattern, byte, false).is_some_and(|rest| model(rest, later))
        }),
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(pattern in "[*?ab\\[\\]^\\\\-]{0,9}", text in "[ab\\]-]{1,9}") {
        let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(matches(pattern, text, false), model(pattern, text));
    }

    #[test]
    fn any_bytes_are_accepted(pattern: Vec<u8>, text: Vec<u8>, nocase: bool) {
        let _ = matches(&pattern, &text, nocase);
    }
}
