//! Tests of CLIENT; texts are those of Redis 7.0.15.

use crate::harness::Server;
use engine::client::Origin;
use engine::context::Outcome;
use std::thread;

fn add(server: &Server, address: &str) -> std::sync::Arc<engine::client::ClientInfo> {
    let origin = Origin {
        address: address.into(),
        local_address: "127.0.0.1:6379".into(),
        fd: 9,
        ..Origin::default()
    };
    server.node().clients.add(origin)
}

#[test]
fn names() {
    let mut server = Server::new();
    let bad = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    let rows = [
        ("client getname", "$-1\r\n"),
        ("client setname", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
        ("client setname \"a b\"", bad),
        ("client setname \"a\\n\"", bad),
        ("client setname ab", "+OK\r\n"),
        ("client getname", "$2\r\nab\r\n"),
        ("client setname \"\"", "+OK\r\n"),
        ("client getname", "$-1\r\n"),
        ("client id", ":1\r\n"),
        ("client setinfo lib-name redis-py", "+OK\r\n"),
        ("client setinfo LIB-VER 5.0", "+OK\r\n"),
        (
            "client setinfo lib-ver \"5 0\"",
            "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("client setinfo foo x", "-ERR Unrecognized option 'foo'\r\n"),
        ("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"),
        ("client", "-ERR wrong number of arguments for 'client' command\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
    assert!(
        server.line("client info").contains(" resp=2 lib-name=redis-py lib-ver=5.0 tot-net-in=")
    );
}

#[test]
fn list_filters() {
    let mut server = Server::new();
    add(&server, "10.0.0.1:1");
    let rows = [
        ("client list type x", "-ERR Unknown client type 'x'\r\n"),
        ("client list id a", "-ERR Invalid client ID\r\n"),
        ("client list id 0", "$0\r\n\r\n"),
        ("client list id 99999", "$0\r\n\r\n"),
        ("client list foo bar", "-ERR syntax error\r\n"),
        ("client list type pubsub", "$0\r\n\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
    let filters = [
        ("client list id 1 2 type normal", "1 2"),
        ("client list not-id 1", "2"),
        ("client list addr 10.0.0.1:1", "2"),
        ("client list ip 10.0.0.1 laddr 127.0.0.1:6379", "2"),
        ("client list not-ip 10.0.0.1", "1"),
        ("client list skipme yes", "2"),
        ("client list user default not-user default", ""),
        ("client list flags N db 0 not-flags x", "1 2"),
        ("client list flags P", ""),
        ("client list not-db 0", ""),
        ("client list name x", ""),
        ("client list not-name x not-lib-name y not-lib-ver z", "1 2"),
        ("client list maxage 100", ""),
        ("client list idle 100", ""),
    ];
    for (line, expected) in filters {
        let text = server.line(line);
        let lines = text.lines().filter_map(|line| line.strip_prefix("id="));
        let ids: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(ids.join(" "), expected, "{line}");
    }
    let flags = "-ERR Unknown flags found in the provided filter: xy\r\n";
    server.check("client list flags xy", flags);
    server.check("client list maxage x", "-ERR value is not an integer or out of range\r\n");
    server.check("client list idle 0", "-ERR idle should be greater than 0\r\n");
    let one = server.line("client list id 2 7");
    let line = one.lines().nth(1).expect("a line");
    let expected = "id=2 addr=10.0.0.1:1 laddr=127.0.0.1:6379 fd=9 name= age=0 idle=0 flags=N db=0 \
        sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 \
        oll=0 omem=0 tot-mem=0 events=r cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver= \
        tot-net-in=0 tot-net-out=0 tot-cmds=0";
    assert_eq!(line, expected);
    server.line("hello 3");
    server.line("subscribe a");
    let text = server.line("client list type pubsub");
    assert!(text.contains(" flags=P db=0 sub=1 psub=0 "), "{text}");
    assert!(text.contains(" cmd=client|list user=default redir=-1 resp=3 "), "{text}");
}

#[test]
fn kill_refuses_as_stock_does() {
    let mut server = Server::new();
    let positive = "-ERR client-id should be greater than 0\r\n";
    let rows = [
        ("client kill 1.2.3.4:5", "-ERR No such client\r\n"),
        ("client kill id x", positive),
        ("client kill id 0", positive),
        ("client kill id -1", positive),
        ("client kill id 9999", ":0\r\n"),
        ("client kill user nobody", "-ERR No such user 'nobody'\r\n"),
        ("client kill type x", "-ERR Unknown client type 'x'\r\n"),
        ("client kill skipme maybe", "-ERR syntax error\r\n"),
        ("client kill addr 1:2 laddr", "-ERR syntax error\r\n"),
        ("client kill foo bar", "-ERR syntax error\r\n"),
        ("client kill type normal", ":0\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
}

#[test]
fn kill_filters_and_spares_the_caller() {
    let mut server = Server::new();
    add(&server, "10.0.0.1:1");
    add(&server, "10.0.0.2:1");
    server.check("client kill 10.0.0.1:1", "+OK\r\n");
    server.check("client kill addr 10.0.0.2:1 laddr 127.0.0.1:6379 type normal", ":1\r\n");
    server.check("client kill addr 10.0.0.2:1 laddr 127.0.0.1:1", ":0\r\n");
    server.check("client kill user default", ":2\r\n");
    server.check("client kill maxage 1000", ":0\r\n");
    server.check("client kill id 1", ":0\r\n");
    let (reply, outcome) = server.run(&[b"client", b"kill", b"id", b"1", b"skipme", b"no"]);
    assert_eq!(reply, b":1\r\n");
    assert!(matches!(outcome, Outcome::Close), "its answer goes out first");
}

/// As the documentation of Valkey 9 states it.
#[test]
fn kill_takes_several_ids_and_capabilities() {
    let mut server = Server::new();
    for port in 1..=4 {
        add(&server, &format!("10.0.0.1:{port}"));
    }
    for (line, expected) in [
        ("client kill id 2 3", ":2\r\n"),
        ("client kill id 2 9999 3 4 skipme yes", ":3\r\n"),
        ("client kill not-id 2 3", ":2\r\n"),
        ("client kill not-id 2 9999 id 2 3", ":1\r\n"),
        ("client kill id 2 id 3", ":2\r\n"),
        ("client kill id 2 0", "-ERR client-id should be greater than 0\r\n"),
        ("client kill id 2 x", "-ERR syntax error\r\n"),
        // There is no CLIENT CAPA, so nobody has declared any.
        ("client kill capa r", ":0\r\n"),
        ("client kill not-capa r", ":4\r\n"),
        ("client kill not-capa r id 2 3", ":2\r\n"),
        ("client kill type normal capa", "-ERR syntax error\r\n"),
        ("client list capa r", "$0\r\n\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn pause_parks_and_unpause_lets_go() {
    let mut server = Server::new();
    let rows = [
        ("client pause x", "-ERR timeout is not an integer or out of range\r\n"),
        ("client pause -1", "-ERR timeout is negative\r\n"),
        ("client pause 1 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n"),
        ("client pause 100000 write", "+OK\r\n"),
        ("get k", "$-1\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
    assert!(matches!(server.run(&[b"append", b"k", b"v"]).1, Outcome::Parked));
    assert!(server.session.info.blocked.load(std::sync::atomic::Ordering::Relaxed));
    server.check("client unpause", "+OK\r\n");
    assert!(!server.session.info.blocked.load(std::sync::atomic::Ordering::Relaxed));
    server.check("append k v", ":1\r\n");
    server.check("client pause 100000", "+OK\r\n");
    for words in [&[&b"get"[..], b"k"][..], &[b"client", b"unpause"]] {
        assert!(matches!(server.run(words).1, Outcome::Parked), "everything waits, as in stock");
    }
}

/// Lets what ends in a millisecond end.
fn end_now() {
    let ended = base::clock::unix() + base::Millis(2);
    while base::clock::unix() < ended {}
}

/// A transaction that begins a pause writes in it: what has ended must end in the log, too.
#[test]
fn a_write_in_a_pause_logs_the_end_of_what_it_replaces() {
    let mut server = Server::new();
    for write in ["incr k", "set k v"] {
        server.line("set k 5 px 1");
        end_now();
        for line in ["multi", "client pause 100000 write", write] {
            server.line(line);
        }
        server.check_log("exec", &["MULTI", "DEL k", write, "EXEC"]);
        server.check("client unpause", "+OK\r\n");
    }
    for line in ["hset h f 5 g 6", "hpexpire h 1 fields 1 f"] {
        server.line(line);
    }
    end_now();
    for line in ["multi", "client pause 100000 write", "hincrby h f 1"] {
        server.line(line);
    }
    server.check_log("exec", &["MULTI", "HDEL h f", "hincrby h f 1", "EXEC"]);
}

/// Whoever reads the offset once the pause is told sees it stand still.
#[test]
fn a_pause_begins_when_nobody_is_in_the_middle_of_a_command() {
    let mut server = Server::new();
    let node = server.node();
    let writer = node.keyspace.gate.seat().expect("another thread's place");
    writer.enter();
    thread::scope(|scope| {
        let pausing = scope.spawn(|| server.line("client pause 100000 write"));
        while !node.keyspace.gate.is_closed() && !pausing.is_finished() {
            thread::yield_now();
        }
        let is_early = node.pause.is_running(base::clock::monotonic());
        writer.leave();
        assert_eq!(pausing.join().expect("no panic"), "+OK\r\n");
        assert!(!is_early && node.pause.is_running(base::clock::monotonic()));
    });
}

#[test]
fn replies_can_be_switched_off() {
    let mut server = Server::new();
    let rows = [
        ("client reply foo", "-ERR syntax error\r\n"),
        ("client reply off", ""),
        ("ping", ""),
        ("client reply skip", ""),
        ("ping", ""),
        ("client reply on", "+OK\r\n"),
        ("client reply skip", ""),
        ("ping", ""),
        ("ping", "+PONG\r\n"),
        ("client no-evict x", "-ERR syntax error\r\n"),
        ("client no-evict on", "+OK\r\n"),
        ("client no-touch on", "+OK\r\n"),
    ];
    for (line, expected) in rows {
        server.check(line, expected);
    }
    assert!(server.session.no_touch);
    assert!(server.line("client info").contains(" flags=eT "));
}

#[test]
fn help_lists_the_subcommands() {
    let mut server = Server::new();
    let text = server.line("client help");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("*{}", lines.len() - 1));
    assert_eq!(lines[1], "+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    assert!(lines.contains(&"+PAUSE <timeout> [WRITE | ALL]"), "{text}");
    assert_eq!(lines[lines.len() - 2..], ["+HELP", "+    Prints this help."]);
}
