//! CONFIG GET * of a server without configuration, against what stock 7.0.15 answers.

use conf::{LoadRequest, Settings};
use std::collections::BTreeMap;

/// Names with another value than stock's, and why.
const OTHER_VALUE: &[(&str, &str)] = &[
    ("dir", "the working directory of the process"),
    ("lazyfree-lazy-eviction", "Valkey 8's: nothing large is freed on a loop"),
    ("lazyfree-lazy-expire", "the same"),
    ("lazyfree-lazy-server-del", "the same"),
    ("lazyfree-lazy-user-del", "the same"),
    ("lazyfree-lazy-user-flush", "the same"),
];

/// Names that stock 7.0.15 does not know, and where they come from.
const BEYOND: &[(&str, &str)] = &[
    ("aof-rewrite-cpulist", "Valkey 8's spelling of aof_rewrite_cpulist"),
    ("availability-zone", "Valkey 8"),
    ("bgsave-cpulist", "Valkey 8's spelling of bgsave_cpulist"),
    ("bio-cpulist", "Valkey 8's spelling of bio_cpulist"),
    ("cluster-announce-human-nodename", "7.2"),
    ("cluster-slot-stats-enabled", "Valkey 8"),
    ("commandlog-large-reply-max-len", "Valkey 8.1"),
    ("commandlog-large-request-max-len", "Valkey 8.1"),
    ("commandlog-reply-larger-than", "Valkey 8.1"),
    ("commandlog-request-larger-than", "Valkey 8.1"),
    ("dual-channel-replication-enabled", "Valkey 8"),
    ("extended-redis-compatibility", "Valkey 8"),
    ("hide-user-data-from-log", "Valkey 8"),
    ("locale-collate", "7.2"),
    ("max-new-connections-per-cycle", "Valkey 8"),
    ("max-new-tls-connections-per-cycle", "Valkey 8"),
    ("prefetch-batch-max-size", "Valkey 8"),
    ("server-cpulist", "Valkey 8's spelling of server_cpulist"),
    ("set-max-listpack-entries", "7.2"),
    ("set-max-listpack-value", "7.2"),
    ("unixsocketgroup", "Valkey 8"),
];

#[test]
fn defaults_are_those_of_stock() {
    let stock: BTreeMap<&str, &str> = include_str!("stock-7.0.15-config-get.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
        .collect();
    let loaded = Settings::load(&LoadRequest::default()).unwrap();
    assert_eq!(loaded.warnings, []);
    let ours: BTreeMap<&str, String> = loaded
        .settings
        .get(&["*"])
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect();
    assert!(stock.len() > 190);
    for (name, value) in &stock {
        let found = ours.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        let differs = OTHER_VALUE.iter().any(|(other, _)| other == name);
        assert_eq!(found != value, differs, "{name}: {found:?}, in stock {value:?}");
    }
    let beyond: Vec<&str> = ours.keys().copied().filter(|name| !stock.contains_key(name)).collect();
    let allowed: Vec<&str> = BEYOND.iter().map(|(name, _)| *name).collect();
    assert_eq!(beyond, allowed);
}
