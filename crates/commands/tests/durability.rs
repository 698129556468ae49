//! The append-only file on a disk that loses power, a process that is killed, and calls that fail.
//!
//! A node without sockets writes to a disk in memory, from several threads whose replies pass the same
//! barrier as those of clients. Then the power goes, or the process; what the next start loads is
//! compared with what was acknowledged. Time is let go by, not waited for.
//!
//! Each thread counts up its own keys, so that what is held can be no less than what it was told is
//! written, and no more than what it has begun.

mod client;

use base::disk::Disk;
use base::disk::memory::{Fault, MemoryDisk};
use base::random::Random;
use base::{Millis, Offset, RunId, clock};
use client::Client;
use conf::{AppendFsync, ProtectedAction, Settings};
use engine::Node;
use engine::append_only::{self, Tail, load};
use engine::mailbox::Mailbox;
use engine::snapshot::LoadOptions;
use psync::History;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use structures::ValueRef;

/// Threads that write.
const WRITERS: u64 = 3;
/// Power cuts and kills of each policy in a short run, and in a long one.
const CYCLES: [u64; 2] = [100, 5_000];
/// How often it is looked whether a disk that works again is used.
const LOOKS_MAX: u32 = 100_000;
/// How often a test looks for what another thread is to do before it gives up.
const WAITS_MAX: u32 = 20_000_000;

fn cycles() -> u64 {
    CYCLES[usize::from(std::env::var_os("PROPTEST_CASES").is_some())]
}

fn settings(policy: AppendFsync) -> Arc<Settings> {
    let settings = Arc::new(Settings::default());
    settings.appendonly.set(true);
    settings.enable_debug_command.set(ProtectedAction::Yes);
    settings.appendfsync.set(policy);
    settings.dir.set(b"/data"[..].into());
    settings
}

/// A value of each type and encoding, in two databases.
const EVERY_TYPE: &[&str] = &[
    "set text value",
    "set number 12345",
    "set fleeting value pxat 32503680000000",
    "rpush short a b 1 2",
    "sadd numbers 1 2 3",
    "sadd words a b 3",
    "zadd scores 1 a 2.5 b inf c -inf d",
    "sadd leaving a b",
    "pexpirememberat leaving a 32503680000000",
    "zadd falling 1 a 2 b",
    "pexpirememberat falling a 32503680000000",
    "hset pairs a 1 b 2",
    "hset ending a 1 b 2",
    "hpexpireat ending 32503680000000 fields 1 a",
    "xadd stream 1-1 a b",
    "xadd stream 1-2 a c",
    "xgroup create stream readers 0",
    "xreadgroup group readers reader count 1 streams stream >",
    "pfadd estimate a b c",
    "select 9",
    "set other value",
];

/// Starts a node from what is on `disk`, as a server does.
fn start(template: &Node, disk: &MemoryDisk, policy: AppendFsync) -> Result<Arc<Node>, String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let node = Arc::new(template.another(settings(policy), Arc::clone(&disk), 8));
    node.set_mailboxes(vec![Arc::new(Mailbox::new(Box::new(|| ())))]);
    let directory = append_only::directory(&node.settings, &disk);
    let options = LoadOptions::of(&node, None);
    let found = load::find(&directory, None).map_err(|error| error.to_string())?;
    let loaded = found.map(|found| load::load(&node, &directory, found, options));
    let loaded = loaded.transpose().map_err(|error| error.to_string())?;
    let tail: Option<Tail> = loaded.map(|loaded| {
        loaded.dataset.adopt(&node);
        loaded.tail
    });
    append_only::start(&node, tail)?;
    let end = node.log.end();
    node.replication.state().history.shift(end, RunId::generate(&mut Random::from_system()));
    Ok(node)
}

/// Waits until the reply to `client` may leave; false if `gone` says that it never will.
fn passes(client: &Client<'_>, gone: &AtomicBool) -> bool {
    while client.node.must_hold(client.session.last_write, clock::monotonic()) {
        if gone.load(Ordering::SeqCst) {
            return false;
        }
        thread::yield_now();
    }
    !gone.load(Ordering::SeqCst)
}

/// What one thread has done with its keys: a counter, a list of the same length, and a pair.
#[derive(Default)]
struct Account {
    begun: u64,
    /// What was acknowledged, and when.
    acknowledged: Vec<(u64, Millis)>,
}

fn write(client: &mut Client<'_>, writer: u64, account: &mut Account, gone: &AtomicBool) -> bool {
    account.begun += 1;
    let number = account.begun;
    let lines = match number % 3 {
        0 => vec![format!("set c{writer} {number}")],
        1 => vec![format!("rpush l{writer} {number}"), format!("set c{writer} {number}")],
        _ => vec![
            "multi".to_owned(),
            format!("set p{writer} {number}"),
            format!("set q{writer} {number}"),
            format!("set c{writer} {number}"),
            "exec".to_owned(),
        ],
    };
    for line in lines {
        let reply = client.run(&line);
        if reply.starts_with('-') {
            return false;
        }
        if !passes(client, gone) {
            return true;
        }
    }
    account.acknowledged.push((number, clock::monotonic()));
    true
}

/// Strings, and lists by their lengths.
fn contents(node: &Node) -> BTreeMap<String, u64> {
    let mut client = Client::new(node);
    let mut held = BTreeMap::new();
    for writer in 0..WRITERS {
        for key in ["c", "p", "q"].map(|name| format!("{name}{writer}")) {
            let reply = client.run(&format!("get {key}"));
            let value = reply.lines().nth(1).map_or(0, |text| text.parse().expect("a number"));
            held.insert(key, value);
        }
        let reply = client.run(&format!("lrange l{writer} 0 -1"));
        let list: Vec<u64> = reply.lines().filter_map(|line| line.parse().ok()).collect();
        let expected: Vec<u64> = (0..list.len() as u64).map(|at| at * 3 + 1).collect();
        assert_eq!(list, expected, "a list lacks something in its middle");
        held.insert(format!("l{writer}"), list.len() as u64);
    }
    held
}

/// Compares what is held with what was done; gives the milliseconds of acknowledged writes that are gone.
fn compare(held: &BTreeMap<String, u64>, accounts: &[Account], context: &str) -> u64 {
    let last = accounts.iter().filter_map(|account| account.acknowledged.last());
    let last = last.map(|&(_, at)| at).max().unwrap_or_default();
    let mut lost_ms = 0;
    for (writer, account) in accounts.iter().enumerate() {
        let count = held[&format!("c{writer}")];
        assert!(count <= account.begun, "{context}: something was never written");
        assert_eq!(held[&format!("p{writer}")], held[&format!("q{writer}")], "{context}");
        let pair = held[&format!("p{writer}")];
        assert!(pair <= count && count <= pair + 3, "{context}: {held:?}");
        let gone = account.acknowledged.iter().find(|&&(number, _)| number > count);
        if let Some(&(_, at)) = gone {
            lost_ms = lost_ms.max(last.since(at).0.max(1));
        }
    }
    lost_ms
}

/// Writes for a while, and ends the disk in the middle of it.
fn cycle(node: &Arc<Node>, disk: &MemoryDisk, accounts: &mut [Account], seed: u64) -> MemoryDisk {
    let mut random = Random::from_seed(seed);
    let (gone, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let wanted = random.below(300);
    let power = random.one_in(2);
    let rewrites_at = random.below(600);
    let after = thread::scope(|scope| {
        for (writer, account) in accounts.iter_mut().enumerate() {
            let (gone, done) = (&gone, &done);
            scope.spawn(move || {
                let mut client = Client::new(node);
                while !gone.load(Ordering::SeqCst) {
                    if write(&mut client, writer as u64, account, gone) {
                        done.fetch_add(1, Ordering::SeqCst);
                    } else {
                        // Only a disk that is off refuses.
                        thread::yield_now();
                    }
                }
            });
        }
        let mut rewritten = false;
        let mut client = Client::new(node);
        while done.load(Ordering::SeqCst) < wanted {
            if !rewritten && done.load(Ordering::SeqCst) >= rewrites_at {
                client.run("bgrewriteaof");
                rewritten = true;
            }
            clock::pass(Millis(random.below(60)));
            thread::yield_now();
        }
        let after = if power { disk.cut_power(&mut random) } else { disk.kill() };
        gone.store(true, Ordering::SeqCst);
        after
    });
    // The disk is off: that it cannot be flushed is no news.
    let _ = node.append_only.stop();
    after
}

fn template() -> Node {
    Node::new(Arc::new(Settings::default()), None, &commands::all(), &[], 1, None)
}

/// Runs cycles, several on one disk; gives the milliseconds lost in each.
fn run(policy: AppendFsync) -> Vec<u64> {
    let template = template();
    let mut lost = Vec::new();
    let mut seed = 0;
    while seed < cycles() {
        let mut disk = MemoryDisk::default();
        let mut accounts: Vec<Account> = (0..WRITERS).map(|_| Account::default()).collect();
        for generation in 0..4 {
            let node = start(&template, &disk, policy)
                .unwrap_or_else(|error| panic!("seed {seed}, start {generation}: {error}"));
            let held = contents(&node);
            let context = format!("{policy:?}, seed {seed}");
            lost.push(compare(&held, &accounts, &context));
            for (writer, account) in accounts.iter_mut().enumerate() {
                // A list gets every third number: begin where the first of three begins.
                let list = held[&format!("l{writer}")];
                let count = held[&format!("c{writer}")];
                *account = Account { begun: count, acknowledged: Vec::new() };
                if count / 3 + u64::from(!count.is_multiple_of(3)) != list {
                    // It stands between the two commands of a pair.
                    account.begun = list * 3 - 2;
                }
            }
            disk = cycle(&node, &disk, &mut accounts, seed);
            seed += 1;
        }
    }
    lost
}

/// The cycles that cost more than so many milliseconds, and how many.
fn worse_than(bar_ms: u64, lost: &[u64]) -> Vec<(usize, u64)> {
    lost.iter().copied().enumerate().filter(|&(_, ms)| ms > bar_ms).collect()
}

#[test]
fn always_loses_nothing_that_was_acknowledged() {
    assert_eq!(worse_than(0, &run(AppendFsync::Always)), []);
}

#[test]
fn everysec_loses_a_second_of_acknowledged_writes_at_most() {
    let lost = run(AppendFsync::Everysec);
    let mut histogram = [0; 11];
    for &ms in &lost {
        histogram[usize::try_from(ms.div_ceil(100)).unwrap_or(10).min(10)] += 1;
    }
    // The first number counts those that lost nothing, each other one those of another 100 ms.
    eprintln!("everysec, milliseconds of acknowledged writes lost, by 100: {histogram:?}");
    assert_eq!(worse_than(1000, &lost), []);
    assert!(lost.iter().any(|&ms| ms > 0), "the power cuts cost nothing: they test nothing");
}

/// Starts, writes, rewrites, writes and flushes, whatever fails. Gives how many writes were acknowledged.
fn scenario(template: &Node, disk: &MemoryDisk) -> (Result<Arc<Node>, String>, u64) {
    let node = match start(template, disk, AppendFsync::Always) {
        Ok(node) => node,
        Err(error) => return (Err(error), 0),
    };
    let mut client = Client::new(&node);
    let mut acknowledged = 0;
    let mut put = |client: &mut Client<'_>, number: u64| {
        let refused = client.run(&format!("set k {number}")).starts_with('-');
        // A flush that fails has written nothing more; one that succeeds lets the reply go.
        let flushed = client.node.append_only.flush().is_ok();
        if !refused && flushed && !client.node.must_hold(client.session.last_write, Millis(0)) {
            acknowledged = number;
        }
    };
    (1..5).for_each(|number| put(&mut client, number));
    client.run("bgrewriteaof");
    while node.append_only.facts().is_rewriting() {
        thread::yield_now();
    }
    (5..9).for_each(|number| put(&mut client, number));
    drop(client);
    (Ok(node), acknowledged)
}

/// The members of sets and sorted sets that expire, with their keys, and when.
fn ends(node: &Node) -> BTreeMap<(Vec<u8>, Vec<u8>), Millis> {
    let mut ends = BTreeMap::new();
    node.keyspace.each_shard(|_, shard| {
        for entry in shard.dbs().flat_map(|(_, db)| db.iter()) {
            if let ValueRef::Boxed(object) = entry.value() {
                let members = object.expiring_members();
                ends.extend(members.map(|(name, at)| ((entry.key().to_vec(), name.to_vec()), at)));
            }
        }
    });
    ends
}

#[test]
fn a_base_of_requests_holds_what_a_snapshot_would() {
    let template = template();
    let disk = MemoryDisk::default();
    let node = start(&template, &disk, AppendFsync::Everysec).expect("a start");
    node.settings.aof_use_rdb_preamble.set(false);
    let mut client = Client::new(&node);
    for line in EVERY_TYPE {
        assert!(!client.run(line).starts_with('-'), "{line}");
    }
    // More than one request has room for.
    for (name, count) in [("rpush long", 300), ("sadd many", 300), ("zadd ranks", 150)] {
        let words: Vec<String> = (0..count).map(|number| format!("{number}")).collect();
        assert!(!client.run(&format!("{name} {}", words.join(" "))).starts_with('-'), "{name}");
    }
    // Members of sets say when they end, which no digest tells.
    let ends = ends(&node);
    assert_eq!(ends.len(), 2);
    let digest = client.run("debug digest");
    assert!(digest.len() > 40 && !digest.contains("000000000000000000000000000000"), "{digest}");
    client.run("bgrewriteaof");
    // For the next one.
    node.settings.aof_use_rdb_preamble.set(true);
    drop(client);
    while node.append_only.facts().is_rewriting() {
        thread::yield_now();
    }
    let end = node.log.end();
    node.append_only.stop().expect("a flush");
    let disk = disk.kill();
    let names = disk.names(Path::new("/data/appendonlydir")).expect("names");
    assert!(names.contains(&"appendonly.aof.2.base.aof".to_owned()), "{names:?}");
    let node = start(&template, &disk, AppendFsync::Everysec).expect("a start");
    assert_eq!((Client::new(&node).run("debug digest"), node.log.end()), (digest, end));
    assert_eq!(self::ends(&node), ends);
    node.append_only.stop().expect("a flush");
    // A bit that flips in it is found.
    let base = Path::new("/data/appendonlydir/appendonly.aof.2.base.aof");
    let mut bytes = disk.bytes(base).expect("a base");
    let at = bytes.windows(5).position(|word| word == b"value").expect("a value");
    bytes[at] ^= 1;
    disk.put(base, &bytes);
    let error = start(&template, &disk.kill(), AppendFsync::Everysec).expect_err("damage");
    assert!(error.contains("checksum") && error.contains("appendonly.aof.2.base.aof"), "{error}");
}

fn number_held(node: &Node) -> u64 {
    let reply = Client::new(node).run("get k");
    reply.lines().nth(1).map_or(0, |text| text.parse().expect("a number"))
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    let template = template();
    let disk = MemoryDisk::default();
    let (node, acknowledged) = scenario(&template, &disk);
    node.expect("a start").append_only.stop().expect("a flush");
    assert_eq!(acknowledged, 8);
    let calls = disk.calls();
    assert!(calls > 40, "{calls}");
    for call in 1..=calls {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            for fault in [Fault::Once(call, kind), Fault::From(call, kind)] {
                let disk = MemoryDisk::default();
                disk.set_fault(Some(fault));
                let (node, acknowledged) = scenario(&template, &disk);
                let context = format!("{fault:?}");
                if let Ok(node) = node {
                    mends(&node, &disk, &context);
                    let _ = node.append_only.stop();
                }
                let disk = disk.kill();
                let node = start(&template, &disk, AppendFsync::Always)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                let held = number_held(&node);
                assert!(held >= acknowledged, "{context}: {held} of {acknowledged}");
                node.append_only.stop().expect("a flush");
            }
        }
    }
}

/// Once the disk works again, so do writes.
///
/// # Panics
/// If they do not.
fn mends(node: &Arc<Node>, disk: &MemoryDisk, context: &str) {
    disk.set_fault(None);
    let mut client = Client::new(node);
    for _ in 0..LOOKS_MAX {
        clock::pass(Millis(100));
        engine::cron::tick(node);
        let refused = client.run("set k 9").starts_with('-');
        if !refused
            && node.append_only.flush().is_ok()
            && !node.must_hold(client.session.last_write, Millis(0))
        {
            return;
        }
        thread::yield_now();
    }
    panic!("{context}: it never works again: {:?}", node.append_only.facts());
}

#[test]
fn whichever_call_of_a_load_fails_it_is_told_and_nothing_is_changed() {
    let template = template();
    let disk = MemoryDisk::default();
    let (node, _) = scenario(&template, &disk);
    node.expect("a start").append_only.stop().expect("a flush");
    let written = disk.kill();
    let loaded = written.kill();
    let node = start(&template, &loaded, AppendFsync::Always).expect("a start");
    node.append_only.stop().expect("a flush");
    let calls = loaded.calls();
    assert!(calls >= 6, "{calls}");
    let (mut disk, mut told) = (written, 0);
    for call in 1..=calls {
        disk = disk.kill();
        disk.set_fault(Some(Fault::Once(call, io::ErrorKind::Other)));
        match start(&template, &disk, AppendFsync::Always) {
            // It was none that the load needs.
            Ok(node) => {
                assert_eq!(number_held(&node), 8, "call {call}");
                let _ = node.append_only.stop();
            }
            Err(_) => told += 1,
        }
        disk = disk.kill();
        let node = start(&template, &disk, AppendFsync::Always).expect("a start");
        assert_eq!(number_held(&node), 8, "after call {call}");
        node.append_only.stop().expect("a flush");
    }
    assert!(told >= 6, "{told} of {calls} calls were missed");
}

#[test]
fn a_restart_goes_on_at_the_offset_where_the_file_ends() {
    let template = template();
    let disk = MemoryDisk::default();
    let node = start(&template, &disk, AppendFsync::Everysec).expect("a start");
    let mut client = Client::new(&node);
    client.run("set k 1");
    client.run("bgrewriteaof");
    client.run("set k 2");
    drop(client);
    node.append_only.flush().expect("a flush");
    let (end, replid) = (node.log.end(), node.replication.state().history.replid);
    assert!(end > Offset(0));
    node.append_only.stop().expect("a flush");
    let node = start(&template, &disk.kill(), AppendFsync::Everysec).expect("a start");
    let history = node.replication.state().history;
    assert_eq!((node.log.end(), history.replid2, history.second_offset), (end, replid, Some(end)));
    assert_eq!(number_held(&node), 2);
    node.append_only.stop().expect("a flush");
}

/// Looks until something has come about.
///
/// # Panics
/// If it does not.
fn until(what: &str, has_come: impl Fn() -> bool) {
    for _ in 0..WAITS_MAX {
        if has_come() {
            return;
        }
        thread::yield_now();
    }
    panic!("never: {what}");
}

/// Waits until a sync of a file with `text` in its name is held up.
fn hold(disk: &MemoryDisk, text: &str) {
    disk.hold_syncs(Some(text));
    until(text, || disk.is_held());
}

/// What the new base of a rewrite is called until it is in place.
const NEW_BASE: &str = "temp-rewriteaof";
const RUNNING: &str = "-ERR Background append only file rewriting already in progress\r\n";

/// While a rewrite whose base is held up is under way no other begins; behind it all is as ever: what was
/// acknowledged is there after a kill.
fn no_other_begins(template: &Node, disk: &MemoryDisk, node: &Arc<Node>) {
    let mut client = Client::new(node);
    assert!(node.append_only.facts().is_rewriting());
    for _ in 0..3 {
        clock::pass(Millis(2000));
        engine::cron::tick(node);
        assert_eq!(client.run("bgrewriteaof"), RUNNING);
    }
    assert!(node.append_only.facts().is_rewriting());
    disk.hold_syncs(None);
    until("the end of the rewrite", || !node.append_only.facts().is_rewriting());
    let facts = format!("{:?}", node.append_only.facts());
    assert!(node.append_only.facts().is_listed && !node.append_only.refuses(), "{facts}");
    assert_eq!(client.run("set k 9"), "+OK\r\n", "{facts}");
    node.append_only.flush().expect("a flush");
    assert!(!node.must_hold(client.session.last_write, clock::monotonic()), "{facts}");
    let disk = disk.kill();
    let _ = node.append_only.stop();
    let node = start(template, &disk, AppendFsync::Always).expect("a start");
    assert_eq!(number_held(&node), 9);
    node.append_only.stop().expect("a flush");
}

#[test]
fn a_rewrite_that_begins_while_a_sync_fails_is_the_only_one() {
    let (template, disk) = (template(), MemoryDisk::default());
    let node = start(&template, &disk, AppendFsync::Always).expect("a start");
    let mut client = Client::new(&node);
    disk.hold_syncs(Some(".incr"));
    client.run("set k 1");
    until("a sync", || disk.is_held());
    assert!(client.run("bgrewriteaof").starts_with("+Background"));
    disk.set_fault(Some(Fault::Once(1, io::ErrorKind::Other)));
    hold(&disk, NEW_BASE);
    drop(client);
    no_other_begins(&template, &disk, &node);
}

#[test]
fn a_rewrite_of_a_file_turned_on_while_another_ends_is_the_only_one() {
    let (template, disk) = (template(), MemoryDisk::default());
    let node = start(&template, &disk, AppendFsync::No).expect("a start");
    let mut client = Client::new(&node);
    disk.hold_syncs(Some(NEW_BASE));
    client.run("set k 1");
    client.run("bgrewriteaof");
    until("a new base", || disk.is_held());
    let increment = Path::new("/data/appendonlydir/appendonly.aof.2.incr.aof");
    until("an increment", || disk.bytes(increment).is_some());
    client.run("set k 2");
    until("it is written", || node.append_only.facts().written == node.log.end());
    // The sync before the new base is put in place, of what the policy alone would not have synced.
    hold(&disk, ".incr");
    assert_eq!(client.run("config set appendonly no"), "+OK\r\n");
    assert_eq!(client.run("config set appendonly yes"), "+OK\r\n");
    hold(&disk, NEW_BASE);
    drop(client);
    no_other_begins(&template, &disk, &node);
}

/// A write is neither refused nor held, now and when a sync would long be overdue.
fn goes_through(client: &mut Client<'_>) {
    let node = client.node;
    let facts = format!("{:?}", node.append_only.facts());
    assert_eq!(client.run("set k 2"), "+OK\r\n", "{facts}");
    for late_ms in [0, 100_000] {
        let now = clock::monotonic() + Millis(late_ms);
        assert!(!node.must_hold(client.session.last_write, now), "after {late_ms} ms: {facts}");
    }
}

#[test]
fn a_file_that_is_turned_off_after_a_sync_has_failed_refuses_nothing() {
    let (template, disk) = (template(), MemoryDisk::default());
    let node = start(&template, &disk, AppendFsync::Always).expect("a start");
    let mut client = Client::new(&node);
    disk.hold_syncs(Some(".incr"));
    client.run("set k 1");
    until("a sync", || disk.is_held());
    disk.set_fault(Some(Fault::From(1, io::ErrorKind::Other)));
    disk.hold_syncs(None);
    until("a refusal", || node.append_only.refuses());
    assert!(client.run("set k 2").starts_with("-MISCONF"));
    assert_eq!(client.run("config set appendonly no"), "+OK\r\n");
    // Behind what was asked before.
    let _ = node.append_only.flush();
    goes_through(&mut client);
    // It is not begun anew either.
    clock::pass(Millis(5000));
    engine::cron::tick(&node);
    assert!(!node.append_only.facts().is_rewriting() && !node.append_only.facts().is_open);
    disk.set_fault(None);
    assert_eq!(client.run("config set appendonly yes"), "+OK\r\n");
    until("a file", || node.append_only.facts().is_listed);
    drop(client);
    node.append_only.stop().expect("a flush");
    let node = start(&template, &disk.kill(), AppendFsync::Always).expect("a start");
    assert_eq!(number_held(&node), 2);
    node.append_only.stop().expect("a flush");
}

#[test]
fn a_file_that_is_turned_off_before_its_first_sync_fails_holds_nothing() {
    let (template, disk) = (template(), MemoryDisk::default());
    let node = start(&template, &disk, AppendFsync::Everysec).expect("a start");
    let mut client = Client::new(&node);
    disk.hold_syncs(Some(".incr"));
    client.run("set k 1");
    let is_announced = || {
        let late = clock::monotonic() + Millis(2000);
        node.append_only.facts().written == node.log.end()
            && node.must_hold(client.session.last_write, late)
    };
    until("a time from which on replies wait", is_announced);
    assert_eq!(client.run("config set appendonly no"), "+OK\r\n");
    until("a sync", || disk.is_held());
    disk.set_fault(Some(Fault::From(1, io::ErrorKind::Other)));
    disk.hold_syncs(None);
    let _ = node.append_only.flush();
    goes_through(&mut client);
    drop(client);
    let _ = node.append_only.stop();
}

/// Gives `node` another history, as a full sync does; its data stays.
fn replace_history(node: &Node) {
    let alone = node.keyspace.gate.exclusive();
    let mut state = node.replication.state();
    state.history = History::new(RunId::generate(&mut Random::from_system()));
    node.log.reset(Offset(1_000));
    node.append_only.history_replaced(node);
    drop(state);
    drop(alone);
}

#[test]
fn after_a_full_sync_nothing_is_promised_until_a_start_would_load_it() {
    let template = template();
    for policy in [AppendFsync::Always, AppendFsync::Everysec, AppendFsync::No] {
        let disk = MemoryDisk::default();
        let node = start(&template, &disk, policy).expect("a start");
        let mut client = Client::new(&node);
        client.run("set k 1");
        node.append_only.flush().expect("a flush");
        assert!(!node.must_hold(client.session.last_write, clock::monotonic()), "{policy:?}");
        disk.hold_syncs(Some(NEW_BASE));
        replace_history(&node);
        // Whoever is promoted now promises what it is told by its own clients.
        assert_eq!(client.run("set k 2"), "+OK\r\n");
        let holds = || node.must_hold(client.session.last_write, clock::monotonic());
        assert!(holds(), "{policy:?}: before the loss is known");
        node.append_only.flush().expect("nothing to be flushed");
        assert!(holds(), "{policy:?}: lost");
        clock::pass(Millis(100));
        engine::cron::tick(&node);
        until("a new base", || disk.is_held());
        let _ = node.append_only.flush();
        assert!(holds() && !node.append_only.facts().is_listed, "{policy:?}: beginning");
        disk.hold_syncs(None);
        until("a reply", || !holds());
        assert!(node.append_only.facts().is_listed, "{policy:?}");
        drop(client);
        let disk = disk.kill();
        let _ = node.append_only.stop();
        let node = start(&template, &disk, policy).expect("a start");
        assert_eq!(number_held(&node), 2, "{policy:?}");
        node.append_only.stop().expect("a flush");
    }
}

#[test]
fn a_file_that_is_turned_on_for_the_first_time_holds_nothing_until_it_is_there() {
    let (template, disk) = (template(), MemoryDisk::default());
    let node = start(&template, &disk, AppendFsync::Always).expect("a start");
    let mut client = Client::new(&node);
    assert_eq!(client.run("config set appendonly no"), "+OK\r\n");
    node.append_only.flush().expect("nothing to be flushed");
    disk.hold_syncs(Some(NEW_BASE));
    assert_eq!(client.run("config set appendonly yes"), "+OK\r\n");
    until("a new base", || disk.is_held());
    client.run("set k 1");
    assert!(!node.must_hold(client.session.last_write, clock::monotonic()));
    disk.hold_syncs(None);
    until("a file", || node.append_only.facts().is_listed);
    drop(client);
    node.append_only.stop().expect("a flush");
}

#[test]
fn whichever_call_of_a_rewrite_fails_it_leaves_nothing_behind() {
    let template = template();
    for preamble in [true, false] {
        for call in 1.. {
            let disk = MemoryDisk::default();
            let node = start(&template, &disk, AppendFsync::No).expect("a start");
            node.settings.aof_use_rdb_preamble.set(preamble);
            let mut client = Client::new(&node);
            client.run("set k 1");
            node.append_only.flush().expect("a flush");
            disk.set_fault(Some(Fault::Once(call, io::ErrorKind::StorageFull)));
            client.run("bgrewriteaof");
            until("the end of the rewrite", || !node.append_only.facts().is_rewriting());
            let has_failed = !node.append_only.facts().last_rewrite_ok;
            disk.set_fault(None);
            let is_left = |name: &String| name.starts_with("temp-rewrite");
            let names = || disk.names(Path::new("/data/appendonlydir")).expect("a directory");
            if has_failed {
                let what = format!("nothing is left after call {call}");
                until(&what, || !names().iter().any(is_left));
            }
            drop(client);
            let _ = node.append_only.stop();
            if !has_failed && call > 20 {
                break;
            }
        }
    }
}
