//! Why a task could not be done: one sentence for a person at a terminal.
//!
//! Tasks are a program's outermost layer, so that an error of any library becomes text here; nobody
//! reacts to its kind.

use std::fmt;

/// What went wrong, in words.
pub struct Failure(String);

/// What a task or a step of it comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure that says `text`.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Adds what was being done to an error.
pub trait During<T> {
    /// Puts `doing()` before the error's own text.
    ///
    /// # Errors
    /// The error it was called on, longer.
    fn during(self, doing: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, doing: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{}: {error}", doing())))
    }
}

/// Fails with `text` unless `holds`.
///
/// # Errors
/// `text`, when `holds` is false.
pub fn ensure(holds: bool, text: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure(text())) }
}
