//! Rust source as the checks see it: comments and literals blanked out, functions found by braces.
//!
//! A scanner, not a parser: it knows strings (plain, raw, byte), characters against lifetimes, and
//! nested comments. Newlines stay, so that a line of the mask is a line of the file.

/// A function's place in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to its closing brace.
    pub length: usize,
}

/// `text` with every comment and every literal's content replaced by blanks.
pub fn mask(text: &str) -> String {
    let input: Vec<char> = text.chars().collect();
    let mut output = String::with_capacity(text.len());
    let mut at = 0;
    while at < input.len() {
        let end = skip(&input, at);
        if end == at {
            output.push(input[at]);
            at += 1;
        } else {
            output.extend(input[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    output
}

/// The end of the comment or literal that begins at `at`, or `at` if none does.
fn skip(input: &[char], at: usize) -> usize {
    let next = input.get(at + 1).copied();
    match input[at] {
        '/' if next == Some('/') => {
            input[at..].iter().position(|&c| c == '\n').map_or(input.len(), |n| at + n)
        }
        '/' if next == Some('*') => block_comment(input, at),
        '"' => quoted(input, at + 1),
        'r' if !continues_word(input, at) || raw_prefix(input, at) => raw_string(input, at),
        '\'' => character(input, at),
        _ => at,
    }
}

fn block_comment(input: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < input.len() {
        match (input[at], input.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    input.len()
}

fn quoted(input: &[char], start: usize) -> usize {
    let mut at = start;
    while at < input.len() {
        match input[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    input.len()
}

fn continues_word(input: &[char], at: usize) -> bool {
    at > 0 && (input[at - 1].is_alphanumeric() || input[at - 1] == '_')
}

/// True for the `r` of `br` and `cr`.
fn raw_prefix(input: &[char], at: usize) -> bool {
    at > 0 && matches!(input[at - 1], 'b' | 'c') && !continues_word(input, at - 1)
}

fn raw_string(input: &[char], start: usize) -> usize {
    let hashes = input[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if input.get(open) != Some(&'"') {
        return start;
    }
    let mut at = open + 1;
    while at < input.len() {
        let closes = input[at] == '"'
            && input.len() > at + hashes
            && input[at + 1..=at + hashes].iter().all(|&c| c == '#');
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    input.len()
}

fn character(input: &[char], at: usize) -> usize {
    match (input.get(at + 1), input.get(at + 2)) {
        (Some('\\'), _) => {
            let rest = input.get(at + 3..).unwrap_or_default();
            rest.iter().position(|&c| c == '\'').map_or(at, |n| at + 4 + n)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// The functions with a body in `masked`, nested ones too.
pub fn functions(masked: &str) -> Vec<Function> {
    let bytes = masked.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = masked[from..].find("fn ") {
        let start = from + offset;
        from = start + 3;
        let inside_word = start > 0 && is_word(bytes[start - 1]);
        let name: String =
            masked[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if inside_word || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(bytes, from) {
            let line = 1 + masked[..start].matches('\n').count();
            let length = 1 + masked[start..end].matches('\n').count();
            found.push(Function { name, line, length });
        }
    }
    found
}

/// The byte after the closing brace of the first body from `start` on; none for a declaration.
fn body_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut nesting = 0_usize;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.saturating_sub(1),
            b';' if nesting == 0 => return None,
            b'{' if nesting == 0 => return closing_brace(bytes, start + offset),
            _ => {}
        }
    }
    None
}

fn closing_brace(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in bytes[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The parts of `masked` that only tests compile, as byte ranges: what follows `#[cfg(test)]`.
pub fn test_parts(masked: &str) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(offset) = masked[from..].find("#[cfg(test)]") {
        let start = from + offset;
        from = start + 1;
        if let Some(end) = body_end(masked.as_bytes(), start + "#[cfg(test)]".len()) {
            parts.push(start..end);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let rows = [
            ("a /* { /* } */ } */ b", "a                   b"),
            ("let c = '{'; // }", "let c =    ;     "),
            ("f(\"}\\\"{\", 'x')", "f(      ,    )"),
            ("r#\"{\"}\"# + x", "         + x"),
            ("br\"{\" y", "b     y"),
            ("for<'a> fn(&'a str)", "for<'a> fn(&'a str)"),
            ("'\\'' '\\\\' '\\u{7d}'", "                  "),
            ("number\"", "number "),
        ];
        for (input, expected) in rows {
            assert_eq!(mask(input), expected, "{input}");
        }
    }

    #[test]
    fn functions_are_measured_by_their_braces() {
        let text = "fn one() {}\ntrait T { fn two(a: [u8; 4]); }\n\nfn three(\n) {\n  { }\n}\n";
        let found: Vec<_> = functions(&mask(text))
            .into_iter()
            .map(|function| (function.name, function.line, function.length))
            .collect();
        assert_eq!(found, [("one".to_owned(), 1, 1), ("three".to_owned(), 4, 4)]);
    }

    #[test]
    fn what_only_tests_compile_is_found() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}";
        let parts = test_parts(text);
        assert_eq!(parts.len(), 1);
        assert!(
            text[parts[0].clone()].contains("fn b") && !text[parts[0].clone()].contains("fn c")
        );
        assert!(test_parts("#[cfg(test)]\nmod tests;").is_empty());
    }
}
