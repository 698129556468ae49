//! Tests of CONFIG; texts are those of Redis 7.0.15.

use crate::harness::Server;

#[test]
fn get_matches_patterns() {
    let mut server = Server::new();
    server.check("config get maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
    server.check("config get nosuch", "*0\r\n");
    let several = server.line("config get maxmemory* maxmemory timeout");
    assert_eq!(several.matches("$9\r\nmaxmemory\r\n").count(), 1, "{several}");
    assert!(several.contains("$7\r\ntimeout\r\n$1\r\n0\r\n"), "{several}");
    server.line("hello 3");
    server.check("config get maxmemory", "%1\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
}

#[test]
fn set_changes_all_or_none() {
    let mut server = Server::new();
    let failed = |name: &str, why: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n")
    };
    let arity = "-ERR wrong number of arguments for 'config|set' command\r\n".to_owned();
    let rows = [
        ("config set maxmemory 100mb timeout 5", "+OK\r\n".to_owned()),
        ("config set a", arity.clone()),
        ("config set maxmemory", arity),
        ("config set a b c", "-ERR syntax error\r\n".to_owned()),
        (
            "config set maxmemory 1mb foo bar",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n".to_owned(),
        ),
        (
            "config set timeout 7 maxmemory x",
            failed("maxmemory", "argument must be a memory value"),
        ),
        ("config set port 1 port 2", failed("port", "duplicate parameter")),
        ("config set daemonize yes", failed("daemonize", "can't set immutable config")),
        ("config foo", "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n".to_owned()),
        ("config get timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n".to_owned()),
        ("config get maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n".to_owned()),
    ];
    for (line, expected) in rows {
        server.check(line, &expected);
    }
}

#[test]
fn a_limit_acts_at_once() {
    let mut server = Server::new();
    server.check("config set maxmemory 1", "+OK\r\n");
    server.check("append k v", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    server.check("config set maxmemory 0", "+OK\r\n");
    server.check("append k v", ":1\r\n");
    server.check("config set min-replicas-to-write 1", "+OK\r\n");
    server.check("append k v", "-NOREPLICAS Not enough good replicas to write.\r\n");
}

#[test]
fn the_primary_of_now_is_shown() {
    let mut server = Server::new();
    server.check("config get replicaof", "*2\r\n$9\r\nreplicaof\r\n$0\r\n\r\n");
    server.check("replicaof 10.0.0.1 6380", "+OK\r\n");
    let expected = "*4\r\n$9\r\nreplicaof\r\n$13\r\n10.0.0.1 6380\r\n\
         $7\r\nslaveof\r\n$13\r\n10.0.0.1 6380\r\n";
    server.check("config get replicaof slaveof", expected);
    server.check("replicaof no one", "+OK\r\n");
    server.check("config get replicaof", "*2\r\n$9\r\nreplicaof\r\n$0\r\n\r\n");
}

#[test]
fn statistics_are_cleared() {
    let mut server = Server::new();
    server.line("get nokey");
    server.line("get");
    let node = server.node();
    node.saves.state().saves = 1;
    node.append_only.facts().rewrites = 1;
    node.clients.evicted.store(1, std::sync::atomic::Ordering::Relaxed);
    server.check("config resetstat", "+OK\r\n");
    let rest = server.line("info everything");
    for fact in ["rdb_saves:0", "aof_rewrites:0", "evicted_clients:0"] {
        assert!(rest.contains(&format!("\r\n{fact}\r\n")), "{fact}");
    }
    let stats = server.line("info stats");
    assert!(stats.contains("total_connections_received:0\r\n"), "{stats}");
    assert!(stats.contains("\r\nkeyspace_misses:0\r\n"), "{stats}");
    assert!(stats.contains("\r\ntotal_error_replies:0\r\n"), "{stats}");
}

#[test]
fn rewriting_needs_a_file() {
    let mut server = Server::new();
    server.check("config rewrite", "-ERR The server is running without a config file\r\n");
}
