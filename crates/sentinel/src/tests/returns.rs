//! Groups that come back after a power failure: who holds the data, and who is waited for.

use super::net::Net;
use super::settled;
use crate::choose::{ABSENCE_MAX_MS, RETURN_MAX_MS};

/// A group of a primary on port 1 and replicas on 2 and 3, and one on 4 that was replaced long ago,
/// after a power failure that the primary's machine did not survive.
fn after_a_power_failure(seed: u64) -> Net {
    let mut net = settled(seed, 3, 3);
    for port in 1..=4 {
        net.kill(port);
    }
    for index in 0..3 {
        net.kill_sentinel(index);
    }
    net.run(1_000);
    for index in 0..3 {
        net.restart_sentinel(index);
    }
    for port in [2, 3] {
        net.restart(port);
        net.servers.get_mut(&port).unwrap().never_linked = true;
    }
    net
}

#[test]
fn replicas_that_come_back_with_their_data_need_not_have_seen_the_primary_again() {
    let mut net = after_a_power_failure(30);
    net.servers.get_mut(&3).unwrap().offset = 150;
    // The fourth one may come back, too, and have more.
    net.run(RETURN_MAX_MS - 1_000);
    assert_eq!(net.primary_seen_by(0), 1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    assert_eq!(net.primary_seen_by(0), 3);
}

#[test]
fn a_replica_that_lost_its_data_waits_for_those_that_may_have_it_but_not_for_ever() {
    let mut net = after_a_power_failure(31);
    for port in [2, 3] {
        net.servers.get_mut(&port).unwrap().offset = 1;
    }
    net.run(ABSENCE_MAX_MS - 1_000);
    assert_eq!(net.primary_seen_by(0), 1);
    assert!(net.count("-failover-abort-no-good-slave") > 0);
    assert!(net.run_until(30_000, |net| net.moved_from(1)));
}

#[test]
fn data_of_another_history_is_none() {
    let mut net = settled(32, 3, 3);
    // Both were primaries of their own, and are in their first synchronisation.
    for port in [2, 3] {
        let server = net.servers.get_mut(&port).unwrap();
        (server.never_linked, server.offset) = (true, 999);
        server.replid = base::RunId::parse(&[b'f'; 40]).unwrap();
    }
    net.kill(1);
    assert!(net.run_until(20_000, |net| net.moved_from(1)));
    assert_eq!(net.primary_seen_by(0), 4);
}

#[test]
fn a_replica_that_another_leader_has_promoted_is_not_without_data() {
    let mut net = settled(33, 3, 2);
    // The leader promotes the one replica and says nothing more; the other one comes back empty,
    // with a sentinel that hears of the first one as a primary only.
    net.kill(1);
    net.servers.get_mut(&2).unwrap().follows = None;
    net.restart(3);
    let empty = net.servers.get_mut(&3).unwrap();
    (empty.never_linked, empty.offset, empty.keys) = (true, 1, 0);
    for index in 0..3 {
        net.kill_sentinel(index);
    }
    for index in 0..3 {
        net.restart_sentinel(index);
    }
    net.run(30_000);
    assert_ne!(net.primary_seen_by(0), 3);
}

#[test]
fn a_replica_that_came_back_with_less_waits_for_one_that_may_hold_more() {
    for (returns, expected) in [(true, 2), (false, 3)] {
        let mut net = settled(34, 3, 2);
        // One replica hangs, the other is killed and comes back with its last snapshot.
        net.servers.get_mut(&2).unwrap().paused = true;
        net.kill(1);
        net.restart(3);
        let returned = net.servers.get_mut(&3).unwrap();
        (returned.never_linked, returned.offset) = (true, 50);
        net.run(20_000);
        assert_eq!(net.primary_seen_by(0), 1);
        net.servers.get_mut(&2).unwrap().paused = !returns;
        assert!(net.run_until(RETURN_MAX_MS, |net| net.moved_from(1)));
        assert_eq!(net.primary_seen_by(0), expected);
    }
}

#[test]
fn replicas_do_not_become_unfit_while_a_primary_that_turned_replica_is_judged() {
    let mut net = settled(35, 3, 1);
    // The two follow each other, and neither has a link.
    net.servers.get_mut(&1).unwrap().follows = Some(2);
    net.servers.get_mut(&2).unwrap().link_down_for = 22;
    assert!(net.run_until(60_000, |net| net.moved_from(1)));
    assert_eq!(net.count("-failover-abort-no-good-slave"), 0);
}
