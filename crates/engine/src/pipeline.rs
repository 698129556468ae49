//! The pipeline: lookup, gates, key routing, locks, handler, effects, unlock.
//!
//! A [`Worker`] is one thread's way into the engine. Its loop prepares requests in windows
//! ([`prepare`]: syntax, slot and hash only), prefetches, then executes them in order between
//! `enter` and `leave`. Everything about the session is read when a command runs, so that SELECT or
//! AUTH in the middle of a pipeline acts on what follows.

mod account;
mod apply;
mod exec;
mod migrate;
mod refusal;
mod run;
mod serve;
mod worker;

pub use apply::Applied;
pub use worker::Worker;

use crate::args::Request;
use crate::command::{CommandTable, Registered};
use crate::keys::Place;
use spec::BeginSearch;

/// A request after phase 2: what it names and where its first key lives.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    /// The command, if there is one of that name.
    pub command: Option<&'static Registered>,
    /// The word of the first key, 0 if there is none.
    pub key_word: u32,
    /// The first key's place.
    pub place: Place,
}

/// Looks a request up and works out where its first key lives.
#[inline]
pub fn prepare(table: &CommandTable, request: Request<'_>) -> Prepared {
    let command = table.resolve(request);
    let mut prepared = Prepared { command, key_word: 0, place: Place::default() };
    if let Some(command) = command
        && let Some(keys) = command.command.spec.keys.first()
        && let BeginSearch::Index(index) = keys.begin
        && index < request.len()
    {
        prepared.place = Place::of(request.word(index));
        prepared.key_word = u32::try_from(index).unwrap_or(0);
    }
    prepared
}

#[cfg(test)]
mod tests;
