//! Host names among addresses: refused unless they may be resolved, and aliases of one server.

use super::net::{Net, lines};
use super::{SETTLE_MS, settled};
use crate::{Address, Config, ConfigError};

#[test]
fn a_replica_that_announces_a_name_is_not_added_unless_names_may_be_resolved() {
    for (extra, known) in [("", false), ("sentinel resolve-hostnames yes", true)] {
        let mut net = Net::new(40, 1, 1, extra);
        net.servers.get_mut(&2).unwrap().announces = Some("node2");
        net.run(SETTLE_MS);
        let added = "+slave slave node2:2 node2 2 @ g 127.0.0.1 1";
        assert_eq!(net.has(0, added), known, "{extra}");
        // It starts again from what it has written.
        net.kill_sentinel(0);
        net.restart_sentinel(0);
        net.run(SETTLE_MS);
        assert_eq!(net.primary_seen_by(0), 1);
    }
}

#[test]
fn names_that_an_earlier_start_has_written_down_do_not_keep_a_sentinel_from_starting() {
    let learned = "sentinel monitor g 127.0.0.1 1 1\nsentinel known-replica g node2 2\n\
                   sentinel known-replica g 127.0.0.1 3\n\
                   sentinel known-sentinel g node3 26379 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let group = Config::parse(&lines(learned)).unwrap().groups.remove("g").unwrap();
    assert_eq!(group.replicas, [Address::new("127.0.0.1", 3)]);
    assert_eq!(group.sentinels, []);
    let names = format!("sentinel resolve-hostnames yes\n{learned}");
    let group = Config::parse(&lines(&names)).unwrap().groups.remove("g").unwrap();
    assert_eq!((group.replicas.len(), group.sentinels.len()), (2, 1));
    // `resolve-hostnames` was switched off at run time. What a user writes is still refused.
    let named = lines("sentinel monitor g node1 1 1");
    assert_eq!(Config::parse(&named), Err((0, ConfigError::Host)));
    let group = Config::parse_state(&named).unwrap().groups.remove("g").unwrap();
    assert_eq!(group.primary, Address::new("node1", 1));
}

#[test]
fn a_promoted_server_is_not_told_to_follow_itself_by_another_name() {
    let mut net = Net::new(41, 3, 2, "sentinel resolve-hostnames yes");
    net.servers.get_mut(&2).unwrap().announces = Some("node2");
    net.servers.get_mut(&2).unwrap().offset = 900;
    net.run(SETTLE_MS);
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let itself = |net: &Net| net.servers[&2].follows == Some(2);
    assert!(!net.run_until(60_000, itself));
    assert_eq!(net.servers[&2].follows, None);
    assert_eq!(net.servers[&3].follows, Some(2));
}

#[test]
fn a_server_that_is_known_once_is_told_as_ever() {
    let mut net = settled(42, 3, 2);
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let primary = net.primary_seen_by(0);
    assert!(net.run_until(2_000, |net| net.servers[&(5 - primary)].follows == Some(primary)));
}
