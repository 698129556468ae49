//! Starts beside what another process has left.

use crate::server::{Client, Server, wait_until};
use resp::value::Value;
use std::net::TcpStream;

/// Starts in a row.
const STARTS: usize = 4;
/// Keys that a replica has to be sent after a start.
const KEYS_BEHIND: usize = 300;

/// The options of a replica of `primary` that keeps a file.
fn options(port: &str) -> [&str; 5] {
    ["--appendonly", "yes", "--replicaof", "127.0.0.1", port]
}

fn keys(client: &mut Client<TcpStream>) -> Value {
    client.call(&["dbsize"])
}

/// Waits until the file of the replica holds everything.
fn wait_for_file(client: &mut Client<TcpStream>) {
    client.call(&["set", "last", "v"]);
    let all = Value::Array(vec![Value::Integer(0), Value::Integer(1)]);
    assert_eq!(client.call(&["waitaof", "0", "1", "0"]), all);
}

#[test]
fn a_replica_that_starts_again_goes_on_in_its_file_and_lacks_nothing() {
    let primary = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let port = primary.port.to_string();
    let mut client = primary.connect();
    let mut replica = Server::start(&options(&port));
    for round in 0..STARTS {
        wait_for_file(&mut client);
        let dir = replica.kill();
        let alone = Server::start_in(dir, &["--appendonly", "yes"]).unwrap();
        assert_eq!(keys(&mut alone.connect()), keys(&mut client), "of the file");
        let dir = alone.kill();
        for key in 0..KEYS_BEHIND {
            client.call(&["set", &format!("{round}:{key}"), "v"]);
        }
        // What has come meanwhile is sent as soon as it is there again.
        replica = Server::start_in(dir, &options(&port)).unwrap();
        wait_for_file(&mut client);
        assert_eq!(keys(&mut replica.connect()), keys(&mut client), "of the replica");
        for fact in ["aof_rewrites", "aof_rewrite_in_progress", "aof_rewrite_scheduled"] {
            assert_eq!(replica.info(fact), 0, "{fact}");
        }
    }
    assert_eq!(primary.info("sync_full"), 1);
}

#[test]
fn a_replica_starts_although_a_full_sync_is_there_at_once() {
    let primary = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let port = primary.port.to_string();
    let mut client = primary.connect();
    for _ in 0..STARTS {
        let replica = Server::start(&options(&port));
        wait_for_file(&mut client);
        assert_eq!(keys(&mut replica.connect()), keys(&mut client));
    }
}

#[test]
fn a_snapshot_that_cannot_be_opened_ends_the_start() {
    for options in [&[][..], &["--appendonly", "yes"], &["--allow-empty-start"]] {
        let dir = tempfile::tempdir().unwrap();
        // Nobody may open that, whoever he is.
        std::os::unix::fs::symlink("dump.rdb", dir.path().join("dump.rdb")).unwrap();
        let (_, said) = Server::start_in(dir, options).err().unwrap();
        assert!(
            said.contains("can't open the RDB file dump.rdb for reading: Too many levels"),
            "{said}"
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("dump.rdb")).unwrap();
        let (_, said) = Server::start_in(dir, options).err().unwrap();
        assert!(said.contains("can't read the RDB file dump.rdb: Is a directory"), "{said}");
    }
}

#[test]
fn what_was_restored_outlives_a_kill() {
    for appends in ["yes", "no"] {
        let writer = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let mut client = writer.connect();
        client.call(&["set", "old", "v"]);
        client.call(&["save"]);
        client.call(&["set", "new", "v"]);
        let options = ["--restore-to", "99999999999", "--appendonly", appends];
        let restored = Server::start_in(writer.kill(), &options).unwrap();
        assert_eq!(keys(&mut restored.connect()), Value::Integer(2));
        let names = restored.names();
        for kept in ["dump.rdb.kept-", "appendonlydir.kept-"] {
            assert!(names.iter().any(|name| name.starts_with(kept)), "{kept}: {names:?}");
        }
        let again = Server::start_in(restored.kill(), &["--appendonly", appends]).unwrap();
        assert_eq!(keys(&mut again.connect()), Value::Integer(2), "appendonly {appends}");
    }
}

/// Ends a primary by SHUTDOWN SAVE, and starts it again; its replica follows it there.
fn save_and_start_again(primary: Server, replica: &Server) -> Server {
    let mut client = primary.connect();
    client.send(b"SHUTDOWN SAVE\r\n");
    assert!(client.rest().is_empty());
    let primary = Server::start_in(primary.kill(), &[]).unwrap();
    let port = primary.port.to_string();
    replica.connect().call(&["replicaof", "127.0.0.1", &port]);
    assert_eq!(primary.connect().call(&["wait", "1", "0"]), Value::Integer(1));
    primary
}

#[test]
fn a_key_that_expired_while_its_primary_was_down_ends_at_the_replica_too() {
    let debug = ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"];
    let primary = Server::start(&debug);
    let port = primary.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    let mut client = primary.connect();
    client.call(&["debug", "set-active-expire", "0"]);
    client.call(&["set", "k", "5", "px", "300"]);
    client.call(&["set", "untouched", "5", "px", "300"]);
    assert_eq!(client.call(&["wait", "1", "0"]), Value::Integer(1));
    let mut reader = replica.connect();
    let are_gone = || reader.call(&["exists", "k", "untouched"]) == Value::Integer(0);
    wait_until(are_gone, || "they do not expire".to_owned());
    let primary = save_and_start_again(primary, &replica);
    assert_eq!(primary.infos(["sync_full", "sync_partial_ok"]), [0, 1]);
    assert_eq!(primary.info("rdb_last_load_keys_expired"), 2);
    let mut client = primary.connect();
    assert_eq!(client.call(&["incr", "k"]), Value::Integer(1));
    assert_eq!(client.call(&["wait", "1", "0"]), Value::Integer(1));
    assert_eq!(reader.call(&["get", "k"]), Value::Bulk(b"1".to_vec()));
    assert_eq!(reader.call(&["pttl", "k"]), Value::Integer(-1));
    // Both end what nobody asks for.
    for server in [&primary, &replica] {
        let has_one = || keys(&mut server.connect()) == Value::Integer(1);
        wait_until(has_one, || "what nobody asks for stays".to_owned());
    }
}

#[test]
fn a_primary_that_saves_for_long_as_it_stops_goes_on_with_its_replicas() {
    let primary =
        Server::start(&["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]);
    let port = primary.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    let mut client = primary.connect();
    for number in 0..25 {
        client.call(&["set", &number.to_string(), "v"]);
    }
    assert_eq!(client.call(&["wait", "1", "0"]), Value::Integer(1));
    // Longer than two pings are apart.
    client.set("rdb-key-save-delay", "100000");
    let primary = save_and_start_again(primary, &replica);
    assert_eq!(primary.infos(["sync_full", "sync_partial_ok"]), [0, 1]);
}
