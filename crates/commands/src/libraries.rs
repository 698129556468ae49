//! Function libraries: kept with the data by whatever keeps that, and run by nobody.

use crate::harness::Server;
use conf::ProtectedAction;
use engine::append_only::{self, load};
use std::fs;

const ONE: &[u8] = b"#!lua name=one\nredis.register_function('f', function() return 1 end)";
const OTHER: &[u8] = b"#!lua name=other\nredis.register_function('g', function() return 2 end)";

/// A server with two libraries in the snapshot in its directory.
fn loaded() -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::new();
    let settings = &server.node().settings;
    settings.dir.set(dir.path().to_string_lossy().as_bytes().into());
    settings.enable_debug_command.set(ProtectedAction::Yes);
    let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
    for code in [ONE, OTHER] {
        writer.function(code).expect("written");
    }
    fs::write(dir.path().join("dump.rdb"), writer.finish().expect("finished")).expect("written");
    server.check("debug reload nosave", "+OK\r\n");
    assert_eq!(held(&server), [ONE, OTHER]);
    (server, dir)
}

fn held(server: &Server) -> Vec<Vec<u8>> {
    server.node().functions.libraries().codes().map(<[u8]>::to_vec).collect()
}

#[test]
fn they_are_saved_and_loaded_with_the_data() {
    let (mut server, _dir) = loaded();
    server.check("set k v", "+OK\r\n");
    server.check("flushall", "+OK\r\n");
    server.check("save", "+OK\r\n");
    server.node().functions.replace(engine::functions::Libraries::default());
    server.check("debug reload nosave", "+OK\r\n");
    assert_eq!(held(&server), [ONE, OTHER]);
    assert!(server.line("info memory").contains("number_of_libraries:2\r\n"));
    // A client cannot call them, and is told so.
    assert!(server.line("fcall f 0").starts_with("-ERR unknown command 'fcall'"));
    assert!(server.line("function list").starts_with("-ERR unknown command 'function'"));
}

#[test]
fn what_is_loaded_replaces_them() {
    let (mut server, dir) = loaded();
    let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
    writer.select(0, 0, 0).expect("written");
    fs::write(dir.path().join("dump.rdb"), writer.finish().expect("finished")).expect("written");
    server.check("debug reload nosave", "+OK\r\n");
    assert!(held(&server).is_empty());
}

/// As in stock, where it ends a start.
#[test]
fn a_snapshot_with_a_library_twice_or_without_a_name_is_refused() {
    let (mut server, dir) = loaded();
    for codes in [[ONE, ONE], [ONE, b"redis.register_function()"]] {
        let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
        for code in codes {
            writer.function(code).expect("written");
        }
        let bytes = writer.finish().expect("finished");
        fs::write(dir.path().join("dump.rdb"), bytes).expect("written");
        assert!(server.line("debug reload nosave").starts_with("-ERR Error trying to load"));
        assert_eq!(held(&server), [ONE, OTHER]);
    }
}

#[test]
fn both_kinds_of_append_only_file_hold_them() {
    for is_snapshot in [true, false] {
        let (mut server, _dir) = loaded();
        server.check("set k v", "+OK\r\n");
        let node = server.node();
        node.settings.aof_use_rdb_preamble.set(is_snapshot);
        node.settings.appendonly.set(true);
        append_only::start(node, None).expect("a file");
        node.append_only.flush().expect("durable");
        let directory = append_only::directory(&node.settings, &node.disk);
        assert!(load::find(&directory, None).expect("readable").expect("there").has_data);
        node.functions.replace(engine::functions::Libraries::default());
        server.check("debug loadaof", "+OK\r\n");
        assert_eq!(held(&server), [ONE, OTHER], "{is_snapshot}");
        server.check("get k", "$1\r\nv\r\n");
        server.node().append_only.stop().expect("durable");
    }
}

#[test]
fn a_primary_changes_them_and_the_stream_goes_on() {
    let (mut server, _dir) = loaded();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    let word = <[u8]>::to_vec;
    let stream = [
        vec![word(b"FUNCTION"), word(b"DELETE"), word(b"one")],
        vec![word(b"MULTI")],
        vec![word(b"FUNCTION"), word(b"LOAD"), word(b"REPLACE"), word(b"#!lua name=other\n")],
        vec![word(b"SET"), word(b"k"), word(b"v")],
        vec![word(b"EXEC")],
    ];
    server.logged();
    server.apply_stream(&mut link, &stream);
    assert_eq!(held(&server), [b"#!lua name=other\n"]);
    assert_eq!(server.logged_words(), stream);
    server.check("get k", "$1\r\nv\r\n");
}
