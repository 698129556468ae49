//! The driver over real sockets: one sentinel, its file, and clients that speak plain RESP.

use super::{Exit, Handle, Options, StartError, start};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("redoubt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn options(&self, lines: &[&str]) -> Options {
        let split = |line: &&str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let lines = lines.iter().map(split).collect();
        let mut options = Options::embedded(&self.0, 0, lines);
        options.bind = vec!["127.0.0.1".to_owned()];
        options
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    fn to(address: SocketAddr) -> Talk {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        Talk(BufReader::new(stream))
    }

    fn with(handle: &Handle) -> Talk {
        Talk::to(handle.addresses()[0])
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends inline commands at once and reads `lines` lines.
    fn say(&mut self, text: &str, lines: usize) -> Vec<String> {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
        (0..lines).map(|_| self.line()).collect()
    }
}

const MONITOR: &str = "monitor m 127.0.0.1 1 2";

#[test]
fn it_answers_in_order_and_stops() {
    let folder = Folder::new("answers");
    let handle = start(folder.options(&[MONITOR])).unwrap();
    let mut talk = Talk::with(&handle);
    assert_eq!(
        talk.say("PING\r\nCLIENT GETNAME\r\nSENTINEL get-master-addr-by-name m\r\nPING", 8),
        ["+PONG", "$-1", "*2", "$9", "127.0.0.1", "$1", "1", "+PONG"]
    );
    assert_eq!(talk.say("SENTINEL myid", 2), ["$40".to_owned(), handle.id().to_string()]);
    assert_eq!(talk.say("*1\r\n+x", 1), ["-ERR Protocol error: expected '$', got '+'"]);
    assert_eq!(talk.line(), "", "closed after a protocol error");
    assert!(!handle.is_finished());
    assert_eq!(handle.stop(), Exit::Stopped);
}

#[test]
fn its_state_outlives_it_and_overrides_the_configuration() {
    let folder = Folder::new("state");
    let first = start(folder.options(&[MONITOR])).unwrap();
    let id = first.id();
    let mut talk = Talk::with(&first);
    assert_eq!(talk.say("SENTINEL set m quorum 5", 1), ["+OK"]);
    let plea = format!("SENTINEL is-master-down-by-addr 127.0.0.1 1 7 {}", "a".repeat(40));
    assert_eq!(talk.say(&plea, 5)[2..], ["$40".to_owned(), "a".repeat(40), ":7".to_owned()]);
    // A second plea in the epoch gets the first vote, also from the next process.
    assert_eq!(talk.say("SHUTDOWN", 1), [""]);
    assert_eq!(first.wait(), Exit::Shutdown);
    let again = start(folder.options(&[MONITOR, "monitor other 127.0.0.1 2 1"])).unwrap();
    assert_eq!(again.id(), id);
    let mut talk = Talk::with(&again);
    let plea = format!("SENTINEL is-master-down-by-addr 127.0.0.1 1 7 {}", "b".repeat(40));
    assert_eq!(talk.say(&plea, 5)[2..], ["$1", "*", ":7"]);
    let info = talk.say("INFO sentinel", 10);
    assert!(info.iter().any(|line| line.starts_with("master1:name=other")), "{info:?}");
    again.stop();
    let file = std::fs::read_to_string(folder.0.join("sentinel-0.conf")).unwrap();
    assert!(file.contains("sentinel monitor m 127.0.0.1 1 5\n"), "{file}");
}

#[test]
fn a_password_is_its_own() {
    let folder = Folder::new("password");
    let mut options = folder.options(&[MONITOR]);
    options.password = b"secret".to_vec();
    let handle = start(options).unwrap();
    let mut talk = Talk::with(&handle);
    assert_eq!(
        talk.say("PING\r\nAUTH secret\r\nPING", 3),
        ["-NOAUTH Authentication required.", "+OK", "+PONG"]
    );
    handle.stop();
}

#[test]
fn events_reach_subscribers_of_both_protocols() {
    let folder = Folder::new("events");
    let handle = start(folder.options(&[])).unwrap();
    let (mut old, mut new) = (Talk::with(&handle), Talk::with(&handle));
    assert_eq!(old.say("PSUBSCRIBE +*", 6)[..3], ["*3", "$10", "psubscribe"]);
    assert_eq!(new.say("HELLO 3", 1), ["%6"]);
    while new.line() != "modules" {}
    assert_eq!(new.say("SUBSCRIBE +monitor", 7)[1..3], [">3", "$9"]);
    let mut other = Talk::with(&handle);
    assert_eq!(other.say("SENTINEL monitor m 127.0.0.1 1 2", 1), ["+OK"]);
    let text = "master m 127.0.0.1 1 quorum 2";
    let heard: Vec<String> = (0..9).map(|_| old.line()).collect();
    assert_eq!(heard, ["*4", "$8", "pmessage", "$2", "+*", "$8", "+monitor", "$29", text]);
    let heard: Vec<String> = (0..7).map(|_| new.line()).collect();
    assert_eq!(heard, [">3", "$7", "message", "$8", "+monitor", "$29", text]);
    handle.stop();
}

#[test]
fn it_reaches_instances_and_greets_them() {
    let folder = Folder::new("links");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let monitor = format!("monitor m 127.0.0.1 {port} 1");
    let handle = start(folder.options(&[&monitor, "auth-pass m pw"])).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (stream, _) = server.accept().unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        let mut talk = Talk(BufReader::new(stream));
        let words: Vec<String> = (0..15).map(|_| talk.line()).collect();
        assert_eq!(words[..5], ["*2", "$4", "AUTH", "$2", "pw"]);
        assert_eq!(words[5..10], ["*3", "$6", "CLIENT", "$7", "SETNAME"]);
        seen.push(words[14].clone());
    }
    seen.sort();
    assert_eq!(seen, ["PING", "SUBSCRIBE"]);
    handle.stop();
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let folder = Folder::new("wrong");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = folder.options(&[MONITOR]);
    options.port = taken.local_addr().unwrap().port();
    assert!(matches!(start(options), Err(StartError::Listen { .. })));
    let refused = start(folder.options(&[MONITOR, "monitor m 127.0.0.1 2 1"]));
    assert!(matches!(refused, Err(StartError::Line { index: 1, .. })));
    let mut options = folder.options(&[MONITOR]);
    options.state = folder.0.join("missing").join("sentinel.conf");
    assert!(matches!(start(options), Err(StartError::File { .. })));
    std::fs::write(folder.0.join("sentinel-0.conf"), "# x\nsentinel myid 12\n").unwrap();
    let refused = start(folder.options(&[MONITOR]));
    assert!(matches!(refused, Err(StartError::State { index: 0, .. })));
}
