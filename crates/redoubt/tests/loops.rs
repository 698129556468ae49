//! One loop in this process, with commands of the tests' own between those of the product: what happens between two
//! requests of one window, without a second thread that would have to come at the right moment.
#![allow(clippy::unwrap_used, reason = "tests")]

use base::Offset;
use conf::Settings;
use engine::barrier::Watermark;
use engine::context::Outcome;
use engine::copies::Copies;
use engine::session::Blocked;
use engine::{Args, Command, CommandResult, Context, Node};
use net::{LoopHandle, Loops};
use spec::CommandSpec;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing here takes longer unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a loop and its test meet, twice.
static STALL: Barrier = Barrier::new(2);

/// Keeps the loop busy from one meeting to the next.
static STALLS: Command = own("stall", |cx, _| {
    STALL.wait();
    STALL.wait();
    cx.reply.ok();
    Ok(())
});

/// Waits for copies that are there before the loop knows of the wait.
static WAITS: Command = own("waits", |cx, _| {
    cx.session.blocked = Some(Blocked::Replicas {
        copies: Copies::Held(0),
        offset: base::Offset(0),
        deadline: None,
    });
    *cx.outcome = Outcome::Blocked;
    Ok(())
});

const fn own(
    name: &'static str,
    run: fn(&mut Context<'_>, &mut Args<'_>) -> CommandResult,
) -> Command {
    Command { spec: CommandSpec { name, ..CommandSpec::EMPTY }, run, subcommands: &[] }
}

/// A server of one loop, whose program offers no services.
struct Server {
    node: Arc<Node>,
    handle: Arc<LoopHandle>,
    thread: Option<JoinHandle<()>>,
    dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let settings = Arc::new(Settings::default());
        settings.port.set(0);
        settings.unixsocket.set(path(&dir).to_string_lossy().as_bytes().into());
        let bound = net::bind_all(&settings, &[]).unwrap();
        let Loops { mut loops, mailboxes, handles } = net::make_loops(1, bound).unwrap();
        let mut commands = commands::all();
        commands.extend([&STALLS, &WAITS]);
        let node = Arc::new(Node::new(settings, None, &commands, &[], 1, None));
        node.set_mailboxes(mailboxes);
        let only = loops.pop().unwrap();
        let of_loop = Arc::clone(&node);
        let thread = std::thread::spawn(move || only.run(&of_loop).unwrap());
        Server { node, handle: Arc::clone(&handles[0]), thread: Some(thread), dir }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(path(&self.dir)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

fn path(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("socket")
}

/// Sends lines and reads what they are answered.
#[track_caller]
fn expect(stream: &mut UnixStream, lines: &str, expected: &str) {
    stream.write_all(lines.as_bytes()).unwrap();
    answers(stream, expected);
}

#[track_caller]
fn answers(stream: &mut UnixStream, expected: &str) {
    let mut found = vec![0; expected.len()];
    let got = stream.read_exact(&mut found);
    assert_eq!((String::from_utf8_lossy(&found), got.is_ok()), (expected.into(), true));
}

/// The program refuses a migration at once, so that the wait for it ends within the window that began it.
#[test]
fn what_follows_a_wait_that_ends_at_once_runs_once() {
    let server = Server::start();
    let mut client = server.connect();
    expect(&mut client, "client tracking on\r\nset k v\r\n", "+OK\r\n+OK\r\n");
    let refused = "-IOERR error or timeout connecting to the client\r\n";
    let lines = "migrate 127.0.0.1 1 k 0 1000\r\nincr n\r\n";
    expect(&mut client, lines, &format!("{refused}:1\r\n"));
    expect(&mut client, "get n\r\n", "$1\r\n1\r\n");
}

#[test]
fn nothing_of_a_client_runs_once_its_kill_was_answered() {
    let server = Server::start();
    let [mut stalls, mut kills, mut killed] = [(); 3].map(|()| server.connect());
    killed.write_all(b"client id\r\n").unwrap();
    let mut id = [0; 4];
    killed.read_exact(&mut id).unwrap();
    let id = String::from_utf8_lossy(&id).trim().trim_start_matches(':').to_owned();
    stalls.write_all(b"stall\r\n").unwrap();
    STALL.wait();
    // Both are there when the loop looks again, in this order.
    kills.write_all(format!("client kill id {id}\r\nget n\r\n").as_bytes()).unwrap();
    killed.write_all(b"incr n\r\nincr n\r\n").unwrap();
    STALL.wait();
    answers(&mut stalls, "+OK\r\n");
    answers(&mut kills, ":1\r\n$-1\r\n");
    assert!(!matches!(killed.read(&mut [0]), Ok(1)), "an answer of one that was killed");
    expect(&mut kills, "get n\r\n", "$-1\r\n");
}

#[test]
fn copies_that_came_before_the_wait_began_end_it() {
    let server = Server::start();
    expect(&mut server.connect(), "waits\r\n", ":0\r\n");
}

#[test]
fn what_is_held_back_is_not_sent_as_the_loop_ends() {
    let server = Server::start();
    server.node.barrier.publish(Watermark::Appended, Some(Offset(0)));
    let (mut writes, mut reads) = (server.connect(), server.connect());
    writes.write_all(b"set k v\r\n").unwrap();
    while {
        let mut reply = [0; 4];
        reads.write_all(b"exists k\r\n").unwrap();
        reads.read_exact(&mut reply).unwrap();
        reply != *b":1\r\n"
    } {}
    drop(server);
    assert_eq!(writes.read(&mut [0; 8]).unwrap(), 0, "nothing but the end");
}
