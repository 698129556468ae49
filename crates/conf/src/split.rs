//! A line of a configuration file into words, and a word back into quotes.
//!
//! The rules are stock's for files and inline commands (`"..."` with escapes, `'...'`, a closing
//! quote ends its word), with one addition: an unquoted `#` between blanks begins a comment.
//! `#<sha256>`, `a#b` and `"#"` stay words.

use resp::inline;

/// The words of `line` and where a trailing comment begins. `None` if quotes are not balanced.
pub fn words(line: &[u8]) -> Option<(Vec<Vec<u8>>, Option<usize>)> {
    let comment = comment(line);
    let text = line.get(..comment.unwrap_or(line.len()))?;
    Some((inline::split(text).ok()?, comment))
}

/// Where an unquoted `#` stands between blanks, the ends of the line counting as blanks.
fn comment(line: &[u8]) -> Option<usize> {
    let blank = |byte: Option<&u8>| byte.is_none_or(|byte| inline::is_blank(*byte));
    let mut open = None;
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        match (open, byte) {
            (None, b'"' | b'\'') => open = Some(*byte),
            (None, b'#') if blank(line.get(at + 1)) && (at == 0 || blank(line.get(at - 1))) => {
                return Some(at);
            }
            // What is escaped ends no quote. Only a quote can be escaped in single quotes.
            (Some(b'"'), b'\\') => at += 1,
            (Some(b'\''), b'\\') if line.get(at + 1) == Some(&b'\'') => at += 1,
            (Some(quote), byte) if quote == *byte => open = None,
            _ => {}
        }
        at += 1;
    }
    None
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
