//! A line of a configuration file into words, and a word back into quotes.
//!
//! The rules are stock's for files and inline commands (`"..."` with escapes, `'...'`, a closing quote ends its
//! word), with one addition: an unquoted `#` between blanks begins a comment. `#<sha256>`, `a#b` and `"#"` stay
//! words.

/// The words of `line` and where a trailing comment begins. `None` if quotes are not balanced.
pub fn words(line: &[u8]) -> Option<(Vec<Vec<u8>>, Option<usize>)> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&byte| blank(byte)) {
            at += 1;
        }
        if at >= line.len() {
            return Some((words, None));
        }
        if line.get(at) == Some(&b'#') && line.get(at + 1).is_none_or(|&byte| blank(byte)) {
            return Some((words, Some(at)));
        }
        words.push(word(line, &mut at)?);
    }
}

fn blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

fn word(line: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    while let Some(&byte) = line.get(*at) {
        *at += 1;
        match byte {
            b'"' => {
                double_quoted(line, at, &mut word)?;
                return Some(word);
            }
            b'\'' => {
                single_quoted(line, at, &mut word)?;
                return Some(word);
            }
            byte if blank(byte) => break,
            byte => word.push(byte),
        }
    }
    Some(word)
}

/// Nothing but a blank may follow a closing quote.
fn closed(line: &[u8], at: usize) -> Option<()> {
    line.get(at).is_none_or(|&byte| blank(byte)).then_some(())
}

fn double_quoted(line: &[u8], at: &mut usize, word: &mut Vec<u8>) -> Option<()> {
    loop {
        let byte = *line.get(*at)?;
        *at += 1;
        match byte {
            b'"' => return closed(line, *at),
            b'\\' => {
                if let Some(value) = hex_escape(line.get(*at..*at + 3)) {
                    word.push(value);
                    *at += 3;
                    continue;
                }
                let escaped = *line.get(*at)?;
                *at += 1;
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
            }
            byte => word.push(byte),
        }
    }
}

fn hex_escape(digits: Option<&[u8]>) -> Option<u8> {
    let [b'x', high, low] = digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

fn single_quoted(line: &[u8], at: &mut usize, word: &mut Vec<u8>) -> Option<()> {
    loop {
        let byte = *line.get(*at)?;
        *at += 1;
        match byte {
            b'\'' => return closed(line, *at),
            b'\\' if line.get(*at) == Some(&b'\'') => {
                word.push(b'\'');
                *at += 1;
            }
            byte => word.push(byte),
        }
    }
}

/// `word` in double quotes, printable, such that [`words`] gives it back.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in word {
        match byte {
            b'\\' | b'"' => quoted.extend([b'\\', byte]),
            b'\n' => quoted.extend(b"\\n"),
            b'\r' => quoted.extend(b"\\r"),
            b'\t' => quoted.extend(b"\\t"),
            0x07 => quoted.extend(b"\\a"),
            0x08 => quoted.extend(b"\\b"),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_split_as_in_stock_plus_trailing_comments() {
        let check = |line: &str, expected: Option<&[&str]>| {
            let found = words(line.as_bytes()).map(|(words, _)| words);
            let expected: Option<Vec<Vec<u8>>> =
                expected.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect());
            assert_eq!(found, expected, "{line}");
        };
        check("save 900 1", Some(&["save", "900", "1"]));
        check("  port\t 0 ", Some(&["port", "0"]));
        check("repl-backlog-size 256mb # Size", Some(&["repl-backlog-size", "256mb"]));
        check("port 0 #", Some(&["port", "0"]));
        check("user a #0123 on", Some(&["user", "a", "#0123", "on"]));
        check("requirepass a#b", Some(&["requirepass", "a#b"]));
        check("requirepass \"#\" # c", Some(&["requirepass", "#"]));
        check(r#"a "b\x41\n\"" 'it\'s'"#, Some(&["a", "bA\n\"", "it's"]));
        check("a \"\"", Some(&["a", ""]));
        check("a \"b", None);
        check("a \"b\"c", None);
        check("a 'b", None);
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(word: Vec<u8>) {
            let (found, comment) = words(&quote(&word)).unwrap();
            prop_assert_eq!(found, vec![word]);
            prop_assert_eq!(comment, None);
        }

        #[test]
        fn any_line_is_survived(line: Vec<u8>) {
            let _ = words(&line);
        }
    }
}
