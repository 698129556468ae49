//! CONFIG GET and CONFIG SET over the table.
//!
//! Setting several pairs is all or nothing: every pair is read before the first is stored. Two
//! changes at the same time must be kept apart by the caller, who holds the node still for CONFIG
//! SET anyway.

use crate::cell::Cell;
use crate::choice::ProtectedAction;
use crate::plain::{Plain, ValueError, parse, show};
use crate::row::{Kind, Mutability, Row};
use crate::table::{ROWS, Settings, position};
use base::glob;
use std::sync::Arc;

/// Where a CONFIG SET comes from, for settings that only local clients may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The loopback interface, a Unix socket or the server itself.
    Local,
    /// Anywhere else.
    Remote,
}

/// Why CONFIG SET changes nothing. The texts are stock's, without the error code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No such setting.
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// It is read at the start only.
    #[error("CONFIG SET failed (possibly related to argument '{0}') - can't set immutable config")]
    Immutable(String),
    /// `enable-protected-configs` forbids it.
    #[error("CONFIG SET failed (possibly related to argument '{0}') - can't set protected config")]
    Protected(String),
    /// Named twice.
    #[error("CONFIG SET failed (possibly related to argument '{0}') - duplicate parameter")]
    Duplicate(String),
    /// The value is refused.
    #[error("CONFIG SET failed (possibly related to argument '{0}') - {1}")]
    Value(String, ValueError),
    /// The caller could not act on the new value; see [`Settings::undo`].
    #[error("CONFIG SET failed (possibly related to argument '{0}') - {1}")]
    Apply(String, String),
}

/// A change that was made, and what it replaced.
#[derive(Debug)]
pub struct Change {
    /// The settings that were given, in the order of the pairs.
    pub rows: Vec<&'static Row>,
    before: Vec<(usize, Plain)>,
}

impl Settings {
    /// The settings that match one of `patterns` with their values, each once, in the order of the
    /// table.
    ///
    /// A pattern without `*`, `?` and `[` is a name, and finds hidden settings and names of other
    /// servers too. O(settings times patterns).
    pub fn get<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(&'static str, Vec<u8>)> {
        let wanted = |name: &str, in_patterns: bool| {
            patterns.iter().map(AsRef::as_ref).any(|pattern| {
                if glob::is_pattern(pattern) {
                    in_patterns && glob::matches(pattern, name.as_bytes(), true)
                } else {
                    pattern.eq_ignore_ascii_case(name.as_bytes())
                }
            })
        };
        let mut found = Vec::new();
        for (row, cell) in ROWS.iter().zip(self.cells()) {
            let own = std::iter::once(&row.name).chain(row.aliases);
            let own = own.filter(|name| wanted(name, !row.hidden));
            let foreign = row.foreign.iter().filter(|name| wanted(name, false));
            for name in own.chain(foreign) {
                found.push((*name, show::shown(row, &cell.plain())));
            }
        }
        found
    }

    /// Sets all of `pairs` or none, for a remote caller. See [`Settings::change`].
    ///
    /// # Errors
    /// The first pair that cannot be set.
    pub fn set<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        pairs: &[(N, V)],
    ) -> Result<Vec<&'static Row>, SetError> {
        self.change(pairs, Caller::Remote).map(|change| change.rows)
    }

    /// Sets all of `pairs` or none, and tells which rows that were, so that the caller may act
    /// (listen again, cut the backlog) or [`undo`](Settings::undo).
    ///
    /// # Errors
    /// The first pair that cannot be set; nothing is changed then.
    pub fn change<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        pairs: &[(N, V)],
        caller: Caller,
    ) -> Result<Change, SetError> {
        let cells = self.cells();
        let mut staged: Vec<(usize, Plain)> = Vec::with_capacity(pairs.len());
        let mut chosen: Vec<(usize, &'static Row)> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let name = name.as_ref();
            let shown = || String::from_utf8_lossy(name).into_owned();
            let at = position(name).ok_or_else(|| SetError::Unknown(shown()))?;
            let row = ROWS.get(at).ok_or_else(|| SetError::Unknown(shown()))?;
            self.permit(row, caller).map_err(|refuse| refuse(shown()))?;
            if chosen.iter().any(|(other, _)| *other == at) {
                return Err(SetError::Duplicate(shown()));
            }
            chosen.push((at, row));
        }
        for ((name, value), (at, row)) in pairs.iter().zip(&chosen) {
            let before = match row.kind {
                Kind::SaveRules => Plain::SaveRules(Arc::default()),
                _ => cells.get(*at).map_or_else(|| row.default_value(), |cell| cell.plain()),
            };
            let words = words_of(row, value.as_ref());
            let value = parse::value(row, &words, &before).map_err(|error| {
                SetError::Value(String::from_utf8_lossy(name.as_ref()).into_owned(), error)
            })?;
            staged.push((*at, value));
        }
        let before = staged.into_iter().filter_map(|(at, value)| swap(&cells, at, value)).collect();
        Ok(Change { rows: chosen.into_iter().map(|(_, row)| row).collect(), before })
    }

    /// Puts back what `change` replaced.
    pub fn undo(&self, change: Change) {
        let cells = self.cells();
        for (at, value) in change.before {
            swap(&cells, at, value);
        }
    }

    fn permit(&self, row: &Row, caller: Caller) -> Result<(), fn(String) -> SetError> {
        let protected = match self.enable_protected_configs.get() {
            ProtectedAction::Yes => false,
            ProtectedAction::Local => caller == Caller::Remote,
            ProtectedAction::No => true,
        };
        match row.mutability {
            Mutability::Immutable => Err(SetError::Immutable),
            Mutability::Protected if protected => Err(SetError::Protected),
            Mutability::Mutable | Mutability::Protected => Ok(()),
        }
    }
}

fn swap(cells: &[&dyn Cell], at: usize, value: Plain) -> Option<(usize, Plain)> {
    let cell = cells.get(at)?;
    let before = cell.plain();
    cell.store(value);
    Some((at, before))
}

/// One argument of CONFIG SET as the words of its setting.
pub(crate) fn words_of(row: &Row, value: &[u8]) -> Vec<Vec<u8>> {
    if row.takes_words() {
        let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        words.map(<[u8]>::to_vec).collect()
    } else {
        vec![value.to_vec()]
    }
}

#[cfg(test)]
mod tests;
