//! Matching a group's name against the pattern of `SENTINEL RESET` and `SENTINEL CONFIG GET`:
//! `*`, `?`, `[a-z]`, `[^a-z]` and `\` as in Redis. Iterative, at most O(pattern * text).

/// True if `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, seen));
            at += 1;
        } else if let Some(len) = one(&pattern[at..], text[seen]) {
            at += len;
            seen += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            at = after;
            seen = from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// The length of the pattern's first element if it matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => class(rest, byte),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

fn class(rest: &[u8], byte: u8) -> Option<usize> {
    let negated = rest.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    while let Some(&low) = rest.get(at).filter(|&&low| low != b']') {
        let range = rest.get(at + 1) == Some(&b'-') && rest.get(at + 2).is_some_and(|&c| c != b']');
        let high = if range { rest[at + 2] } else { low };
        found |= (low.min(high)..=low.max(high)).contains(&byte);
        at += if range { 3 } else { 1 };
    }
    // The opening bracket, and the closing one if the class has it.
    let len = 1 + at + usize::from(at < rest.len());
    (found != negated).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "mymaster", true),
            ("my*", "mymaster", true),
            ("my*ter", "mymaster", true),
            ("my*x", "mymaster", false),
            ("*a*b*", "xxaxxbxx", true),
            ("m?master", "mymaster", true),
            ("m[a-z]master", "mymaster", true),
            ("m[^a-z]master", "mymaster", false),
            ("m[", "m", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
            ("", "a", false),
            ("abc", "ab", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
