//! Starts beside an append-only file: where it goes on, and under which name of the history.

mod client;

use base::disk::Disk;
use base::disk::memory::MemoryDisk;
use base::random::Random;
use base::{Millis, Offset, RunId};
use client::Client;
use conf::Settings;
use engine::Node;
use engine::append_only::{self, Tail, load};
use engine::expiry::Expirer;
use engine::mailbox::Mailbox;
use engine::pipeline::Worker;
use engine::replication::Address;
use engine::snapshot::LoadOptions;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Loads what is on `disk` into a node, whose file is not begun yet.
fn loaded(disk: &MemoryDisk) -> (Arc<Node>, Option<Tail>) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let settings = Arc::new(Settings::default());
    settings.appendonly.set(true);
    settings.dir.set(b"/data"[..].into());
    let template = Node::new(Arc::clone(&settings), None, &commands::all(), &[], 1, None);
    let node = Arc::new(template.another(settings, disk, 8));
    node.set_mailboxes(vec![Arc::new(Mailbox::new(Box::new(|| ())))]);
    let directory = append_only::directory(&node.settings, &node.disk);
    let found = load::find(&directory, None).expect("a file or none");
    let tail = found.map(|found| {
        let options = LoadOptions::of(&node, None);
        let loaded = load::load(&node, &directory, found, options).expect("a whole file");
        loaded.dataset.adopt(&node);
        loaded.tail
    });
    (node, tail)
}

/// A file that holds `set k 1`.
fn one_key() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let (node, tail) = loaded(&disk);
    append_only::start(&node, tail).expect("a start");
    Client::new(&node).run("set k 1");
    node.append_only.stop().expect("a flush");
    disk
}

/// A history of its own, where the log ends.
fn begin_history(node: &Node) {
    let fresh = RunId::generate(&mut Random::from_system());
    node.replication.state().history.shift(node.log.end(), fresh);
}

/// Sees that the file takes what is in the log, and is not begun anew.
fn check_goes_on(node: &Node) {
    node.append_only.flush().expect("a flush");
    let facts = node.append_only.facts();
    assert!(facts.is_listed && facts.scheduled.is_none(), "{facts:?}");
    assert_eq!(facts.synced, node.log.end());
}

fn become_replica(node: &Node) {
    let alone = node.keyspace.gate.exclusive();
    node.change_role(&alone, Some(Address { host: "127.0.0.1".to_owned(), port: 1 }));
}

const SET_K_2: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n2\r\n";

#[test]
fn a_log_that_has_gone_on_since_the_file_was_loaded_is_refused() {
    let disk = one_key();
    let (node, tail) = loaded(&disk);
    Client::new(&node).run("set k 2");
    let error = append_only::start(&node, tail).expect_err("a gap");
    assert!(error.contains("ends at offset"), "{error}");
}

#[test]
fn nothing_expires_while_data_is_loaded() {
    let (node, _) = loaded(&MemoryDisk::default());
    Client::new(&node).run("set k 1 px 1");
    base::clock::pass(Millis(10));
    let end = node.log.end();
    let mut worker = Worker::new(&node).expect("a seat");
    let mut step = |is_loading: bool| {
        node.loading.store(is_loading, Ordering::Release);
        node.refresh();
        worker.enter();
        Expirer::new(0, 1).step(&mut worker);
        worker.leave();
        node.log.end()
    };
    assert_eq!(step(true), end);
    assert!(step(false) > end);
}

#[test]
fn a_replica_that_goes_on_in_its_history_keeps_its_file() {
    let disk = one_key();
    let (node, tail) = loaded(&disk);
    let before = node.replication.state().history;
    append_only::start(&node, tail).expect("a start");
    // As a server does at its start, and takes back as soon as its primary goes on.
    begin_history(&node);
    become_replica(&node);
    node.replication.state().history = before;
    node.log.append_raw(SET_K_2);
    check_goes_on(&node);
    let end = node.log.end();
    node.append_only.stop().expect("a flush");
    let directory = append_only::directory(&node.settings, &node.disk);
    let found = load::find(&directory, None).expect("readable").expect("a file");
    assert_eq!(found.place, Some((before.replid, end)));
    assert!(found.histories.iter().all(|name| *name == before.replid), "{:?}", found.histories);
}

#[test]
fn the_name_that_a_history_has_at_last_is_that_of_what_follows() {
    let disk = one_key();
    let (node, tail) = loaded(&disk);
    append_only::start(&node, tail).expect("a start");
    begin_history(&node);
    // It is made a replica, and a primary again, before anything is written.
    begin_history(&node);
    Client::new(&node).run("set k 2");
    check_goes_on(&node);
    let place = (node.replication.state().history.replid, node.log.end());
    node.append_only.stop().expect("a flush");
    let directory = append_only::directory(&node.settings, &node.disk);
    let found = load::find(&directory, None).expect("readable").expect("a file");
    assert_eq!(found.place, Some(place));
}

#[test]
fn a_file_that_begins_at_a_start_goes_on_in_the_database_of_the_stream() {
    for is_snapshot in [true, false] {
        let disk = MemoryDisk::default();
        let (node, _) = loaded(&disk);
        node.settings.aof_use_rdb_preamble.set(is_snapshot);
        // A snapshot of a replica was loaded.
        node.log.reset(Offset(100));
        node.replication.set_stream_db(5);
        append_only::start(&node, None).expect("a start");
        become_replica(&node);
        node.log.append_raw(SET_K_2);
        check_goes_on(&node);
        node.append_only.stop().expect("a flush");
        let mut keys = Vec::new();
        let (again, _) = loaded(&disk);
        again.keyspace.each_shard(|_, shard| {
            keys.extend(shard.dbs().filter(|(_, db)| !db.is_empty()).map(|(number, _)| number));
        });
        assert_eq!(keys, [5], "{is_snapshot}");
    }
}
