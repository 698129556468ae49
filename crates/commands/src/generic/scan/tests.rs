//! SCAN: errors, options, and its guarantee while keys come and go.

use crate::harness::Server;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Runs one call; the next cursor and the keys.
fn call(server: &mut Server, cursor: u64, options: &str) -> (u64, Vec<String>) {
    let reply = server.line(&format!("scan {cursor} {options}"));
    let mut lines = reply.split("\r\n");
    assert_eq!(lines.next(), Some("*2"), "{reply}");
    lines.next();
    let next = lines.next().unwrap().parse().unwrap();
    let count: usize = lines.next().unwrap()[1..].parse().unwrap();
    let keys: Vec<String> = lines.skip(1).step_by(2).take(count).map(str::to_owned).collect();
    assert_eq!(keys.len(), count, "{reply}");
    (next, keys)
}

fn all(server: &mut Server, options: &str) -> Vec<String> {
    let (mut cursor, mut keys) = (0, Vec::new());
    loop {
        let (next, more) = call(server, cursor, options);
        keys.extend(more);
        if next == 0 {
            return keys;
        }
        cursor = next;
    }
}

#[test]
fn cursors_and_options() {
    let mut server = Server::new();
    for (line, expected) in [
        ("scan abc", "-ERR invalid cursor\r\n"),
        ("scan 18446744073709551616", "-ERR invalid cursor\r\n"),
        ("scan ' 1'", "-ERR invalid cursor\r\n"),
        ("scan '1 '", "-ERR invalid cursor\r\n"),
        ("scan 0 foo", "-ERR syntax error\r\n"),
        ("scan 0 count 0", "-ERR syntax error\r\n"),
        ("scan 0 count -5", "-ERR syntax error\r\n"),
        ("scan 0 count abc", "-ERR value is not an integer or out of range\r\n"),
        ("scan 0 count", "-ERR syntax error\r\n"),
        ("scan 0 match", "-ERR syntax error\r\n"),
        ("scan 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("scan ''", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("mset one 1 two 2 three 3", "+OK\r\n"),
        ("scan 0 match t*o", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\ntwo\r\n"),
        ("scan 0 type hash", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("scan 0 match one type STRING", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\none\r\n"),
        ("set gone v pxat 1", "+OK\r\n"),
        ("scan 0 type hash match g*", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("dbsize", ":4\r\n"),
        ("scan 0 match g*", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("dbsize", ":3\r\n"),
        ("scan 0 type nope", "-ERR unknown type name 'nope'\r\n"),
        ("scan", "-ERR wrong number of arguments for 'scan' command\r\n"),
    ] {
        server.check(line, expected);
    }
    assert_eq!(call(&mut server, 0, "match *").1.len(), 3);
    for cursor in [u64::MAX, u64::MAX - 1, 1 << 40, 1023, 1 << 63, (1 << 50) + 1023] {
        call(&mut server, cursor, "");
    }
}

#[test]
fn count_bounds_a_call_and_nothing_is_answered_twice_at_rest() {
    let mut server = Server::new();
    for number in 0..3000 {
        server.line(&format!("set key:{number} {{tag}}"));
        server.line(&format!("set {{tag}}:{number} v"));
    }
    for options in ["", "count 1", "count 100", "count 100000"] {
        let keys = all(&mut server, options);
        let different: BTreeSet<_> = keys.iter().collect();
        assert_eq!((keys.len(), different.len()), (6000, 6000), "{options}");
    }
    let (_, keys) = call(&mut server, 0, "count 100");
    assert!((100..200).contains(&keys.len()), "{}", keys.len());
    assert_eq!(call(&mut server, 0, "count 100000").0, 0);
}

#[test]
fn what_has_expired_is_taken_out_and_logged() {
    let mut server = Server::new();
    server.line("set k v pxat 1");
    server.check_log("scan 0", &["DEL k"]);
    for line in ["set k v pxat 1", "multi", "set a 1", "scan 0", "set b 2"] {
        server.line(line);
    }
    server.check_log("exec", &["MULTI", "set a 1", "DEL k", "set b 2", "EXEC"]);
}

#[test]
fn in_a_transaction_that_holds_shards() {
    let mut server = Server::new();
    for line in ["set a 1", "multi", "incr a", "scan 0", "dbsize", "randomkey", "keys *"] {
        server.line(line);
    }
    let one = "*1\r\n$1\r\na\r\n";
    let scanned = format!("*2\r\n$1\r\n0\r\n{one}");
    server.check("exec", &format!("*5\r\n:2\r\n{scanned}:1\r\n$1\r\na\r\n{one}"));
}

#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Remove(u16),
    Scan(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..600u16).prop_map(Step::Add),
        3 => (0..600u16).prop_map(Step::Remove),
        2 => (1..60u8).prop_map(Step::Scan),
    ];
    proptest::collection::vec(step, 50..800)
}

/// Half of the keys share a shard, so that one table grows and shrinks under the cursor.
fn name(number: u16) -> String {
    if number.is_multiple_of(2) { format!("{{tag}}{number}") } else { format!("key{number}") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_stays_is_answered_and_what_never_was_is_not(steps in steps()) {
        let mut server = Server::new();
        let mut live: BTreeSet<u16> = BTreeSet::new();
        let mut ever: BTreeSet<u16> = BTreeSet::new();
        // Per key of the running pass: there since its beginning without a break.
        let mut stayed: BTreeSet<u16> = BTreeSet::new();
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let mut cursor = 0;
        let finish = [Step::Scan(255)].into_iter().cycle().take(50);
        for step in steps.into_iter().chain(finish) {
            match step {
                Step::Add(number) => {
                    server.line(&format!("set {} v", name(number)));
                    live.insert(number);
                    ever.insert(number);
                }
                Step::Remove(number) => {
                    server.line(&format!("del {}", name(number)));
                    live.remove(&number);
                    stayed.remove(&number);
                }
                Step::Scan(count) => {
                    if cursor == 0 {
                        stayed = live.clone();
                        seen.clear();
                    }
                    let (next, keys) = call(&mut server, cursor, &format!("count {count}"));
                    for key in keys {
                        *seen.entry(key).or_default() += 1;
                    }
                    cursor = next;
                    if cursor == 0 {
                        for &number in &stayed {
                            prop_assert!(seen.contains_key(&name(number)), "lost {number}");
                        }
                        let known: BTreeSet<String> = ever.iter().map(|&n| name(n)).collect();
                        prop_assert!(seen.keys().all(|key| known.contains(key)));
                    }
                }
            }
        }
    }
}
