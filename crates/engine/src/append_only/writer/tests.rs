//! The writer on a disk in memory, asked for what nobody should ask it for, and for very much.

use super::*;
use crate::snapshot::Cut;
use base::disk::Disk;
use base::disk::memory::MemoryDisk;
use base::random::Random;
use base::{Offset, RunId};
use conf::Settings;
use oplog::{Batch, Framing};
use std::sync::mpsc::channel;

fn node(disk: &MemoryDisk, is_on: bool) -> Arc<Node> {
    let settings = Arc::new(Settings::default());
    settings.appendonly.set(is_on);
    settings.dir.set(b"/data"[..].into());
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
    let node = Arc::new(node.another(settings, disk, 1));
    let replid = RunId::generate(&mut Random::from_seed(1));
    node.replication.state().history.shift(Offset(0), replid);
    node
}

/// Puts a request of more than `bytes` bytes into the log.
fn log(node: &Node, bytes: usize) {
    let mut batch = Batch::new();
    batch.begin();
    batch.command(0, &[b"SET", b"k", &vec![b'v'; bytes]]);
    batch.finish(Framing::Plain);
    node.log.append(&batch);
    node.log.wake_readers();
}

/// A writer without a thread, whose increment is open.
fn open_writer(node: &Arc<Node>) -> Writer {
    let reader = node.log.pinned_reader(node.log.end()).expect("a reader");
    let sleeper = node.log.subscribe(Arc::new(|| {}));
    let mut writer = Writer::new(node, sleeper);
    let (appender, manifest) = writer.next_increment().expect("an increment");
    writer.manifest = manifest;
    writer.open = Some(Open::new(appender, reader, Start::default(), None));
    writer
}

fn rewrite(node: &Node) {
    let alone = node.keyspace.gate.exclusive();
    node.append_only.rewrite(node, &alone).expect("begun");
}

#[test]
fn a_second_rewrite_of_a_file_that_begins_comes_to_nothing() {
    let disk = MemoryDisk::default();
    let node = node(&disk, false);
    start(&node, None).expect("a start");
    node.settings.appendonly.set(true);
    disk.hold_syncs(Some("temp-rewriteaof"));
    rewrite(&node);
    while !disk.is_held() {
        thread::yield_now();
    }
    // As if nobody remembered it.
    node.append_only.facts().rewrite_began = None;
    rewrite(&node);
    log(&node, 10);
    node.append_only.flush().expect("a flush");
    assert!(!node.append_only.facts().is_rewriting() && !node.append_only.facts().is_listed);
    disk.hold_syncs(None);
    while !node.append_only.facts().is_listed {
        thread::yield_now();
    }
    log(&node, 10);
    node.append_only.flush().expect("a flush");
    assert_eq!(node.append_only.facts().rewrites, 1, "the first went on");
    assert!(node.append_only.is_durable(node.log.end()));
    // What is written is what a start would load.
    let listed = directory(&node.settings, &node.disk).open().expect("sound").expect("a manifest");
    let names: Vec<&str> = listed.pieces().map(|piece| piece.name.as_str()).collect();
    assert_eq!(names, ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"]);
    let path = directory(&node.settings, &node.disk).file(names[1]);
    let bytes = disk.bytes(&path).expect("an increment");
    assert_eq!(bytes.windows(10).filter(|bytes| bytes == b"vvvvvvvvvv").count(), 2);
    node.append_only.stop().expect("closed");
}

#[test]
fn who_is_told_of_a_begun_file_sees_the_end_of_its_rewrite() {
    let disk = MemoryDisk::default();
    let node = node(&disk, false);
    start(&node, None).expect("a start");
    let (sender, receiver) = channel();
    let seen = Arc::downgrade(&node);
    node.append_only.set_nudge(Box::new(move || {
        let told = seen.upgrade().map(|node| node.append_only.facts().is_rewriting());
        sender.send(told).expect("a receiver");
    }));
    log(&node, 10);
    node.append_only.tell_when_durable(node.log.end());
    node.settings.appendonly.set(true);
    rewrite(&node);
    assert_eq!(receiver.recv().expect("told"), Some(false));
    node.append_only.stop().expect("closed");
}

#[test]
fn a_log_that_outruns_the_disk_does_not_keep_it_from_all_else() {
    let disk = MemoryDisk::default();
    let node = node(&disk, true);
    let mut writer = open_writer(&node);
    // A piece is a megabyte at most.
    log(&node, PIECES_AT_ONCE << 21);
    let now = base::clock::monotonic();
    assert!(writer.write(now), "it goes on later");
    writer.sync().expect("a sync in the middle of a batch");
    assert!(node.append_only.facts().written < node.log.end());
    // All of it, once somebody waits for that.
    writer.write_all();
    assert_eq!(writer.open.as_ref().map(|open| open.written), Some(node.log.end()));
    assert!(!writer.write(now), "there is no more");
}

#[test]
fn what_is_written_is_synced_although_the_disk_takes_no_more() {
    let disk = MemoryDisk::default();
    let node = node(&disk, true);
    let mut writer = open_writer(&node);
    log(&node, 10);
    let now = base::clock::monotonic();
    assert!(!writer.write(now));
    let end = node.log.end();
    writer.retry_at = Some(now + RETRY);
    writer.sync_if_due(now + SYNC_AGE);
    assert_eq!(writer.open.as_ref().map(|open| open.synced), Some(end));
}

#[test]
fn a_sync_that_is_put_off_keeps_the_writer_asleep() {
    let disk = MemoryDisk::default();
    let node = node(&disk, true);
    node.settings.no_appendfsync_on_rewrite.set(true);
    let mut writer = open_writer(&node);
    log(&node, 10);
    let now = base::clock::monotonic();
    assert!(!writer.write(now));
    assert_eq!(writer.wakes_at(now), Some(now + SYNC_AGE));
    let alone = node.keyspace.gate.exclusive();
    let cut = Cut::take(&node, &alone).expect("a cut");
    drop(alone);
    node.saves.state().running = Some(Arc::clone(cut.walk()));
    let later = now + SYNC_AGE;
    writer.sync_if_due(later);
    assert_eq!(writer.wakes_at(later), Some(later + SLEEP));
    cut.discard(&node);
}
