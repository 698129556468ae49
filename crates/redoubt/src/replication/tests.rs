//! Whole nodes in one process, over loopback sockets; and primaries and replicas that misbehave.

use super::Handle;
use crate::identity::Identity;
use base::random::Random;
use base::{Millis, Offset, RunId};
use conf::{ClassLimit, Settings};
use engine::args::OwnedRequest;
use engine::client::Origin;
use engine::context::Outcome;
use engine::node::{Refused, ShutdownRequest};
use engine::pipeline::{Worker, prepare};
use engine::replication::Address;
use engine::session::ReplicaFacts;
use engine::{Node, Services, Session};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// Nothing here takes longer unless it fails.
const PATIENCE: Millis = Millis(30_000);

struct TestServices(Arc<OnceLock<Handle>>);

impl Services for TestServices {
    fn follow(&self, primary: Option<Address>) {
        self.0.get().unwrap().follow(primary);
    }
    fn hand_over(&self) {
        if let Some(handle) = self.0.get() {
            handle.hand_over();
        }
    }
    fn adopt_replica(&self, client: u64, facts: ReplicaFacts, socket: OwnedFd, unread: Vec<u8>) {
        self.0.get().unwrap().adopt_replica(client, facts, socket, unread);
    }
    fn kill_link(&self, client: u64) {
        self.0.get().unwrap().kill_link(client);
    }
    fn shut_down(&self, _: ShutdownRequest) {}
    fn abort_shutdown(&self) -> bool {
        false
    }
    fn settings_changed(&self, _: &[&str]) -> Result<(), Refused> {
        Ok(())
    }
}

/// A server without a process of its own.
struct Server {
    node: Arc<Node>,
    handle: Arc<OnceLock<Handle>>,
    port: u16,
    loops: Vec<Arc<net::LoopHandle>>,
    threads: Vec<JoinHandle<()>>,
    dir: std::path::PathBuf,
}

fn settings() -> Settings {
    let settings = Settings::default();
    settings.repl_diskless_sync_delay.set(0);
    settings.save.set(Arc::default());
    settings
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn start(settings: Settings) -> Server {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let port = free_port();
        settings.port.set(i64::from(port));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("redoubt-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        settings.dir.set(dir.to_str().unwrap().as_bytes().into());
        let listeners = net::bind_all(&settings, &[]).unwrap();
        let net::Loops { loops, mailboxes, handles } = net::make_loops(2, listeners).unwrap();
        let identity = Identity::load_or_create(&dir).unwrap();
        let all = commands::all();
        let node = Node::new(Arc::new(settings), None, &all, &[], 2, Some(identity.node));
        let node = Arc::new(node);
        node.set_mailboxes(mailboxes);
        let handle = Arc::new(OnceLock::new());
        node.set_services(Box::new(TestServices(Arc::clone(&handle))));
        handle.set(super::start(Arc::clone(&node), identity).unwrap()).unwrap();
        let threads = loops
            .into_iter()
            .map(|each| {
                let node = Arc::clone(&node);
                thread::spawn(move || each.run(&node).unwrap())
            })
            .collect();
        Server { node, handle, port, loops: handles, threads, dir }
    }

    fn client(&self) -> Client<'_> {
        Client::of(&self.node)
    }

    fn follow(&self, primary: Option<u16>) {
        let address = primary.map(|port| Address { host: "127.0.0.1".to_owned(), port });
        let alone = self.node.keyspace.gate.exclusive();
        self.node.change_role(&alone, address);
    }

    fn is_linked(&self) -> bool {
        self.node.replication.is_link_up()
    }

    fn has_all_of(&self, primary: &Server) -> bool {
        self.is_linked() && self.node.log.end() == primary.node.log.end()
    }

    /// Every key that does not expire, by database.
    fn dump(&self) -> BTreeMap<(u32, Vec<u8>), Vec<u8>> {
        let mut data = BTreeMap::new();
        let alone = self.node.keyspace.gate.exclusive();
        self.node.keyspace.each_shard(|_, shard| {
            for (number, db) in shard.dbs() {
                for entry in db.iter() {
                    let text = match engine::keys::Text::of(entry).unwrap() {
                        engine::keys::Text::Int(number) => number.to_string().into_bytes(),
                        engine::keys::Text::Bytes(bytes) => bytes.to_vec(),
                    };
                    data.insert((number, entry.key().to_vec()), text);
                }
            }
        });
        drop(alone);
        data
    }

    /// Full syncs, partial ones, refused partial ones.
    fn syncs(&self) -> (u64, u64, u64) {
        let stats = &self.node.stats;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&stats.sync_full), get(&stats.sync_partial_ok), get(&stats.sync_partial_err))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.loops.iter().for_each(|each| each.stop());
        for thread in std::mem::take(&mut self.threads) {
            let _ = thread.join();
        }
        self.handle.get().unwrap().stop();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A connection without a socket.
struct Client<'n> {
    node: &'n Node,
    worker: Worker<'n>,
    session: Session,
}

impl Client<'_> {
    fn of(node: &Node) -> Client<'_> {
        let session = Session::new(node.clients.add(Origin::default()), true);
        Client { node, worker: Worker::new(node).unwrap(), session }
    }

    fn run(&mut self, line: &str) -> String {
        let words = line.split(' ').map(str::as_bytes);
        let owned = OwnedRequest::from_words(words);
        let request = owned.request();
        let prepared = prepare(&self.node.table, request);
        loop {
            let mut out = Vec::new();
            self.worker.enter();
            let outcome = self.worker.execute(&mut self.session, &prepared, request, &mut out);
            self.worker.leave();
            self.node.hand_over();
            if !matches!(outcome, Outcome::Parked) {
                return String::from_utf8(out).unwrap();
            }
            thread::yield_now();
        }
    }

    #[track_caller]
    fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(self.run(line), expected, "{line}");
    }

    /// Some write, drawn.
    fn write(&mut self, random: &mut Random) {
        let key = random.below(2000);
        let line = match random.below(8) {
            0 => format!("SELECT {}", random.below(4)),
            1 => format!("INCR n{key}"),
            2 => format!("DEL k{key}"),
            3 => format!("APPEND k{key} more"),
            4 => format!("MSET k{key} a l{key} b m{key} c"),
            _ => format!("SET k{key} {}", random.next_u64()),
        };
        self.run(&line);
    }
}

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let began = base::clock::monotonic();
    while !done() {
        assert!(base::clock::monotonic().since(began) < PATIENCE, "not in time: {what}");
        thread::yield_now();
    }
}

/// Writes on `primary` while `action` runs.
fn under_load<T>(primary: &Server, seed: u64, action: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, mut random) = (primary.client(), Random::from_seed(seed));
            while !stop.load(Ordering::Acquire) {
                client.write(&mut random);
            }
        });
        let result = action();
        stop.store(true, Ordering::Release);
        result
    })
}

#[track_caller]
fn check_equal(primary: &Server, replica: &Server) {
    until("the replica has everything", || replica.has_all_of(primary));
    let (ours, theirs) = (primary.dump(), replica.dump());
    assert!(ours == theirs, "{} keys and {} keys differ", ours.len(), theirs.len());
}

#[test]
fn a_replica_gets_everything_while_writes_go_on() {
    for diskless in [true, false] {
        let with = settings();
        with.repl_diskless_sync.set(diskless);
        let (primary, replica) = (Server::start(with), Server::start(settings()));
        let mut client = replica.client();
        client.check("SET lost forever", "+OK\r\n");
        under_load(&primary, 1, || {
            replica.follow(Some(primary.port));
            until("the link is up", || replica.is_linked());
            let end = primary.node.log.end() + 100_000;
            until("the stream goes on", || replica.node.log.end() > end);
        });
        check_equal(&primary, &replica);
        assert_eq!(primary.syncs().0, 1);
        client.check("GET lost", "$-1\r\n");
        let known = |server: &Server| {
            let state = server.node.replication.state();
            (state.history.replid, state.group)
        };
        assert_eq!(known(&primary), known(&replica));
    }
}

#[test]
fn a_cut_link_is_continued() {
    let (primary, replica) = (Server::start(settings()), Server::start(settings()));
    replica.follow(Some(primary.port));
    until("the link is up", || replica.is_linked());
    under_load(&primary, 2, || {
        for round in 1..=3 {
            let link = replica.handle.get().unwrap().shared.link_client.load(Ordering::Acquire);
            replica.handle.get().unwrap().kill_link(link);
            until("a partial resync", || primary.syncs().1 == round);
            until("the link is up", || replica.is_linked());
        }
    });
    check_equal(&primary, &replica);
    assert_eq!(primary.syncs(), (1, 3, 0));
}

#[test]
fn siblings_continue_from_the_promoted() {
    let [primary, heir, sibling] = [(); 3].map(|()| Server::start(settings()));
    heir.follow(Some(primary.port));
    sibling.follow(Some(primary.port));
    until("the links are up", || heir.is_linked() && sibling.is_linked());
    under_load(&primary, 3, || {
        let end = primary.node.log.end() + 50_000;
        until("the stream goes on", || heir.node.log.end() > end && sibling.node.log.end() > end);
    });
    check_equal(&primary, &heir);
    check_equal(&primary, &sibling);
    let epoch = heir.node.replication.state().epoch;
    heir.follow(None);
    assert_eq!(heir.node.replication.state().epoch, epoch + 1);
    heir.client().check("SET by heir", "+OK\r\n");
    sibling.follow(Some(heir.port));
    primary.follow(Some(heir.port));
    check_equal(&heir, &sibling);
    check_equal(&heir, &primary);
    assert_eq!(heir.syncs(), (0, 2, 0));
    primary.client().check("GET by", "$4\r\nheir\r\n");
}

#[test]
fn a_replica_of_a_replica_follows_through_a_promotion() {
    let [primary, middle, last] = [(); 3].map(|()| Server::start(settings()));
    middle.follow(Some(primary.port));
    until("the link is up", || middle.is_linked());
    last.follow(Some(middle.port));
    until("the link is up", || last.is_linked());
    under_load(&primary, 4, || {
        let end = primary.node.log.end() + 50_000;
        until("the stream goes on", || last.node.log.end() > end);
        middle.follow(None);
    });
    under_load(&middle, 5, || {
        let end = middle.node.log.end() + 50_000;
        until("the stream goes on", || last.node.log.end() > end);
    });
    check_equal(&middle, &last);
    assert_eq!(middle.syncs().0, 1);
}

#[test]
fn a_replica_passes_on_in_which_database_the_stream_stands() {
    let [primary, middle, last] = [(); 3].map(|()| Server::start(settings()));
    middle.follow(Some(primary.port));
    until("the link is up", || middle.is_linked());
    let mut client = primary.client();
    client.check("SELECT 3", "+OK\r\n");
    client.check("SET a 1", "+OK\r\n");
    until("the stream says the database", || middle.has_all_of(&primary));
    last.follow(Some(middle.port));
    until("the link is up", || last.is_linked());
    // No SELECT stands before this one: the snapshot alone says where it belongs.
    client.check("SET b 2", "+OK\r\n");
    check_equal(&primary, &middle);
    check_equal(&primary, &last);
    assert!(last.dump().contains_key(&(3, b"b".to_vec())));
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    let (primary, replica) = (Server::start(settings()), Server::start(settings()));
    replica.follow(Some(primary.port));
    until("the link is up", || replica.is_linked());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = primary.client();
            while !stop.load(Ordering::Acquire) {
                for line in ["MULTI", "INCR one", "INCR other", "EXEC"] {
                    client.run(line);
                }
            }
        });
        let mut client = replica.client();
        let look = |client: &mut Client<'_>| {
            let reply = client.run("MGET one other");
            let values: Vec<_> =
                reply.split("\r\n").filter(|s| !s.starts_with(['*', '$'])).collect();
            assert!(values.len() < 2 || values[0] == values[1], "{reply}");
        };
        until("much has been applied", || replica.node.log.end() > Offset(200_000));
        for _ in 0..2_000 {
            look(&mut client);
        }
        replica.follow(None);
        look(&mut client);
        stop.store(true, Ordering::Release);
    });
}

/// A raw connection that says what a replica says.
fn raw_replica(primary: &Server) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(("127.0.0.1", primary.port)).unwrap();
    let hello = "REPLCONF capa eof capa psync2\r\nPSYNC ? -1\r\n";
    socket.write_all(hello.as_bytes()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "+OK\r\n");
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("+FULLRESYNC "), "{line}");
    reader
}

#[test]
fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    let with = settings();
    let limit = ClassLimit { hard_bytes: 4 << 20, soft_bytes: 0, soft_seconds: 0 };
    with.client_output_buffer_limit.set(Arc::new([limit; 3]));
    let (primary, replica) = (Server::start(with), Server::start(settings()));
    replica.follow(Some(primary.port));
    until("the link is up", || replica.is_linked());
    let mut lazy = raw_replica(&primary);
    let mut piece = Vec::new();
    while !piece.ends_with(b"\n") {
        lazy.read_until(b'\n', &mut piece).unwrap();
    }
    assert!(piece.starts_with(b"$EOF:"), "{piece:?}");
    let value = "x".repeat(100_000);
    let mut client = primary.client();
    let dropped =
        || primary.node.stats.output_buffer_limit_disconnections.load(Ordering::Relaxed) > 0;
    let began = base::clock::monotonic();
    let mut written = 0;
    while !dropped() {
        assert!(base::clock::monotonic().since(began) < PATIENCE, "not dropped");
        client.run(&format!("SET big{} {value}", written % 10));
        written += 1;
        until("the other replica goes on", || replica.has_all_of(&primary));
    }
    assert!(written > 40, "the limit is 4 MiB, {written} times 100,000 bytes were written");
    check_equal(&primary, &replica);
    assert_eq!(primary.node.stats.output_buffer_limit_disconnections.load(Ordering::Relaxed), 1);
}

/// A primary that says what a test wants.
struct FakePrimary {
    listener: TcpListener,
    port: u16,
}

impl FakePrimary {
    fn new() -> FakePrimary {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        FakePrimary { listener, port }
    }

    /// Takes a replica up to its PSYNC, whose words it gives.
    fn accept(&self) -> (BufReader<TcpStream>, Vec<String>) {
        let mut reader = BufReader::new(self.listener.accept().unwrap().0);
        loop {
            let words = read_request(&mut reader);
            let answer: &[u8] = match words[0].as_str() {
                "PING" => b"+PONG\r\n",
                "PSYNC" => return (reader, words),
                _ => b"+OK\r\n",
            };
            reader.get_mut().write_all(answer).unwrap();
        }
    }

    /// Gives it an empty data set at `offset`.
    fn full_sync(reader: &mut BufReader<TcpStream>, offset: u64) {
        let writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).unwrap();
        let snapshot = writer.finish().unwrap();
        let id = "a".repeat(40);
        let head = format!("+FULLRESYNC {id} {offset}\r\n${}\r\n", snapshot.len());
        reader.get_mut().write_all(&[head.as_bytes(), &snapshot].concat()).unwrap();
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Vec<String> {
    let mut number = || -> usize {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_start_matches(['*', '$']).trim_end().parse().unwrap()
    };
    let count = number();
    let mut words = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let length: usize = line[1..].trim_end().parse().unwrap();
        let mut word = vec![0; length + 2];
        reader.read_exact(&mut word).unwrap();
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    words
}

const SET_A: &str = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SET_B: &str = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
const MULTI: &str = "*1\r\n$5\r\nMULTI\r\n";
const EXEC: &str = "*1\r\n$4\r\nEXEC\r\n";

#[test]
fn a_command_that_cannot_be_applied_asks_for_a_full_sync() {
    let (primary, replica) = (FakePrimary::new(), Server::start(settings()));
    replica.follow(Some(primary.port));
    for bad in ["*1\r\n$3\r\nFOO\r\n", "*2\r\n$4\r\nINCR\r\n$1\r\nt\r\n", "*1\r\n$4\r\nEXEC\r\n"] {
        let (mut reader, words) = primary.accept();
        assert_eq!(words[1..], ["?", "-1"], "{bad}");
        FakePrimary::full_sync(&mut reader, 100);
        let text = "*3\r\n$3\r\nSET\r\n$1\r\nt\r\n$4\r\ntext\r\n";
        reader.get_mut().write_all([text, bad, SET_A].concat().as_bytes()).unwrap();
        until("the bad command is seen", || !replica.is_linked());
        assert!(replica.node.log.end() <= Offset(100 + text.len() as u64));
        replica.client().check("GET a", "$-1\r\n");
    }
    let (mut reader, words) = primary.accept();
    assert_eq!(words[1..], ["?", "-1"]);
    FakePrimary::full_sync(&mut reader, 500);
    reader.get_mut().write_all(SET_A.as_bytes()).unwrap();
    until("a good stream is applied", || replica.node.log.end().0 == 500 + SET_A.len() as u64);
    replica.client().check("GET a", "$1\r\n1\r\n");
}

#[test]
fn half_a_transaction_is_dropped_by_a_promotion_and_asked_for_again_by_a_reconnect() {
    let (primary, replica) = (FakePrimary::new(), Server::start(settings()));
    replica.follow(Some(primary.port));
    let (mut reader, _) = primary.accept();
    FakePrimary::full_sync(&mut reader, 0);
    reader.get_mut().write_all([SET_A, MULTI, SET_B].concat().as_bytes()).unwrap();
    let border = Offset(SET_A.len() as u64);
    until("what is whole is applied", || replica.node.log.end() == border);
    drop(reader);
    let (mut reader, words) = primary.accept();
    assert_eq!(words[1..], ["a".repeat(40), (border.0 + 1).to_string()]);
    let go_on = ["+CONTINUE\r\n", MULTI, SET_B, EXEC, MULTI, SET_A].concat();
    reader.get_mut().write_all(go_on.as_bytes()).unwrap();
    let border = border + (MULTI.len() + SET_B.len() + EXEC.len()) as u64;
    until("the transaction is applied", || replica.node.log.end() == border);
    replica.client().check("DEL a", "-READONLY You can't write against a read only replica.\r\n");
    replica.follow(None);
    let state = replica.node.replication.state();
    assert_eq!(state.history.second_offset, Some(border));
    drop(state);
    assert_eq!(replica.node.log.end(), border);
    // What comes now is nobody's.
    let _ = reader.get_mut().write_all([EXEC, SET_B].concat().as_bytes());
    replica.client().check("SET mine 1", "+OK\r\n");
    replica.client().check("MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

#[test]
fn a_getack_is_answered_without_its_own_bytes() {
    let (primary, replica) = (FakePrimary::new(), Server::start(settings()));
    replica.follow(Some(primary.port));
    let (mut reader, _) = primary.accept();
    FakePrimary::full_sync(&mut reader, 0);
    let getack = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
    reader.get_mut().write_all([SET_A, getack, SET_B].concat().as_bytes()).unwrap();
    loop {
        let words = read_request(&mut reader);
        assert_eq!(words[..2], ["REPLCONF", "ACK"]);
        let acked: usize = words[2].parse().unwrap();
        if acked > 0 {
            assert!(
                acked == SET_A.len() || acked == SET_A.len() + getack.len() + SET_B.len(),
                "{acked}"
            );
            break;
        }
    }
}

#[test]
fn a_broken_transfer_leaves_the_old_data() {
    let (primary, replica) = (FakePrimary::new(), Server::start(settings()));
    replica.client().check("SET old value", "+OK\r\n");
    replica.follow(Some(primary.port));
    for broken in [&b"$100\r\nREDIS0009"[..], b"$20\r\nREDIS0009 but not really", b"$0\r\n"] {
        let (mut reader, _) = primary.accept();
        let head = format!("+FULLRESYNC {} 7\r\n", "b".repeat(40));
        reader.get_mut().write_all(&[head.as_bytes(), broken].concat()).unwrap();
        drop(reader);
    }
    // It comes again, and has what it had.
    let (_reader, words) = primary.accept();
    assert_eq!(words[0], "PSYNC");
    assert_ne!(words[1], "b".repeat(40));
    replica.client().check("GET old", "$5\r\nvalue\r\n");
}

#[test]
fn an_older_primary_is_refused_until_the_order_has_stood() {
    let (primary, replica) = (Server::start(settings()), Server::start(settings()));
    replica.follow(Some(primary.port));
    until("the link is up", || replica.is_linked());
    replica.follow(None);
    replica.client().check("SET mine 1", "+OK\r\n");
    let began = base::clock::monotonic();
    replica.follow(Some(primary.port));
    until("the order is obeyed", || replica.is_linked());
    assert!(base::clock::monotonic().since(began) >= Millis(10_000));
    check_equal(&primary, &replica);
}

#[test]
fn wait_is_answered_soon() {
    let (primary, replica) = (Server::start(settings()), Server::start(settings()));
    replica.follow(Some(primary.port));
    until("the replica is online", || {
        primary.node.replication.state().replicas.iter().any(|row| row.state == "online")
    });
    let mut socket = TcpStream::connect(("127.0.0.1", primary.port)).unwrap();
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let began = base::clock::monotonic();
    for round in 0..50 {
        socket.write_all(format!("SET k {round}\r\nWAIT 1 0\r\n").as_bytes()).unwrap();
        let mut lines = String::new();
        reader.read_line(&mut lines).unwrap();
        reader.read_line(&mut lines).unwrap();
        assert_eq!(lines, "+OK\r\n:1\r\n");
    }
    // Acknowledgements that come by themselves come each second.
    assert!(base::clock::monotonic().since(began) < Millis(10_000));
}

#[test]
fn histories_that_say_nothing_new_are_not_asked_for() {
    let (old, new) = (RunId::parse(&[b'a'; 40]).unwrap(), RunId::parse(&[b'b'; 40]).unwrap());
    let mut history = psync::history::History::new(old);
    assert_eq!(super::resumable(&history, Offset(5)), old);
    history.shift(Offset(5), new);
    assert_eq!(super::resumable(&history, Offset(5)), old);
    assert_eq!(super::resumable(&history, Offset(6)), new);
}
