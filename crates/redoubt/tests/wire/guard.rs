//! Starts of servers that are their own sentinels.

use crate::server::Server;
use resp::value::Value;
use std::net::TcpListener;
use tempfile::TempDir;

/// A directory with a file that makes a server there the sentinel of a group.
fn sentinel_of(host: &str, primary: u16, lines: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
    let text = format!("sentinel-port {port}\nsentinel monitor m 127.0.0.1 {primary} 1\n{lines}");
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
        let dir = sentinel_of(bind, primary.port, "");
        let options = ["--bind", bind, "--include", "group.conf"];
        let server = Server::start_in(dir, &options).map_err(|(_, said)| said).unwrap();
        assert_eq!(role(&server), Value::Bulk(b"slave".to_vec()), "{bind}");
    }
}
