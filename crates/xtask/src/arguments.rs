//! The words after a task's name: `--name value`, `--flag` and positional words.
//!
//! Every word must be asked for: [`Arguments::finish`] refuses what nobody took, so that a mistyped
//! option is not silently ignored.

use crate::failure::{During, Failure, Outcome, ensure};
use std::str::FromStr;

/// The words that were not taken yet.
pub struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    /// All of `words`.
    pub fn new(words: impl IntoIterator<Item = String>) -> Arguments {
        Arguments { words: words.into_iter().collect() }
    }

    /// Takes the first word if it is not an option.
    pub fn word(&mut self) -> Option<String> {
        let is_word = self.words.first().is_some_and(|word| !word.starts_with("--"));
        is_word.then(|| self.words.remove(0))
    }

    /// Takes `name` and says whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let place = self.words.iter().position(|word| word == name);
        place.map(|at| self.words.remove(at)).is_some()
    }

    /// Takes the value after `name`.
    ///
    /// # Errors
    /// When `name` is the last word.
    pub fn text(&mut self, name: &str) -> Outcome<Option<String>> {
        let Some(at) = self.words.iter().position(|word| word == name) else { return Ok(None) };
        self.words.remove(at);
        ensure(at < self.words.len(), || format!("{name} wants a value"))?;
        Ok(Some(self.words.remove(at)))
    }

    /// Takes the number after `name`, or `default` when it is absent.
    ///
    /// # Errors
    /// When it is not such a number.
    pub fn number<T: FromStr>(&mut self, name: &str, default: T) -> Outcome<T>
    where
        T::Err: std::fmt::Display,
    {
        match self.text(name)? {
            None => Ok(default),
            Some(text) => text.parse().during(|| format!("{name} {text}")),
        }
    }

    /// Refuses words that nobody took.
    ///
    /// # Errors
    /// Naming the first of them.
    pub fn finish(self) -> Outcome {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Failure::new(format!("`{word}` is not understood here"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::new(words.iter().map(ToString::to_string))
    }

    #[test]
    fn options_are_taken_in_any_order() {
        let mut given = arguments(&["name", "--runs", "7", "--freeze"]);
        assert_eq!(given.word().as_deref(), Some("name"));
        assert!(given.flag("--freeze"));
        assert!(matches!(given.number("--runs", 1), Ok(7)));
        assert!(matches!(given.number("--port", 6379), Ok(6379)));
        assert!(given.finish().is_ok());
    }

    #[test]
    fn what_nobody_took_is_refused() {
        assert!(arguments(&["--rusn", "7"]).finish().is_err());
        assert!(arguments(&["--runs"]).text("--runs").is_err());
        assert!(arguments(&["--runs", "x"]).number("--runs", 1).is_err());
    }
}
