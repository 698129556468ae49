//! Data of modules that are not there, kept as it came (`rdb-keep-unknown-modules`).

use crate::harness::Server;
use conf::ProtectedAction;
use engine::append_only::load;
use resp::value::{Value, decode};
use std::fs;
use std::path::PathBuf;

/// In front of the keys: a module's type, when, and parts of each kind.
const BEFORE: &[u8] =
    b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x01\x05\x03abc\x03ffff\x04dddddddd\x01\x07\x00";
/// Behind them.
const AFTER: &[u8] = b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x02\x05\x05after\x00";
/// A value behind its type and key; the string in it is packed, and stays so.
const VALUE: &[u8] =
    b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\xc3\x06\x0b\x01aa\xe0\x00\x00\x02\x09\x00";

/// A server with a snapshot of modules' data in its directory.
struct Kept {
    server: Server,
    dir: tempfile::TempDir,
}

impl Kept {
    fn new(keeps: bool) -> Kept {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let path = dir.path().to_string_lossy().into_owned();
        server.node().settings.dir.set(path.as_bytes().into());
        server.node().settings.enable_debug_command.set(ProtectedAction::Yes);
        server.node().settings.rdb_keep_unknown_modules.set(keeps);
        let file = [
            &b"REDIS0010"[..],
            BEFORE,
            b"\xfe\x00\x00\x01k\x01v\xfc\xff\xff\xff\xff\xff\x0f\x00\x00\x07\x03doc",
            VALUE,
            AFTER,
            b"\xff\0\0\0\0\0\0\0\0",
        ]
        .concat();
        fs::write(dir.path().join("dump.rdb"), file).expect("written");
        server.check("debug reload nosave", "+OK\r\n");
        Kept { server, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("dump.rdb")
    }

    fn payload(&mut self, key: &str) -> Vec<u8> {
        let reply = self.server.run(&[b"dump", key.as_bytes()]).0;
        match decode(&reply).expect("a reply") {
            Some((Value::Bulk(bytes), _)) => bytes,
            other => panic!("{other:?}"),
        }
    }
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[test]
fn it_is_left_out_unless_it_is_to_be_kept() {
    let mut left = Kept::new(false);
    left.server.check("dbsize", ":1\r\n");
    left.server.check("save", "+OK\r\n");
    let saved = fs::read(left.file()).expect("a file");
    for part in [b"ReJSON", BEFORE, AFTER, VALUE] {
        assert_eq!(position(&saved, part), None);
    }
    assert!(left.server.line("scan 0 type ReJSON-RL").starts_with("-ERR unknown type name"));
    let mut kept = Kept::new(true);
    let payload = kept.payload("doc");
    let request: &[&[u8]] = &[b"restore", b"doc", b"0", &payload];
    assert_eq!(left.server.run(request).0, b"-ERR Bad data format\r\n");
}

#[test]
fn what_is_kept_is_written_back_as_it_came() {
    let mut kept = Kept::new(true);
    for _ in 0..2 {
        kept.server.check("save", "+OK\r\n");
        let saved = fs::read(kept.file()).expect("a file");
        let [before, key, after] =
            [BEFORE, &[b"\x07\x03doc", VALUE].concat(), AFTER].map(|part| position(&saved, part));
        let keys = position(&saved, b"\xfe\x00").expect("a database");
        assert!(before.expect("in front") < keys, "{saved:?}");
        let behind = keys < key.expect("the key") && key < after;
        assert!(behind && saved.len() == after.expect("behind") + AFTER.len() + 9, "{saved:?}");
        kept.server.check("debug reload", "+OK\r\n");
        kept.server.check("dbsize", ":2\r\n");
    }
}

#[test]
fn such_a_key_is_a_key_and_nothing_is_done_with_its_value() {
    let mut kept = Kept::new(true);
    let server = &mut kept.server;
    for (line, expected) in [
        ("type doc", "+ReJSON-RL\r\n"),
        ("object encoding doc", "$3\r\nraw\r\n"),
        ("pexpiretime doc", ":17592186044415\r\n"),
        ("persist doc", ":1\r\n"),
        ("rename doc d2", "+OK\r\n"),
        ("copy d2 doc", ":1\r\n"),
        ("expire doc 100", ":1\r\n"),
        ("move d2 1", ":1\r\n"),
        ("exists doc k", ":2\r\n"),
        ("scan 0 count 1000 type ReJSON-RL", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\ndoc\r\n"),
        ("touch doc", ":1\r\n"),
    ] {
        server.check(line, expected);
    }
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for line in [
        "get doc",
        "append doc x",
        "incr doc",
        "getrange doc 0 1",
        "setrange doc 0 x",
        "getdel doc",
        "lpush doc x",
        "llen doc",
        "sadd doc x",
        "scard doc",
        "hset doc f v",
        "hgetall doc",
        "zadd doc 1 x",
        "zrange doc 0 -1",
        "xadd doc * f v",
        "xlen doc",
        "pfadd doc x",
        "pfcount doc",
        "bitcount doc",
        "setbit doc 0 1",
        "bitfield doc get u8 0",
        "sort doc",
        "geopos doc x",
        "sunion doc doc",
        "zunion 1 doc",
        "getex doc",
    ] {
        server.check(line, wrong);
    }
    server.check("lcs doc doc", "-ERR The specified keys must contain string values\r\n");
    assert!(server.line("memory usage doc").starts_with(':'));
    assert!(server.line("debug object doc").contains("encoding:raw"));
    server.check("del doc", ":1\r\n");
    server.check("set k 1", "+OK\r\n");
    server.check("flushall", "+OK\r\n");
}

#[test]
fn a_payload_comes_back_and_digests_see_it() {
    let mut kept = Kept::new(true);
    let payload = kept.payload("doc");
    assert_eq!(payload[0], 7);
    assert_eq!(&payload[1..=VALUE.len()], VALUE);
    let request: &[&[u8]] = &[b"restore", b"other", b"0", &payload];
    assert_eq!(kept.server.run(request).0, b"+OK\r\n");
    assert_eq!(kept.payload("other"), payload);
    // An expiry is part of the digest.
    kept.server.check("persist doc", ":1\r\n");
    let digests = kept.server.line("debug digest-value doc other k");
    let digests: Vec<&str> = digests.lines().filter(|line| line.len() > 39).collect();
    assert!(
        digests.len() == 3 && digests[0] == digests[1] && digests[0] != digests[2],
        "{digests:?}"
    );
}

#[test]
fn a_base_of_commands_restores_it() {
    let mut kept = Kept::new(true);
    let before = kept.server.line("debug digest");
    let node = kept.server.node();
    node.settings.aof_use_rdb_preamble.set(false);
    node.settings.appendonly.set(true);
    engine::append_only::start(node, None).expect("a file");
    node.append_only.flush().expect("durable");
    let directory = engine::append_only::directory(&node.settings, &node.disk);
    let found = load::find(&directory, None).expect("readable").expect("there");
    assert!(found.has_data);
    kept.server.check("debug loadaof", "+OK\r\n");
    assert_eq!(kept.server.line("debug digest"), before);
    kept.server.check("type doc", "+ReJSON-RL\r\n");
    node.append_only.stop().expect("durable");
}
