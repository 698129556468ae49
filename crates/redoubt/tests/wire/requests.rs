//! Framing: requests in pieces, in pipelines, typed, large, and broken.

use crate::server::{Server, request};
use std::fmt::Write as _;

#[test]
fn a_request_may_come_in_any_pieces() {
    let server = Server::start(&[]);
    let mut sent = request(&["set", "key", "a\r\nb"]);
    sent.extend_from_slice(b"\r\nECHO \"typed in\"\r\n*0\r\n");
    sent.extend_from_slice(&request(&["get", "key"]));
    sent.extend_from_slice(b"PING\n");
    let replies = b"+OK\r\n$8\r\ntyped in\r\n$4\r\na\r\nb\r\n+PONG\r\n";
    let mut client = server.connect();
    let mut other = server.connect();
    for at in 0..=sent.len() {
        client.send(&sent[..at]);
        // A round trip elsewhere gives the loop time to take the first piece alone.
        other.send(b"PING\r\n");
        other.expect(b"+PONG\r\n");
        client.send(&sent[at..]);
        client.expect(replies);
    }
    for byte in &sent {
        client.send(&[*byte]);
    }
    client.expect(replies);
}

#[test]
fn ten_thousand_requests_in_one_pipeline() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let (mut sent, mut expected) = (Vec::new(), String::new());
    for number in 1..=10_000 {
        sent.extend_from_slice(&request(&["incr", "n"]));
        write!(expected, ":{number}\r\n").unwrap();
    }
    client.send(&sent);
    client.expect(expected.as_bytes());
}

#[test]
fn state_changes_in_the_middle_of_a_pipeline() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut client = server.connect();
    client.send(b"GET\r\nNONE\r\n");
    client.expect(b"-ERR wrong number of arguments for 'get' command\r\n");
    client.expect(b"-ERR unknown command 'NONE', with args beginning with: \r\n");
    client.send(
        b"GET a\r\nAUTH wrong\r\nGET a\r\nAUTH secret\r\nSET a 1\r\nSELECT 1\r\nGET a\r\nSELECT 0\r\n\
          HELLO 3\r\nGET none\r\nGET a\r\nRESET\r\nGET a\r\n",
    );
    client.expect(b"-NOAUTH Authentication required.\r\n");
    let wrong = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    client.expect(wrong);
    client.expect(b"-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n");
    assert!(matches!(client.reply(), resp::value::Value::Map(_)));
    client.expect(b"_\r\n$1\r\n1\r\n+RESET\r\n-NOAUTH Authentication required.\r\n");
}

#[test]
fn typed_lines() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(b"\r\n   \r\nset \"a b\" 'c \\' d'\r\nget \"\\x61 b\"\r\n  ping  \r\n");
    client.expect(b"+OK\r\n$5\r\nc ' d\r\n+PONG\r\n");
}

#[test]
fn broken_requests_are_told_and_closed() {
    let server = Server::start(&[]);
    for (sent, expected) in [
        (
            &b"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n"[..],
            &b"+PONG\r\n+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"[..],
        ),
        (b"*2\r\n$3\r\nGET\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
        (b"*1\r\n$-1\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (b"PING\r\nGET \"a\r\n", b"+PONG\r\n-ERR Protocol error: unbalanced quotes in request\r\n"),
    ] {
        assert_eq!(server.connect().raw(sent), expected);
    }
    let long = vec![b'x'; 70_000];
    let told = server.connect().raw(&long);
    assert_eq!(told, b"-ERR Protocol error: too big inline request\r\n");
}

#[test]
fn large_values_go_in_and_out() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let value = "0123456789abcdef".repeat(4 << 20);
    client.send(&request(&["set", "large", &value]));
    client.expect(b"+OK\r\n");
    let sent = b"GET large\r\nSTRLEN large\r\nGET large\r\n";
    client.send(sent);
    let mut expected = format!("${}\r\n{value}\r\n", value.len()).into_bytes();
    client.expect(&expected);
    client.expect(format!(":{}\r\n", value.len()).as_bytes());
    client.expect(&expected);
    // What came with a large pipeline runs although its replies have to wait for the reader.
    expected.clear();
    client.send(&request(&["set", "medium", &value[..2 << 20]]));
    client.expect(b"+OK\r\n");
    let began = base::clock::monotonic();
    client.send(&b"GET medium\r\n".repeat(60));
    for _ in 0..60 {
        client.expect(format!("${}\r\n", 2 << 20).as_bytes());
        client.expect(&value.as_bytes()[..2 << 20]);
        client.expect(b"\r\n");
    }
    // Each of them once cost a whole sleep of the loop, a tenth of a second.
    assert!(base::clock::monotonic().since(began).0 < 5_000);
}

#[test]
fn unanswered_requests() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(
        b"CLIENT REPLY SKIP\r\nPING\r\nECHO a\r\nCLIENT REPLY OFF\r\nPING\r\nSET k v\r\n\
          CLIENT REPLY ON\r\nGET k\r\n",
    );
    client.expect(b"$1\r\na\r\n+OK\r\n$1\r\nv\r\n");
    assert!(client.raw(b"CLIENT REPLY OFF\r\nPING\r\n*x\r\n").is_empty());
}

#[test]
fn each_command_sees_what_time_it_is() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    client.send(b"SET k v PX 100\r\nDEBUG SLEEP 0.2\r\nGET k\r\nPTTL k\r\n");
    client.expect(b"+OK\r\n+OK\r\n$-1\r\n:-2\r\n");
    // Those of a transaction are of one time.
    client.send(b"MULTI\r\nSET k v PX 100\r\nDEBUG SLEEP 0.2\r\nGET k\r\nEXEC\r\n");
    client.expect(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n$1\r\nv\r\n");
}
