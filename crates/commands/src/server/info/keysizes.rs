//! INFO keysizes: how long strings are and how many elements collections have, by powers of two.
//!
//! The figures are counted when they are asked for, shard after shard, and not kept: keeping them would
//! put a second look at the length before and after each change of each collection on the hot path, for
//! a section that people ask for a few times a day. The price is a walk over all keys (about 50 ns a
//! key), during which only one shard at a time is held, and only by the loop that was asked; so the
//! section is no part of INFO ALL.

use super::facts::Facts;
use engine::keys::{Text, kind_of, view};
use keyspace::Entry;
use std::collections::BTreeMap;
use std::fmt::Write;
use values::{Hash, HashRef, Kind, List, ListRef, Set, SetRef, SortedSet, SortedSetRef};

/// What each type is called, and whether it has elements or bytes.
const NAMES: &[(Kind, &str)] = &[
    (Kind::String, "strings_sizes"),
    (Kind::List, "lists_items"),
    (Kind::Set, "sets_items"),
    (Kind::SortedSet, "zsets_items"),
    (Kind::Hash, "hashes_items"),
];

/// A line for each type of each database: `length=keys` pairs, a length standing for all from it to its
/// double.
pub(super) fn distributions(facts: &Facts<'_>, text: &mut String) {
    let mut counts: BTreeMap<(u32, usize), BTreeMap<u64, u64>> = BTreeMap::new();
    facts.node.keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs() {
            for entry in db.iter() {
                let kind = kind_of(entry);
                let at = NAMES.iter().position(|(known, _)| *known == kind);
                let (Some(at), Some(len)) = (at, length(kind, entry)) else { continue };
                *counts.entry((number, at)).or_default().entry(floor(len as u64)).or_default() += 1;
            }
        }
    });
    for ((number, at), sizes) in counts {
        // Writing to a string cannot fail.
        let _ = write!(text, "db{number}_distrib_{}:", NAMES[at].1);
        for (place, (size, keys)) in sizes.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{}={keys}", short(*size));
        }
        text.push_str("\r\n");
    }
}

/// The bytes of a string, the elements of a collection.
fn length(kind: Kind, entry: &Entry) -> Option<usize> {
    match kind {
        Kind::String => Text::of(entry).ok().map(|text| text.len()),
        Kind::List => view::<List>(entry).ok().map(ListRef::len),
        Kind::Set => view::<Set>(entry).ok().map(SetRef::len),
        Kind::SortedSet => view::<SortedSet>(entry).ok().map(SortedSetRef::len),
        Kind::Hash => view::<Hash>(entry).ok().map(HashRef::len),
        // Stock has no figures of them.
        Kind::Stream | Kind::Module => None,
    }
}

/// The largest power of two that is not above `len`; zero is itself.
fn floor(len: u64) -> u64 {
    len.checked_ilog2().map_or(0, |power| 1 << power)
}

/// A power of two in short: 512, 1K, 4M.
fn short(size: u64) -> String {
    const UNITS: [(u32, char); 5] = [(50, 'P'), (40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    match UNITS.iter().find(|(power, _)| size >> power > 0) {
        Some((power, letter)) => format!("{}{letter}", size >> power),
        None => size.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn sizes_are_counted_by_powers_of_two() {
        let mut server = Server::new();
        server.line("set a 12345");
        server.line("set b 1234567");
        server.line(&format!("set c {}", "x".repeat(5000)));
        server.line("append empty \"\"");
        server.line("sadd s 1 2 3");
        server.line("hset h f v");
        let reply = server.line("info keysizes");
        for line in [
            "# Keysizes",
            "db0_distrib_strings_sizes:0=1,4=2,4K=1",
            "db0_distrib_sets_items:2=1",
            "db0_distrib_hashes_items:1=1",
        ] {
            assert!(reply.contains(&format!("{line}\r\n")), "{line}: {reply}");
        }
        assert!(!server.line("info all").contains("Keysizes"));
    }
}
