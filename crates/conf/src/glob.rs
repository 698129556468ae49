//! Glob patterns: `*`, `?`, `[a-z]`, `[^x]` and `\` as in CONFIG GET.
//!
//! Matching is iterative with one point to come back to, so that a hostile pattern costs at most
//! the product of both lengths.

/// Whether `text` matches `pattern`, without regard to ASCII case if `fold`.
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p, t));
            p += 1;
            continue;
        }
        if let Some(next) = step(pattern, p, text[t], fold) {
            p = next;
            t += 1;
            continue;
        }
        let Some((star, from)) = back else { return false };
        back = Some((star, from + 1));
        (p, t) = (star + 1, from + 1);
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// Where the pattern goes on after it matched `byte` at `p`.
fn step(pattern: &[u8], p: usize, byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| if fold { a.eq_ignore_ascii_case(&b) } else { a == b };
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte, fold),
        b'\\' if p + 1 < pattern.len() => same(*pattern.get(p + 1)?, byte).then_some(p + 2),
        other => same(other, byte).then_some(p + 1),
    }
}

fn class(pattern: &[u8], mut p: usize, byte: u8, fold: bool) -> Option<usize> {
    let lower = |byte: u8| if fold { byte.to_ascii_lowercase() } else { byte };
    let byte = lower(byte);
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    loop {
        match pattern.get(p..) {
            // A class that is not closed ends with the pattern.
            None | Some([]) => break,
            Some([b']', ..]) => {
                p += 1;
                break;
            }
            Some([b'\\', literal, ..]) => {
                found |= lower(*literal) == byte;
                p += 2;
            }
            Some([from, b'-', to, ..]) if *to != b']' => {
                let (from, to) = (lower(*from), lower(*to));
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                p += 3;
            }
            Some([literal, ..]) => {
                found |= lower(*literal) == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

/// Whether `text` has characters that a pattern gives a meaning to.
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_stock() {
        for (pattern, text, expected) in [
            ("*", "port", true),
            ("*", "", true),
            ("p?rt", "port", true),
            ("*max-*-entries*", "hash-max-listpack-entries", true),
            ("slow*len", "slowlog-max-len", true),
            ("slow*lem", "slowlog-max-len", false),
            ("[a-p]ort", "port", true),
            ("[^p]ort", "port", false),
            ("[^a]ort", "port", true),
            ("PORT", "port", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[p", "p", true),
            ("", "port", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), true), expected, "{pattern}");
        }
        assert!(!matches(b"PORT", b"port", false));
    }
}
