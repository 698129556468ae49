//! Waits and their ends: who is told what, and who is passed over.

use crate::server::{Server, request};
use resp::value::Value;

fn bulk(text: &str) -> Value {
    Value::Bulk(text.into())
}

#[test]
fn a_killed_client_is_not_served() {
    let server = Server::start(&[]);
    for (begin, end) in [("", ""), ("MULTI\r\n", "EXEC\r\n")] {
        let mut waiting = server.connect();
        let id = waiting.id();
        waiting.send(&request(&["blpop", "l", "0"]));
        server.wait_for_info("blocked_clients", 1);
        let mut other = server.connect();
        let requests =
            format!("{begin}CLIENT KILL ID {id}\r\nRPUSH l v\r\nLLEN l\r\n{end}DEL l\r\n");
        other.send(requests.as_bytes());
        if begin.is_empty() {
            other.expect(b":1\r\n:1\r\n:1\r\n:1\r\n");
        } else {
            other.expect(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
        }
        assert!(waiting.rest().is_empty());
    }
}

#[test]
fn waits_for_replicas_keep_to_client_reply() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(b"CLIENT REPLY OFF\r\nSET k v\r\nWAIT 1 20\r\nCLIENT REPLY ON\r\n");
    client.expect(b"+OK\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nWAIT 1 20\r\nPING\r\n");
    client.expect(b"+PONG\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nWAIT 1 20\r\nWAIT 1 20\r\nPING\r\n");
    client.expect(b":0\r\n+PONG\r\n");
}

#[test]
fn a_wait_of_a_client_that_is_closed_at_once_is_counted_out() {
    let options = ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"];
    let primary = Server::start(&options);
    let replica = Server::start(&[]);
    let port = primary.port.to_string();
    replica.connect().call(&["replicaof", "127.0.0.1", &port]);
    let mut control = primary.connect();
    control.call(&["set", "k", "v"]);
    assert_eq!(control.call(&["wait", "1", "0"]), Value::Integer(1));
    // More than its socket takes, and less than keeps it from being read.
    control.call(&["setrange", "large", "12000000", "x"]);
    assert_eq!(control.call(&["debug", "pause-cron", "1"]), Value::Simple(b"OK".to_vec()));
    let mut closed = primary.connect();
    closed.send(&request(&["get", "large"]));
    primary.wait_for_info_that("mem_clients_normal", |bytes| bytes > 1_000_000);
    control.set("client-output-buffer-limit", "normal 20000 0 0");
    closed.send(&request(&["wait", "2", "0"]));
    primary.wait_for_info("connected_clients", 2);
    control.call(&["debug", "pause-cron", "0"]);
    // Whoever waits next is told as soon as the replica has it.
    control.call(&["set", "k", "v"]);
    assert_eq!(control.call(&["wait", "1", "0"]), Value::Integer(1));
}

#[test]
fn a_timeout_spares_those_who_are_held_back_and_monitors() {
    let server = Server::start(&["--timeout", "1"]);
    let mut control = server.connect();
    let mut monitor = server.connect();
    assert_eq!(monitor.call(&["monitor"]), Value::Simple(b"OK".to_vec()));
    control.call(&["client", "pause", "100000", "write"]);
    let mut paused = server.connect();
    paused.send(&request(&["set", "k", "v"]));
    server.wait_for_info("blocked_clients", 1);
    // Its time ends behind theirs.
    let mut idle = server.connect();
    assert!(idle.rest().is_empty());
    let mut control = server.connect();
    control.call(&["client", "unpause"]);
    assert_eq!(paused.reply(), Value::Simple(b"OK".to_vec()));
    assert!(matches!(monitor.reply(), Value::Simple(_)));
}

#[test]
fn a_paused_client_is_not_unblocked() {
    let server = Server::start(&[]);
    let mut control = server.connect();
    control.call(&["client", "pause", "100000", "write"]);
    let mut paused = server.connect();
    let id = paused.id();
    paused.send(&request(&["set", "k", "v"]));
    server.wait_for_info("blocked_clients", 1);
    assert_eq!(control.call(&["client", "unblock", &id]), Value::Integer(0));
    control.call(&["client", "unpause"]);
    assert_eq!(paused.reply(), Value::Simple(b"OK".to_vec()));
}

#[test]
fn one_may_wait_for_very_many_keys() {
    let server = Server::start(&[]);
    let names: Vec<String> = (0..300_000).map(|key| format!("k{}", key / 2)).collect();
    let mut words = vec!["blpop"];
    words.extend(names.iter().map(String::as_str));
    words.push("0");
    let mut waiting = server.connect();
    waiting.send(&request(&words));
    server.wait_for_info("blocked_clients", 1);
    assert_eq!(server.connect().call(&["rpush", "k149999", "v"]), Value::Integer(1));
    assert_eq!(waiting.reply(), Value::Array(vec![bulk("k149999"), bulk("v")]));
}

/// Another loop learns that its time has changed: it would look a minute later.
#[test]
fn who_waits_to_claim_is_served_at_a_time_that_was_brought_forward() {
    let server = Server::start(&[]);
    let mut others = server.connect();
    others.send(
        b"XGROUP CREATE s g 0 MKSTREAM\r\nXADD s 1-1 f v\r\nXREADGROUP GROUP g c STREAMS s >\r\n",
    );
    for _ in 0..3 {
        others.reply();
    }
    // One on each of the two loops.
    let mut waiting = [server.connect(), server.connect()];
    for (number, client) in waiting.iter_mut().enumerate() {
        let consumer = format!("d{number}");
        client.send(&request(&[
            "xreadgroup",
            "group",
            "g",
            &consumer,
            "block",
            "0",
            "claim",
            "60000",
            "streams",
            "s",
            ">",
        ]));
    }
    server.wait_for_info("blocked_clients", 2);
    for client in &mut waiting {
        // Held for so long that it may be claimed in a moment, but not now.
        others.call(&["xclaim", "s", "g", "c", "0", "1-1", "idle", "59900"]);
        client.stream.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
    }
    let mut served = 0;
    let mut looks = || {
        served += waiting.iter_mut().filter(|client| client.stream.peek(&mut [0]).is_ok()).count();
        served > 0
    };
    crate::server::wait_until(&mut looks, || "nobody is served".to_owned());
}
