//! Foreign bytes and requests, drawn and mutated: no panic, no spinning, no belief in lies, and the
//! same result however the bytes were cut.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use base::random::Random;
use base::{Millis, Offset, RunId};
use psync::primary::{self, PrimarySettings, ReplicaId};
use psync::replica::{Action, ReplicaSettings, Resume};
use psync::{History, Identity, Primary, Replica, Window};

const INPUTS: u64 = 50_000;
const REPLID: &str = "303116aaf3896f301d6bce498ae4738b313ab785";

/// Pieces that a primary says, or nearly says.
const PIECES: &[&str] = &[
    "+PONG\r\n",
    "+OK\r\n",
    "+OK\r\n+OK\r\n+OK\r\n",
    "-NOAUTH Authentication required.\r\n",
    "-ERR no\r\n",
    "\n",
    "\r\n",
    "+CONTINUE\r\n",
    "+CONTINUE 303116aaf3896f301d6bce498ae4738b313ab785\r\n",
    "+FULLRESYNC 303116aaf3896f301d6bce498ae4738b313ab785 42\r\n",
    "+FULLRESYNC 303116aaf3896f301d6bce498ae4738b313ab785 9223372036854775800\r\n",
    "$5\r\n",
    "$0\r\n",
    "$EOF:820df26f6dc61e4c3442b6ac9da319ecc3805ff7\r\n",
    "820df26f6dc61e4c3442b6ac9da319ecc3805ff7",
    "820df26f6dc61e4c3442",
    "REDIS0010",
    "*1\r\n$4\r\nPING\r\n",
    "+OK redoubt-group-id aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa redoubt-epoch 9\r\n",
];

fn id(text: &str) -> RunId {
    RunId::parse(text.as_bytes()).unwrap()
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}

/// Mostly a plausible conversation, with bytes changed here and there.
fn conversation(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !random.one_in(4) {
        bytes.extend(b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    }
    if random.one_in(3) {
        bytes.extend(PIECES[9].bytes());
        bytes.extend(PIECES[11 + below(random, 3)].bytes());
    }
    for _ in 0..random.below(12) {
        match random.below(10) {
            0 => bytes.extend((0..random.below(50)).map(|_| b'x')),
            1 => bytes.extend((0..random.below(1200)).map(|_| b'y')),
            _ => bytes.extend(PIECES[below(random, PIECES.len())].bytes()),
        }
    }
    for _ in 0..random.below(4) {
        if !bytes.is_empty() && random.one_in(2) {
            let at = below(random, bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
    }
    bytes
}

/// What came out of a replica that heard `bytes` in pieces.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    sent: Vec<u8>,
    snapshot: Vec<u8>,
    stream: Vec<u8>,
    others: Vec<Action>,
    log: Vec<String>,
}

fn hear(bytes: &[u8], mut next_len: impl FnMut() -> usize, resume: Option<Resume>) -> Outcome {
    let group = id(&"a".repeat(40));
    let identity = Some(Identity { group, node: group, epoch: 5 });
    let settings = ReplicaSettings {
        identity,
        announce_ip: Some("10.0.0.1".into()),
        ..ReplicaSettings::default()
    };
    let mut replica = Replica::new(settings);
    replica.follow(Millis(0), "h", 1, resume);
    replica.handle_connected(Millis(0));
    let (mut outcome, mut rest) = (Outcome::default(), bytes);
    loop {
        while let Some(action) = replica.poll_action() {
            match action {
                Action::Send(bytes) => outcome.sent.extend(bytes),
                Action::SnapshotBytes(bytes) => outcome.snapshot.extend(bytes),
                Action::Stream(bytes) => outcome.stream.extend(bytes),
                Action::Log(_, text) => outcome.log.push(text),
                Action::EndSnapshot => {
                    outcome.others.push(Action::EndSnapshot);
                    replica.handle_loaded(Millis(1), Ok(()));
                }
                other => outcome.others.push(other),
            }
        }
        let facts = replica.facts(Millis(1));
        assert!(facts.applied_offset <= facts.read_offset);
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(next_len().clamp(1, rest.len()));
        replica.handle_bytes(Millis(1), now);
        rest = later;
    }
    for now in [500, 1001, 1002, 61_002, 62_002] {
        replica.handle_timeout(Millis(now));
        assert!(replica.poll_timeout().is_none_or(|at| at > Millis(now)));
    }
    outcome
}

#[test]
fn a_replica_takes_any_bytes_cut_anywhere() {
    let mut random = Random::from_seed(1);
    let (mut synced, mut streamed) = (0, 0);
    for input in 0..INPUTS {
        let bytes = conversation(&mut random);
        let resume = random
            .one_in(2)
            .then(|| Resume { replid: id(REPLID), applied: Offset(random.next_u64() >> 1) });
        let whole = hear(&bytes, || usize::MAX, resume);
        let parts = hear(&bytes, || below(&mut random, 40), resume);
        assert_eq!(whole, parts, "input {input}: {:?}", String::from_utf8_lossy(&bytes));
        synced += u64::from(whole.others.contains(&Action::EndSnapshot));
        streamed += u64::from(!whole.stream.is_empty());
    }
    // The inputs reach deep states often enough to mean something.
    assert!(synced > INPUTS / 20 && streamed > INPUTS / 20, "{synced} {streamed}");
}

const WORDS: &[&str] = &[
    "ack",
    "ACK",
    "getack",
    "capa",
    "eof",
    "psync2",
    "listening-port",
    "ip-address",
    "rdb-only",
    "version",
    "redoubt-group-id",
    "redoubt-node-id",
    "redoubt-epoch",
    "?",
    "-1",
    "0",
    "1",
    "500",
    "1001",
    "65536",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    REPLID,
    "",
    "\u{0}\r\n",
];

#[test]
fn a_primary_takes_any_requests_in_any_order() {
    const LOG_END: Offset = Offset(1000);
    let mut random = Random::from_seed(2);
    let (mut most_online, mut steps) = (0, 0);
    while steps < INPUTS {
        let settings = PrimarySettings {
            diskless: random.one_in(2),
            diskless_delay: Millis(random.below(2000)),
            cuts_max: below(&mut random, 3),
            timeout: Millis(random.below(5000)),
            ping_period: Millis(random.below(3000)),
            ..PrimarySettings::default()
        };
        let mut primary = Primary::new(settings, History::new(id(REPLID)));
        let (mut now, mut cuts) = (Millis(0), Vec::new());
        for _ in 0..500 {
            steps += 1;
            let replica = ReplicaId(random.below(4));
            let words: Vec<&[u8]> = (0..random.below(5))
                .map(|_| WORDS[below(&mut random, WORDS.len())].as_bytes())
                .collect();
            let first = Offset(random.below(1200));
            let window = Some(Window { first, end: LOG_END }).filter(|_| !random.one_in(4));
            match random.below(9) {
                0 | 1 => drop(primary.handle_replconf(now, replica, "ip", &words, LOG_END)),
                2 => drop(primary.handle_psync(now, replica, "ip", &words, window)),
                3 => {
                    let offset = random.below(1100).to_string();
                    let args = [REPLID.as_bytes(), offset.as_bytes()];
                    drop(primary.handle_psync(now, replica, "ip", &args, window));
                }
                4 => drop(primary.handle_sync(now, replica, "ip")),
                5 => primary.handle_closed(now, replica),
                6 => primary.handle_snapshot_sent(now, replica),
                7 => {
                    if let Some(&cut) = cuts.get(below(&mut random, cuts.len() + 1)) {
                        let mark = RunId::generate(&mut random);
                        match random.below(4) {
                            0 => primary.handle_snapshot_failed(now, cut, "drawn"),
                            1 => primary.handle_snapshot_length(now, cut, random.next_u64()),
                            2 => primary.handle_cut(now, cut, Err("drawn".into()), mark),
                            _ => primary.handle_cut(now, cut, Ok(LOG_END), mark),
                        }
                    }
                }
                _ => {
                    now = now + Millis(random.below(2000));
                    primary.handle_timeout(now);
                    assert!(primary.poll_timeout().is_none_or(|at| at > now), "it spins");
                }
            }
            while let Some(action) = primary.poll_action() {
                if let primary::Action::Cut { cut, .. } = action {
                    cuts.push(cut);
                }
            }
            assert!(primary.acked(1).is_none_or(|acked| acked <= LOG_END));
            most_online = most_online.max(primary.count_acked(Offset(0)));
            assert!(primary.rows(now).len() == primary.replica_count());
        }
    }
    assert!(most_online >= 2);
}
