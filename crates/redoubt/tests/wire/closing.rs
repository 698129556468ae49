//! Ends of connections: by the client, by the server, half closed, while something waits.

use crate::server::{Server, request};
use resp::value::Value;

#[test]
fn quit_in_the_middle_of_a_pipeline() {
    let server = Server::start(&[]);
    let replies = server.connect().raw(b"INCR n\r\nINCR n\r\nQUIT\r\nINCR n\r\nINCR n\r\n");
    assert_eq!(replies, b":1\r\n:2\r\n+OK\r\n");
    assert_eq!(server.connect().call(&["get", "n"]), Value::Bulk(b"2".to_vec()));
}

#[test]
fn a_half_closed_client_gets_its_replies() {
    let server = Server::start(&[]);
    for _ in 0..20 {
        let mut client = server.connect();
        client.send(&b"PING\r\n".repeat(2_000));
        client.end_sending();
        assert_eq!(client.rest(), b"+PONG\r\n".repeat(2_000));
    }
}

#[test]
fn what_was_sent_before_the_end_runs() {
    let server = Server::start(&[]);
    for _ in 0..100 {
        let mut client = server.connect();
        client.send(&b"INCR n\r\n".repeat(100));
        // Closed with replies unread.
        drop(client);
    }
    server.wait_for_info("connected_clients", 1);
    // A reset may overtake what was sent, so only whole numbers of requests are certain.
    let Value::Bulk(count) = server.connect().call(&["get", "n"]) else { panic!("a number") };
    let count: usize = String::from_utf8(count).unwrap().parse().unwrap();
    assert!((1..=10_000).contains(&count));
}

#[test]
fn a_client_of_any_loop_is_killed() {
    let server = Server::start(&[]);
    let mut killer = server.connect();
    for _ in 0..6 {
        let mut victim = server.connect();
        let id = victim.id();
        assert_eq!(killer.call(&["client", "kill", "id", &id]), Value::Integer(1));
        assert!(victim.rest().is_empty());
    }
    let id = killer.id();
    killer.send(
        &[request(&["client", "kill", "id", &id, "skipme", "no"]), request(&["ping"])].concat(),
    );
    assert_eq!(killer.rest(), b":1\r\n");
    server.wait_for_info("connected_clients", 1);
}

#[test]
fn waiting_clients_that_leave_are_freed() {
    let server = Server::start(&[]);
    let mut waiting = server.connect();
    waiting.send(&request(&["wait", "1", "0"]));
    let mut paused = server.connect();
    let mut control = server.connect();
    assert_eq!(
        control.call(&["client", "pause", "100000", "write"]),
        Value::Simple(b"OK".to_vec())
    );
    paused.send(&request(&["incr", "n"]));
    let mut draining = server.connect();
    server.wait_for_info("connected_clients", 5);
    draining.send(&b"INFO\r\n".repeat(3_000));
    drop((waiting, paused, draining));
    server.wait_for_info("connected_clients", 2);
    control.call(&["client", "unpause"]);
    // As in stock, what a paused client had not run when it left is not run.
    assert_eq!(control.call(&["exists", "n"]), Value::Integer(0));
}

#[test]
fn a_pause_keeps_the_order_of_a_pipeline() {
    let server = Server::start(&[]);
    let mut control = server.connect();
    control.call(&["client", "pause", "100000", "write"]);
    let mut client = server.connect();
    client.send(b"GET n\r\nINCR n\r\nGET n\r\nINCR n\r\n");
    client.expect(b"$-1\r\n");
    client.send(b"GET n\r\n*x\r\n");
    control.call(&["client", "unpause"]);
    let error =
        b":1\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n-ERR Protocol error: invalid multibulk length\r\n";
    assert_eq!(client.rest(), error);
}

#[test]
fn wait_answers_when_its_time_is_over() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let began = base::clock::monotonic();
    client.send(b"SET k v\r\nWAIT 1 150\r\nGET k\r\n");
    client.expect(b"+OK\r\n:0\r\n$1\r\nv\r\n");
    let took = base::clock::monotonic().since(began).0;
    assert!((140..5_000).contains(&took), "{took} ms");
}
