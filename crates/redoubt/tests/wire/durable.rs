//! WAITAOF: what is durable here and at a replica, told over real links.

use crate::server::{Client, Server, request};
use resp::value::Value;
use std::net::TcpStream;

fn counts(local: i64, replicas: i64) -> Value {
    Value::Array(vec![Value::Integer(local), Value::Integer(replicas)])
}

fn append(client: &mut Client<TcpStream>) {
    assert!(matches!(client.call(&["append", "k", "v"]), Value::Integer(_)));
}

#[test]
fn the_own_file_is_waited_for() {
    let server = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    let mut client = server.connect();
    append(&mut client);
    assert_eq!(client.call(&["waitaof", "1", "0", "50"]), counts(0, 0));
    // Whoever waits when the policy changes is answered by the next sync.
    client.send(&request(&["waitaof", "1", "0", "0"]));
    server.wait_for_info("blocked_clients", 1);
    server.connect().set("appendfsync", "everysec");
    append(&mut server.connect());
    assert_eq!(client.reply(), counts(1, 0));
    server.connect().set("appendfsync", "always");
    append(&mut client);
    assert_eq!(client.call(&["waitaof", "1", "0", "0"]), counts(1, 0));
    // Without a file nobody waits for it.
    server.connect().set("appendfsync", "no");
    append(&mut client);
    client.send(&request(&["waitaof", "1", "0", "0"]));
    server.wait_for_info("blocked_clients", 1);
    server.connect().set("appendonly", "no");
    let text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(client.reply(), Value::Error(text.into()));
}

#[test]
fn a_file_that_is_begun_during_a_save_waits_for_it() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    append(&mut client);
    server.connect().set("rdb-key-save-delay", "100000000");
    client.call(&["bgsave"]);
    server.connect().set("appendonly", "yes");
    assert_eq!(server.info("aof_rewrite_scheduled"), 1);
    append(&mut client);
    client.send(&request(&["waitaof", "1", "0", "0"]));
    server.wait_for_info("blocked_clients", 1);
    server.connect().set("rdb-key-save-delay", "0");
    assert_eq!(client.reply(), counts(1, 0));
    assert_eq!(server.info("aof_rewrite_in_progress"), 0);
    assert_eq!(server.info("aof_rewrite_scheduled"), 0);
}

#[test]
fn a_replica_tells_how_far_its_file_is_durable() {
    let primary = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let replica = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    let mut client = primary.connect();
    append(&mut client);
    let port = primary.port.to_string();
    replica.connect().call(&["replicaof", "127.0.0.1", &port]);
    // A full sync begins the replica's file anew, with a base that is durable.
    assert_eq!(client.call(&["waitaof", "1", "1", "0"]), counts(1, 1));
    append(&mut client);
    assert_eq!(client.call(&["wait", "1", "0"]), Value::Integer(1));
    assert_eq!(client.call(&["waitaof", "0", "1", "50"]), counts(1, 0));
    replica.connect().set("appendfsync", "everysec");
    append(&mut client);
    assert_eq!(client.call(&["waitaof", "1", "1", "0"]), counts(1, 1));
    // Without a file it tells no more; what the old one took while it was closed may still count.
    replica.connect().set("appendonly", "no");
    let without = |client: &mut Client<TcpStream>| {
        append(client);
        assert_eq!(client.call(&["wait", "1", "0"]), Value::Integer(1));
        client.call(&["waitaof", "1", "1", "50"]) == counts(1, 0)
    };
    while !without(&mut client) {}
    assert!(without(&mut client));
}

#[test]
fn who_waits_at_a_primary_that_becomes_a_replica_is_told() {
    let server = Server::start(&[]);
    for wait in [&["wait", "1", "0"][..], &["waitaof", "0", "1", "0"]] {
        let mut client = server.connect();
        append(&mut client);
        client.send(&request(wait));
        server.wait_for_info("blocked_clients", 1);
        let mut other = server.connect();
        other.call(&["replicaof", "127.0.0.1", "1"]);
        let text = "UNBLOCKED force unblock from blocking operation, instance state changed \
                    (master -> replica?)";
        assert_eq!(client.reply(), Value::Error(text.into()));
        assert!(client.rest().is_empty());
        other.call(&["replicaof", "no", "one"]);
    }
}

/// Under `always`, with syncs that take long: what comes early is seen to be early.
fn slow_disk(options: &[&str]) -> Server {
    let always =
        ["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"];
    let server = Server::start(&[&always, options].concat());
    let slow = server.connect().call(&["debug", "aof-flush-sleep", "200000"]);
    assert_eq!(slow, Value::Simple(b"OK".to_vec()));
    server
}

#[test]
fn who_is_served_waits_until_that_is_durable() {
    let server = slow_disk(&["--io-threads", "1"]);
    for _ in 0..3 {
        let (mut writer, mut waiting) = (server.connect(), server.connect());
        writer.call(&["ping"]);
        waiting.call(&["ping"]);
        writer.send(&request(&["append", "k", "v"]));
        waiting.send(&request(&["blpop", "l", "0"]));
        // It is accepted behind what was sent above, and during the sync of that.
        let mut feeding = server.connect();
        feeding.send(&request(&["rpush", "l", "element"]));
        let element =
            Value::Array(vec![Value::Bulk(b"l".to_vec()), Value::Bulk(b"element".to_vec())]);
        assert_eq!(waiting.reply(), element);
        assert_eq!(waiting.call(&["waitaof", "1", "0", "1"]), counts(1, 0));
    }
}

#[test]
fn a_half_closed_client_gets_what_was_held_back() {
    let server = slow_disk(&[]);
    let mut client = server.connect();
    client.send(&request(&["set", "a", "1"]));
    client.end_sending();
    assert_eq!(client.rest(), b"+OK\r\n");
    let mut client = server.connect();
    client.send(b"SET a 1\r\nQUIT\r\n");
    client.end_sending();
    assert_eq!(client.rest(), b"+OK\r\n+OK\r\n");
    for waits in ["WAIT 1 10000", "BLPOP l 10000"] {
        let mut client = server.connect();
        client.send(format!("SET a 1\r\n{waits}\r\n").as_bytes());
        client.end_sending();
        assert_eq!(client.rest(), b"+OK\r\n");
    }
    assert_eq!(server.connect().call(&["rpush", "l", "v"]), Value::Integer(1));
    assert_eq!(server.connect().call(&["llen", "l"]), Value::Integer(1));
    // More than is read at once: the rest waits for the first to be durable.
    let mut client = server.connect();
    client.send(&b"INCR n\r\n".repeat(20_000));
    client.end_sending();
    let replies = client.rest();
    assert!(replies.ends_with(b"\r\n:20000\r\n"), "{} bytes", replies.len());
    server.wait_for_info("connected_clients", 1);
}
