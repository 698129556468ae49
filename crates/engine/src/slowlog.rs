//! The slow log: commands that ran longer than a threshold, newest first, bounded.

use crate::args::{OwnedRequest, Request};
use base::lock::{Mutex, Rank};
use std::collections::VecDeque;

/// Words kept of one command; the last then says how many were left out.
const WORDS_MAX: usize = 32;
/// Bytes kept of one word; the rest is counted in its place.
const WORD_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug)]
pub struct SlowEntry {
    /// Rises by one for each.
    pub id: u64,
    /// Unix seconds.
    pub time_s: u64,
    /// How long it ran.
    pub duration_us: u64,
    /// Its words, shortened.
    pub request: OwnedRequest,
    /// Who called it.
    pub address: String,
    /// The caller's name.
    pub name: Vec<u8>,
}

/// The slow log.
#[derive(Debug)]
pub struct SlowLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    entries: VecDeque<SlowEntry>,
}

impl Default for SlowLog {
    fn default() -> SlowLog {
        SlowLog(Mutex::new(Rank::Leaf, Entries::default()))
    }
}

impl SlowLog {
    /// Adds a command, keeping at most `len_max`.
    pub fn add(
        &self,
        len_max: usize,
        duration_us: u64,
        request: Request<'_>,
        address: &str,
        name: Vec<u8>,
    ) {
        let mut log = self.0.lock();
        let entry = SlowEntry {
            id: log.next_id,
            time_s: base::clock::unix_us() / 1_000_000,
            duration_us,
            request: shortened(request),
            address: address.to_owned(),
            name,
        };
        log.next_id += 1;
        log.entries.push_front(entry);
        log.entries.truncate(len_max);
    }

    /// The newest `count` entries.
    pub fn newest(&self, count: usize) -> Vec<SlowEntry> {
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
