//! MEMORY STATS: the figures of INFO memory as numbers, and what each database costs beside its values.

use crate::server::info::facts::{Facts, ratio};
use crate::server::info::memory::{dataset, overhead, startup};
use resp::reply::Writer;
use std::collections::BTreeMap;

/// What a table costs, by database.
struct Tables {
    keys: u64,
    bytes: u64,
}

fn tables(facts: &Facts<'_>) -> BTreeMap<u32, Tables> {
    let mut tables = BTreeMap::new();
    facts.node.keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs().filter(|(_, db)| !db.is_empty()) {
            let table = tables.entry(number).or_insert(Tables { keys: 0, bytes: 0 });
            table.keys += db.len() as u64;
            // A key's share of its bucket; its entry holds the value as well.
            table.bytes += (db.len() * size_of::<usize>()) as u64;
        }
    });
    tables
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A value of the reply.
enum Figure {
    Bytes(u64),
    Beyond(u64, u64),
    Ratio(f64),
}

/// Writes the reply.
pub(super) fn write(facts: &Facts<'_>, reply: &mut Writer<'_>) {
    use Figure::{Beyond, Bytes, Ratio};
    let memory = facts.memory();
    let tables = tables(facts);
    let keys: u64 = tables.values().map(|table| table.keys).sum();
    let table_bytes = tables.values().map(|table| table.bytes).sum();
    let data = dataset(facts);
    let beyond_startup = memory.used.saturating_sub(startup(facts));
    let before = [
        ("peak.allocated", memory.peak),
        ("total.allocated", memory.used),
        ("startup.allocated", startup(facts)),
        ("replication.backlog", memory.log - memory.replicas),
        ("clients.slaves", memory.replicas),
        ("clients.normal", memory.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
    ];
    let after = [
        ("overhead.db.hashtable.lut", Bytes(table_bytes)),
        // A table grows by one bucket at a time.
        ("overhead.db.hashtable.rehashing", Bytes(0)),
        ("overhead.total", Bytes(overhead(facts))),
        ("db.dict.rehashing.count", Bytes(0)),
        ("keys.count", Bytes(keys)),
        ("keys.bytes-per-key", Bytes(beyond_startup.checked_div(keys).unwrap_or(0))),
        ("dataset.bytes", Bytes(data)),
        ("dataset.percentage", Ratio(ratio(data, beyond_startup) * 100.0)),
        ("peak.percentage", Ratio(ratio(memory.used, memory.peak) * 100.0)),
        ("allocator.allocated", Bytes(memory.used)),
        ("allocator.active", Bytes(memory.active)),
        ("allocator.resident", Bytes(memory.resident)),
        ("allocator.muzzy", Bytes(0)),
        ("allocator-fragmentation.ratio", Ratio(ratio(memory.active, memory.used))),
        ("allocator-fragmentation.bytes", Beyond(memory.active, memory.used)),
        ("allocator-rss.ratio", Ratio(ratio(memory.resident, memory.active))),
        ("allocator-rss.bytes", Beyond(memory.resident, memory.active)),
        ("rss-overhead.ratio", Ratio(ratio(memory.rss, memory.resident))),
        ("rss-overhead.bytes", Beyond(memory.rss, memory.resident)),
        ("fragmentation", Ratio(ratio(memory.rss, memory.used))),
        ("fragmentation.bytes", Beyond(memory.rss, memory.used)),
    ];
    reply.map(before.len() + tables.len() + after.len());
    for (name, bytes) in before {
        reply.bulk(name);
        reply.integer(signed(bytes));
    }
    for (number, table) in &tables {
        reply.bulk(format!("db.{number}"));
        reply.map(2);
        reply.bulk("overhead.hashtable.main");
        reply.integer(signed(table.bytes));
        // An expiry lies in the entry of its key.
        reply.bulk("overhead.hashtable.expires");
        reply.integer(0);
    }
    for (name, figure) in after {
        reply.bulk(name);
        match figure {
            Bytes(bytes) => reply.integer(signed(bytes)),
            Beyond(larger, smaller) => reply.integer(signed(larger) - signed(smaller)),
            Ratio(ratio) => reply.double(ratio),
        }
    }
}
