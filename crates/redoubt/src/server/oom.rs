//! The OOM score: how gladly the kernel kills this process when memory runs out, by its role.
//!
//! `oom-score-adj` says whether and how: the values of `oom-score-adj-values` are added to the score that
//! the process had before (`relative`, `yes`), or stand for themselves (`absolute`). The score from before
//! is kept while the setting is on and restored when it is switched off. There is no background process:
//! the third value is not used.

use base::lock::{Mutex, Rank};
use conf::{OomScoreAdj, Settings};
use std::io;

const FILE: &str = "/proc/self/oom_score_adj";
/// The kernel's bounds.
const BOUND: i64 = 1000;

/// What is known of the process's score.
#[derive(Debug)]
pub(crate) struct OomScore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The score before it was first changed, while it is.
    before: Option<i64>,
    is_replica: bool,
}

impl Default for OomScore {
    fn default() -> OomScore {
        OomScore(Mutex::new(Rank::Leaf, State::default()))
    }
}

impl OomScore {
    /// The role has changed.
    pub(crate) fn set_role(&self, settings: &Settings, is_replica: bool) {
        self.0.lock().is_replica = is_replica;
        if let Err(error) = self.apply(settings) {
            tracing::warn!("Unable to write {FILE}: {error}");
        }
    }

    /// Sets the score that the settings ask for.
    ///
    /// # Errors
    /// What the kernel answers; the score and what is known of it stay as they were.
    pub(crate) fn apply(&self, settings: &Settings) -> io::Result<()> {
        let values = settings.oom_score_adj_values.get();
        let mut state = self.0.lock();
        let mode = settings.oom_score_adj.get();
        if mode == OomScoreAdj::No {
            if let Some(before) = state.before {
                write(before)?;
                state.before = None;
            }
            return Ok(());
        }
        let before = state.before.map_or_else(read, Ok)?;
        let value = values.get(usize::from(state.is_replica)).map_or(0, |word| number(word));
        write(if mode == OomScoreAdj::Absolute { value } else { before + value })?;
        state.before = Some(before);
        Ok(())
    }
}

/// A value that the setting's check has let through.
fn number(word: &[u8]) -> i64 {
    std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn read() -> io::Result<i64> {
    Ok(number(std::fs::read_to_string(FILE)?.trim().as_bytes()))
}

fn write(score: i64) -> io::Result<()> {
    std::fs::write(FILE, score.clamp(-BOUND, BOUND).to_string())
}
