//! What a connection may not exceed.

use crate::server::{Client, Server, request};
use resp::value::Value;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

#[test]
fn strangers_send_little() {
    let server = Server::start(&["--requirepass", "secret"]);
    let words = |count: usize| request(&vec!["x"; count]);
    let told = server.connect().raw(&words(11));
    assert_eq!(told, b"-ERR Protocol error: unauthenticated multibulk length\r\n");
    let told = server.connect().raw(b"*2\r\n$3\r\nGET\r\n$16385\r\n");
    assert_eq!(told, b"-ERR Protocol error: unauthenticated bulk length\r\n");
    let mut client = server.connect();
    client.send(&[request(&["auth", "secret"]), request(&["del"; 11])].concat());
    client.expect(b"+OK\r\n:0\r\n");
}

#[test]
fn too_much_unfinished_input_closes() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let mut client = server.connect();
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n");
    // The server may close before all of it is taken.
    let piece = vec![b'x'; 1 << 16];
    let sent = (0..100).try_for_each(|_| std::io::Write::write_all(&mut client.stream, &piece));
    assert!(sent.is_err() || client.rest().is_empty());
    assert_eq!(server.connect().call(&["exists", "k"]), Value::Integer(0));
    server.wait_for_info("connected_clients", 1);
}

#[test]
fn a_subscriber_that_does_not_read_is_closed() {
    let options = ["--client-output-buffer-limit", "pubsub 1mb 0 0"];
    let server = Server::start(&options);
    let mut subscriber = server.connect();
    subscriber.call(&["subscribe", "c"]);
    let mut publisher = server.connect();
    let message = "x".repeat(1 << 16);
    let mut receivers = Value::Integer(1);
    for _ in 0..1_000 {
        receivers = publisher.call(&["publish", "c", &message]);
        if receivers == Value::Integer(0) {
            break;
        }
    }
    assert_eq!(receivers, Value::Integer(0));
    server.wait_for_info("connected_clients", 2);
}

#[test]
fn a_client_that_does_not_read_is_closed() {
    let options = ["--client-output-buffer-limit", "normal 300kb 0 0"];
    let server = Server::start(&options);
    let mut client = server.connect();
    client.call(&["set", "k", &"x".repeat(1 << 19)]);
    client.send(&b"GET k\r\n".repeat(100));
    server.wait_for_info("connected_clients", 1);
}

#[test]
fn clients_that_hold_too_much_go_before_keys() {
    let limits = ["--maxmemory", "24mb", "--maxmemory-clients", "3mb"];
    let server = Server::start(&[&limits[..], &["--maxmemory-policy", "allkeys-lru"]].concat());
    let mut client = server.connect();
    for number in 0..50 {
        client.call(&["setrange", &number.to_string(), "100000", "x"]);
    }
    // Nobody reads what is more than the limit of memory allows.
    let mut greedy = server.connect();
    greedy.send(&b"GET 1\r\n".repeat(300));
    server.wait_for_info("evicted_clients", 1);
    assert_eq!(server.info("evicted_keys"), 0);
    assert_eq!(client.call(&["dbsize"]), Value::Integer(50));
}

#[test]
fn what_waits_for_a_replica_does_not_count() {
    let server = Server::start(&["--io-threads", "1", "--repl-diskless-sync-delay", "0"]);
    let mut client = server.connect();
    let value = "x".repeat(1_000);
    let request = request(&["setrange", "k", "0", &value]);
    client.send(&request);
    client.expect(b":1000\r\n");
    // It never takes what follows the snapshot.
    let mut replica = server.connect();
    replica.send(b"PSYNC ? -1\r\n");
    server.wait_for_info_that("mem_clients_slaves", |bytes| bytes > 0);
    let counted = |server: &Server| {
        let names = ["used_memory", "mem_not_counted_for_evict", "mem_clients_normal"];
        let [used, not_counted, clients] = server.infos(names);
        used - not_counted - clients
    };
    let before = counted(&server);
    for _ in 0..200 {
        client.send(&request.repeat(100));
        client.expect(&b":1000\r\n".repeat(100));
    }
    assert!(server.info("mem_clients_slaves") > 5 << 20);
    let after = counted(&server);
    assert!(after < before + (200 << 10), "{before} became {after}");
}

#[test]
fn the_news_of_an_eviction_evict_nothing() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru", "--latency-tracking", "no"]);
    let mut client = server.connect();
    let mut listeners: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for listener in &mut listeners {
        listener.send(b"HELLO 3\r\nCLIENT TRACKING on\r\n");
        listener.reply();
        assert_eq!(listener.reply(), Value::Simple(b"OK".to_vec()));
    }
    for number in 0..300 {
        let key = format!("{number}{}", "x".repeat(1_000));
        client.call(&["set", &key, "x"]);
        for listener in &mut listeners {
            listener.call(&["get", &key]);
        }
    }
    let [used, not_counted] = server.infos(["used_memory", "mem_not_counted_for_evict"]);
    client.set("maxmemory", &(used - not_counted - 40_000).to_string());
    // Each key that goes is told of to ten, which takes ten times what it frees.
    for listener in &mut listeners {
        assert!(matches!(listener.reply(), Value::Push(_)));
    }
    let Value::Integer(left) = client.call(&["dbsize"]) else { panic!("a number") };
    assert!((200..300).contains(&left), "{left} of 300 keys are left");
}

#[test]
fn one_client_too_many() {
    let server = Server::start(&["--maxclients", "3"]);
    let mut clients = Vec::new();
    while clients.len() < 3 {
        // Those that looked whether the server is up may still have their places.
        let mut client = server.connect();
        if client.call(&["ping"]) == Value::Simple(b"PONG".to_vec()) {
            clients.push(client);
        }
    }
    assert_eq!(server.connect().rest(), b"-ERR max number of clients reached\r\n");
    drop(clients.pop());
    // The place is free as soon as the server has seen the end.
    let mut refused = 0;
    while server.connect().raw(b"PING\r\nQUIT\r\n") != b"+PONG\r\n+OK\r\n" {
        refused += 1;
        assert!(refused < 10_000);
    }
    assert_eq!(clients[0].call(&["ping"]), Value::Simple(b"PONG".to_vec()));
}

#[test]
fn idle_clients_are_closed_but_not_those_that_listen() {
    let server = Server::start(&["--timeout", "1"]);
    let mut listener = server.connect();
    listener.call(&["subscribe", "c"]);
    let mut idle = server.connect();
    idle.send(b"PING\r\n");
    assert_eq!(idle.rest(), b"+PONG\r\n");
    server.connect().call(&["publish", "c", "m"]);
    assert!(matches!(listener.reply(), Value::Array(words) if words.len() == 3));
}

#[test]
fn unix_sockets() {
    let server = Server::start(&["--unixsocket", "here.sock", "--unixsocketperm", "700"]);
    let stream = UnixStream::connect(server.dir.path().join("here.sock")).unwrap();
    let mut client = Client::new(stream);
    client.send(b"SET k v\r\nCLIENT LIST\r\n");
    client.expect(b"+OK\r\n");
    let Value::Bulk(list) = client.reply() else { panic!("a list") };
    assert!(String::from_utf8(list).unwrap().contains(" addr=here.sock:0 "));
    // What was sent before the end is run.
    client.send(&b"INCR n\r\n".repeat(1_000));
    drop(client);
    let mut other = server.connect();
    let began = base::clock::monotonic();
    while other.call(&["get", "n"]) != Value::Bulk(b"1000".to_vec()) {
        assert!(base::clock::monotonic().since(began).0 < 20_000);
    }
}

#[test]
fn many_clients_may_come_and_go() {
    let server = Server::start(&[]);
    for _ in 0..20 {
        let mut streams: Vec<TcpStream> = (0..50).map(|_| server.connect().stream).collect();
        for stream in &mut streams {
            std::io::Write::write_all(stream, b"PING\r\n").unwrap();
        }
        for stream in &mut streams {
            let mut reply = [0; 7];
            stream.read_exact(&mut reply).unwrap();
        }
    }
    server.wait_for_info("connected_clients", 1);
}
