//! Active defragmentation, with a real allocator: one test, since memory is the process's.

mod client;

use base::{Millis, clock};
use client::Client;
use conf::{ProtectedAction, Settings};
use engine::memory::{sparse_bytes, used_memory};
use engine::{Node, cron};
use std::fmt::Write;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Elements of each kind before three of four are deleted.
const ELEMENTS: usize = 30_000;
/// Lists and streams that are filled by turns.
const IN_TURNS: usize = 32;
/// Percent at which it is to stop.
const ENOUGH: u64 = 30;
/// Milliseconds that it may take on a slow machine.
const PATIENCE_MS: u64 = 120_000;

/// A number of INFO.
fn field(client: &mut Client<'_>, section: &str, name: &str) -> u64 {
    let info = client.run(&format!("info {section}"));
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("the field is there").parse().expect("a number")
}

fn text(number: usize) -> String {
    format!("value-{number}-{}", "x".repeat(number % 90))
}

/// Fills every type, and deletes three of four elements, keys, lists and streams.
fn fill_and_thin(client: &mut Client<'_>) {
    for number in 0..ELEMENTS {
        let text = text(number);
        let turn = number % IN_TURNS;
        for line in [
            format!("set string:{number} {text}"),
            format!("set volatile:{number} {text} px 100000000"),
            format!("hset small:{} field {text} {number} 1", number / 4),
            format!("hset hash {number} {text}"),
            format!("sadd set {text}"),
            format!("zadd sorted {} {text}", number % 1_000),
            format!("rpush list:{turn} {text}"),
            format!("xadd stream:{turn} {}-1 field {text}", number + 1),
        ] {
            client.run(&line);
        }
    }
    client.run(&format!("setrange long {} end", 100_000));
    for number in (0..ELEMENTS).filter(|number| number % 4 != 0) {
        let (text, mut keys) = (text(number), String::from("del"));
        write!(keys, " string:{number} volatile:{number} small:{number}").expect("a string");
        if number < IN_TURNS {
            write!(keys, " list:{number} stream:{number}").expect("a string");
        }
        for line in [
            keys,
            format!("hdel hash {number}"),
            format!("srem set {text}"),
            format!("zrem sorted {text}"),
        ] {
            client.run(&line);
        }
    }
}

fn active() -> usize {
    tikv_jemalloc_ctl::stats::active::read().expect("the allocator counts")
}

fn sparse_percent() -> u64 {
    let used = used_memory();
    sparse_bytes() * 100 / used
}

#[test]
fn what_is_left_of_much_is_moved_together() {
    let node =
        Arc::new(Node::new(Settings::default().into(), None, &commands::all(), &[], 2, None));
    node.settings.enable_debug_command.set(ProtectedAction::Yes);
    let mut client = Client::new(&node);
    fill_and_thin(&mut client);
    let digest = client.run("debug digest");
    let keys = client.run("dbsize");
    let (percent, before) = (sparse_percent(), active());
    assert!(percent > 2 * ENOUGH, "{percent} %");

    // While it is off nothing happens.
    cron::tick(&node);
    assert_eq!(field(&mut client, "memory", "active_defrag_running"), 0);
    let set = format!(
        "config set active-defrag-ignore-bytes 100000 active-defrag-threshold-lower {ENOUGH} \
         active-defrag-threshold-upper {} active-defrag-cycle-max 75 active-defrag-max-scan-fields 100 \
         activedefrag yes",
        ENOUGH + 1
    );
    assert_eq!(client.run(&set), "+OK\r\n");
    let deadline = clock::monotonic() + Millis(PATIENCE_MS);
    cron::tick(&node);
    assert_eq!(field(&mut client, "memory", "active_defrag_running"), 75);
    // Commands go on.
    let mut rounds = 0;
    while field(&mut client, "memory", "active_defrag_running") > 0 {
        assert!(clock::monotonic() < deadline, "{} % after {rounds} rounds", sparse_percent());
        rounds += 1;
        assert_eq!(client.run("incr counted"), format!(":{rounds}\r\n"));
        assert_eq!(client.run("append grown x"), format!(":{rounds}\r\n"));
        assert_eq!(client.run("get string:4"), format!("$12\r\n{}\r\n", text(4)));
    }
    client.run("del counted grown");
    let percent = sparse_percent();
    assert!(percent <= ENOUGH, "{percent} %");
    assert!(active() * 4 < before * 3, "{} of {before} bytes are active", active());
    assert_eq!(client.run("debug digest"), digest);
    assert_eq!(client.run("dbsize"), keys);
    for name in ["active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits"] {
        assert!(field(&mut client, "stats", name) > 0, "{name}");
    }
    assert_eq!(field(&mut client, "stats", "current_active_defrag_time"), 0);
    assert!(field(&mut client, "stats", "total_active_defrag_time") > 0);
    client.run("config resetstat");
    assert_eq!(field(&mut client, "stats", "active_defrag_hits"), 0);
    assert_eq!(field(&mut client, "stats", "total_active_defrag_time"), 0);
}
