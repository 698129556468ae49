//! What commands leave behind besides replies and log: keyspace events, and counts of hits and misses.
//!
//! The expected values are those of stock 7.0.15 for the same sequence.

use crate::harness::Server;
use engine::mailbox::{Mailbox, Message};
use engine::pubsub::Kind;
use std::sync::atomic::Ordering;

/// A command, the hits and misses it counts, and its events: database, name, key.
type Row = (&'static str, u64, u64, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("get k", 0, 1, &[]),
    ("set k v", 0, 0, &["0 set k"]),
    ("get k", 1, 0, &[]),
    ("set k v ex 100", 0, 0, &["0 set k", "0 expire k"]),
    ("set k v get", 1, 0, &["0 set k"]),
    ("set k v nx", 0, 0, &[]),
    ("set n v get", 0, 1, &["0 set n"]),
    ("set n v xx get keepttl", 1, 0, &["0 set n"]),
    ("setex k 100 v", 0, 0, &["0 set k", "0 expire k"]),
    ("setnx k v", 0, 0, &[]),
    ("setnx k2 v", 0, 0, &["0 set k2"]),
    ("getset k 1", 1, 0, &["0 set k"]),
    ("getset k3 1", 0, 1, &["0 set k3"]),
    ("getex k", 1, 0, &[]),
    ("getex k ex 100", 1, 0, &["0 expire k"]),
    ("getex k persist", 1, 0, &["0 persist k"]),
    ("getex k persist", 1, 0, &[]),
    ("getex k pxat 1", 1, 0, &["0 del k"]),
    ("getex k", 0, 1, &[]),
    ("set k v", 0, 0, &["0 set k"]),
    ("getdel k", 1, 0, &["0 del k"]),
    ("getdel k", 0, 1, &[]),
    ("mset a 1 b 2", 0, 0, &["0 set a", "0 set b"]),
    ("msetnx a 1 z 2", 0, 0, &[]),
    ("msetnx y 1 z 2", 0, 0, &["0 set y", "0 set z"]),
    ("mget a b nope", 2, 1, &[]),
    ("append a x", 0, 0, &["0 append a"]),
    ("append new x", 0, 0, &["0 append new"]),
    ("strlen a", 1, 0, &[]),
    ("strlen nope", 0, 1, &[]),
    ("getrange a 0 1", 1, 0, &[]),
    ("getrange nope 0 1", 0, 1, &[]),
    ("setrange a 0 y", 0, 0, &["0 setrange a"]),
    ("setrange a 0 ''", 0, 0, &[]),
    ("setrange nope 0 ''", 0, 0, &[]),
    ("incr i", 0, 0, &["0 incrby i"]),
    ("incr i", 0, 0, &["0 incrby i"]),
    ("incr a", 0, 0, &[]),
    ("decrby i 4", 0, 0, &["0 incrby i"]),
    ("incrbyfloat i 1.5", 0, 0, &["0 incrbyfloat i"]),
    ("incrbyfloat a 1.5", 0, 0, &[]),
    ("lcs a nope", 1, 1, &[]),
    ("exists a nope", 1, 1, &[]),
    ("touch a nope", 1, 1, &[]),
    ("type a", 1, 0, &[]),
    ("type nope", 0, 1, &[]),
    ("ttl a", 1, 0, &[]),
    ("ttl nope", 0, 1, &[]),
    ("pexpiretime a", 1, 0, &[]),
    ("expire a 100", 0, 0, &["0 expire a"]),
    ("expire a 200 nx", 0, 0, &[]),
    ("persist a", 0, 0, &["0 persist a"]),
    ("persist a", 0, 0, &[]),
    ("expire a -1", 0, 0, &["0 del a"]),
    ("expire nope 1", 0, 0, &[]),
    ("object encoding b", 1, 0, &[]),
    ("object encoding nope", 0, 1, &[]),
    ("rename b c", 0, 0, &["0 rename_from b", "0 rename_to c"]),
    ("rename nope c", 0, 0, &[]),
    ("renamenx c b", 0, 0, &["0 rename_from c", "0 rename_to b"]),
    ("renamenx b b", 0, 0, &[]),
    ("copy b c", 1, 0, &["0 copy_to c"]),
    ("copy b c", 1, 0, &[]),
    ("copy nope c", 0, 1, &[]),
    ("copy b c db 3", 1, 0, &["3 copy_to c"]),
    ("move b 5", 0, 0, &["0 move_from b", "5 move_to b"]),
    ("move nope 5", 0, 0, &[]),
    ("del c i nope", 0, 0, &["0 del c", "0 del i"]),
    ("unlink y", 0, 0, &["0 del y"]),
    ("randomkey", 0, 0, &[]),
    ("keys *", 0, 0, &[]),
    ("scan 0", 0, 0, &[]),
    ("dbsize", 0, 0, &[]),
    ("set k v pxat 1", 0, 0, &["0 set k", "0 expire k"]),
    ("get k", 0, 1, &["0 expired k"]),
    ("set k v pxat 1", 0, 0, &["0 set k", "0 expire k"]),
    ("incr k", 0, 0, &["0 expired k", "0 incrby k"]),
    ("set k v pxat 1", 0, 0, &["0 set k", "0 expire k"]),
    ("exists k", 0, 1, &["0 expired k"]),
    ("flushdb", 0, 0, &[]),
];

/// `pmessage pattern __keyevent@0__:set key` as `0 set key`.
fn event(push: &[u8]) -> String {
    let (push, _) = resp::value::decode(push).expect("a push").expect("a whole one");
    let words: Vec<_> =
        push.as_array().expect("an array").iter().map(resp::Value::as_text).collect();
    let [_, _, Some(channel), Some(key)] = &words[..] else { panic!("{words:?}") };
    let (db, name) = channel
        .strip_prefix("__keyevent@")
        .and_then(|channel| channel.split_once("__:"))
        .expect("an event's channel");
    format!("{db} {name} {key}")
}

/// Somebody who is told of every event, and the mailbox to which that comes.
pub(crate) fn listener(server: &Server) -> (engine::Session, &'static Mailbox) {
    server.node().settings.notify_keyspace_events.set(b"AE"[..].into());
    server.node().refresh();
    let mut session = server.other_session();
    server.node().pubsub.subscribe(&mut session, Kind::Pattern, b"__key*");
    (session, server.node().mailboxes().first().expect("the only loop's"))
}

/// The events that have come to a mailbox, in their order.
pub(crate) fn events(mailbox: &Mailbox) -> Vec<String> {
    let pushed = mailbox.take().into_iter().filter_map(|message| match message {
        Message::Push(push) => Some(event(&push.resp2)),
        _ => None,
    });
    pushed.collect()
}

#[test]
fn events_hits_and_misses() {
    let mut server = Server::new();
    let (_listener, mailbox) = listener(&server);
    for &(line, hits, misses, expected) in ROWS {
        let counts = |server: &Server| {
            let stats = server.stats();
            (stats.hits.load(Ordering::Relaxed), stats.misses.load(Ordering::Relaxed))
        };
        let before = counts(&server);
        server.line(line);
        let after = counts(&server);
        assert_eq!((after.0 - before.0, after.1 - before.1), (hits, misses), "{line}");
        assert_eq!(events(mailbox), expected, "{line}");
    }
}

#[test]
fn a_replica_keeps_expired_keys_until_its_primary_deletes_them() {
    let mut server = Server::new();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    let hidden = |server: &mut Server| {
        server.check("get k", "$-1\r\n");
        server.check("exists k", ":0\r\n");
        server.check("randomkey", "$-1\r\n");
        server.check("keys *", "*0\r\n");
        server.check("dbsize", ":1\r\n");
    };
    server.apply(&mut link, "set k 5");
    server.check("get k", "$1\r\n5\r\n");
    server.apply(&mut link, "pexpireat k 1");
    hidden(&mut server);
    server.apply(&mut link, "incr k");
    server.apply(&mut link, "append k 7");
    hidden(&mut server);
    server.apply(&mut link, "persist k");
    server.check("get k", "$2\r\n67\r\n");
    server.apply(&mut link, "pexpireat k -1");
    hidden(&mut server);
    server.apply(&mut link, "rename k j");
    server.apply(&mut link, "del j");
    server.check("dbsize", ":0\r\n");
    let stream = [
        "set k 5",
        "pexpireat k 1",
        "incr k",
        "append k 7",
        "persist k",
        "pexpireat k -1",
        "rename k j",
        "del j",
    ];
    assert_eq!(server.logged(), stream, "the primary's bytes and nothing else");
}
