//! What a stock 7.0.15 pair really sent each other, recorded through a proxy, against both machines:
//! our replica says what stock's said when it hears what stock's primary said, and the reverse.
//!
//! Recorded with `requirepass pw`, `masterauth pw`, `replica-announce-ip 127.0.0.1`; the snapshots
//! are the recorded ones, shortened.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use base::{Millis, Offset, RunId};
use psync::primary::{self, Format, PrimarySettings, PsyncAnswer, ReplconfAnswer, ReplicaId};
use psync::replica::{self, ReplicaSettings, Resume};
use psync::{History, Identity, Primary, Replica, Window};

const REPLID: &str = "303116aaf3896f301d6bce498ae4738b313ab785";
const MARK: &str = "820df26f6dc61e4c3442b6ac9da319ecc3805ff7";
const PING: &str = "*1\r\n$4\r\nPING\r\n";
const AUTH: &str = "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n";
const INTRODUCTION: &str = "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$5\r\n21003\r\n\
    *3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$9\r\n127.0.0.1\r\n\
    *5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n";
const PSYNC_ANY: &str = "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n";
const NO_AUTH: &str = "-NOAUTH Authentication required.\r\n";

fn id(text: &str) -> RunId {
    RunId::parse(text.as_bytes()).unwrap()
}

fn ack(offset: u64) -> String {
    let digits = offset.to_string();
    format!("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${}\r\n{digits}\r\n", digits.len())
}

fn settings() -> ReplicaSettings {
    ReplicaSettings {
        listening_port: 21003,
        announce_ip: Some("127.0.0.1".into()),
        password: Some(b"pw".to_vec()),
        ..ReplicaSettings::default()
    }
}

/// A replica under test, with what it did since the last look.
struct Driven {
    machine: Replica,
    now: Millis,
}

#[derive(Debug, Default, PartialEq)]
struct Did {
    sent: String,
    snapshot: Vec<u8>,
    stream: Vec<u8>,
    others: Vec<replica::Action>,
    log: Vec<String>,
}

impl Driven {
    fn following(settings: ReplicaSettings, resume: Option<Resume>) -> Driven {
        let mut machine = Replica::new(settings);
        machine.follow(Millis(0), "127.0.0.1", 21002, resume);
        let mut driven = Driven { machine, now: Millis(0) };
        let connect = replica::Action::Connect { host: "127.0.0.1".into(), port: 21002 };
        assert_eq!(driven.look().others, [connect]);
        driven.machine.handle_connected(driven.now);
        driven
    }

    fn look(&mut self) -> Did {
        let mut did = Did::default();
        while let Some(action) = self.machine.poll_action() {
            match action {
                replica::Action::Log(_, text) => did.log.push(text),
                replica::Action::Send(bytes) => {
                    did.sent.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                replica::Action::SnapshotBytes(bytes) => did.snapshot.extend(bytes),
                replica::Action::Stream(bytes) => did.stream.extend(bytes),
                other => did.others.push(other),
            }
        }
        did
    }

    fn hear(&mut self, bytes: &str) -> Did {
        self.machine.handle_bytes(self.now, bytes.as_bytes());
        self.look()
    }

    fn introduce(&mut self) {
        assert_eq!(self.look().sent, PING);
        assert_eq!(self.hear(NO_AUTH).sent, format!("{AUTH}{INTRODUCTION}"));
        assert_eq!(self.hear("+OK\r\n").sent, "");
    }
}

#[test]
fn a_full_sync_by_mark() {
    let mut driven = Driven::following(settings(), None);
    driven.introduce();
    let did = driven.hear("+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(did.sent, PSYNC_ANY);
    assert_eq!(did.log, ["Partial resynchronization not possible (no cached master)"]);
    for _ in 0..5 {
        assert_eq!(driven.hear("\n"), Did::default());
    }
    let did = driven.hear(&format!("\n+FULLRESYNC {REPLID} 42\r\n$EOF:{MARK}\r\nREDIS0010{MARK}"));
    assert_eq!(did.snapshot, b"REDIS0010");
    let start =
        replica::Action::StartSnapshot { replid: id(REPLID), offset: Offset(42), length: None };
    assert_eq!(did.others, [start, replica::Action::EndSnapshot]);
    assert_eq!(did.log[0], format!("Full resync from master: {REPLID}:42"));
    assert_eq!(
        did.log[1],
        "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser"
    );
    assert!(!driven.machine.wants_bytes());
    driven.machine.handle_loaded(driven.now, Ok(()));
    assert_eq!(driven.look().sent, ack(42));
    // Stock may overlook the first ones, so they come quickly, but not for ever.
    let mut times = Vec::new();
    while let Some(at) = driven.machine.poll_timeout().filter(|at| *at < Millis(3500)) {
        times.push(at.0);
        driven.now = at;
        driven.machine.handle_timeout(at);
        assert_eq!(driven.look().sent, ack(42));
    }
    let expected: Vec<u64> = (1..=10).map(|n| n * 100).chain([2000, 3000]).collect();
    assert_eq!(times, expected);
    assert_eq!(driven.hear("*1\r\n$4\r\nping\r\n").stream, b"*1\r\n$4\r\nping\r\n");
    driven.machine.applied(Offset(56));
    driven.now = Millis(4000);
    driven.machine.handle_timeout(driven.now);
    assert_eq!(driven.look().sent, ack(56));
    // 50 bytes of writes, then GETACK, whose own 37 bytes stock does not count in its answer.
    let writes = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nset\r\n$1\r\nb\r\n$1\r\n2\r\n";
    driven.hear(writes);
    driven.hear("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
    driven.machine.applied(Offset(106));
    driven.machine.handle_getack(driven.now);
    assert_eq!(driven.look().sent, ack(106));
    // What was not received cannot have been applied.
    driven.machine.applied(Offset(9999));
    let facts = driven.machine.facts(Millis(6500));
    assert_eq!((facts.read_offset, facts.applied_offset), (Offset(143), Offset(143)));
    assert_eq!((facts.last_io_seconds_ago, facts.link_down_since_seconds), (2, -1));
    // The link is cut; stock connected again at once and asked for byte 144.
    driven.machine.handle_closed(driven.now, "reset");
    let did = driven.look();
    assert_eq!(did.others.len(), 2);
    assert!(did.log.contains(&"Connection with master lost.".to_owned()));
    driven.machine.handle_connected(driven.now);
    driven.introduce();
    let psync = format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{REPLID}\r\n$3\r\n144\r\n");
    assert_eq!(driven.hear("+OK\r\n+OK\r\n+OK\r\n").sent, psync);
    let did = driven.hear(&format!("+CONTINUE {REPLID}\r\n*1\r\n$4\r\nping\r\n"));
    assert_eq!(did.others, [replica::Action::Continue { replid: id(REPLID) }]);
    assert_eq!(did.stream, b"*1\r\n$4\r\nping\r\n");
    assert_eq!(did.log[0], "Successful partial resynchronization with master.");
}

#[test]
fn a_link_that_was_up_is_down_since_it_was_redirected() {
    let mut driven = Driven::following(settings(), None);
    let down_for = |driven: &Driven, at| driven.machine.facts(Millis(at)).link_down_since_seconds;
    driven.introduce();
    driven.hear("+OK\r\n+OK\r\n+OK\r\n");
    driven.hear(&format!("+FULLRESYNC {REPLID} 0\r\n$1\r\nx"));
    driven.machine.handle_loaded(driven.now, Ok(()));
    assert!(driven.machine.is_link_up());
    // Stock 7.0.15 was sent from a primary that it followed to an address where nobody answers, and
    // two seconds later to another such address.
    driven.machine.follow(Millis(1000), "127.0.0.1", 23899, None);
    assert_eq!(down_for(&driven, 1000), 0);
    driven.machine.follow(Millis(3000), "127.0.0.1", 23898, None);
    assert_eq!(down_for(&driven, 3000), 2);
    driven.machine.unfollow();
    driven.machine.follow(Millis(4000), "127.0.0.1", 23898, None);
    assert_eq!(down_for(&driven, 4000), -1);
}

/// As Redis 7.2 says it.
fn ack_with_file(offset: u64, durable: u64) -> String {
    let bulk = |number: u64| format!("${}\r\n{number}\r\n", number.to_string().len());
    let (offset, durable) = (bulk(offset), bulk(durable));
    format!("*5\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n{offset}$4\r\nFACK\r\n{durable}")
}

#[test]
fn acknowledgements_tell_of_the_file_if_there_is_one() {
    let resume = Some(Resume { replid: id(REPLID), applied: Offset(143) });
    let mut driven = Driven::following(settings(), resume);
    driven.introduce();
    driven.hear("+OK\r\n+OK\r\n+OK\r\n");
    driven.hear(&format!("+CONTINUE {REPLID}\r\n"));
    driven.machine.handle_getack(driven.now);
    assert_eq!(driven.look().sent, ack(143));
    // What was asked for is told as soon as it is durable, once.
    for (durable, sent) in [(100, None), (142, None), (143, Some(143)), (150, None)] {
        driven.machine.handle_durable(driven.now, Some(Offset(durable)));
        let expected = sent.map_or_else(String::new, |sent| ack_with_file(143, sent));
        assert_eq!(driven.look().sent, expected, "{durable}");
    }
    driven.machine.handle_durable(driven.now, Some(Offset(120)));
    driven.machine.handle_getack(driven.now);
    assert_eq!(driven.look().sent, ack_with_file(143, 120));
    assert_eq!(driven.machine.owes_durable(), Some(Offset(143)));
    // Another history, of which the file holds nothing.
    driven.machine.handle_closed(driven.now, "reset");
    driven.machine.handle_connected(driven.now);
    driven.look();
    driven.hear(NO_AUTH);
    driven.hear("+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    driven.hear(&format!("+FULLRESYNC {MARK} 42\r\n$9\r\nREDIS0010"));
    driven.look();
    driven.machine.handle_loaded(driven.now, Ok(()));
    assert_eq!(driven.look().sent, ack(42));
    assert_eq!(driven.machine.owes_durable(), None);
}

#[test]
fn a_full_sync_by_length() {
    let own = "234fcc6d01910f8b02714381b37e59a8898b6fa9";
    let resume = Some(Resume { replid: id(own), applied: Offset(248) });
    let mut driven = Driven::following(settings(), resume);
    driven.introduce();
    let did = driven.hear("+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(did.sent, format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{own}\r\n$3\r\n249\r\n"));
    assert_eq!(did.log, [format!("Trying a partial resynchronization (request {own}:249).")]);
    driven.hear(&format!("+FULLRESYNC {REPLID} 171\r\n"));
    let did = driven.hear("\n$9\r\nREDIS0010*1\r\n");
    assert_eq!(did.snapshot, b"REDIS0010");
    assert_eq!(did.log[0], "MASTER <-> REPLICA sync: receiving 9 bytes from master to parser");
    assert!(did.stream.is_empty());
    driven.now = Millis(1000);
    driven.machine.handle_timeout(driven.now);
    assert_eq!(driven.look().sent, "\n");
    driven.machine.handle_loaded(driven.now, Ok(()));
    let did = driven.look();
    assert_eq!((did.sent, did.stream), (ack(171), b"*1\r\n".to_vec()));
}

#[test]
fn a_transfer_that_breaks_off_keeps_the_old_history() {
    let own = "234fcc6d01910f8b02714381b37e59a8898b6fa9";
    let resume = Some(Resume { replid: id(own), applied: Offset(248) });
    for loaded in [false, true] {
        let mut driven = Driven::following(settings(), resume);
        driven.introduce();
        driven.hear("+OK\r\n+OK\r\n+OK\r\n");
        driven.hear(&format!("+FULLRESYNC {REPLID} 171\r\n$9\r\nREDIS00"));
        if loaded {
            driven.hear("10");
            driven.machine.handle_loaded(driven.now, Err("bad checksum".into()));
        } else {
            driven.machine.handle_closed(driven.now, "reset");
        }
        let others = driven.look().others;
        assert_eq!(others[0], replica::Action::AbortSnapshot);
        assert!(matches!(others[1..], [replica::Action::Disconnect { .. }]));
        assert_eq!(driven.machine.poll_timeout(), Some(Millis(1000)));
        driven.now = Millis(1000);
        driven.machine.handle_timeout(driven.now);
        driven.look();
        driven.machine.handle_connected(driven.now);
        driven.introduce();
        let psync = format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{own}\r\n$3\r\n249\r\n");
        assert_eq!(driven.hear("+OK\r\n+OK\r\n+OK\r\n").sent, psync);
    }
}

#[test]
fn answers_that_end_the_attempt() {
    let before_psync = "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n";
    let rows: &[(&str, &str)] = &[
        ("-LOADING Redis is loading\r\n", "Error reply to PING from master: '-LOADING"),
        ("+PONG\r\n-WRONGPASS invalid\r\n", "Unable to AUTH to MASTER: -WRONGPASS invalid"),
        ("{}-NOMASTERLINK Can't SYNC\r\n", "Master is currently unable to PSYNC but should be"),
        ("{}-LOADING Redis is loading\r\n", "Master is currently unable to PSYNC but should be"),
        ("{}-ERR unknown command\r\n", "Unexpected reply to PSYNC from master: -ERR unknown"),
        ("{}+CONTINUE\r\n", "Unexpected reply to PSYNC from master: +CONTINUE"),
        ("{}+FULLRESYNC abc 1\r\n", "Bad protocol from MASTER: +FULLRESYNC abc 1"),
        ("{}+FULLRESYNC {id} -1\r\n", "Bad protocol from MASTER: +FULLRESYNC"),
        ("{}+FULLRESYNC {id} 9223372036854775808\r\n", "Bad protocol from MASTER: +FULLRESYNC"),
        ("{}+FULLRESYNC {id} 1\r\n-ERR no memory\r\n", "Bad protocol from MASTER: MASTER aborted"),
        ("{}+FULLRESYNC {id} 1\r\n$x\r\n", "Bad protocol from MASTER: the first byte is not"),
        ("{}+FULLRESYNC {id} 1\r\n$EOF:ab\r\n", "Bad protocol from MASTER: the first byte is not"),
    ];
    for (answers, expected) in rows {
        let answers = answers.replace("{}", before_psync).replace("{id}", REPLID);
        let mut driven = Driven::following(settings(), None);
        let did = driven.hear(&answers);
        assert!(did.log.iter().any(|line| line.starts_with(expected)), "{expected}: {did:?}");
        assert!(matches!(did.others.last(), Some(replica::Action::Disconnect { .. })));
        assert_eq!(driven.machine.poll_timeout(), Some(Millis(1000)));
    }
    let mut driven = Driven::following(settings(), None);
    driven.machine.handle_bytes(driven.now, &[b'x'; psync::LINE_BYTES_MAX + 1]);
    assert!(matches!(driven.look().others[..], [replica::Action::Disconnect { .. }]));
}

fn identity(group: char, epoch: u64) -> Identity {
    let group = id(&group.to_string().repeat(40));
    Identity { group, node: id(&"9".repeat(40)), epoch }
}

#[test]
fn an_older_primary_of_our_group_does_not_replace_our_data() {
    // (the primary's answer, we hold data, guarded) -> refused
    let redoubt = |group: char, epoch: u64| {
        let (group, node) = (group.to_string().repeat(40), "8".repeat(40));
        format!("+OK redoubt-group-id {group} redoubt-node-id {node} redoubt-epoch {epoch}\r\n")
    };
    let stock = "-ERR Unrecognized REPLCONF option: redoubt-group-id\r\n".to_owned();
    let rows = [
        (redoubt('a', 4), true, true, true),
        (redoubt('a', 4), false, true, false),
        (redoubt('a', 4), true, false, false),
        (redoubt('a', 5), true, true, false),
        (redoubt('b', 4), true, true, false),
        (stock, true, true, false),
    ];
    for (answer, holds_data, guard, refused) in rows {
        let settings = ReplicaSettings { guard, identity: Some(identity('a', 5)), ..settings() };
        let mut driven = Driven::following(settings, None);
        driven.machine.set_holds_data(holds_data);
        let did = driven.hear("+PONG\r\n");
        assert!(did.sent.contains("redoubt-group-id\r\n$40\r\naaaa"), "{}", did.sent);
        let did = driven.hear(&format!("+OK\r\n+OK\r\n+OK\r\n+OK\r\n{answer}"));
        assert_eq!(did.sent, PSYNC_ANY);
        let did = driven.hear(&format!("+FULLRESYNC {REPLID} 42\r\n$3\r\n"));
        let disconnected =
            did.others.iter().any(|other| matches!(other, replica::Action::Disconnect { .. }));
        assert_eq!(disconnected, refused, "{answer} {holds_data} {guard}");
    }
}

#[test]
fn a_newer_epoch_is_made_durable_before_the_stream_is_applied() {
    let settings = ReplicaSettings { identity: Some(identity('a', 5)), ..settings() };
    let resume = Some(Resume { replid: id(REPLID), applied: Offset(10) });
    let mut driven = Driven::following(settings, resume);
    let answer = identity('a', 7);
    driven.hear(&format!(
        "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK redoubt-group-id {} redoubt-epoch 7\r\n",
        answer.group
    ));
    driven.machine.handle_bytes(driven.now, format!("+CONTINUE {REPLID}\r\n*1\r\n").as_bytes());
    let actions: Vec<_> = std::iter::from_fn(|| driven.machine.poll_action()).collect();
    let at = |wanted: &dyn Fn(&replica::Action) -> bool| actions.iter().position(wanted).unwrap();
    let persist = at(&|action| *action == replica::Action::Persist { epoch: 7 });
    assert!(persist < at(&|action| matches!(action, replica::Action::Stream(_))));
}

/// A primary under test.
struct Served(Primary, Millis);

impl Served {
    fn new(settings: PrimarySettings) -> Served {
        Served(Primary::new(settings, History::new(id(REPLID))), Millis(0))
    }

    /// What was sent to replica 1, and the other actions without log lines.
    fn look(&mut self) -> (String, Vec<primary::Action>) {
        let (mut sent, mut others) = (String::new(), Vec::new());
        while let Some(action) = self.0.poll_action() {
            match action {
                primary::Action::Log(..) => {}
                primary::Action::Send(ReplicaId(1), bytes) => {
                    sent.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                other => others.push(other),
            }
        }
        (sent, others)
    }

    fn replconf(&mut self, args: &[&str], end: u64) -> ReplconfAnswer {
        let args: Vec<_> = args.iter().map(|arg| arg.as_bytes()).collect();
        self.0.handle_replconf(self.1, ReplicaId(1), "10.0.0.9", &args, Offset(end))
    }

    fn psync(&mut self, replid: &str, offset: &str, window: Option<(u64, u64)>) -> PsyncAnswer {
        let window = window.map(|(first, end)| Window { first: Offset(first), end: Offset(end) });
        let args = [replid.as_bytes(), offset.as_bytes()];
        self.0.handle_psync(self.1, ReplicaId(1), "10.0.0.9", &args, window)
    }

    fn at(&mut self, now: u64) -> (String, Vec<primary::Action>) {
        self.1 = Millis(now);
        self.0.handle_timeout(self.1);
        self.look()
    }
}

fn ok() -> ReplconfAnswer {
    ReplconfAnswer::Status("OK".into())
}

#[test]
fn serves_a_full_sync_by_mark_as_stock_does() {
    let mut served = Served::new(PrimarySettings::default());
    assert_eq!(served.replconf(&["listening-port", "21003"], 0), ok());
    assert_eq!(served.replconf(&["ip-address", "127.0.0.1"], 0), ok());
    assert_eq!(served.replconf(&["capa", "eof", "capa", "psync2"], 0), ok());
    assert_eq!(served.0.replica_count(), 0);
    assert_eq!(served.psync("?", "-1", None), PsyncAnswer::Taken);
    assert_eq!(served.look(), (String::new(), vec![primary::Action::RetainBacklog(1 << 20)]));
    for second in 1..5 {
        assert_eq!(served.at(second * 1000), ("\n".into(), vec![]));
    }
    let (_, others) = served.at(5000);
    let [primary::Action::Cut { cut, replicas, format: Format::Mark }] = &others[..] else {
        panic!("{others:?}");
    };
    assert_eq!(replicas, &[ReplicaId(1)]);
    served.0.handle_cut(served.1, *cut, Ok(Offset(42)), id(MARK));
    let (sent, others) = served.look();
    assert_eq!(sent, format!("+FULLRESYNC {REPLID} 42\r\n$EOF:{MARK}\r\n"));
    assert!(matches!(&others[..], [primary::Action::SendSnapshot { mark: Some(_), .. }]));
    let row = |served: &Served| served.0.rows(served.1)[0].to_string();
    assert_eq!(row(&served), "ip=127.0.0.1,port=21003,state=send_bulk,offset=0,lag=0");
    served.0.handle_snapshot_sent(served.1, ReplicaId(1));
    assert_eq!(served.look().1, [primary::Action::CancelCut(*cut)]);
    assert_eq!(served.replconf(&["ACK", "42"], 42), ReplconfAnswer::Nothing);
    let stream = primary::Action::StartStream { id: ReplicaId(1), from: Offset(42) };
    assert_eq!(served.look().1, [stream]);
    served.1 = Millis(5600);
    served.replconf(&["ACK", "56"], 56);
    served.1 = Millis(6700);
    assert_eq!(row(&served), "ip=127.0.0.1,port=21003,state=online,offset=56,lag=1");
    assert_eq!(served.0.counts().full, 1);
}

#[test]
fn serves_a_full_sync_by_length_to_those_without_eof() {
    let mut served = Served::new(PrimarySettings { diskless: true, ..PrimarySettings::default() });
    assert_eq!(served.psync("?", "-1", None), PsyncAnswer::Taken);
    let (_, others) = served.look();
    let Some(primary::Action::Cut { cut, format: Format::Length, .. }) = others.last() else {
        panic!("{others:?}");
    };
    served.0.handle_cut(served.1, *cut, Ok(Offset(171)), id(MARK));
    assert_eq!(served.look().0, format!("+FULLRESYNC {REPLID} 171\r\n"));
    assert_eq!(served.at(1000).0, "\n");
    served.0.handle_snapshot_length(served.1, *cut, 188);
    let (sent, others) = served.look();
    assert_eq!(sent, "$188\r\n");
    assert!(matches!(&others[..], [primary::Action::SendSnapshot { mark: None, .. }]));
    assert_eq!(served.at(2000).0, "");
    served.0.handle_snapshot_sent(served.1, ReplicaId(1));
    let stream = primary::Action::StartStream { id: ReplicaId(1), from: Offset(171) };
    assert_eq!(served.look().1, [stream, primary::Action::CancelCut(*cut)]);
}

#[test]
fn answers_requests_as_stock_does() {
    // A partial resync, as recorded: the replica holds 143 bytes and asks for byte 144.
    let mut served = Served::new(PrimarySettings::default());
    served.replconf(&["capa", "eof", "capa", "psync2"], 0);
    assert_eq!(served.psync(REPLID, "144", Some((0, 143))), PsyncAnswer::Taken);
    let (sent, others) = served.look();
    assert_eq!(sent, format!("+CONTINUE {REPLID}\r\n"));
    let stream = primary::Action::StartStream { id: ReplicaId(1), from: Offset(143) };
    assert_eq!(others[1..], [stream]);
    assert_eq!(served.psync(REPLID, "144", Some((0, 143))), PsyncAnswer::Ignored);
    let rows: &[(&[&str], ReplconfAnswer)] = &[
        (&["listening-port", "abc"], error("ERR value is not an integer or out of range")),
        (&["listening-port"], error("ERR syntax error")),
        (&["foo", "bar"], error("ERR Unrecognized REPLCONF option: foo")),
        (&["capa", "eof", "foo"], error("ERR syntax error")),
        (&["version", "8.0.0"], ok()),
        (&["rdb-only", "1"], ok()),
        (&["ACK", "x"], ReplconfAnswer::Nothing),
        (&["GETACK", "*"], ReplconfAnswer::GetAck),
        (&[], ok()),
    ];
    for (args, expected) in rows {
        let mut served = Served::new(PrimarySettings::default());
        assert_eq!(&served.replconf(args, 0), expected, "{args:?}");
    }
    for (replid, offset) in [("x", "y"), ("?", "abc")] {
        let mut served = Served::new(PrimarySettings::default());
        let expected = PsyncAnswer::Error("ERR value is not an integer or out of range".into());
        assert_eq!(served.psync(replid, offset, None), expected);
        assert_eq!(served.0.replica_count(), 0);
    }
    let mut served = Served::new(PrimarySettings::default());
    served.0.set_chained(Millis(0), true, false);
    let expected = "NOMASTERLINK Can't SYNC while not connected with my master";
    assert_eq!(served.psync("?", "-1", None), PsyncAnswer::Error(expected.into()));
}

fn error(text: &str) -> ReplconfAnswer {
    ReplconfAnswer::Error(text.into())
}

#[test]
fn tells_its_identity_to_those_who_ask() {
    let settings =
        PrimarySettings { identity: Some(identity('a', 3)), ..PrimarySettings::default() };
    let mut served = Served::new(settings);
    assert_eq!(served.replconf(&["capa", "eof"], 0), ok());
    let node = "7".repeat(40);
    let answer = served.replconf(&["redoubt-node-id", &node, "redoubt-epoch", "2"], 0);
    let expected = format!(
        "OK redoubt-group-id {} redoubt-node-id {} redoubt-epoch 3",
        "a".repeat(40),
        "9".repeat(40)
    );
    assert_eq!(answer, ReplconfAnswer::Status(expected));
    served.psync("?", "-1", None);
    let row = &served.0.rows(Millis(0))[0];
    assert_eq!((row.peer.node, row.peer.epoch), (Some(id(&node)), Some(2)));
}
