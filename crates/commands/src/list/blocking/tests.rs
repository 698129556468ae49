//! Who waits is served in order, by whoever feeds it, and what is logged does not wait.

use crate::harness::Server;
use engine::Session;
use engine::context::Outcome;
use engine::mailbox::{Answer, Message};
use std::collections::BTreeMap;

/// A server, and connections that wait.
struct Waits {
    server: Server,
    waiting: BTreeMap<u64, (&'static str, Session)>,
}

impl Waits {
    fn new() -> Waits {
        Waits { server: Server::new(), waiting: BTreeMap::new() }
    }

    /// Lets a new connection, called `name`, wait.
    #[track_caller]
    fn block(&mut self, name: &'static str, line: &str) {
        let session = self.server.other_session();
        let own = std::mem::replace(&mut self.server.session, session);
        let words = resp::inline::split(line.as_bytes()).unwrap();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let (reply, outcome) = self.server.run(&words);
        let session = std::mem::replace(&mut self.server.session, own);
        assert!(matches!(outcome, Outcome::Blocked), "{line}: {outcome:?}");
        assert!(reply.is_empty(), "{line}");
        self.waiting.insert(session.info.id, (name, session));
    }

    /// What those who waited were answered since the last call, in this order.
    fn answers(&mut self) -> Vec<String> {
        let mail = self.server.node().mailboxes()[0].take();
        let mut answers = Vec::new();
        for message in mail {
            if let Message::Answer(waiting, answer, _) = message {
                let (name, _) = self.waiting.remove(&waiting.client.id).expect("it waited");
                let text = match answer {
                    Answer::Served(reply) => String::from_utf8(reply).unwrap(),
                    other => format!("{other:?}"),
                };
                answers.push(format!("{name} {}", text.replace("\r\n", " ").trim_end()));
            }
        }
        answers
    }

    /// Runs a line that is answered with `expected`, and what it answers to those who wait.
    #[track_caller]
    fn check(&mut self, line: &str, expected: &str, answers: &[&str]) {
        self.server.check(line, expected);
        assert_eq!(self.answers(), answers, "{line}");
        assert_eq!(self.server.node().waiters.counts().0, self.waiting.len(), "{line}");
    }

    /// What was logged since the last call.
    #[track_caller]
    fn check_log(&mut self, expected: &[&str]) {
        let logged = self.server.logged();
        let from = usize::from(logged.first().is_some_and(|first| first == "SELECT 0"));
        assert_eq!(logged[from..], *expected);
    }
}

#[test]
fn without_a_need_to_wait() {
    let mut server = Server::new();
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    let no_float = "-ERR timeout is not a float or out of range\r\n";
    let negative = "-ERR timeout is negative\r\n";
    for (line, expected) in [
        ("set s v", "+OK\r\n"),
        ("rpush l a b c d e f", ":6\r\n"),
        ("blpop l", "-ERR wrong number of arguments for 'blpop' command\r\n"),
        ("blpop l x", no_float),
        ("brpop l -1", negative),
        ("blpop s 0", wrong),
        ("blpop none s 0", wrong),
        ("blpop none l s 0", "*2\r\n$1\r\nl\r\n$1\r\na\r\n"),
        ("brpop l 0", "*2\r\n$1\r\nl\r\n$1\r\nf\r\n"),
        ("blmpop x 0 l left", "-ERR numkeys should be greater than 0\r\n"),
        ("blmpop x 1 l left", no_float),
        ("blmpop 0 1 l right count 2", "*2\r\n$1\r\nl\r\n*2\r\n$1\r\ne\r\n$1\r\nd\r\n"),
        ("blmove l m up left x", "-ERR syntax error\r\n"),
        ("blmove l m left left x", no_float),
        ("blmove l s left left 0", wrong),
        ("blmove l m left right 0", "$1\r\nb\r\n"),
        ("brpoplpush l m -1", negative),
        ("brpoplpush l m 0", "$1\r\nc\r\n"),
        ("brpoplpush s m 0", wrong),
        ("multi", "+OK\r\n"),
        ("blpop l 0", "+QUEUED\r\n"),
        ("blmpop 0 1 l left", "+QUEUED\r\n"),
        ("blmove l m left left 0", "+QUEUED\r\n"),
        ("brpoplpush l m 0", "+QUEUED\r\n"),
        ("exec", "*4\r\n*-1\r\n*-1\r\n$-1\r\n$-1\r\n"),
    ] {
        server.check(line, expected);
    }
    server.line("rpush l a b c d");
    server.check_log("blpop none l 0", &["LPOP l"]);
    server.check_log("brpop l 0", &["RPOP l"]);
    server.check_log("blmove l m left Right 0", &["LMOVE l m left Right"]);
    server.check_log("brpoplpush l m 0", &["RPOPLPUSH l m"]);
    server.check_log("blmpop 0 1 m left count 9", &["LPOP m 4"]);
}

#[test]
fn those_who_wait_are_served_in_order() {
    let mut waits = Waits::new();
    waits.block("a", "blpop l 0");
    waits.block("b", "brpop x l l 0");
    waits.block("c", "blmpop 0 2 l y left count 2");
    waits.server.logged();
    waits.check(
        "rpush l 1 2 3",
        ":3\r\n",
        &["a *2 $1 l $1 1", "b *2 $1 l $1 3", "c *2 $1 l *1 $1 2"],
    );
    waits.check_log(&["rpush l 1 2 3", "LPOP l", "RPOP l", "LPOP l 1"]);
    waits.check("exists l", ":0\r\n", &[]);
    // Nobody waits for the other keys any more either.
    waits.check("rpush x 1", ":1\r\n", &[]);
    assert_eq!(waits.server.node().waiters.counts(), (0, 0, 0));
}

#[test]
fn one_served_feeds_another() {
    let mut waits = Waits::new();
    waits.block("a", "blmove l m left right 0");
    waits.block("b", "brpoplpush m n 0");
    waits.block("c", "blpop n 0");
    waits.server.logged();
    waits.check("rpush l 1", ":1\r\n", &["a $1 1", "b $1 1", "c *2 $1 n $1 1"]);
    waits.check_log(&["rpush l 1", "LMOVE l m left right", "RPOPLPUSH m n", "LPOP n"]);
    // Round and round, and it ends.
    waits.block("a", "blmove l m left right 0");
    waits.block("b", "blmove m l left right 0");
    waits.check("rpush l 1", ":1\r\n", &["a $1 1", "b $1 1"]);
    waits.check("lrange l 0 -1", "*1\r\n$1\r\n1\r\n", &[]);
    waits.check("del l", ":1\r\n", &[]);
    waits.block("a", "brpoplpush l l 0");
    waits.check("rpush l 1 2", ":2\r\n", &["a $1 2"]);
}

#[test]
fn a_transaction_is_whole_before_anybody_is_served() {
    let mut waits = Waits::new();
    waits.block("a", "brpoplpush l1 l3 0");
    waits.block("b", "blpop l2 0");
    waits.block("c", "blmpop 0 2 l2 l3 left count 1");
    for line in ["multi", "lpush l1 1", "lpush l2 2"] {
        waits.server.line(line);
    }
    waits.check("exec", "*2\r\n:1\r\n:1\r\n", &["a $1 1", "b *2 $2 l2 $1 2", "c *2 $2 l3 *1 $1 1"]);
    waits.block("a", "blpop l 0");
    for line in ["multi", "rpush l 1", "del l"] {
        waits.server.line(line);
    }
    waits.check("exec", "*2\r\n:1\r\n:1\r\n", &[]);
    for line in ["multi", "rpush l 1", "set l x", "del l", "rpush l 2"] {
        waits.server.line(line);
    }
    waits.server.logged();
    waits.check("exec", "*4\r\n:1\r\n+OK\r\n:1\r\n:1\r\n", &["a *2 $1 l $1 2"]);
    let whole = ["MULTI", "rpush l 1", "set l x", "del l", "rpush l 2", "EXEC", "LPOP l"];
    waits.check_log(&whole);
}

#[test]
fn other_types_and_other_ways() {
    let mut waits = Waits::new();
    waits.block("a", "blpop l 0");
    waits.check("set l x", "+OK\r\n", &[]);
    waits.check("append l x", ":2\r\n", &[]);
    waits.check("del l", ":1\r\n", &[]);
    waits.check("sadd l x", ":1\r\n", &[]);
    waits.check("rpush from 1", ":1\r\n", &[]);
    waits.check("rename from l", "+OK\r\n", &["a *2 $1 l $1 1"]);
    waits.block("a", "blpop l 0");
    waits.check("rpush from 1", ":1\r\n", &[]);
    waits.check("copy from l", ":1\r\n", &["a *2 $1 l $1 1"]);
    waits.block("a", "blpop l 0");
    waits.check("select 1", "+OK\r\n", &[]);
    waits.check("rpush l 1", ":1\r\n", &[]);
    waits.check("move l 0", ":1\r\n", &["a *2 $1 l $1 1"]);
    waits.block("a", "blpop l 0");
    waits.check("rpush l 1", ":1\r\n", &[]);
    waits.check("swapdb 0 1", "+OK\r\n", &["a *2 $1 l $1 1"]);
    waits.check("select 0", "+OK\r\n", &[]);
    // The destination is of another type: an error, and the element stays.
    waits.check("set s x", "+OK\r\n", &[]);
    waits.block("a", "blmove l s left left 0");
    let wrong = "a -WRONGTYPE Operation against a key holding the wrong kind of value";
    waits.check("rpush l 1", ":1\r\n", &[wrong]);
    waits.check("llen l", ":1\r\n", &[]);
}

#[test]
fn what_has_expired_feeds_nobody() {
    let mut waits = Waits::new();
    waits.block("a", "blpop l 0");
    for line in ["multi", "rpush l 1", "pexpireat l 1"] {
        waits.server.line(line);
    }
    waits.check("exec", "*2\r\n:1\r\n:1\r\n", &[]);
    for line in ["multi", "rpush l 1", "pexpire l 100000"] {
        waits.server.line(line);
    }
    waits.check("exec", "*2\r\n:1\r\n:1\r\n", &["a *2 $1 l $1 1"]);
}

#[test]
fn a_wait_ends_by_order_of_others() {
    let mut waits = Waits::new();
    waits.block("a", "blpop l 0");
    waits.block("b", "blpop l 0");
    let ids: Vec<u64> = waits.waiting.keys().copied().collect();
    waits.check(&format!("client unblock {}", ids[0]), ":1\r\n", &["a TimedOut"]);
    waits.check(&format!("client unblock {}", ids[0]), ":0\r\n", &[]);
    waits.check(&format!("client unblock {} error", ids[1]), ":1\r\n", &["b Unblocked"]);
    waits.check("rpush l 1", ":1\r\n", &[]);
    waits.check("del l", ":1\r\n", &[]);
    waits.block("a", "blpop l 0");
    waits.server.follow("127.0.0.1", 1);
    assert_eq!(waits.answers(), ["a RoleChanged"]);
}
