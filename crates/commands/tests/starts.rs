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
use std::path::Path;
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

/// Lets more than a second go by; gives the Unix second before it.
fn pass_a_second() -> u64 {
    let now_s = base::clock::unix().0 / 1000;
    base::clock::pass(Millis(1001));
    now_s
}

/// What a restore of `disk` to the end of that second gives of key `k`; an error's text if it gives nothing.
fn restored(disk: &MemoryDisk, until: u64) -> Result<String, String> {
    let (node, _) = loaded(&MemoryDisk::default());
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let directory = append_only::directory(&node.settings, &disk);
    let found = load::find(&directory, Some(until)).map_err(|error| error.to_string())?;
    let options = LoadOptions::of(&node, None);
    let loaded = load::load(&node, &directory, found.ok_or("no file")?, options);
    loaded.map_err(|error| error.to_string())?.dataset.adopt(&node);
    Ok(Client::new(&node).run("get k"))
}

fn rewrite(node: &Node) {
    Client::new(node).run("bgrewriteaof");
    while node.append_only.facts().is_rewriting() {
        std::thread::yield_now();
    }
}

#[test]
fn what_a_rewrite_has_forgotten_is_not_restored() {
    for is_snapshot in [true, false] {
        let disk = MemoryDisk::default();
        let (node, tail) = loaded(&disk);
        node.settings.aof_timestamp_enabled.set(true);
        node.settings.aof_use_rdb_preamble.set(is_snapshot);
        append_only::start(&node, tail).expect("a start");
        let before = pass_a_second();
        Client::new(&node).run("set k 1");
        node.append_only.flush().expect("a flush");
        let first = pass_a_second();
        Client::new(&node).run("set k 2");
        node.append_only.flush().expect("a flush");
        assert_eq!(restored(&disk, first).as_deref(), Ok("$1\r\n1\r\n"));
        assert_eq!(restored(&disk, before).as_deref(), Ok("$-1\r\n"));
        assert!(restored(&disk, before - 1000).is_err(), "from before there was a file");
        let second = pass_a_second();
        rewrite(&node);
        let rewritten = pass_a_second();
        Client::new(&node).run("set k 3");
        node.append_only.flush().expect("a flush");
        for forgotten in [first, second] {
            let error = restored(&disk, forgotten).expect_err("a later state");
            let file =
                if is_snapshot { "appendonly.aof.2.base.rdb" } else { "appendonly.aof.2.base.aof" };
            assert!(error.contains(file), "{error}");
            let from =
                error.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).next_back();
            assert!(from.is_some_and(|from| (second + 1..=rewritten).contains(&from)), "{error}");
        }
        assert_eq!(restored(&disk, rewritten).as_deref(), Ok("$1\r\n2\r\n"));
        assert_eq!(restored(&disk, u64::MAX).as_deref(), Ok("$1\r\n3\r\n"));
        node.append_only.stop().expect("a flush");
    }
}

#[test]
fn an_increment_of_the_second_of_its_cut_notes_it() {
    let disk = MemoryDisk::default();
    let (node, tail) = loaded(&disk);
    node.settings.aof_timestamp_enabled.set(true);
    append_only::start(&node, tail).expect("a start");
    let in_one_second = |increment: u32| {
        let began = base::clock::unix().0 / 1000;
        Client::new(&node).run("set k 1");
        node.append_only.flush().expect("a flush");
        rewrite(&node);
        Client::new(&node).run("set k 2");
        node.append_only.flush().expect("a flush");
        let name = format!("/data/appendonlydir/appendonly.aof.{increment}.incr.aof");
        (base::clock::unix().0 / 1000 == began).then_some((began, name))
    };
    let (second, name) = (2..).find_map(in_one_second).expect("a second");
    let path = Path::new(&name);
    let text = String::from_utf8(disk.bytes(path).expect("a file")).expect("text");
    assert!(text.contains(&format!("#TS:{second}\r\n")), "{text}");
    node.append_only.stop().expect("a flush");
}

#[test]
fn nothing_is_written_once_a_stop_is_answered() {
    for _ in 0..100 {
        let disk = one_key();
        let file = disk.bytes(Path::new("/data/appendonlydir/appendonly.aof.1.incr.aof"));
        let text = String::from_utf8(file.expect("a file")).expect("text");
        let last = text.lines().next_back().expect("a line");
        assert!(last.starts_with("#SUM:"), "{text}");
    }
}

#[test]
fn a_file_without_times_is_restored_to_its_end_only() {
    let disk = one_key();
    let end = pass_a_second();
    assert_eq!(restored(&disk, end).as_deref(), Ok("$1\r\n1\r\n"));
    let (node, tail) = loaded(&disk);
    append_only::start(&node, tail).expect("a start");
    Client::new(&node).run("set k 2");
    node.append_only.stop().expect("a flush");
    let error = restored(&disk, end).expect_err("a later state");
    assert!(error.contains("appendonly.aof.1.incr.aof"), "{error}");
    assert_eq!(restored(&disk, u64::MAX).as_deref(), Ok("$1\r\n2\r\n"));
}

#[test]
fn the_requests_behind_a_snapshot_in_one_file_are_restored_to_their_end_only() {
    let disk = one_key();
    let base = disk.bytes(Path::new("/data/appendonlydir/appendonly.aof.1.base.rdb"));
    let mut single = base.expect("a base");
    single.extend_from_slice(SET_K_2);
    let disk = MemoryDisk::default();
    let now_s = pass_a_second();
    disk.put(Path::new("/data/appendonly.aof"), &single);
    let error = restored(&disk, now_s).expect_err("a later state");
    assert!(error.contains("cannot be told from appendonly.aof;"), "{error}");
    assert_eq!(restored(&disk, u64::MAX).as_deref(), Ok("$1\r\n2\r\n"));
}
