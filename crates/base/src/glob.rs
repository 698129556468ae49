//! Stock's glob patterns, as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL key patterns use them.
//!
//! | pattern | matches |
//! |---|---|
//! | `*` | any bytes, also none; but an empty text matches only an empty pattern |
//! | `?` | one byte |
//! | `[ab]`, `[a-c]`, `[^a]` | one byte of a class; a class that is not closed ends with the pattern |
//! | `\x` | `x` itself; a lone `\` at the end is itself |
//!
//! Inside a class `\` escapes, a reversed range is turned round, bytes compare as signed numbers (as
//! on the machines stock is mostly built for), and `[a-]` is a range from `a` to `]`.
//!
//! Every element but `*` takes exactly one byte, so a failed match need only be retried from the
//! last `*`, one byte further on. That bounds the time by `pattern * text` steps whatever the number
//! of stars (the recursion of stock's matcher was the matter of CVE-2022-36021 and CVE-2024-31228).
//!
//! Source: Redis documentation, KEYS; behaviour observed with stock 7.0.15.

/// Stars that a pattern may need; one that needs more matches nothing, as in stock.
const STARS_MAX: usize = 1000;

/// Whether `text` has a byte that a pattern gives a meaning to other than itself.
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Where to go on after a mismatch: behind the last `*`, one byte further in the text.
#[derive(Clone, Copy)]
struct Retry<'a> {
    pattern: &'a [u8],
    text: &'a [u8],
}

/// Whether all of `text` matches `pattern`; with `nocase`, ASCII letters match in either case.
///
/// O(pattern * text) time, no allocation, no recursion.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern, mut text) = (pattern, text);
    let mut retry: Option<Retry<'_>> = None;
    let mut stars = 0;
    loop {
        if let [b'*', rest @ ..] = pattern {
            if rest.is_empty() {
                return true;
            }
            // Several in a row are one.
            stars += usize::from(rest.first() != Some(&b'*'));
            if stars > STARS_MAX {
                return false;
            }
            pattern = rest;
            retry = Some(Retry { pattern, text });
            continue;
        }
        let step = match text.split_first() {
            None if pattern.is_empty() => return true,
            // Without text only stars could match, and the first was just not one. A later start
            // would have even less text.
            None => return false,
            Some((&byte, text_rest)) => {
                take_one(pattern, byte, nocase).map(|pattern_rest| (pattern_rest, text_rest))
            }
        };
        (pattern, text) = match (step, retry) {
            (Some(next), _) => next,
            (None, None) => return false,
            (None, Some(Retry { pattern, text })) => {
                let Some((_, later)) = text.split_first() else { return false };
                retry = Some(Retry { pattern, text: later });
                (pattern, later)
            }
        };
    }
}

/// Matches `byte` with the first element of `pattern`, which is not `*`: the pattern behind it.
fn take_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', class @ ..] => {
            let (found, rest) = take_class(class, byte, nocase);
            found.then_some(rest)
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            same(*literal, byte, nocase).then_some(rest)
        }
    }
}

/// Whether `byte` is in the class that begins behind `[`, and the pattern behind the class.
fn take_class(class: &[u8], byte: u8, nocase: bool) -> (bool, &[u8]) {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        class = match class {
            [] => return (found != negated, class),
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return (found != negated, rest),
            [first, b'-', last, rest @ ..] => {
                found |= in_range(*first, *last, byte, nocase);
                rest
            }
            [literal, rest @ ..] => {
                found |= same(*literal, byte, nocase);
                rest
            }
        };
    }
}

fn same(literal: u8, byte: u8, nocase: bool) -> bool {
    literal == byte || (nocase && literal.eq_ignore_ascii_case(&byte))
}

fn in_range(first: u8, last: u8, byte: u8, nocase: bool) -> bool {
    let (first, last) = (first.cast_signed(), last.cast_signed());
    let (low, high) = (first.min(last), first.max(last));
    // Case is folded after the ends are put in order, so `[Z-a]` without case matches nothing.
    let fold = |byte: i8| {
        if nocase { byte.cast_unsigned().to_ascii_lowercase().cast_signed() } else { byte }
    };
    (fold(low)..=fold(high)).contains(&fold(byte.cast_signed()))
}

#[cfg(test)]
mod tests;
