//! Starts of servers that are their own sentinels.

use crate::server::Server;
use resp::value::Value;
use std::net::TcpListener;
use tempfile::TempDir;

/// A directory with a file that makes a server there, on `bind`, a sentinel.
fn sentinel_on(bind: &str, lines: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind((bind, 0)).unwrap().local_addr().unwrap().port();
    let text = format!("sentinel-port {port}\n{lines}");
    std::fs::write(dir.path().join("group.conf"), text).unwrap();
    dir
}

fn role(server: &Server) -> Value {
    let Value::Array(role) = server.connect().call(&["role"]) else { panic!("a role") };
    role[0].clone()
}

#[test]
fn a_server_asks_its_sentinel_where_that_listens() {
    let primary = Server::start(&[]);
    for bind in ["127.0.0.2", "127.0.0.1", "0.0.0.0"] {
        let monitor = format!("sentinel monitor m 127.0.0.1 {} 1", primary.port);
        let dir = sentinel_on(bind, &monitor);
        let options = ["--bind", bind, "--include", "group.conf"];
        let server = Server::start_in(dir, &options).map_err(|(_, said)| said).unwrap();
        assert_eq!(role(&server), Value::Bulk(b"slave".to_vec()), "{bind}");
    }
}

/// Starts an empty server that its sentinel names as the primary, of a replica that holds keys.
fn start_beside_a_fuller_replica(priority: &str, timeouts: &str) -> Server {
    let nobody = ["--replicaof", "127.0.0.1", "1", "--replica-priority", priority];
    let replica = Server::start(&nobody);
    let mut client = replica.connect();
    client.set("replica-read-only", "no");
    client.call(&["set", "key", "value"]);
    // Nobody is there to elect: the sentinel is alone, and the quorum two.
    let lines = format!(
        "sentinel monitor m 198.51.100.1 7 2\nsentinel known-replica m 127.0.0.1 {}\n{timeouts}\n\
         replica-announce-ip 198.51.100.1\nreplica-announce-port 7\n",
        replica.port
    );
    let dir = sentinel_on("127.0.0.1", &lines);
    let started = Server::start_in(dir, &["--include", "group.conf"]);
    started.map_err(|(_, said)| said).unwrap()
}

#[test]
fn a_server_stays_away_only_for_a_replica_that_can_be_promoted() {
    let server = start_beside_a_fuller_replica("0", "");
    assert_eq!(role(&server), Value::Bulk(b"master".to_vec()));
}

#[test]
fn a_server_does_not_stay_away_for_ever_if_nobody_is_elected() {
    let timeouts = "sentinel down-after-milliseconds m 1\nsentinel failover-timeout m 1";
    let server = start_beside_a_fuller_replica("100", timeouts);
    assert_eq!(role(&server), Value::Bulk(b"master".to_vec()));
}
