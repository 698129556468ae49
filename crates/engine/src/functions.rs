//! Function libraries: a part of the data set, kept as their code and run by nobody yet.
//!
//! They come with a snapshot, a full sync, an append-only file or the stream of a primary, and go into
//! every snapshot, full sync and base that this node writes, so that a server that runs them loses none by
//! way of this one. Of the code only the first line is read, which names the library:
//!
//! ```text
//! #!lua name=mylib
//! ```
//!
//! Source: Redis documentation, "Redis functions"; behaviour observed with Redis 7.0.15.

use crate::args::Request;
use base::lock::{Mutex, Rank};
use rdb::payload;
use resp::inline;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why libraries are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// The code does not begin with `#!`.
    #[error("Missing library metadata")]
    NoMetadata,
    /// That line does not end, or its quotes do not.
    #[error("Invalid library metadata")]
    BadMetadata,
    /// The line does not name the library.
    #[error("Library name was not given")]
    NoName,
    /// It names it with other characters.
    #[error(
        "Library names can only contain letters, numbers, or underscores(_) and must be at least one \
         character long"
    )]
    BadName,
    /// A library of that name is there.
    #[error("Library '{0}' already exists")]
    Taken(String),
    /// No library of that name is there.
    #[error("Library not found")]
    Unknown,
    /// The payload of FUNCTION RESTORE is not sound.
    #[error("{0}")]
    Payload(#[from] payload::RestoreError),
    /// The words are not those of a change.
    #[error("not a change of function libraries")]
    Syntax,
}

/// Libraries by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Libraries(BTreeMap<Vec<u8>, Arc<[u8]>>);

impl Libraries {
    /// Adds the library of `code`. O(length of its first line + log(libraries)).
    ///
    /// # Errors
    /// [`LibraryError`] if it has no name, or one that is taken unless `replace` says that this is meant.
    pub fn add(&mut self, code: Vec<u8>, replace: bool) -> Result<(), LibraryError> {
        let name = name(&code)?;
        if !replace && self.0.contains_key(&name) {
            return Err(LibraryError::Taken(String::from_utf8_lossy(&name).into_owned()));
        }
        self.0.insert(name, code.into());
        Ok(())
    }

    /// The codes, in the order of the names.
    pub fn codes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().map(|code| &**code)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The libraries of a node.
#[derive(Debug)]
pub struct Functions(Mutex<Arc<Libraries>>);

impl Default for Functions {
    fn default() -> Functions {
        Functions(Mutex::new(Rank::Leaf, Arc::default()))
    }
}

impl Functions {
    /// The libraries as they are now.
    pub fn libraries(&self) -> Arc<Libraries> {
        Arc::clone(&self.0.lock())
    }

    /// Puts `libraries` in place of all, as a full sync or a load does.
    pub fn replace(&self, libraries: Libraries) {
        *self.0.lock() = Arc::new(libraries);
    }

    /// Does what `request`, FUNCTION with LOAD, DELETE, FLUSH or RESTORE, says in a primary's stream or an
    /// append-only file.
    ///
    /// # Errors
    /// [`LibraryError`]; nothing is changed then.
    pub fn apply(&self, request: Request<'_>) -> Result<(), LibraryError> {
        let mut libraries = Libraries::clone(&self.libraries());
        let is = |at: usize, word: &str| request.word(at).eq_ignore_ascii_case(word.as_bytes());
        let words = request.len();
        if is(1, "load") && words == 3 {
            libraries.add(request.word(2).to_vec(), false)?;
        } else if is(1, "load") && words == 4 && is(2, "replace") {
            libraries.add(request.word(3).to_vec(), true)?;
        } else if is(1, "delete") && words == 3 {
            libraries.0.remove(request.word(2)).ok_or(LibraryError::Unknown)?;
        } else if is(1, "flush") && (words == 2 || words == 3) {
            libraries = Libraries::default();
        } else if is(1, "restore") && (words == 3 || words == 4) {
            if words == 4 && is(3, "flush") {
                libraries = Libraries::default();
            }
            let replace = words == 4 && is(3, "replace");
            for code in payload::libraries(request.word(2))? {
                libraries.add(code, replace)?;
            }
        } else {
            return Err(LibraryError::Syntax);
        }
        *self.0.lock() = Arc::new(libraries);
        Ok(())
    }
}

/// The name in the first line of `code`.
fn name(code: &[u8]) -> Result<Vec<u8>, LibraryError> {
    const KEY: &[u8] = b"name=";
    if !code.starts_with(b"#!") {
        return Err(LibraryError::NoMetadata);
    }
    let end = code.iter().position(|&byte| byte == b'\n');
    let line = end.and_then(|end| code.get(..end));
    let words = line.and_then(|line| inline::split(line).ok()).ok_or(LibraryError::BadMetadata)?;
    let named = words.iter().skip(1).find_map(|word| {
        word.split_at_checked(KEY.len()).filter(|(key, _)| key.eq_ignore_ascii_case(KEY))
    });
    let (_, name) = named.ok_or(LibraryError::NoName)?;
    let is_sound = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if name.is_empty() || !name.iter().all(is_sound) {
        return Err(LibraryError::BadName);
    }
    Ok(name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::OwnedRequest;

    /// What FUNCTION DUMP of stock 7.0.15 gives of the library below.
    const DUMPED: &[u8] =
        b"\xf5\x40\x42#!lua name=a\nredis.register_function('f', function() return 1 \
        end)\n\x00\xe3\xd1\xb9\x83\x19\xf4\xe3\x84";
    /// The library.
    const LIBRARY: &str = "#!lua name=a\nredis.register_function('f', function() return 1 end)";

    fn apply(functions: &Functions, words: &[&[u8]]) -> Result<(), LibraryError> {
        let owned = OwnedRequest::from_words(words.iter().copied());
        functions.apply(owned.request())
    }

    #[test]
    fn a_library_is_known_by_its_first_line() {
        for (code, expected) in [
            ("#!lua name=lib\n", Ok("lib")),
            ("#!lua name=lib\nreturn 1", Ok("lib")),
            ("#!lua NAME=\"lib\"  \n", Ok("lib")),
            ("#!js other=1 name=a\nx", Ok("a")),
            ("", Err(LibraryError::NoMetadata)),
            ("#!lua name=lib", Err(LibraryError::BadMetadata)),
            ("lua name=lib\n", Err(LibraryError::NoMetadata)),
            ("#!lua name=\"lib\n", Err(LibraryError::BadMetadata)),
            ("#!lua\n", Err(LibraryError::NoName)),
            ("#!lua name=\n", Err(LibraryError::BadName)),
            ("#!lua name=a-b\n", Err(LibraryError::BadName)),
        ] {
            let found = name(code.as_bytes());
            assert_eq!(found, expected.map(|name: &str| name.as_bytes().to_vec()), "{code}");
        }
    }

    #[test]
    fn a_stream_changes_them() {
        let functions = Functions::default();
        let held = || -> Vec<String> {
            let libraries = functions.libraries();
            libraries.codes().map(|code| String::from_utf8_lossy(code).into_owned()).collect()
        };
        let (one, other) = ("#!lua name=a\n1", "#!lua name=b\n");
        let again = "#!lua name=a\n2";
        let check = |words: &[&[u8]], is_done: bool, left: &[&str]| {
            assert_eq!(apply(&functions, words).is_ok(), is_done, "{words:?}");
            assert_eq!(held(), left, "{words:?}");
        };
        check(&[b"function", b"load", one.as_bytes()], true, &[one]);
        check(&[b"function", b"load", again.as_bytes()], false, &[one]);
        check(&[b"FUNCTION", b"LOAD", b"REPLACE", again.as_bytes()], true, &[again]);
        check(&[b"function", b"load", other.as_bytes()], true, &[again, other]);
        check(&[b"function", b"delete", b"c"], false, &[again, other]);
        check(&[b"function", b"delete", b"a"], true, &[other]);
        check(&[b"function", b"restore", DUMPED], true, &[LIBRARY, other]);
        check(&[b"function", b"restore", DUMPED], false, &[LIBRARY, other]);
        check(&[b"function", b"restore", DUMPED, b"replace"], true, &[LIBRARY, other]);
        check(&[b"function", b"restore", &DUMPED[..9], b"replace"], false, &[LIBRARY, other]);
        check(&[b"function", b"restore", DUMPED, b"flush"], true, &[LIBRARY]);
        check(&[b"function", b"flush", b"async"], true, &[]);
        check(&[b"function", b"list"], false, &[]);
    }
}
