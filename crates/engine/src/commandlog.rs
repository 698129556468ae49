//! The command logs: commands that ran long, that were large, or whose replies were; newest first,
//! bounded.

use crate::args::{OwnedRequest, Request};
use base::lock::{Mutex, Rank};
use std::collections::VecDeque;

/// Words kept of one command; the last then says how many were left out.
const WORDS_MAX: usize = 32;
/// Bytes kept of one word; the rest is counted in its place.
const WORD_BYTES_MAX: usize = 128;

/// What a command is remembered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It ran long; counted in microseconds.
    Slow,
    /// Its words were large; counted in bytes.
    LargeRequest,
    /// Its reply was large; counted in bytes.
    LargeReply,
}

/// One command that is remembered.
#[derive(Clone, Debug)]
pub struct LoggedCommand {
    /// Rises by one for each.
    pub id: u64,
    /// Unix seconds.
    pub time_s: u64,
    /// How long it ran, or how large it was.
    pub amount: u64,
    /// Its words, shortened.
    pub request: OwnedRequest,
    /// Who called it.
    pub address: String,
    /// The caller's name.
    pub name: Vec<u8>,
}

/// The logs of a node.
#[derive(Debug, Default)]
pub struct CommandLogs([CommandLog; 3]);

impl CommandLogs {
    /// The log of one reason.
    pub fn of(&self, reason: Reason) -> &CommandLog {
        &self.0[reason as usize]
    }
}

/// One log.
#[derive(Debug)]
pub struct CommandLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    entries: VecDeque<LoggedCommand>,
}

impl Default for CommandLog {
    fn default() -> CommandLog {
        CommandLog(Mutex::new(Rank::Leaf, Entries::default()))
    }
}

impl CommandLog {
    /// Adds a command, keeping at most `len_max`.
    pub fn add(
        &self,
        len_max: usize,
        amount: u64,
        request: Request<'_>,
        address: &str,
        name: Vec<u8>,
    ) {
        let mut log = self.0.lock();
        let entry = LoggedCommand {
            id: log.next_id,
            time_s: base::clock::unix_us() / 1_000_000,
            amount,
            request: shortened(request),
            address: address.to_owned(),
            name,
        };
        log.next_id += 1;
        log.entries.push_front(entry);
        log.entries.truncate(len_max);
    }

    /// The newest `count` entries.
    pub fn newest(&self, count: usize) -> Vec<LoggedCommand> {
        self.0.lock().entries.iter().take(count).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.lock().entries.clear();
    }
}

/// `request` with passwords hidden, if the command of that full name may hold any.
pub(crate) fn redacted(name: &str, request: Request<'_>) -> Option<OwnedRequest> {
    let is = |at: usize, word: &str| request.word(at).eq_ignore_ascii_case(word.as_bytes());
    let hides = |at: usize| match name {
        "migrate" => (6..at).take_while(|&option| !is(option, "keys")).any(|option| {
            is(option, "auth") && at == option + 1 || is(option, "auth2") && at <= option + 2
        }),
        "auth" => at > 0,
        "hello" => at > 2 && (is(at - 1, "auth") || is(at - 2, "auth")),
        "config|set" => {
            at > 2
                && at % 2 == 1
                && conf::table::row(request.word(at - 1)).is_some_and(|r| r.sensitive)
        }
        _ => false,
    };
    matches!(name, "auth" | "hello" | "config|set" | "migrate").then(|| {
        let word = |at| if hides(at) { b"(redacted)" } else { request.word(at) };
        OwnedRequest::from_words((0..request.len()).map(word))
    })
}

fn shortened(request: Request<'_>) -> OwnedRequest {
    let len = request.len();
    let kept = if len > WORDS_MAX { WORDS_MAX - 1 } else { len };
    let mut words: Vec<Vec<u8>> = (0..kept).map(|at| shortened_word(request.word(at))).collect();
    if len > WORDS_MAX {
        words.push(format!("... ({} more arguments)", len - kept).into_bytes());
    }
    OwnedRequest::from_words(words.iter().map(Vec::as_slice))
}

fn shortened_word(word: &[u8]) -> Vec<u8> {
    match word.get(..WORD_BYTES_MAX) {
        Some(head) if word.len() > WORD_BYTES_MAX => {
            let rest = word.len() - WORD_BYTES_MAX;
            [head, format!("... ({rest} more bytes)").as_bytes()].concat()
        }
        _ => word.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        let check = |name: &str, line: &str, expected: &str| {
            let owned = OwnedRequest::from_words(line.split(' ').map(str::as_bytes));
            let shown = redacted(name, owned.request()).unwrap_or(owned);
            assert_eq!(shown.request().words().join(&b' '), expected.as_bytes());
        };
        check("auth", "AUTH pw", "AUTH (redacted)");
        check("auth", "auth user pw", "auth (redacted) (redacted)");
        check(
            "hello",
            "hello 3 auth u p setname n",
            "hello 3 auth (redacted) (redacted) setname n",
        );
        let set = "config set timeout 5 masterauth pw";
        check("config|set", set, "config set timeout 5 masterauth (redacted)");
        check("get", "get auth", "get auth");
        let migrate = "migrate h 1 k 0 9 copy AUTH2 user pw";
        check("migrate", migrate, "migrate h 1 k 0 9 copy AUTH2 (redacted) (redacted)");
        let migrate = "migrate h 1  0 9 auth pw keys auth a";
        check("migrate", migrate, "migrate h 1  0 9 auth (redacted) keys auth a");
    }

    #[test]
    fn long_commands_are_shortened() {
        let words: Vec<Vec<u8>> = (0..40).map(|_| vec![b'x'; 130]).collect();
        let owned = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
        let short = shortened(owned.request());
        let request = short.request();
        assert_eq!(request.len(), 32);
        assert!(request.word(0).ends_with(b"x... (2 more bytes)"));
        assert_eq!(request.word(31), b"... (9 more arguments)");
    }
}
