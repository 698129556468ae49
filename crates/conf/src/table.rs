//! The table of settings: [`Settings`] with one typed field for each row of [`ROWS`].
//!
//! The rows stand in a file per area, each a macro that hands its rows on, so that one expansion at
//! the end makes the struct, the rows and the way between them; they cannot disagree. A new setting
//! is one entry in one of these files. A field has the name of its setting with `-` turned into
//! `_`.

#[macro_use]
mod clients;
#[macro_use]
mod cluster;
#[macro_use]
mod debug;
#[macro_use]
mod encoding;
#[macro_use]
mod foreign;
#[macro_use]
mod latency;
#[macro_use]
mod lifecycle;
#[macro_use]
mod logging;
#[macro_use]
mod memory;
#[macro_use]
mod network;
#[macro_use]
mod persistence;
#[macro_use]
mod replication;
#[macro_use]
mod scripting;
#[macro_use]
mod security;
#[macro_use]
mod threads;
#[macro_use]
mod tls;

use crate::cell::{
    Address, Cell, Choice, Flag, List, Number, OutputLimits, SaveRules, Shutdown, Text,
};
use crate::choice::{
    AclPubsubDefault, AppendFsync, DisklessLoad, EndpointType, IoBackend, LogFormat, LogLevel,
    LogTimestampFormat, MaxmemoryPolicy, OomScoreAdj, PropagationErrorBehavior, ProtectedAction,
    SanitizeDumpPayload, Supervised, SyslogFacility, TlsAuthClients, Word,
};
use crate::plain::parse;
use crate::row::{Kind, Part, Row, Unit};
use std::collections::HashMap;
use std::sync::LazyLock;

const INT: i64 = 0x7fff_ffff;
const UINT: i64 = 0xffff_ffff;
const LONG: i64 = i64::MAX;
const KB: i64 = 1 << 10;
const MB: i64 = 1 << 20;
const GB: i64 = 1 << 30;
/// The longest argument, and request: with some room for what a command makes of it, it is below the 4 GB that
/// a key, or an element of a collection, can hold, and that the places of words are told by.
const BULK_MAX: i64 = 4095 * MB;

macro_rules! settings {
    ($($area:literal {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $row:expr;)+
    })+) => {
        /// Every setting of a server, each readable on its own from any thread.
        #[derive(Debug)]
        pub struct Settings {
            $($($(#[doc = $doc])+ pub $field: $type,)+)+
        }

        /// What is known about each setting, in the order of the table.
        pub static ROWS: &[Row] = &[
            $($(Row { area: $area, summary: concat!($($doc),+), ..$row },)+)+
        ];

        impl Settings {
            /// Every setting at its default.
            pub fn new() -> Settings {
                let mut defaults = ROWS.iter().map(Row::default_value);
                let mut next = || defaults.next().expect("rows and fields come from one table");
                Settings { $($($field: <$type>::new(&next()),)+)+ }
            }

            /// The cells in the order of [`ROWS`].
            pub(crate) fn cells(&self) -> Vec<&dyn Cell> {
                vec![$($(&self.$field,)+)+]
            }
        }
    };
}

macro_rules! collect {
    ([$first:ident $($areas:ident)*] $($rows:tt)*) => {
        $first! { collect! { [$($areas)*] $($rows)* } }
    };
    ([] $($rows:tt)*) => { settings! { $($rows)* } };
}

collect! { [
    network_settings clients_settings security_settings threads_settings lifecycle_settings
    logging_settings memory_settings persistence_settings replication_settings latency_settings
    tls_settings cluster_settings scripting_settings encoding_settings debug_settings
    foreign_settings
] }

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}

static BY_NAME: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
    let names = ROWS.iter().enumerate().flat_map(|(at, row)| {
        let others = row.aliases.iter().chain(row.foreign);
        std::iter::once(&row.name).chain(others).map(move |name| (*name, at))
    });
    names.collect()
});

/// The position of the row called `name`, by any of its names and in any case. O(1).
pub(crate) fn position(name: &[u8]) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    BY_NAME.get(std::str::from_utf8(&name).ok()?).copied()
}

/// The row called `name`, by any of its names and in any case. O(1).
pub fn row(name: &[u8]) -> Option<&'static Row> {
    ROWS.get(position(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plain::{Plain, show};
    use std::collections::HashSet;

    #[test]
    fn names_are_lower_case_and_said_once() {
        let mut seen = HashSet::new();
        for row in ROWS {
            for name in std::iter::once(&row.name).chain(row.aliases).chain(row.foreign) {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert!(seen.insert(*name), "{name} twice");
            }
            assert!(row.summary.trim().ends_with('.'), "{}: {}", row.name, row.summary);
        }
    }

    #[test]
    fn rows_and_cells_are_in_one_order() {
        let settings = Settings::new();
        for (row, cell) in ROWS.iter().zip(settings.cells()) {
            assert_eq!(row.default_value(), cell.plain(), "{}", row.name);
        }
        assert_eq!(ROWS.len(), settings.cells().len());
    }

    #[test]
    fn defaults_are_values_that_may_be_set() {
        for row in ROWS {
            let shown = show::shown(row, &row.default_value());
            let words: Vec<Vec<u8>> = if row.takes_words() {
                shown.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()
            } else {
                vec![shown]
            };
            let before = match row.kind {
                Kind::SaveRules => Plain::SaveRules(std::sync::Arc::default()),
                _ => row.default_value(),
            };
            let parsed = parse::value(row, &words, &before);
            assert_eq!(parsed, Ok(row.default_value()), "{}", row.name);
        }
    }
}
