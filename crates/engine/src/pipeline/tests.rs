//! The pipeline with a few commands of its own: transactions, gates, panics, expiry, saving.
#![allow(clippy::unnecessary_wraps, reason = "handlers are of one type")]

use super::*;
use crate::args::{Args, OwnedRequest};
use crate::blocking::{Nothing, Wait, Waiting};
use crate::client::Origin;
use crate::command::Command;
use crate::context::{Context, Outcome};
use crate::error::{CommandError, CommandResult};
use crate::expiry::Expirer;
use crate::gates;
use crate::migration::{Delivery, Migration, Parcel, Target};
use crate::node::{Node, Refused, Services, ShutdownRequest};
use crate::pause::Extent;
use crate::replication::Address;
use crate::session::{ReplicaFacts, Session};
use crate::snapshot::{LoadOptions, load_file, save_at_exit, save_in_background};
use crate::transaction;
use base::Millis;
use base::disk::SystemDisk;
use base::lock::{Mutex, Rank};
use conf::Settings;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec};
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const KEY: &[KeySpec] = &[KeySpec::one(1, &[KeyFlag::ReadWrite])];

const fn row(
    name: &'static str,
    flags: &'static [Flag],
    keys: &'static [KeySpec],
    args: &'static [Arg],
) -> CommandSpec {
    CommandSpec { name, flags, keys, args, group: Group::String, ..CommandSpec::EMPTY }
}

const fn command(spec: CommandSpec, run: crate::command::Handler) -> Command {
    Command { spec, run, subcommands: &[] }
}

const WORDS: &[Arg] = &[Arg::key("key"), Arg::bytes("value")];
const WHOLE: &[Flag] = &[Flag::Write, Flag::WholeKeyspace];

static PUT: Command = command(row("put", &[Flag::Write], KEY, WORDS), put);
static TAKE: Command = command(row("take", &[Flag::ReadOnly], KEY, &[Arg::key("key")]), take);
static UNTIL: Command = command(row("until", &[Flag::Write], KEY, WORDS), until);
static BOOM: Command = command(row("boom", &[Flag::Write], KEY, &[Arg::key("key")]), boom);
static BOOM_ALL: Command = command(row("boomall", WHOLE, &[], &[]), boom);
static CHECK: Command = command(row("check", WHOLE, &[], &[]), check_role);
static SEND: Command = command(row("send", &[Flag::Write], KEY, &[Arg::key("key")]), send);
static COPY: Command = command(row("copy", &[Flag::Write], KEY, &[Arg::key("key")]), send);
static MULTI: Command = command(row("multi", &[], &[], &[]), multi);
static EXEC: Command = command(row("exec", &[], &[], &[]), |_, _| Err(CommandError::Syntax));

const COMMANDS: [&Command; 10] =
    [&PUT, &TAKE, &UNTIL, &BOOM, &BOOM_ALL, &CHECK, &SEND, &COPY, &MULTI, &EXEC];

fn put(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, value) = (args.key()?, args.bytes()?);
    cx.keys.put_string(key, value, None);
    cx.effects.changed(cx.keys.db, key, crate::effects::Event::Set);
    cx.reply.ok();
    Ok(())
}

fn take(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    match cx.keys.string(args.key()?)? {
        Some(text) => cx.reply.bulk(text.to_vec()),
        None => cx.reply.null(),
    }
    Ok(())
}

fn until(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, at) = (args.key()?, args.integer()?);
    cx.keys.set_expire_at(key, Some(Millis(at.unsigned_abs())));
    cx.effects.changed(cx.keys.db, key, crate::effects::Event::Expire);
    cx.reply.ok();
    Ok(())
}

fn boom(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.ok();
    panic!("on purpose");
}

/// Runs at a primary only.
fn check_role(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.integer(i64::from(cx.node.originates()));
    Ok(())
}

/// Hands its key to the program.
fn send(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if cx.session.delivered.take().is_some() {
        cx.reply.ok();
        return Ok(());
    }
    let target = Target {
        host: String::new(),
        port: 0,
        db: 0,
        login: None,
        timeout: Millis(1),
        copy: cx.command.full_name == "copy",
        replace: false,
    };
    let parcel = Parcel { key: args.key()?.into(), ttl_ms: 0, payload: Vec::new() };
    cx.hand_off(args.request(), target, vec![parcel]);
    Ok(())
}

fn multi(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    transaction::begin(cx.session);
    cx.reply.ok();
    Ok(())
}

fn node() -> Node {
    Node::new(Arc::new(Settings::default()), None, &COMMANDS, &[], 4, None)
}

/// A connection of its own thread.
struct Client<'n> {
    worker: Worker<'n>,
    session: Session,
}

impl<'n> Client<'n> {
    fn new(node: &'n Node) -> Client<'n> {
        let session = Session::new(node.clients.add(Origin::default()), true);
        Client { worker: Worker::new(node).expect("a seat"), session }
    }

    /// Runs a line.
    fn once(&mut self, line: &str) -> (Outcome, String) {
        let owned = OwnedRequest::from_words(line.split(' ').map(str::as_bytes));
        let request = owned.request();
        let prepared = prepare(&self.worker.node().table, request);
        let mut out = Vec::new();
        self.worker.enter();
        let outcome = self.worker.execute(&mut self.session, &prepared, request, &mut out);
        assert!(self.worker.is_inside());
        self.worker.leave();
        (outcome, String::from_utf8(out).expect("text"))
    }

    /// Runs a line, as often as it is parked.
    fn call(&mut self, line: &str) -> String {
        loop {
            let (outcome, reply) = self.once(line);
            if !matches!(outcome, Outcome::Parked) {
                return reply;
            }
            thread::yield_now();
        }
    }

    #[track_caller]
    fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(self.call(line), expected, "{line}");
    }
}

#[test]
fn a_panic_is_answered_and_leaves_everything_in_order() {
    for line in ["boom k", "boomall"] {
        let node = node();
        let mut client = Client::new(&node);
        client.check("put k v", "+OK\r\n");
        let told = client.call(line);
        assert!(told.starts_with("-ERR ") && told.ends_with("\r\n"), "{told}");
        assert!(node.incomplete.load(Ordering::Acquire));
        // Locks are free, the gate opens, the next command is logged.
        drop(node.keyspace.gate.exclusive());
        let before = node.log.end();
        client.check("put k w", "+OK\r\n");
        client.check("take k", "$1\r\nw\r\n");
        assert!(node.log.end() > before);
    }
}

#[test]
fn who_is_served_in_vain_waits_on_unless_the_connection_has_ended() {
    let node = node();
    let client = Client::new(&node);
    let command = node.table.find(b"take").expect("a command");
    let owned = OwnedRequest::from_words([&b"take"[..], b"k"]);
    let keys: &[&[u8]] = &[b"k"];
    let waits = || {
        let (timeout, nothing, request) = (None, Nothing::Null, None);
        let wait = Wait { keys, timeout, nothing, request, minds_absence: true, again_in: None };
        Waiting::new(&client.session, command, owned.request(), wait)
    };
    let goes_on = waits();
    assert!(goes_on.claim() && goes_on.unclaim() && goes_on.is_waiting());
    assert!(goes_on.abandon() && !goes_on.claim());
    let ends = waits();
    assert!(ends.claim() && !ends.abandon(), "whoever serves it has it");
    assert!(!ends.unclaim() && !ends.is_waiting(), "and keeps it");
}

#[test]
fn who_came_to_wait_before_a_shard_was_taken_is_told_that_its_key_has_gone() {
    let node = node();
    let mut client = Client::new(&node);
    client.worker.effects.begin(&node);
    let command = node.table.find(b"take").expect("a command");
    let owned = OwnedRequest::from_words([&b"take"[..], b"k"]);
    let (timeout, nothing, request) = (None, Nothing::Null, None);
    let wait =
        Wait { keys: &[b"k"], timeout, nothing, request, minds_absence: true, again_in: None };
    let waiting = Arc::new(Waiting::new(&client.session, command, owned.request(), wait));
    node.waiters.add(&waiting);
    client.worker.effects.expired(&node, 0, b"k");
    assert!(client.worker.effects.has_ready());
}

/// A program that keeps what it is to send.
struct Keeps(Arc<Mutex<Vec<Migration>>>);

impl Services for Keeps {
    fn follow(&self, _: Option<Address>) {}
    fn hand_over(&self) {}
    fn adopt_replica(&self, _: u64, _: ReplicaFacts, _: OwnedFd, _: Vec<u8>) {}
    fn kill_link(&self, _: u64) {}
    fn shut_down(&self, _: ShutdownRequest) {}
    fn abort_shutdown(&self) -> bool {
        false
    }
    fn settings_changed(&self, _: &[&str]) -> Result<(), Refused> {
        Ok(())
    }
    fn migrate(&self, migration: Box<Migration>) -> Result<(), Box<Migration>> {
        self.0.lock().push(*migration);
        Ok(())
    }
}

#[test]
fn the_end_of_a_copy_lets_nobody_at_a_key_that_moves() {
    let node = node();
    let kept = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    node.set_services(Box::new(Keeps(Arc::clone(&kept))));
    let [mut copies, mut sends, mut puts] = [(); 3].map(|()| Client::new(&node));
    puts.check("put k v", "+OK\r\n");
    assert!(matches!(copies.once("copy k"), (Outcome::Blocked, _)));
    assert!(matches!(sends.once("send k"), (Outcome::Blocked, _)));
    assert!(matches!(puts.once("put k w"), (Outcome::Parked, _)));
    for ended in ["copy", "send"] {
        let migration = kept.lock().remove(0);
        copies.worker.enter();
        copies.worker.finish_migration(&migration, Delivery::default());
        copies.worker.leave();
        let is_parked = matches!(puts.once("put k w"), (Outcome::Parked, _));
        assert_eq!(is_parked, ended == "copy", "behind the {ended}");
    }
}

#[test]
fn a_panic_inside_a_transaction_ends_it() {
    let node = node();
    let mut client = Client::new(&node);
    client.check("multi", "+OK\r\n");
    client.check("put k v", "+QUEUED\r\n");
    client.check("boomall", "+QUEUED\r\n");
    assert!(client.call("exec").starts_with("-ERR "));
    assert!(!client.session.executing && client.session.queue.is_none());
    client.check("take k", "$1\r\nv\r\n");
}

#[test]
fn transactions_of_two_threads_are_whole() {
    let node = node();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::new(&node);
            for number in 0..2_000 {
                client.call("multi");
                client.call(&format!("put a {number}"));
                client.call(&format!("put b {number}"));
                client.check("exec", "*2\r\n+OK\r\n+OK\r\n");
            }
            done.store(true, Ordering::Release);
        });
        let mut client = Client::new(&node);
        while !done.load(Ordering::Acquire) {
            client.call("multi");
            client.call("take a");
            client.call("take b");
            let reply = client.call("exec");
            let halves = reply.strip_prefix("*2\r\n").expect("two");
            assert_eq!(halves[..halves.len() / 2], halves[halves.len() / 2..]);
        }
    });
}

/// A command that waits for everything is asked again whether it may run: the role may have changed.
#[test]
fn nothing_runs_under_rules_it_was_not_asked_about() {
    let node = node();
    let done = AtomicBool::new(false);
    let address = || Some(Address { host: "nowhere".to_owned(), port: 1 });
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..2_000 {
                let alone = node.keyspace.gate.exclusive();
                node.change_role(&alone, (number % 2 == 0).then(address).flatten());
                drop(alone);
                thread::yield_now();
            }
            done.store(true, Ordering::Release);
        });
        let mut client = Client::new(&node);
        while !done.load(Ordering::Acquire) {
            let reply = client.call("check");
            assert!(reply == ":1\r\n" || reply.starts_with("-READONLY"), "{reply}");
            client.call("multi");
            client.call("check");
            let reply = client.call("exec");
            let refused = reply.starts_with("-EXECABORT");
            assert!(refused || reply == "*1\r\n:1\r\n", "{reply}");
        }
    });
}

/// Housekeeping works gates out too, on another thread; what it has seen earlier must not win.
#[test]
fn a_new_role_shuts_its_gates_at_once_and_for_good() {
    let node = node();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                node.refresh();
            }
        });
        for number in 0..2_000 {
            let is_replica = number % 2 == 0;
            let address = Address { host: "nowhere".to_owned(), port: 1 };
            let alone = node.keyspace.gate.exclusive();
            node.change_role(&alone, is_replica.then_some(address));
            drop(alone);
            for _ in 0..3_000 {
                let shut = node.shut_gates() & gates::READ_ONLY != 0;
                if shut != is_replica {
                    done.store(true, Ordering::Release);
                    panic!("round {number}: the gate says {shut}");
                }
            }
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn the_log_stands_still_while_writes_are_paused() {
    let node = node();
    let mut client = Client::new(&node);
    client.call("put k v");
    client.call("put other v");
    client.call("until k 1");
    node.pause.begin(Millis(u64::MAX), Extent::Writes);
    node.refresh();
    let end = node.log.end();
    client.check("take k", "$-1\r\n");
    client.worker.enter();
    assert!(!Expirer::new(0, 1).step(&mut client.worker));
    client.worker.leave();
    assert_eq!((node.log.end(), node.keyspace.count(0)), (end, (2, 1)));
    node.pause.end();
    node.refresh();
    client.check("take k", "$-1\r\n");
    assert_eq!(node.keyspace.count(0), (1, 0));
    assert!(node.log.end() > end);
}

#[test]
fn active_expiry_takes_out_what_has_expired() {
    let node = node();
    let mut client = Client::new(&node);
    let later = (base::clock::unix().0 + 1_000_000).to_string();
    for number in 0..600 {
        client.call(&format!("put {{tag}}{number} v"));
        let at = if number % 3 == 0 { &later } else { "1" };
        // Nothing looks at the key any more, so only active expiry can take it out.
        client.call(&format!("until {{tag}}{number} {at}"));
    }
    let before = node.log.end();
    let mut expirer = Expirer::new(0, 1);
    client.worker.enter();
    while expirer.step(&mut client.worker) {}
    client.worker.leave();
    assert_eq!(node.keyspace.count(0), (200, 200));
    assert_eq!(node.stats.expired_keys.load(Ordering::Relaxed), 400);
    assert!(node.log.end() > before);
}

#[test]
fn figures_count_transactions_and_what_is_in_them() {
    let node = node();
    let mut client = Client::new(&node);
    client.call("multi");
    client.call("put k v");
    client.call("take k");
    client.call("take none");
    client.call("exec");
    let calls = |name: &str| {
        let command = node.table.find(name.as_bytes()).expect("a command");
        node.stats.command(command.index)[0]
    };
    assert_eq!([calls("multi"), calls("put"), calls("take"), calls("exec")], [1, 1, 2, 1]);
    let sum = |counter: fn(&crate::stats::LoopStats) -> &AtomicU64| node.stats.sum(counter);
    assert_eq!((sum(|stats| &stats.hits), sum(|stats| &stats.misses)), (1, 1));
    assert_eq!(sum(|stats| &stats.processed), 5);
}

#[test]
fn a_save_that_fails_stops_writes_until_one_succeeds() {
    let node = Arc::new(node());
    let mut client = Client::new(&node);
    client.call("put k v");
    let folder = std::env::temp_dir().join(format!("redoubt-save-{}", node.run_id));
    // There is no such folder yet: the file cannot even be made.
    node.settings.dir.set(folder.to_str().expect("text").as_bytes().into());
    assert!(save_at_exit(&node).is_err());
    assert_eq!(node.keyspace.walks(), 0);
    // Whoever waited was told.
    client.check("put k v", "+OK\r\n");
    save_in_background(&node, &node.keyspace.gate.exclusive()).expect("begun");
    while !client.call("put k v").starts_with("-MISCONF ") {
        thread::yield_now();
    }
    assert_eq!(node.keyspace.walks(), 0);
    client.check("take k", "$1\r\nv\r\n");
    fs::create_dir(&folder).expect("a folder");
    save_at_exit(&node).expect("a save");
    client.check("put k w", "+OK\r\n");
    fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_damaged_file_is_refused_whole() {
    let node = node();
    let mut client = Client::new(&node);
    for number in 0..200 {
        client.call(&format!("put key{number} value{number}"));
    }
    let folder = std::env::temp_dir().join(format!("redoubt-load-{}", node.run_id));
    fs::create_dir(&folder).expect("a folder");
    node.settings.dir.set(folder.to_str().expect("text").as_bytes().into());
    save_at_exit(&node).expect("a save");
    let path = folder.join("dump.rdb");
    let options = LoadOptions::default();
    let whole = load_file(&SystemDisk, &path, options, |_| {}).expect("sound").expect("there");
    assert_eq!(whole.keys, 200);
    let sound = fs::read(&path).expect("a file");
    for at in (9..sound.len()).step_by(7) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).expect("written");
        assert!(load_file(&SystemDisk, &path, options, |_| {}).is_err(), "byte {at}");
        fs::write(&path, &sound[..at]).expect("written");
        assert!(load_file(&SystemDisk, &path, options, |_| {}).is_err(), "cut at {at}");
    }
    fs::remove_dir_all(&folder).expect("removed");
}
