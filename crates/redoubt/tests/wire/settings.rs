//! CONFIG SET at a server that runs: what the system must agree to, and what is taken back when it does not.

use crate::server::{Client, Server};
use resp::value::Value;
use std::net::{TcpListener, TcpStream};

fn ok() -> Value {
    Value::Simple("OK".into())
}

fn get(client: &mut Client<TcpStream>, name: &str) -> String {
    match client.call(&["config", "get", name]) {
        Value::Array(words) => String::from_utf8(words[1].as_bytes().unwrap().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_is_gone_to_or_left_as_it_was() {
    let server = Server::start(&["--enable-protected-configs", "yes"]);
    let mut client = server.connect();
    let home = server.dir.path().canonicalize().unwrap();
    assert_eq!(get(&mut client, "dir"), home.to_str().unwrap());
    std::fs::create_dir(home.join("sub")).unwrap();
    let absent =
        "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory";
    assert_eq!(client.call(&["config", "set", "dir", "absent"]), Value::Error(absent.into()));
    // What was done before something else failed is done back.
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let both = ["config", "set", "dir", "sub", "port", &port];
    let refused = "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on \
                   this port. Check server logs.";
    assert_eq!(client.call(&both), Value::Error(refused.into()));
    assert_eq!(get(&mut client, "dir"), home.to_str().unwrap());
    assert_eq!(client.call(&["save"]), ok());
    server.wait_for_file("dump.rdb", true);
    assert_eq!(client.call(&["config", "set", "dir", "sub"]), ok());
    assert_eq!(get(&mut client, "dir"), home.join("sub").to_str().unwrap());
    assert_eq!(client.call(&["save"]), ok());
    assert!(home.join("sub/dump.rdb").exists());
}

#[test]
fn more_clients_than_there_are_descriptors_are_refused() {
    let server = Server::start(&["--maxclients", "100"]);
    let mut client = server.connect();
    let reply = client.call(&["config", "set", "maxclients", "4000000000"]);
    let Value::Error(text) = reply else { panic!("{reply:?}") };
    let text = String::from_utf8(text).unwrap();
    let head = "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating \
                system is not able to handle the specified number of clients, try with ";
    let most: u64 = text.strip_prefix(head).expect(&text).parse().unwrap();
    assert_eq!(get(&mut client, "maxclients"), "100");
    assert_eq!(client.call(&["config", "set", "maxclients", &most.to_string()]), ok());
}

#[test]
fn a_file_is_turned_on_behind_a_rewrite_without_one() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.call(&["set", "k", "v"]);
    client.set("rdb-key-save-delay", "100000000");
    client.call(&["bgrewriteaof"]);
    assert_eq!(server.info("aof_rewrite_in_progress"), 1);
    assert_eq!(client.call(&["config", "set", "appendonly", "yes"]), ok());
    client.set("rdb-key-save-delay", "0");
    assert_eq!(client.call(&["incr", "n"]), Value::Integer(1));
    let there = Value::Array(vec![Value::Integer(1), Value::Integer(0)]);
    assert_eq!(client.call(&["waitaof", "1", "0", "0"]), there);
}

#[test]
fn a_rewrite_that_waits_goes_on_waiting_when_other_settings_change() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.call(&["set", "k", "v"]);
    client.set("rdb-key-save-delay", "100000000");
    client.call(&["bgsave"]);
    client.call(&["bgrewriteaof"]);
    assert_eq!(server.info("aof_rewrite_scheduled"), 1);
    client.set("appendfsync", "no");
    assert_eq!(server.info("aof_rewrite_scheduled"), 1);
    client.set("rdb-key-save-delay", "0");
    server.wait_for_info("aof_rewrites", 1);
}
