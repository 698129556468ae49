//! INFO keyspace: a line for each database that holds keys.

use super::facts::Facts;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn dbs(facts: &Facts<'_>, text: &mut String) {
    let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    facts.node.keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs().filter(|(_, db)| !db.is_empty()) {
            let (keys, expires) = counts.entry(number).or_default();
            *keys += db.len();
            *expires += db.volatile();
        }
    });
    for (number, (keys, expires)) in counts {
        // Writing to a string cannot fail.
        let _ = write!(text, "db{number}:keys={keys},expires={expires},avg_ttl=0\r\n");
    }
}
