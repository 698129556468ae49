//! Where a command's keys stand, as the key specifications of Redis 7 say it.

/// How the first key is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this word (the name is word 0).
    Index(usize),
    /// Behind this word, searched from `from` on (backwards if negative).
    Keyword(&'static str, i64),
    /// At this word, unless the other word opens a list of keys.
    IndexUnless(usize, KeyWord),
    /// Behind a word that opens a list of keys.
    Opened(KeyWord),
    /// Nowhere that a specification could say, if one of these words is there.
    Unknown {
        /// The words.
        words: &'static [&'static str],
        /// The key stands behind the word, if that comes several times behind the last; otherwise what
        /// stands there is no key itself.
        named: bool,
    },
}

/// A word behind which all is keys, among options of which some take words that could look like it. Shown
/// to clients as a keyword that is searched from the end, which finds the wrong one if a key has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyWord {
    /// The word.
    pub token: &'static str,
    /// Where the options begin.
    pub from: usize,
    /// Options that take words, and how many.
    pub options: &'static [(&'static str, usize)],
}

impl KeyWord {
    /// Where the word stands among `words` words.
    fn find<'a>(&self, words: usize, word: &impl Fn(usize) -> &'a [u8]) -> Option<usize> {
        let mut at = self.from;
        while at < words {
            let is = |token: &str| word(at).eq_ignore_ascii_case(token.as_bytes());
            if is(self.token) {
                return Some(at);
            }
            at += 1 + self.options.iter().find(|(token, _)| is(token)).map_or(0, |(_, len)| *len);
        }
        None
    }
}

/// How the other keys follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Up to `last` (relative to the first key; negative counts from the end: -1 is the last word),
    /// every `step` words; `limit` of 2 means only the first half of the words, and so on.
    Range {
        /// The last key, as above.
        last: i64,
        /// The distance of two keys.
        step: usize,
        /// Divides the words to be looked at.
        limit: usize,
    },
    /// The word at `count_at` (relative to the first found) tells how many, from `first` on.
    Count {
        /// Where the count stands.
        count_at: usize,
        /// Where the first key stands.
        first: usize,
        /// The distance of two keys.
        step: usize,
    },
}

/// What is done to the keys of a specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are stock's and say all")]
pub enum KeyFlag {
    ReadOnly,
    ReadWrite,
    Overwrite,
    Remove,
    Access,
    Update,
    Insert,
    Delete,
    NotKey,
    Incomplete,
    VariableFlags,
}

impl KeyFlag {
    /// The name in `COMMAND INFO`.
    pub const fn name(self) -> &'static str {
        match self {
            KeyFlag::ReadOnly => "RO",
            KeyFlag::ReadWrite => "RW",
            KeyFlag::Overwrite => "OW",
            KeyFlag::Remove => "RM",
            KeyFlag::Access => "access",
            KeyFlag::Update => "update",
            KeyFlag::Insert => "insert",
            KeyFlag::Delete => "delete",
            KeyFlag::NotKey => "not_key",
            KeyFlag::Incomplete => "incomplete",
            KeyFlag::VariableFlags => "variable_flags",
        }
    }
}

/// A specification of key positions.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// How the first key is found.
    pub begin: BeginSearch,
    /// How the others follow.
    pub find: FindKeys,
    /// What is done to them.
    pub flags: &'static [KeyFlag],
}

impl KeySpec {
    /// The one key at word `index`.
    pub const fn one(index: usize, flags: &'static [KeyFlag]) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Keys from word `index` to `last` (relative, or negative from the end) every `step` words.
    pub const fn range(index: usize, last: i64, step: usize, flags: &'static [KeyFlag]) -> KeySpec {
        KeySpec {
            begin: BeginSearch::Index(index),
            find: FindKeys::Range { last, step, limit: 0 },
            flags,
        }
    }

    /// Keys that depend on more than the words, or (`named`) one behind a word that may stand anywhere.
    pub const fn unknown(
        words: &'static [&'static str],
        named: bool,
        flags: &'static [KeyFlag],
    ) -> KeySpec {
        let begin = BeginSearch::Unknown { words, named };
        KeySpec { begin, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags }
    }

    /// Whether it finds no keys, or not all.
    pub fn is_unknown(&self) -> bool {
        matches!(self.begin, BeginSearch::Unknown { .. })
    }

    /// Whether `words` words may name keys that no specification finds.
    pub fn may_reach<'a>(&self, words: usize, word: impl Fn(usize) -> &'a [u8]) -> bool {
        let BeginSearch::Unknown { words: tokens, .. } = self.begin else { return false };
        let is_token =
            |at| tokens.iter().any(|token| word(at).eq_ignore_ascii_case(token.as_bytes()));
        (2..words).any(is_token)
    }

    /// The word at `index` tells how many keys follow it.
    pub const fn counted(index: usize, flags: &'static [KeyFlag]) -> KeySpec {
        KeySpec {
            begin: BeginSearch::Index(index),
            find: FindKeys::Count { count_at: 0, first: 1, step: 1 },
            flags,
        }
    }

    /// Whether what stands there is no key, though it belongs to a slot as one does (a shard channel).
    pub fn is_no_key(&self) -> bool {
        self.flags.iter().any(|flag| matches!(flag, KeyFlag::NotKey))
    }

    /// The positions of the keys among `words` words, the name being word 0; `word` gives a word's
    /// bytes. `None` if the words do not fit the specification (too few, a count that is no number).
    pub fn positions<'a>(
        &self,
        words: usize,
        word: impl Fn(usize) -> &'a [u8],
    ) -> Option<Positions> {
        let first = match self.begin {
            BeginSearch::Keyword(token, from) => find_keyword(words, &word, token, from)?,
            BeginSearch::IndexUnless(_, opener) if opener.find(words, &word).is_some() => {
                return None;
            }
            BeginSearch::Index(index) | BeginSearch::IndexUnless(index, _) => index,
            BeginSearch::Opened(opener) => opener.find(words, &word)? + 1,
            BeginSearch::Unknown { named: false, .. } => return None,
            BeginSearch::Unknown { words: tokens, .. } => {
                find_keyword(words, &word, tokens.first()?, -2)?
            }
        };
        if first >= words {
            return None;
        }
        match self.find {
            FindKeys::Range { last, step, limit } => {
                let last = if last >= 0 {
                    first + usize::try_from(last).ok()?
                } else if limit <= 1 {
                    words.checked_sub(usize::try_from(-last).ok()?)?
                } else {
                    first + (words - first) / limit - usize::try_from(-last).ok()?
                };
                (last < words).then_some(Positions { next: first, end: last + 1, step })
            }
            FindKeys::Count { count_at, first: offset, step } => {
                let at = first.checked_add(count_at).filter(|&at| at < words)?;
                let count: usize = std::str::from_utf8(word(at)).ok()?.parse().ok()?;
                let start = first + offset;
                let end = start.checked_add(count.checked_mul(step)?)?;
                (end <= words).then_some(Positions { next: start, end, step })
            }
        }
    }
}

fn find_keyword<'a>(
    words: usize,
    word: &impl Fn(usize) -> &'a [u8],
    token: &str,
    from: i64,
) -> Option<usize> {
    let matches = |at: &usize| word(*at).eq_ignore_ascii_case(token.as_bytes());
    if from >= 0 {
        (usize::try_from(from).ok()?..words).find(matches).map(|at| at + 1)
    } else {
        let start = words.checked_sub(usize::try_from(-from).ok()?)?;
        (1..=start).rev().find(matches).map(|at| at + 1)
    }
}

/// Key positions, one after the other.
#[derive(Clone, Debug)]
pub struct Positions {
    next: usize,
    end: usize,
    step: usize,
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.next;
        if at >= self.end {
            return None;
        }
        self.next = at + self.step.max(1);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: KeySpec, line: &str, expected: Option<&[usize]>) {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let found = spec.positions(words.len(), |at| words[at]).map(Iterator::collect::<Vec<_>>);
        assert_eq!(found.as_deref(), expected, "{line}");
    }

    #[test]
    fn positions_of_common_shapes() {
        check(KeySpec::one(1, &[]), "get k", Some(&[1]));
        check(KeySpec::one(1, &[]), "get", None);
        check(KeySpec::range(1, -1, 1, &[]), "del a b c", Some(&[1, 2, 3]));
        check(KeySpec::range(1, -1, 2, &[]), "mset a 1 b 2", Some(&[1, 3]));
        check(KeySpec::range(1, 1, 1, &[]), "rename a b", Some(&[1, 2]));
        check(KeySpec::counted(1, &[]), "zunion 2 a b", Some(&[2, 3]));
        check(KeySpec::counted(1, &[]), "zunion 3 a b", None);
        check(KeySpec::counted(1, &[]), "zunion x a b", None);
    }

    #[test]
    fn a_list_that_a_word_opens() {
        let opener = KeyWord { token: "KEYS", from: 3, options: &[("AUTH", 1)] };
        let find = FindKeys::Range { last: -1, step: 1, limit: 0 };
        let opened = KeySpec { begin: BeginSearch::Opened(opener), find, flags: &[] };
        let begin = BeginSearch::IndexUnless(1, opener);
        let single = KeySpec { begin, ..KeySpec::one(1, &[]) };
        for (line, keys, key) in [
            ("move k 0", None, Some(&[1][..])),
            ("move  0 keys keys a", Some(&[4, 5][..]), None),
            ("move  0 auth keys keys keys keys", Some(&[6, 7]), None),
            ("move k 0 auth keys", None, Some(&[1])),
            ("move k 0 keys", None, None),
        ] {
            check(opened, line, keys);
            check(single, line, key);
        }
    }
}
