//! Members that end, among all who may look at them.

use crate::harness::Server;
use crate::traces::{events, listener};
use base::{Millis, clock};
use keyspace::Keyspace;
use structures::{ValueMut, ValueRef};
use values::Object;

fn until_past() {
    let began = clock::unix();
    while clock::unix() <= began + Millis(3) {
        std::hint::spin_loop();
    }
}

#[test]
fn members_of_sets_expire() {
    let mut server = Server::new();
    for (line, expected) in [
        ("sadd s a b c 1", ":4\r\n"),
        ("expiremember s x 100", ":0\r\n"),
        ("expiremember s a 100", ":1\r\n"),
        ("object encoding s", "$9\r\nhashtable\r\n"),
        ("pexpiremember s b 99999999", ":1\r\n"),
        ("expiremember s c 1 days", "-ERR syntax error\r\n"),
        ("sadd s a", ":0\r\n"),
        ("set t v", "+OK\r\n"),
        ("expiremember t a 100", WRONG_TYPE),
    ] {
        server.check(line, expected);
    }
    server.check_log("pexpirememberat s c 99999999999999", &["PEXPIREMEMBERAT s c 99999999999999"]);
    server.check_log("expirememberat s 1 1", &["SREM s 1"]);
    has_ended(&server, b"s", b"b");
    server.logged();
    server.check("scard s", ":2\r\n");
    assert_eq!(server.logged(), ["SREM s b"]);
    server.check("sismember s b", ":0\r\n");
    server.check("scard s", ":2\r\n");
    // One that is taken out and put in anew lives on.
    server.line("srem s a");
    server.line("sadd s a");
    server.check("pexpirememberat s c 1", ":1\r\n");
    server.check("smembers s", "*1\r\n$1\r\na\r\n");
}

#[test]
fn members_of_sorted_sets_expire() {
    let mut server = Server::new();
    for (line, expected) in [
        ("zadd z 1 a 2 b 3 c", ":3\r\n"),
        ("expiremember z x 100", ":0\r\n"),
        ("expiremember z a 100", ":1\r\n"),
        ("object encoding z", "$8\r\nskiplist\r\n"),
        ("expiremember z a 1 days", "-ERR syntax error\r\n"),
    ] {
        server.check(line, expected);
    }
    server.check_log("pexpirememberat z c 99999999999999", &["PEXPIREMEMBERAT z c 99999999999999"]);
    server.check_log("expirememberat z c 1", &["ZREM z c"]);
    server.check("zrange z 0 -1 withscores", &array("a 1 b 2"));
    // Another score leaves the end as it is, and so does one that is the same.
    server.line("pexpirememberat z b 99999999999999");
    for line in ["zadd z 9 b", "zadd z 9 b", "zincrby z 1 b"] {
        server.line(line);
        assert_eq!(ends(&server, 0, b"z").last(), Some(&(b"b".to_vec(), AT)), "{line}");
    }
    has_ended(&server, b"z", b"b");
    server.logged();
    server.check("zcard z", ":1\r\n");
    assert_eq!(server.logged(), ["ZREM z b"]);
    // One that is taken out and put in anew lives on.
    server.line("zrem z a");
    server.line("zadd z 1 a 2 d");
    server.check("pexpirememberat z d 1", ":1\r\n");
    server.check("zrange z 0 -1", &array("a"));
    assert_eq!(ends(&server, 0, b"z"), []);
}

/// The words of `line` as a reply.
fn array(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulks.collect::<String>())
}

/// What commands answer when of the members of `z` a and c have ended and b and d, of scores 2 and 4, have
/// not; that of `gone` has.
const ROWS: &[(&str, &str)] = &[
    ("zcard z", ":2\r\n"),
    ("zscore z a", "$-1\r\n"),
    ("zmscore z a b", "*2\r\n$-1\r\n$1\r\n2\r\n"),
    ("zrank z b", ":0\r\n"),
    ("zrevrank z b", ":1\r\n"),
    ("zcount z -inf +inf", ":2\r\n"),
    ("zlexcount z - +", ":2\r\n"),
    ("zrange z 0 -1", REST),
    ("zrange z -inf +inf byscore", REST),
    ("zrange z - + bylex", REST),
    ("zrevrange z 0 -1", "*2\r\n$1\r\nd\r\n$1\r\nb\r\n"),
    ("zrangebyscore z -inf +inf", REST),
    ("zrevrangebyscore z +inf -inf", "*2\r\n$1\r\nd\r\n$1\r\nb\r\n"),
    ("zrangebylex z - +", REST),
    ("zrevrangebylex z + -", "*2\r\n$1\r\nd\r\n$1\r\nb\r\n"),
    ("zrandmember z 9 withscores", ANY),
    ("zscan z 0", ANY),
    ("zunion 2 z gone", REST),
    ("zinter 2 z all", REST),
    ("zdiff 2 all z", "*2\r\n$1\r\na\r\n$1\r\nc\r\n"),
    ("zdiff 2 z gone", REST),
    ("zintercard 2 z all", ":2\r\n"),
    ("zunionstore to 2 z gone", ":2\r\n"),
    ("zinterstore to 2 all z", ":2\r\n"),
    ("zdiffstore to 2 all z", ":2\r\n"),
    ("zrangestore to z 0 -1", ":2\r\n"),
    ("zadd z nx 9 a", ":1\r\n"),
    ("zadd z xx ch 9 a", ":0\r\n"),
    ("zadd z gt ch 0 a", ":1\r\n"),
    ("zadd gone xx 1 a", ":0\r\n"),
    ("zadd gone 1 a", ":1\r\n"),
    ("zincrby z 7 a", "$1\r\n7\r\n"),
    ("zrem z a b", ":1\r\n"),
    ("zremrangebyrank z 0 0", ":1\r\n"),
    ("zremrangebyscore z 1 2", ":1\r\n"),
    ("zremrangebylex z - +", ":2\r\n"),
    ("zpopmin z", "*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    ("zpopmax z 3", "*4\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    ("zmpop 2 gone z min", "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    ("bzpopmin gone z 1", "*3\r\n$1\r\nz\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    ("sort z by nosort", REST),
    ("georadius_ro z 0 0 1 m", "*0\r\n"),
    ("geohash z a", "*1\r\n$-1\r\n"),
    ("expiremember z a 100", ":0\r\n"),
    ("expiremember gone a 100", ":0\r\n"),
    ("zcard gone", ":0\r\n"),
    ("zrange gone 0 -1", "*0\r\n"),
    ("zpopmin gone", "*0\r\n"),
    ("dump gone", "$-1\r\n"),
    ("dump z", ANY),
    ("migrate h 1 gone 0 9", "+NOKEY\r\n"),
    ("migrate h 1 z 0 9", ""),
];

/// The members that are left.
const REST: &str = "*2\r\n$1\r\nb\r\n$1\r\nd\r\n";

#[test]
fn nobody_sees_members_of_sorted_sets_that_have_ended() {
    let mut server = Server::new();
    let ended = |server: &mut Server| {
        server.line("flushall");
        server.line("zadd all 1 a 2 b 3 c 4 d");
        server.line("zadd z 1 a 2 b 3 c 4 d");
        server.line("zadd gone 1 a");
        for member in ["z a", "z c", "gone a"] {
            server.line(&format!("pexpirememberat {member} 99999999999999"));
        }
        for (key, member) in [(&b"z"[..], b"a"), (b"z", b"c"), (b"gone", b"a")] {
            has_ended(server, key, member);
        }
        server.logged();
    };
    for (line, expected) in ROWS {
        ended(&mut server);
        let reply = server.line(line);
        assert!(*expected == ANY || reply == *expected, "{line}: {reply}");
        assert!(!reply.contains("\r\nc\r\n") || line.contains("diff"), "{line}: {reply}");
        // Whoever looked at it took out what had ended, and said so before it did anything.
        let logged = server.logged();
        for (key, words) in [(" z", ["ZREM z a c", "ZREM z c a"]), (" gone", ["ZREM gone a"; 2])] {
            let at = logged.iter().position(|line| words.contains(&line.as_str()));
            assert!(at.is_some() || !line.contains(key), "{line}: {logged:?}");
            let own = logged.iter().position(|logged| logged == line);
            assert!(own.is_none() || at < own, "{line}: {logged:?}");
        }
    }
}

/// A reply in an order of chance.
const ANY: &str = "any";

/// A time that does not come while a test runs.
const AT: Millis = Millis(99_999_999_999_999);

/// The members of a large set or sorted set that end, and when.
fn ends(server: &Server, db: u32, key: &[u8]) -> Vec<(Vec<u8>, Millis)> {
    let shard = server.node().keyspace.lock(Keyspace::shard_of(key));
    match shard.find(db, Keyspace::hash(key), key).expect("the set").value() {
        ValueRef::Boxed(object) => {
            object.expiring_members().map(|(member, at)| (member.to_vec(), at)).collect()
        }
        _ => Vec::new(),
    }
}

/// Lets a member of a large set or sorted set end long ago, without waiting for that.
fn has_ended(server: &Server, key: &[u8], member: &[u8]) {
    let mut shard = server.node().keyspace.lock(Keyspace::shard_of(key));
    let hash = Keyspace::hash(key);
    let mut change = shard.change(0, hash, key).expect("the set");
    let at = Some(Millis(1));
    assert!(match change.value_mut() {
        ValueMut::Boxed(Object::SortedSet(set)) => set.set_expire_at(member, at),
        ValueMut::Boxed(Object::Set(set)) => set.set_expire_at(member, at),
        other => panic!("{other:?}"),
    });
}

/// What is dumped does not say when its members end: one that has would live for ever where it is restored.
#[test]
fn members_that_have_ended_are_not_dumped() {
    let mut server = Server::new();
    for (line, removal, count) in [
        ("sadd k a b c", "SREM k a", "scard copied"),
        ("zadd k 1 a 2 b 3 c", "ZREM k a", "zcard copied"),
    ] {
        server.line("flushall");
        server.line(line);
        server.line("pexpirememberat k a 99999999999999");
        has_ended(&server, b"k", b"a");
        server.logged();
        let reply = server.run(&[b"dump", b"k"]).0;
        assert_eq!(server.logged(), [removal]);
        let head = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
        let payload = &reply[head..reply.len() - 2];
        assert_eq!(server.run(&[b"restore", b"copied", b"0", payload]).0, b"+OK\r\n");
        server.check(count, ":2\r\n");
    }
}

/// What RENAME, MOVE and COPY leave is as it was; what is made of it is new.
#[test]
fn members_of_sorted_sets_end_wherever_their_key_goes() {
    let mut server = Server::new();
    server.line("zadd z 1 a 2 b");
    server.line("pexpirememberat z a 99999999999999");
    server.line("zunionstore new 1 z");
    server.line("copy z copied!");
    server.line("rename z renamed");
    server.line("copy z renamed");
    server.line("move copied! 1");
    for (db, key) in [(0, b"renamed"), (1, b"copied!")] {
        assert_eq!(ends(&server, db, key), [(b"a".to_vec(), AT)]);
    }
    assert_eq!(ends(&server, 0, b"new"), []);
}

/// A replica shows what has ended until its primary says that it is gone; then it is the primary's.
#[test]
fn a_replica_waits_for_its_primary() {
    let mut server = Server::new();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    for (line, members) in [
        ("zadd z 1 a 2 b", ":2\r\n"),
        ("PEXPIREMEMBERAT z a 1", ":2\r\n"),
        ("zadd z 7 a", ":2\r\n"),
        ("ZREM z a", ":1\r\n"),
        ("PEXPIREMEMBERAT z b 1", ":1\r\n"),
    ] {
        server.apply(&mut link, line);
        server.check("zcard z", members);
    }
    let alone = server.node().keyspace.gate.exclusive();
    server.node().change_role(&alone, None);
    drop(alone);
    server.check("zcard z", ":0\r\n");
    server.check("exists z", ":0\r\n");
}

#[test]
fn what_has_ended_goes_even_if_nobody_looks() {
    let mut server = Server::new();
    let (_listener, mailbox) = listener(&server);
    server.line("zadd z 1 a 2 b");
    server.line("sadd s a");
    server.line("pexpiremember z a 1");
    server.line("pexpiremember s a 1");
    until_past();
    server.logged();
    mailbox.take();
    server.expire();
    let mut logged = server.logged();
    logged.sort();
    assert_eq!(logged, ["SREM s a", "ZREM z a"]);
    let mut events = events(mailbox);
    events.sort();
    assert_eq!(events, ["0 del s", "0 srem s", "0 zrem z"]);
    server.check("zcard z", ":1\r\n");
    assert_eq!(server.logged(), [""; 0]);
}

#[test]
fn a_set_goes_with_its_last_member() {
    let mut server = Server::new();
    server.line("sadd s a");
    server.line("pexpiremember s a 1");
    until_past();
    server.logged();
    server.check_log("sadd s a", &["MULTI", "SREM s a", "sadd s a", "EXEC"]);
    server.check("scard s", ":1\r\n");
    server.line("zadd z 1 a");
    server.line("pexpiremember z a 1");
    until_past();
    server.logged();
    server.check_log("zadd z 2 a", &["MULTI", "ZREM z a", "zadd z 2 a", "EXEC"]);
    server.check("zcard z", ":1\r\n");
}

#[test]
fn a_set_that_is_made_small_keeps_what_expires() {
    let mut server = Server::new();
    server.line("sadd s a b c d e f g h i j k l");
    for member in "abcdefghijkl".chars() {
        server.line(&format!("pexpirememberat s {member} 99999999999999"));
    }
    server.line("spop s 11");
    server.check("object encoding s", "$9\r\nhashtable\r\n");
}

#[test]
fn snapshots_keep_when_members_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::new();
    let path = dir.path().to_string_lossy().into_owned();
    server.node().settings.dir.set(path.as_bytes().into());
    server.line("config set enable-debug-command yes");
    server.node().settings.enable_debug_command.set(conf::ProtectedAction::Yes);
    server.line("sadd s a b c");
    server.line("sadd other a b");
    server.line("zadd z 1 a -0 b inf c");
    server.line("zadd ranks 1 a 2 b");
    server.line("pexpiremember s a 2");
    server.line("pexpiremember other b 99999999");
    server.line("pexpiremember z a 2");
    server.line("pexpiremember ranks b 99999999");
    server.check("debug reload", "+OK\r\n");
    until_past();
    server.check("scard s", ":2\r\n");
    server.check("scard other", ":2\r\n");
    server.check("object encoding other", "$9\r\nhashtable\r\n");
    server.check("zrange z 0 -1 withscores", &array("b 0 c inf"));
    server.check("zrange ranks 0 -1 withscores", &array("a 1 b 2"));
    server.check("object encoding ranks", "$8\r\nskiplist\r\n");
}

/// Wherever the file is cut for the threads that load it.
#[test]
fn snapshots_of_many_and_of_large_sets_keep_it_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::new();
    let path = dir.path().to_string_lossy().into_owned();
    server.node().settings.dir.set(path.as_bytes().into());
    server.node().settings.enable_debug_command.set(conf::ProtectedAction::Yes);
    for number in 0..4000 {
        server.line(&format!("sadd s{number} a b {number}"));
        server.line(&format!("pexpirememberat s{number} a 99999999999999"));
        server.line(&format!("sadd plain{number} a {number}x"));
        server.line(&format!("zadd z{number} 1 a 2 b {number} c"));
        server.line(&format!("pexpirememberat z{number} a 99999999999999"));
        server.line(&format!("zadd flat{number} 1 a {number} b"));
    }
    let members: Vec<String> = (0..70_000).map(|number| number.to_string()).collect();
    server.line(&format!("sadd large {}", members.join(" ")));
    server.line("pexpirememberat large 69999 99999999999999");
    let scored: Vec<String> = (0..70_000).map(|number| format!("{number} {number}")).collect();
    server.line(&format!("zadd ranks {}", scored.join(" ")));
    server.line("pexpirememberat ranks 69999 99999999999999");
    server.check("debug reload", "+OK\r\n");
    for number in 0..4000 {
        server.check(&format!("object encoding s{number}"), "$9\r\nhashtable\r\n");
        server.check(&format!("object encoding plain{number}"), "$8\r\nlistpack\r\n");
        server.check(&format!("object encoding z{number}"), "$8\r\nskiplist\r\n");
        server.check(&format!("object encoding flat{number}"), "$8\r\nlistpack\r\n");
    }
    server.check("pexpirememberat ranks 69998 1", ":1\r\n");
    server.check("zcard ranks", ":69999\r\n");
    server.check("pexpirememberat large 69998 1", ":1\r\n");
    server.check("scard large", ":69999\r\n");
    for key in [&b"large"[..], b"ranks"] {
        assert_eq!(ends(&server, 0, key), [(b"69999".to_vec(), AT)]);
    }
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
