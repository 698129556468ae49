//! Timers, acknowledgements and cuts of the primary's side.

use super::*;
use crate::Window;

const END: Offset = Offset(1000);

fn id(digit: u8) -> RunId {
    RunId::parse(&[digit; 40]).unwrap()
}

fn primary() -> Primary {
    Primary::new(PrimarySettings::default(), History::new(id(b'a')))
}

fn drain(primary: &mut Primary) -> Vec<Action> {
    let actions = std::iter::from_fn(|| primary.poll_action());
    actions.filter(|action| !matches!(action, Action::Log(..))).collect()
}

/// Connects a replica that continues at `from`.
fn join(primary: &mut Primary, now: u64, number: u64, from: u64) {
    let window = Some(Window { first: Offset(0), end: END });
    let offset = (from + 1).to_string();
    let args = [&[b'a'; 40][..], offset.as_bytes()];
    primary.handle_psync(Millis(now), ReplicaId(number), "10.0.0.1", &args, window);
}

fn wait(primary: &mut Primary, now: u64, number: u64) {
    let (now, number) = (Millis(now), ReplicaId(number));
    primary.handle_replconf(now, number, "10.0.0.1", &[b"capa", b"eof"], END);
    primary.handle_psync(now, number, "10.0.0.1", &[b"?", b"-1"], None);
}

fn ack(primary: &mut Primary, now: u64, number: u64, offset: &str) {
    let args = [&b"ACK"[..], offset.as_bytes()];
    primary.handle_replconf(Millis(now), ReplicaId(number), "10.0.0.1", &args, END);
}

#[test]
fn counts_acknowledgements() {
    let mut primary = primary();
    for (number, from) in [(1, 100), (2, 300), (3, 200)] {
        join(&mut primary, 0, number, from);
    }
    let acked = |primary: &Primary| [0, 1, 2, 3, 4].map(|n| primary.acked(n).map(|o| o.0));
    assert_eq!(acked(&primary), [None, Some(300), Some(200), Some(100), None]);
    ack(&mut primary, 2500, 1, "1000");
    assert_eq!(primary.count_acked(Offset(300)), 2);
    // Back, negative, beyond the log, beyond all bounds, no number: nothing moves.
    for told in ["5", "-7", "1001", "9223372036854775807", "99999999999999999999", "x"] {
        ack(&mut primary, 2600, 1, told);
        assert_eq!(acked(&primary), [None, Some(1000), Some(300), Some(200), None], "{told}");
    }
    assert_eq!(primary.good_replicas(Millis(3600), Millis(1000)), 1);
    assert_eq!(primary.good_replicas(Millis(3601), Millis(1000)), 0);
    ack(&mut primary, 3600, 9, "10");
    assert_eq!(primary.replica_count(), 3);
    primary.handle_closed(Millis(3600), ReplicaId(1));
    assert_eq!(acked(&primary), [None, Some(300), Some(200), None, None]);
}

#[test]
fn counts_what_replicas_have_made_durable() {
    let mut primary = primary();
    join(&mut primary, 0, 1, 100);
    join(&mut primary, 0, 2, 100);
    let durable = |primary: &Primary| -> Vec<Option<u64>> {
        let rows = primary.rows(Millis(0));
        rows.iter().map(|row| row.durable.map(|offset| offset.0)).collect()
    };
    let told = |primary: &mut Primary, ack: &str, fack: &str| {
        let args = [&b"ACK"[..], ack.as_bytes(), b"fack", fack.as_bytes()];
        primary.handle_replconf(Millis(0), ReplicaId(2), "10.0.0.1", &args, END);
    };
    ack(&mut primary, 0, 2, "300");
    assert_eq!(durable(&primary), [None, None]);
    told(&mut primary, "300", "200");
    assert_eq!(durable(&primary), [None, Some(200)]);
    // Back, negative, beyond the log, no number: nothing moves.
    for fack in ["5", "-7", "1001", "99999999999999999999", "x", ""] {
        told(&mut primary, "300", fack);
        assert_eq!(durable(&primary), [None, Some(200)], "{fack}");
    }
    told(&mut primary, "1000", "1000");
    assert_eq!(durable(&primary), [None, Some(1000)]);
}

#[test]
fn pings_while_there_are_replicas() {
    let mut primary = primary();
    assert_eq!(primary.poll_timeout(), None);
    join(&mut primary, 500, 1, 0);
    drain(&mut primary);
    assert_eq!(primary.poll_timeout(), Some(Millis(10_500)));
    primary.handle_timeout(Millis(10_499));
    assert_eq!(drain(&mut primary), []);
    primary.handle_timeout(Millis(10_500));
    assert_eq!(drain(&mut primary), [Action::AppendPing]);
    primary.set_chained(Millis(10_500), true, true);
    primary.handle_timeout(Millis(20_500));
    assert_eq!(drain(&mut primary), []);
}

#[test]
fn frees_the_backlog_when_nobody_came_back() {
    let mut primary = primary();
    join(&mut primary, 0, 1, 0);
    primary.handle_closed(Millis(1000), ReplicaId(1));
    drain(&mut primary);
    let freed = Millis(3_601_000);
    assert_eq!(primary.poll_timeout(), Some(freed));
    primary.handle_timeout(Millis(freed.0 - 1));
    assert_eq!(drain(&mut primary), []);
    primary.set_chained(Millis(2000), true, true);
    assert_eq!(primary.poll_timeout(), None);
    primary.set_chained(Millis(2000), false, true);
    assert_eq!(primary.poll_timeout(), Some(Millis(3_602_000)));
    primary.handle_timeout(Millis(3_602_000));
    assert_eq!(drain(&mut primary), [Action::ReleaseBacklog]);
    assert_eq!(primary.poll_timeout(), None);
}

#[test]
fn drops_silent_replicas() {
    let mut primary = primary();
    join(&mut primary, 0, 1, 0);
    ack(&mut primary, 1000, 1, "10");
    drain(&mut primary);
    primary.handle_timeout(Millis(61_000));
    assert_eq!(drain(&mut primary), [Action::AppendPing]);
    primary.handle_timeout(Millis(61_001));
    let actions = drain(&mut primary);
    assert!(matches!(actions[..], [Action::Disconnect { id: ReplicaId(1), .. }]), "{actions:?}");
    assert_eq!(primary.replica_count(), 0);
}

#[test]
fn asks_for_acknowledgements_once_per_poll() {
    let mut primary = primary();
    primary.request_acks();
    assert_eq!(drain(&mut primary), []);
    join(&mut primary, 0, 1, 0);
    drain(&mut primary);
    for _ in 0..3 {
        primary.request_acks();
    }
    assert_eq!(drain(&mut primary), [Action::AppendGetAck]);
    primary.request_acks();
    assert_eq!(drain(&mut primary), [Action::AppendGetAck]);
}

fn cut_of(actions: &[Action]) -> (CutId, usize) {
    let cuts: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Cut { cut, replicas, .. } => Some((*cut, replicas.len())),
            _ => None,
        })
        .collect();
    assert_eq!(cuts.len(), 1, "{actions:?}");
    cuts[0]
}

#[test]
fn replicas_share_a_cut_and_latecomers_wait_for_the_next() {
    let mut primary = primary();
    wait(&mut primary, 0, 1);
    wait(&mut primary, 4000, 2);
    primary.handle_timeout(Millis(5000));
    let (cut, replicas) = cut_of(&drain(&mut primary));
    assert_eq!(replicas, 2);
    wait(&mut primary, 5001, 3);
    primary.handle_cut(Millis(5001), cut, Ok(Offset(7)), id(b'e'));
    primary.handle_timeout(Millis(20_000));
    let actions = drain(&mut primary);
    assert!(!actions.iter().any(|action| matches!(action, Action::Cut { .. })), "{actions:?}");
    primary.handle_snapshot_sent(Millis(20_000), ReplicaId(1));
    primary.handle_closed(Millis(20_000), ReplicaId(2));
    assert_eq!(drain(&mut primary), [Action::CancelCut(cut)]);
    primary.handle_timeout(Millis(20_000));
    assert_eq!(cut_of(&drain(&mut primary)).1, 1);
}

#[test]
fn enough_waiting_replicas_shorten_the_delay() {
    let settings = PrimarySettings { diskless_max_replicas: 2, ..PrimarySettings::default() };
    let mut primary = Primary::new(settings, History::new(id(b'a')));
    wait(&mut primary, 0, 1);
    drain(&mut primary);
    wait(&mut primary, 1, 2);
    assert_eq!(cut_of(&drain(&mut primary)).1, 2);
}

#[test]
fn a_refused_cut_is_tried_again_and_a_failed_walk_drops_its_replicas() {
    let settings = PrimarySettings { diskless_delay: Millis(0), ..PrimarySettings::default() };
    let mut primary = Primary::new(settings, History::new(id(b'a')));
    wait(&mut primary, 0, 1);
    let (cut, _) = cut_of(&drain(&mut primary));
    primary.handle_cut(Millis(0), cut, Err("no walk is free".into()), id(b'e'));
    primary.handle_timeout(Millis(999));
    assert_eq!(drain(&mut primary), []);
    primary.handle_timeout(Millis(1000));
    let (again, replicas) = cut_of(&drain(&mut primary));
    assert_eq!(replicas, 1);
    assert_ne!(again, cut);
    primary.handle_cut(Millis(1000), again, Ok(Offset(7)), id(b'e'));
    drain(&mut primary);
    primary.handle_snapshot_failed(Millis(1100), again, "disk full");
    let actions = drain(&mut primary);
    assert!(matches!(actions[0], Action::Disconnect { id: ReplicaId(1), .. }), "{actions:?}");
    assert_eq!(primary.replica_count(), 0);
}

/// The replica may be quicker than the thread that says that all was sent.
#[test]
fn an_acknowledgement_of_the_cut_counts_before_it_is_known_that_all_was_sent() {
    for (told, streams) in [("7", true), ("6", false), ("8", false)] {
        let settings = PrimarySettings { diskless_delay: Millis(0), ..PrimarySettings::default() };
        let mut primary = Primary::new(settings, History::new(id(b'a')));
        wait(&mut primary, 0, 1);
        primary.handle_timeout(Millis(0));
        let (cut, _) = cut_of(&drain(&mut primary));
        primary.handle_cut(Millis(0), cut, Ok(Offset(7)), id(b'e'));
        ack(&mut primary, 1, 1, told);
        let begins = |actions: &[Action]| {
            let start = Action::StartStream { id: ReplicaId(1), from: Offset(7) };
            actions.contains(&start)
        };
        assert!(!begins(&drain(&mut primary)), "{told}: another thread writes to the socket");
        primary.handle_snapshot_sent(Millis(2), ReplicaId(1));
        assert_eq!(begins(&drain(&mut primary)), streams, "{told}");
        ack(&mut primary, 3, 1, "7");
        assert_eq!(begins(&drain(&mut primary)), !streams, "{told}: once");
        assert_eq!(primary.acked(1), Some(Offset(7)));
    }
}

#[test]
fn an_old_replica_gets_a_snapshot_without_a_line_and_is_not_timed_out() {
    let settings = PrimarySettings { diskless: false, ..PrimarySettings::default() };
    let mut primary = Primary::new(settings, History::new(id(b'a')));
    primary.handle_sync(Millis(0), ReplicaId(1), "10.0.0.1");
    let (cut, _) = cut_of(&drain(&mut primary));
    primary.handle_cut(Millis(0), cut, Ok(Offset(7)), id(b'e'));
    assert_eq!(drain(&mut primary), []);
    primary.handle_snapshot_length(Millis(0), cut, 5);
    assert_eq!(drain(&mut primary)[0], Action::Send(ReplicaId(1), b"$5\r\n".to_vec()));
    primary.handle_snapshot_sent(Millis(0), ReplicaId(1));
    drain(&mut primary);
    primary.handle_timeout(Millis(1_000_000));
    assert_eq!(primary.replica_count(), 1);
}

#[test]
fn an_rdb_only_client_is_closed_behind_its_snapshot() {
    let settings = PrimarySettings { diskless_delay: Millis(0), ..PrimarySettings::default() };
    let mut primary = Primary::new(settings, History::new(id(b'a')));
    let (now, number) = (Millis(0), ReplicaId(1));
    primary.handle_replconf(now, number, "10.0.0.1", &[b"rdb-only", b"1"], END);
    wait(&mut primary, 0, 1);
    let (cut, _) = cut_of(&drain(&mut primary));
    primary.handle_cut(now, cut, Ok(Offset(7)), id(b'e'));
    drain(&mut primary);
    primary.handle_snapshot_sent(now, number);
    let actions = drain(&mut primary);
    assert!(matches!(actions[0], Action::Disconnect { flush: true, .. }), "{actions:?}");
}
