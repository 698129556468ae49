//! What two threads do to a primary at once, applied from its log by a replica, gives the same data.
//!
//! Commands are drawn at random, with expiries of a few milliseconds, so that keys expire by reads, by
//! writes and by active expiry in between. A replica deletes nothing by itself: at the end of the log
//! both nodes hold the same entries, expired ones included, and their logs the same bytes.

use base::Millis;
use base::random::Random;
use conf::Settings;
use engine::args::OwnedRequest;
use engine::client::Origin;
use engine::context::Outcome;
use engine::expiry::Expirer;
use engine::keys::Text;
use engine::pipeline::{Applied, Worker, prepare};
use engine::replication::Address;
use engine::{Node, Session};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

/// More than any test writes.
const LOG_BYTES: u64 = 256 << 20;
const COMMANDS: usize = 4_000;

type Entries = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<Millis>)>;

fn node() -> Node {
    let node = Node::new(Arc::new(Settings::default()), None, &commands::all(), &[], 4, None);
    node.log.retain(LOG_BYTES);
    node
}

fn entries(node: &Node) -> Entries {
    let mut entries = Entries::new();
    node.keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs() {
            for entry in db.iter() {
                let value = Text::of(entry).expect("a string").to_vec();
                entries.insert((number, entry.key().to_vec()), (value, entry.expire_at()));
            }
        }
    });
    entries
}

fn log_of(node: &Node) -> Vec<u8> {
    let mut reader = node.log.reader(base::Offset(0)).expect("a log kept from its beginning");
    let mut bytes = Vec::new();
    while reader.read(usize::MAX, &mut bytes).expect("kept") > 0 {}
    bytes
}

struct Draw {
    random: Random,
    /// Numbers of keys that are used in turn.
    turn: u64,
}

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }

    fn key(&mut self) -> String {
        // Some are written all the time, the others so seldom that any wrong order stays to be seen.
        if self.below(3) == 0 {
            return format!("{{a}}{}", self.below(500));
        }
        self.one(&["a", "b", "{a}x", "{a}y", "c", "d", "{d}z"]).to_owned()
    }

    fn value(&mut self) -> String {
        match self.below(3) {
            0 => self.below(1_000).to_string(),
            1 => format!("1.{}", self.below(100)),
            _ => "v".repeat(1 + usize::try_from(self.below(30)).expect("small")),
        }
    }

    /// A command, its words separated by blanks.
    fn command(&mut self) -> String {
        let (key, other, value) = (self.key(), self.key(), self.value());
        let (few, n) = (1 + self.below(4), self.below(20));
        let past = self.one(&["1", "99999999999999", "-5"]);
        match self.below(42) {
            0..3 => format!("set {key} {value}"),
            3..6 => format!("set {key} {value} px {few}"),
            6 => format!("set {key} {value} keepttl"),
            7 => format!("set {key} {value} nx get"),
            8 => format!("set {key} {value} xx ex 100"),
            9 => format!("psetex {key} {few} {value}"),
            10 => format!("getex {key} px {few}"),
            11 => format!("getex {key} persist"),
            12 => format!("getdel {key}"),
            13 => format!("getset {key} {value}"),
            14 => format!("append {key} {value}"),
            15 => format!("setrange {key} {n} {value}"),
            16 => format!("incrby {key} {n}"),
            17 => format!("incrbyfloat {key} 0.5"),
            18 => format!("mset {key} {value} {other} {n}"),
            19 => format!("msetnx {key} {value} {other} {n}"),
            20 => format!("del {key} {other}"),
            21 => format!("unlink {key}"),
            22 => format!("rename {key} {other}"),
            23 => format!("renamenx {key} {other}"),
            24 => format!("copy {key} {other} db {} replace", self.below(3)),
            25 => format!("move {key} {}", self.below(3)),
            26 => format!("pexpire {key} {few}"),
            27 => format!("pexpireat {key} {past}"),
            28 => format!("persist {key}"),
            29 => format!("select {}", self.below(3)),
            30 if self.below(20) == 0 => {
                self.one(&["flushdb", "flushall", "swapdb 0 1"]).to_owned()
            }
            31 => "setnx counter 0".to_owned(),
            32 => "incr counter".to_owned(),
            // Keys that are made anew just when they expire.
            33..36 => {
                self.turn += 1;
                format!("set {{e}}{} short px 1", self.turn)
            }
            36..39 => format!("set {{e}}{} kept", self.turn.saturating_sub(n)),
            // What depends on the order of two writers.
            39 => format!("append trail {}.", self.below(1_000)),
            _ => format!("get {key}"),
        }
    }
}

/// Runs a line, as often as it is parked.
fn run(worker: &mut Worker<'_>, session: &mut Session, line: &str) {
    let owned = OwnedRequest::from_words(line.split(' ').map(str::as_bytes));
    let prepared = prepare(&worker.node().table, owned.request());
    let mut out = Vec::new();
    loop {
        worker.enter();
        let outcome = worker.execute(session, &prepared, owned.request(), &mut out);
        worker.leave();
        if !matches!(outcome, Outcome::Parked) {
            return;
        }
        thread::yield_now();
    }
}

fn write(node: &Node, seed: u64) {
    let mut worker = Worker::new(node).expect("a seat");
    let mut session = Session::new(node.clients.add(Origin::default()), true);
    let (mut draw, mut left) = (Draw { random: Random::from_seed(seed), turn: 0 }, COMMANDS);
    while left > 0 {
        left -= 1;
        if draw.below(10) > 0 {
            run(&mut worker, &mut session, &draw.command());
            continue;
        }
        if draw.below(2) == 0 {
            run(&mut worker, &mut session, &format!("watch {}", draw.key()));
        }
        run(&mut worker, &mut session, "multi");
        for _ in 0..draw.below(5) {
            run(&mut worker, &mut session, &draw.command());
        }
        run(&mut worker, &mut session, draw.one(&["exec", "exec", "exec", "discard"]));
    }
}

/// Active expiry, as the loops do it, while the writers are at work.
fn expire(node: &Node, done: &std::sync::atomic::AtomicBool) {
    let mut worker = Worker::new(node).expect("a seat");
    let mut expirer = Expirer::new(0, 1);
    while !done.load(std::sync::atomic::Ordering::Acquire) {
        worker.enter();
        expirer.step(&mut worker);
        worker.leave();
        thread::yield_now();
    }
}

fn apply(node: &Node, log: &[u8]) {
    let mut worker = Worker::new(node).expect("a seat");
    let origin = Origin { primary: true, ..Origin::default() };
    let mut session = Session::new(node.clients.add(origin), true);
    let (mut at, mut raw_from) = (0, 0);
    while let Some((request, len)) = resp::value::decode(&log[at..]).expect("requests") {
        at += len;
        let words: Vec<&[u8]> = request
            .as_array()
            .expect("a request")
            .iter()
            .map(|word| word.as_bytes().expect("a word"))
            .collect();
        let owned = OwnedRequest::from_words(words.iter().copied());
        worker.enter();
        let applied = worker.apply(&mut session, owned.request(), &log[raw_from..at], &|| true);
        worker.leave();
        match applied {
            Applied::Done => raw_from = at,
            Applied::Queued => {}
            Applied::Overtaken | Applied::Failed(_) => panic!("{applied:?}: {request:?}"),
        }
    }
    assert_eq!((at, raw_from), (log.len(), log.len()));
}

#[test]
fn a_replica_becomes_what_two_threads_made_of_the_primary() {
    for seed in 0..6 {
        let (primary, replica) = (node(), node());
        let done = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            let writers = [2 * seed, 2 * seed + 1].map(|seed| {
                scope.spawn({
                    let primary = &primary;
                    move || write(primary, seed)
                })
            });
            scope.spawn(|| expire(&primary, &done));
            for writer in writers {
                writer.join().expect("a writer");
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let alone = replica.keyspace.gate.exclusive();
        replica.change_role(&alone, Some(Address { host: "primary".to_owned(), port: 1 }));
        drop(alone);
        let log = log_of(&primary);
        apply(&replica, &log);
        assert_eq!(entries(&replica), entries(&primary), "seed {seed}");
        assert!(log_of(&replica) == log, "the replica's log differs");
        assert!(primary.stats.expired_keys.load(std::sync::atomic::Ordering::Relaxed) > 10);
    }
}
