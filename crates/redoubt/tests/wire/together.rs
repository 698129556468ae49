//! Several loops on one keyspace.

use crate::server::{Server, request};
use resp::value::Value;
use std::thread;

fn integer(value: &Value) -> i64 {
    match value {
        Value::Bulk(bytes) => std::str::from_utf8(bytes).unwrap().parse().unwrap(),
        Value::Integer(number) => *number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fifty_connections_count_together() {
    const EACH: u16 = 400;
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
                for client in &mut clients {
                    client
                        .send(&b"INCR one\r\nINCR {one}two\r\nINCR three\r\n".repeat(EACH.into()));
                }
                for client in &mut clients {
                    let mut last = [0; 3];
                    for _ in 0..EACH {
                        for last in &mut last {
                            let next = integer(&client.reply());
                            assert!(next > *last);
                            *last = next;
                        }
                    }
                }
            });
        }
    });
    let mut client = server.connect();
    for key in ["one", "{one}two", "three"] {
        assert_eq!(integer(&client.call(&["get", key])), 50 * i64::from(EACH));
    }
}

/// Money moves between accounts; whoever looks sees all of it.
#[test]
fn transactions_are_whole() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.call(&["mset", "a", "1000", "b", "1000", "c", "1000"]);
    thread::scope(|scope| {
        let movers: Vec<_> = [("a", "b"), ("b", "c"), ("c", "a")]
            .map(|(from, to)| {
                scope.spawn(|| {
                    let mut client = server.connect();
                    for _ in 0..300 {
                        client.send(&request(&["multi"]));
                        client.send(&request(&["decr", from]));
                        client.send(&request(&["incr", to]));
                        client.send(&request(&["exec"]));
                        let replies: Vec<Value> = (0..4).map(|_| client.reply()).collect();
                        assert!(matches!(&replies[3], Value::Array(both) if both.len() == 2));
                    }
                })
            })
            .into_iter()
            .collect();
        while movers.iter().any(|mover| !mover.is_finished()) {
            client.send(b"MULTI\r\nGET a\r\nGET b\r\nGET c\r\nEXEC\r\nMGET a b c\r\n");
            (0..4).for_each(|_| drop(client.reply()));
            for _ in 0..2 {
                let Value::Array(amounts) = client.reply() else { panic!("three amounts") };
                assert_eq!(amounts.iter().map(integer).sum::<i64>(), 3_000);
            }
        }
    });
}

/// Optimistic increments of many clients: none is lost and none counted twice.
#[test]
fn watched_keys() {
    let server = Server::start(&[]);
    server.connect().call(&["set", "n", "0"]);
    let wins: usize = thread::scope(|scope| {
        let counters: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut wins) = (server.connect(), 0);
                    for _ in 0..200 {
                        client.call(&["watch", "n"]);
                        let next = integer(&client.call(&["get", "n"])) + 1;
                        client.call(&["multi"]);
                        client.call(&["set", "n", &next.to_string()]);
                        wins += usize::from(client.call(&["exec"]) != Value::Null);
                    }
                    wins
                })
            })
            .collect();
        counters.into_iter().map(|counter| counter.join().unwrap()).sum()
    });
    assert!(wins >= 200);
    assert_eq!(integer(&server.connect().call(&["get", "n"])), i64::try_from(wins).unwrap());
}

#[test]
fn everything_at_once_inside_a_transaction() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(
        b"SET a 1\r\nMULTI\r\nFLUSHALL\r\nSET b 2\r\nDBSIZE\r\nSWAPDB 0 1\r\nGET b\r\nSELECT 1\r\n\
          GET b\r\nEXEC\r\nDBSIZE\r\n",
    );
    client.expect(b"+OK\r\n+OK\r\n");
    client.expect(&b"+QUEUED\r\n".repeat(7));
    client.expect(b"*7\r\n+OK\r\n+OK\r\n:1\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n2\r\n:1\r\n");
}

/// Commands that want everything alone meet those of two loops.
#[test]
fn whole_keyspace_commands_beside_others() {
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for number in 0..4 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..100 {
                    client.send(&request(&["set", &format!("k{number}"), "v"]));
                    client.send(b"SWAPDB 0 1\r\nFLUSHALL\r\nKEYS *\r\nDBSIZE\r\nRANDOMKEY\r\n");
                    (0..6).for_each(|_| drop(client.reply()));
                }
            });
        }
    });
    assert_eq!(server.connect().call(&["flushall"]), Value::Simple(b"OK".to_vec()));
    assert_eq!(server.connect().call(&["dbsize"]), Value::Integer(0));
}

#[test]
fn whoever_reads_as_a_group_is_told_that_the_stream_has_expired() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.call(&["xgroup", "create", "stream", "group", "$", "mkstream"]);
    client.call(&["pexpire", "stream", "50"]);
    let words = "xreadgroup group group me block 0 streams stream >";
    let told = client.call(&words.split(' ').collect::<Vec<_>>());
    assert!(matches!(&told, Value::Error(text) if text.starts_with(b"NOGROUP")), "{told:?}");
}
