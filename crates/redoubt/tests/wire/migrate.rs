//! MIGRATE, towards targets that answer late or not at all.

use crate::server::{Client, Server, request};
use resp::value::Value;
use std::net::{TcpListener, TcpStream};

/// A target that answers what the test says.
struct Target(TcpListener);

impl Target {
    fn new() -> Target {
        Target(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// MIGRATE to it, with a minute's patience.
    fn migrate(&self, keys: &[&str]) -> Vec<u8> {
        let port = self.0.local_addr().unwrap().port().to_string();
        let head = ["migrate", "127.0.0.1", &port, "", "0", "60000", "keys"];
        request(&[&head[..], keys].concat())
    }

    fn accept(&self) -> Client<TcpStream> {
        Client::new(self.0.accept().unwrap().0)
    }
}

/// The name of the key that the target is asked to restore.
fn restored(target: &mut Client<TcpStream>) -> Vec<u8> {
    let Value::Array(words) = target.reply() else { panic!("a request") };
    assert_eq!(words[0], Value::Bulk(b"RESTORE".to_vec()));
    let Value::Bulk(key) = &words[1] else { panic!("a key") };
    key.clone()
}

#[test]
fn who_names_a_moving_key_waits_and_others_do_not() {
    let server = Server::start(&[]);
    let target = Target::new();
    let mut client = server.connect();
    client.call(&["mset", "k", "1", "other", "2"]);
    let mut mover = server.connect();
    mover.send(&target.migrate(&["k"]));
    let mut there = target.accept();
    assert_eq!(restored(&mut there), b"k");
    let mut waiting: Vec<_> = [
        &b"GET k\r\n"[..],
        b"MULTI\r\nGET k\r\nSET seen 1\r\nEXEC\r\n",
        b"FLUSHALL\r\n",
        b"SETNX k new\r\n",
    ]
    .into_iter()
    .map(|line| {
        let mut one = server.connect();
        one.send(line);
        one
    })
    .collect();
    server.wait_for_parked(waiting.len());
    assert_eq!(client.call(&["get", "other"]), Value::Bulk(b"2".to_vec()));
    assert_eq!(client.call(&["exists", "seen"]), Value::Integer(0));
    // Whoever looks through everything still finds it here.
    assert_eq!(client.call(&["dbsize"]), Value::Integer(2));
    there.send(b"+OK\r\n");
    mover.expect(b"+OK\r\n");
    let mut last = waiting.pop().unwrap();
    assert_eq!(last.reply(), Value::Integer(1));
    waiting.pop().unwrap().expect(b"+OK\r\n");
    waiting.pop().unwrap().expect(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n");
    let found = waiting.pop().unwrap().reply();
    assert!([Value::Null, Value::Bulk(b"new".to_vec())].contains(&found), "{found:?}");
}

#[test]
fn keys_that_the_target_refuses_stay() {
    let server = Server::start(&[]);
    let target = Target::new();
    let mut client = server.connect();
    client.call(&["mset", "a", "1", "b", "2", "c", "3"]);
    client.send(&target.migrate(&["a", "b", "nope", "c"]));
    let mut there = target.accept();
    for key in [b"a", b"b", b"c"] {
        assert_eq!(restored(&mut there), key);
    }
    there.send(b"+OK\r\n-BUSYKEY taken\r\n+OK\r\n");
    client.expect(b"-ERR Target instance replied with error: BUSYKEY taken\r\n");
    client.send(b"EXISTS a c\r\nEXISTS b\r\n");
    client.expect(b":0\r\n:1\r\n");
    assert_eq!(server.info("migrate_cached_sockets"), 1);
    // The connection is used again, or made anew if the target has closed it.
    drop(there);
    client.send(&target.migrate(&["b"]));
    let mut there = target.accept();
    assert_eq!(restored(&mut there), b"b");
    drop(there);
    client.expect(b"-IOERR error or timeout reading to target instance\r\n");
    client.send(b"EXISTS b\r\n");
    client.expect(b":1\r\n");
}

#[test]
fn a_waiter_that_would_fill_a_moving_key_is_served_when_it_has_moved() {
    let server = Server::start(&[]);
    let target = Target::new();
    let mut client = server.connect();
    client.call(&["rpush", "to", "x"]);
    let mut waiter = server.connect();
    waiter.send(b"BLMOVE from to LEFT RIGHT 0\r\n");
    server.wait_for_info("blocked_clients", 1);
    let mut mover = server.connect();
    mover.send(&target.migrate(&["to"]));
    let mut there = target.accept();
    assert_eq!(restored(&mut there), b"to");
    assert_eq!(client.call(&["rpush", "from", "y"]), Value::Integer(1));
    assert_eq!(client.call(&["llen", "from"]), Value::Integer(1));
    there.send(b"+OK\r\n");
    mover.expect(b"+OK\r\n");
    waiter.expect(b"$1\r\ny\r\n");
    client.send(b"LRANGE to 0 -1\r\n");
    client.expect(b"*1\r\n$1\r\ny\r\n");
}

#[test]
fn a_client_that_leaves_does_not_keep_its_keys_from_moving() {
    let server = Server::start(&[]);
    let target = Target::new();
    let mut client = server.connect();
    client.call(&["set", "k", "1"]);
    let mut mover = server.connect();
    mover.send(&target.migrate(&["k"]));
    let mut there = target.accept();
    assert_eq!(restored(&mut there), b"k");
    drop(mover);
    there.send(b"+OK\r\n");
    client.send(b"GET k\r\n");
    client.expect(b"$-1\r\n");
}
