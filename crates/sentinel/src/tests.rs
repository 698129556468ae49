//! Scenarios: real machines on a hand-written network, told as what happens and what must follow.

mod commands;
mod foreign;
mod names;
mod net;
mod returns;

use net::{Net, SENTINEL_PORT};
use std::collections::BTreeSet;

/// Long enough for everybody to know everybody.
const SETTLE_MS: u64 = 5_000;

fn settled(seed: u64, sentinels: usize, replicas: u16) -> Net {
    let mut net = Net::new(seed, sentinels, replicas, "");
    net.run(SETTLE_MS);
    net
}

#[test]
fn sentinels_find_replicas_and_each_other() {
    let net = settled(1, 3, 2);
    for node in &net.nodes {
        let events: BTreeSet<&str> = node.events.iter().map(|(_, text)| text.as_str()).collect();
        assert!(events.contains("+monitor master g 127.0.0.1 1 quorum 2"));
        for port in [2, 3] {
            let event = format!("+slave slave 127.0.0.1:{port} 127.0.0.1 {port} @ g 127.0.0.1 1");
            assert!(events.contains(event.as_str()), "{events:?}");
        }
        for (index, other) in net.nodes.iter().enumerate() {
            let id = other.machine.my_id();
            let port = usize::from(SENTINEL_PORT) + index;
            let event = format!("+sentinel sentinel {id} 127.0.0.1 {port} @ g 127.0.0.1 1");
            let itself = id == node.machine.my_id();
            assert_eq!(events.contains(event.as_str()), !itself, "{events:?}");
        }
    }
}

#[test]
fn a_dead_primary_is_replaced_within_seconds_under_one_leader() {
    let mut times = Vec::new();
    for seed in 0..300 {
        let mut net = settled(seed, 3, 2);
        let phase = net.random.below(2_000);
        net.run(phase);
        let killed = net.now;
        net.kill(1);
        let moved = net.run_until(20_000, |net| net.moved_from(1));
        assert!(moved, "seed {seed}: no new primary");
        times.push(net.now.since(killed).0);
        net.run(2_000);
        let primary = net.primary_seen_by(0);
        assert_eq!(net.servers[&primary].follows, None, "seed {seed}");
        let other = 5 - primary;
        assert_eq!(net.servers[&other].follows, Some(primary), "seed {seed}");
        assert_eq!(net.count("+elected-leader"), 1, "seed {seed}");
        assert_eq!(net.count("+promoted-slave"), 1, "seed {seed}");
    }
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);

    assert!(median <= 1_200 && worst <= 2_500, "median {median} ms, worst {worst} ms");
}

#[test]
fn the_events_of_a_failover_are_stocks() {
    let mut net = settled(7, 3, 1);
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    net.run(1_000);
    let leads = |node: &&net::Node| node.events.iter().any(|(_, e)| e.starts_with("+elected"));
    let leader = net.nodes.iter().find(leads).unwrap();
    let id = leader.machine.my_id();
    let at = leader.events.iter().position(|(_, e)| e.starts_with("+sdown")).unwrap();
    let events: Vec<&str> = leader.events[at..].iter().map(|(_, e)| e.as_str()).collect();
    let epoch = leader.machine.current_epoch();
    let slave = "slave 127.0.0.1:2 127.0.0.1 2 @ g 127.0.0.1 1";
    for (index, expected) in [
        "+sdown master g 127.0.0.1 1".to_owned(),
        "+odown master g 127.0.0.1 1 #quorum".to_owned(),
        format!("+new-epoch {epoch}"),
        "+try-failover master g 127.0.0.1 1".to_owned(),
        format!("+vote-for-leader {id} {epoch}"),
        "+elected-leader master g 127.0.0.1 1".to_owned(),
        "+failover-state-select-slave master g 127.0.0.1 1".to_owned(),
        format!("+selected-slave {slave}"),
        format!("+failover-state-send-slaveof-noone {slave}"),
        format!("+failover-state-wait-promotion {slave}"),
        format!("-role-change {slave} new reported role is master"),
        format!("+promoted-slave {slave}"),
        "+failover-state-reconf-slaves master g 127.0.0.1 1".to_owned(),
        "+failover-end master g 127.0.0.1 1".to_owned(),
        "+switch-master g 127.0.0.1 1 127.0.0.1 2".to_owned(),
        "+slave slave 127.0.0.1:1 127.0.0.1 1 @ g 127.0.0.1 2".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let told = |e: &&&str| !e.contains("sentinel ") && !e.contains("-reconnection ");
        let seen = events.iter().filter(told).nth(index);
        assert!(seen.is_some_and(|seen| seen.starts_with(expected)), "{expected}: {events:#?}");
    }
    for follower in net.nodes.iter().filter(|node| node.machine.my_id() != id) {
        let update = format!("+config-update-from sentinel {id} ");
        assert!(follower.events.iter().any(|(_, e)| e.starts_with(&update)));
    }
}

#[test]
fn candidates_that_start_together_do_not_stay_split() {
    // Two of three sentinels are left with the primary gone: each must get the other's vote.
    let mut splits = 0;
    for seed in 0..200 {
        let mut net = settled(seed, 3, 2);
        // Slow links, so that pleas cross.
        net.latency_ms = 60;
        net.kill_sentinel(2);
        net.kill(1);
        let killed = net.now;
        assert!(net.run_until(20_000, |net| net.moved_from(1)), "seed {seed}");
        let took = net.now.since(killed).0;
        assert!(took <= 9_000, "seed {seed}: {took} ms");
        splits += usize::from(net.count("-failover-abort-not-elected") > 0);
        let elected = net.count("+elected-leader");
        assert_eq!(elected, 1, "seed {seed}");
    }
    assert!(splits > 0, "no seed split the vote; the scenario proves nothing");
}

#[test]
fn a_minority_neither_fails_over_nor_spends_epochs() {
    let mut net = settled(3, 5, 2);
    for index in 2..5 {
        net.kill_sentinel(index);
    }
    net.run(3_000);
    net.kill(1);
    let epoch = net.nodes[0].machine.current_epoch();
    net.run(120_000);
    assert_eq!(net.primary_seen_by(0), 1);
    assert_eq!(net.nodes[0].machine.current_epoch(), epoch);
    assert!(net.servers[&2].follows == Some(1) && net.servers[&3].follows == Some(1));
}

#[test]
fn a_partitioned_minority_follows_when_healed() {
    let mut net = settled(4, 3, 2);
    // Sentinel 0 stays with the primary; the others see neither.
    net.cut = [(0, 1), (0, 2), (1, 1001), (2, 1001), (0, 1002), (0, 1003)].into();
    assert!(
        net.run_until(30_000, |net| net.primary_seen_by(1) != 1 && net.primary_seen_by(2) != 1)
    );
    assert_eq!(net.primary_seen_by(0), 1);
    net.cut.clear();
    assert!(net.run_until(60_000, |net| net.moved_from(1)));
    let primary = net.primary_seen_by(0);
    assert!(net.run_until(60_000, |net| net.servers[&1].follows == Some(primary)));
}

#[test]
fn the_replica_with_most_data_is_promoted_and_an_empty_one_never() {
    let mut net = settled(5, 3, 3);
    // It wrote a history of its own before it was told to follow.
    let foreign = net.servers.get_mut(&2).unwrap();
    (foreign.never_linked, foreign.offset) = (true, 999);
    foreign.replid = base::RunId::parse(&[b'f'; 40]).unwrap();
    net.servers.get_mut(&3).unwrap().offset = 150;
    net.servers.get_mut(&4).unwrap().offset = 200;
    net.kill(1);
    // Offsets changed after the last INFO: only a fresh look finds the right one.
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    assert_eq!(net.primary_seen_by(0), 4);
}

#[test]
fn parallel_syncs_bounds_how_many_replicas_move_at_once() {
    for (setting, most) in [(1, 1), (2, 2), (9, 4)] {
        let mut net = Net::new(6, 3, 5, &format!("sentinel parallel-syncs g {setting}"));
        net.run(SETTLE_MS);
        for server in net.servers.values_mut() {
            server.sync_ms = 1_500;
        }
        net.kill(1);
        assert!(net.run_until(20_000, |net| net.moved_from(1)));
        net.syncing_max = 0;
        assert!(net.run_until(20_000, |net| net.count("+failover-end") == 1), "{setting}");
        assert!(net.syncing_max <= most, "parallel-syncs {setting}: {}", net.syncing_max);
        let primary = net.primary_seen_by(0);
        let moved = net.servers.values().filter(|s| s.follows == Some(primary)).count();
        assert_eq!(moved, 4);
    }
}

#[test]
fn a_failover_ends_for_timeout_when_a_replica_never_finishes() {
    let mut net = settled(8, 3, 2);
    for server in net.servers.values_mut() {
        server.sync_ms = 60_000;
    }
    net.kill(1);
    assert!(net.run_until(40_000, |net| net.count("+failover-end master") == 1));
    assert_eq!(net.count("+failover-end-for-timeout"), 1);
}

#[test]
fn an_old_primary_that_comes_back_becomes_a_replica() {
    let mut net = settled(9, 3, 2);
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let primary = net.primary_seen_by(0);
    net.restart(1);
    assert!(net.run_until(30_000, |net| net.servers[&1].follows == Some(primary)));
    assert!(net.count("+convert-to-slave") >= 1);
    net.run(30_000);
    assert!(net.moved_from(1));
    let health = |node: &net::Node| {
        node.events.iter().filter(|(_, e)| e.contains("sdown slave 127.0.0.1:1 ")).count()
    };
    assert!(net.nodes.iter().all(|node| health(node) % 2 == 0), "all ended with -sdown");
}

#[test]
fn a_paused_primary_is_told_before_its_clients_are_served_long() {
    let mut net = settled(10, 3, 2);
    net.servers.get_mut(&1).unwrap().paused = true;
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let primary = net.primary_seen_by(0);
    net.servers.get_mut(&1).unwrap().paused = false;
    assert!(net.run_until(12_000, |net| net.servers[&1].follows == Some(primary)));
}

#[test]
fn a_replica_that_follows_a_stranger_is_brought_back() {
    let mut net = settled(11, 3, 2);
    net.servers.get_mut(&3).unwrap().follows = Some(2);
    assert!(net.run_until(60_000, |net| net.servers[&3].follows == Some(1)));
    assert!(net.count("+fix-slave-config slave 127.0.0.1:3 127.0.0.1 3 @ g 127.0.0.1 1") >= 1);
}

#[test]
fn a_primary_that_turned_replica_is_down_in_time() {
    let mut net = settled(12, 3, 2);
    net.servers.get_mut(&1).unwrap().follows = Some(2);
    assert!(net.run_until(60_000, |net| net.count("+sdown master") >= 2));
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
}

#[test]
fn a_primary_that_restarts_empty_within_down_after_loses_its_office() {
    for (keys, offset, expected) in [(0, 0, true), (10, 100, false), (0, 1_000, false)] {
        let mut net = settled(13, 3, 2);
        net.kill(1);
        net.restart(1);
        let server = net.servers.get_mut(&1).unwrap();
        (server.keys, server.offset) = (keys, offset);
        let moved = net.run_until(15_000, |net| net.moved_from(1));
        assert_eq!(moved, expected, "{keys} keys, offset {offset}");
        assert!(net.count("+reboot master g 127.0.0.1 1") >= 1);
    }
}

#[test]
fn an_ordered_failover_needs_no_votes_and_moves_the_old_primary_at_once() {
    let mut net = settled(14, 3, 2);
    let order = [b"SENTINEL".to_vec(), b"failover".to_vec(), b"g".to_vec()];
    let (now, facts) = (net.now, crate::ServerFacts::default());
    net.nodes[0].machine.handle_command(now, crate::ClientId(0), &order, &facts);
    assert!(net.run_until(5_000, |net| net.moved_from(1)));
    let primary = net.primary_seen_by(0);
    assert!(net.run_until(1_000, |net| net.servers[&1].follows == Some(primary)));
    assert_eq!(net.count("+odown"), 0);
}

#[test]
fn a_promotion_that_never_happens_is_aborted_and_tried_again() {
    let mut net = settled(15, 3, 1);
    net.kill(1);
    assert!(net.run_until(10_000, |net| net.count("+selected-slave") == 1));
    net.servers.get_mut(&2).unwrap().paused = true;
    assert!(net.run_until(20_000, |net| net.count("-failover-abort-slave-timeout") == 1));
    net.servers.get_mut(&2).unwrap().paused = false;
    assert!(net.run_until(40_000, |net| net.moved_from(1)));
}

#[test]
fn without_a_good_replica_nothing_is_promoted_until_there_is_one() {
    let mut net = settled(16, 3, 1);
    net.servers.get_mut(&2).unwrap().priority = 0;
    net.kill(1);
    net.run(20_000);
    assert!(net.count("-failover-abort-no-good-slave") >= 1);
    assert_eq!(net.primary_seen_by(0), 1);
    net.servers.get_mut(&2).unwrap().priority = 100;
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
}

#[test]
fn a_restarted_sentinel_keeps_its_vote_and_its_knowledge() {
    let mut net = settled(17, 3, 2);
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let (primary, epoch) = (net.primary_seen_by(0), net.nodes[0].machine.current_epoch());
    let id = net.nodes[0].machine.my_id();
    net.kill_sentinel(0);
    net.restart_sentinel(0);
    let machine = &net.nodes[0].machine;
    assert_eq!((machine.my_id(), machine.current_epoch()), (id, epoch));
    assert_eq!(net.primary_seen_by(0), primary);
}

#[test]
fn a_sentinel_that_moved_is_found_at_its_new_address() {
    let mut net = settled(18, 3, 1);
    // The third sentinel's state turns up at a fourth address.
    net.kill_sentinel(2);
    let disk = net.nodes[2].disk.clone();
    let id = net.nodes[2].machine.my_id();
    net.add_sentinel(&disk);
    net.run(SETTLE_MS);
    let port = SENTINEL_PORT + 3;
    let event =
        format!("+sentinel-address-switch master g 127.0.0.1 1 ip 127.0.0.1 port {port} for {id}");
    assert!(net.has(0, &event) && net.has(1, &event));
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
}

#[test]
fn a_sentinel_whose_disk_fails_abstains_and_recovers() {
    let mut net = settled(19, 3, 2);
    for index in 0..3 {
        net.nodes[index].disk_fails = true;
    }
    net.kill(1);
    net.run(15_000);
    assert_eq!(net.count("+elected-leader"), 0);
    for index in 0..3 {
        net.nodes[index].disk_fails = false;
    }
    assert!(net.run_until(30_000, |net| net.moved_from(1)));
}

#[test]
fn sentinels_that_slept_do_not_take_their_own_silence_for_the_primarys() {
    let mut net = settled(21, 3, 2);
    for index in 0..3 {
        net.nodes[index].paused = true;
    }
    net.run(5_000);
    for index in 0..3 {
        net.nodes[index].paused = false;
    }
    net.run(10_000);
    assert_eq!(net.count("+sdown"), 0);
    net.kill(1);
    let killed = net.now;
    assert!(net.run_until(10_000, |net| net.moved_from(1)));
    assert!(net.now.since(killed).0 < 3_000);
}

#[test]
fn a_primary_that_drops_its_clients_is_not_down() {
    for seed in 0..100 {
        let mut net = settled(seed, 3, 2);
        let phase = net.random.below(2_000);
        net.run(phase);
        net.break_links(1);
        net.run(3_000);
        assert_eq!(net.count("+sdown"), 0, "seed {seed}");
    }
}

#[test]
fn from_its_promotion_on_the_new_primary_is_shown() {
    let mut net = settled(22, 3, 2);
    for server in net.servers.values_mut() {
        server.sync_ms = 60_000;
    }
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    let show = [b"SENTINEL".to_vec(), b"master".to_vec(), b"g".to_vec()];
    let (now, facts) = (net.now, crate::ServerFacts::default());
    for index in 0..3 {
        let primary = net.primary_seen_by(index).to_string();
        let machine = &mut net.nodes[index].machine;
        machine.handle_command(now, crate::ClientId(0), &show, &facts);
        let actions: Vec<_> = std::iter::from_fn(|| machine.poll_action()).collect();
        let Some(crate::Action::Reply { reply: crate::Reply::Map(row), .. }) = actions.last()
        else {
            panic!("no row: {actions:?}");
        };
        let field = |name: &str| {
            let found = row.iter().find(|(key, _)| key.as_text() == Some(name));
            found.and_then(|(_, value)| value.as_text()).unwrap().to_owned()
        };
        assert_eq!((field("name"), field("port")), ("g".to_owned(), primary));
        let flags = field("flags");
        assert!(flags.starts_with("master") && !flags.contains("down"), "{flags}");
        assert_eq!(field("config-epoch"), "1");
    }
}

#[test]
fn a_leader_that_dies_is_succeeded_soon() {
    for seed in 0..50 {
        let mut net = settled(seed, 5, 2);
        let words = ["SENTINEL", "simulate-failure", "crash-after-election"];
        let command = words.map(|word| word.as_bytes().to_vec());
        let facts = crate::ServerFacts::default();
        let now = net.now;
        for node in &mut net.nodes {
            node.machine.handle_command(now, crate::ClientId(0), &command, &facts);
        }
        net.kill(1);
        assert!(net.run_until(10_000, |net| net.count("+elected-leader") == 1));
        for node in &mut net.nodes {
            let reset = [b"SENTINEL".to_vec(), b"simulate-failure".to_vec(), b"help".to_vec()];
            node.machine.handle_command(now, crate::ClientId(0), &reset, &facts);
        }
        let died = net.now;
        assert!(net.run_until(20_000, |net| net.moved_from(1)), "seed {seed}");
        let took = net.now.since(died).0;
        assert!(took < 6_000, "seed {seed}: {took} ms");
    }
}

#[test]
fn two_leaders_do_not_work_at_once() {
    // Slow, crossing messages and candidates that start together: after every failover exactly one
    // replica was promoted in the winning epoch, and no other server is left a primary.
    for seed in 0..150 {
        let mut net = settled(seed, 5, 3);
        net.latency_ms = 40 + seed % 60;
        net.kill(1);
        assert!(net.run_until(60_000, |net| net.moved_from(1)), "seed {seed}");
        net.run(3_000);
        assert_eq!(net.count("+promoted-slave"), 1, "seed {seed}");
        let primaries = net.servers.values().filter(|s| s.alive && s.follows.is_none()).count();
        assert_eq!(primaries, 1, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut net = settled(20, 3, 2);
        net.kill(1);
        net.run(10_000);
        net.nodes.into_iter().map(|node| (node.events, node.disk)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
