//! `redoubt up` when nodes die and cannot be started again at once.

use crate::server::{Client, Server, wait_until};
use resp::value::Value;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Attempts to start, since somebody else may take a port first.
const STARTS_MAX: usize = 20;
const NODES: u16 = 2;

/// The first port of the next group. Below those that the system gives to connections: whoever tries
/// to connect to one of those while nobody listens there may be connected to himself, and hold it.
fn next_port() -> u16 {
    static GROUPS: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() + GROUPS.fetch_add(1, Ordering::Relaxed) * 97;
    10_000 + u16::try_from(number % 2_000).unwrap() * 2 * NODES
}

/// A group that ends with the test.
struct Up {
    supervisor: Child,
    port: u16,
    dir: TempDir,
}

impl Up {
    /// Starts a group with a program of its own; waits until it is whole.
    fn start() -> Up {
        for _ in 0..STARTS_MAX {
            let dir = tempfile::tempdir().unwrap();
            let program = dir.path().join("redoubt");
            // Not by this process: a child of another test could inherit the file, open for writing.
            let copied = Command::new("cp").arg(Server::program()).arg(&program).status();
            assert!(copied.unwrap().success());
            let port = next_port();
            let sentinel_port = port + NODES;
            let output = fs::File::create(dir.path().join("said")).unwrap();
            let supervisor = Command::new(&program)
                .arg("up")
                .args(["--dir", "group", "--nodes", &NODES.to_string()])
                .args(["--port", &port.to_string()])
                .args(["--sentinel-port", &sentinel_port.to_string()])
                .current_dir(dir.path())
                .stdout(output.try_clone().unwrap())
                .stderr(output)
                .spawn()
                .unwrap();
            let mut up = Up { supervisor, port, dir };
            let ended = |up: &mut Up| up.supervisor.try_wait().unwrap().is_some();
            while !up.said().contains(" ready: primary ") && !ended(&mut up) {
                std::thread::yield_now();
            }
            if !ended(&mut up) {
                return up;
            }
            assert!(up.said().contains("cannot listen on port"), "{}", up.said());
        }
        panic!("no ports are free");
    }

    /// What it has said so far.
    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("said")).unwrap()
    }

    fn node(&self, index: u16) -> PathBuf {
        self.dir.path().join(format!("group/node-{index}"))
    }

    /// The process of a node that serves.
    fn process(&self, index: u16) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port + index)).unwrap();
        let Value::Bulk(text) = Client::new(stream).call(&["info", "server"]) else {
            panic!("INFO")
        };
        let text = String::from_utf8(text).unwrap();
        let process = text.lines().find_map(|line| line.strip_prefix("process_id:"));
        process.unwrap().to_owned()
    }

    fn kill(&self, index: u16) {
        let sent = Command::new("kill").args(["-KILL", &self.process(index)]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it says that a node, which was killed, serves again.
    fn wait_for_another(&self, index: u16) {
        let again = || self.said().matches(&format!("node-{index} serves")).count() > 1;
        wait_until(again, || format!("node-{index} is not started again: {}", self.said()));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let process = self.supervisor.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &process]).status();
        let _ = self.supervisor.wait();
    }
}

#[test]
fn a_node_is_started_again_although_the_program_was_replaced() {
    let up = Up::start();
    fs::remove_file(up.dir.path().join("redoubt")).unwrap();
    up.kill(1);
    up.wait_for_another(1);
}

#[test]
fn a_node_that_cannot_be_started_again_leaves_the_others_alone() {
    let mut up = Up::start();
    let first = up.process(0);
    // Nobody can write a log there.
    let log = up.node(1).join("redoubt.log");
    fs::rename(&log, up.node(1).join("kept.log")).unwrap();
    fs::create_dir(&log).unwrap();
    up.kill(1);
    while !up.said().contains("cannot start node-1: Is a directory") {
        assert!(up.supervisor.try_wait().unwrap().is_none(), "{}", up.said());
        std::thread::yield_now();
    }
    fs::remove_dir(&log).unwrap();
    up.wait_for_another(1);
    assert_eq!(up.process(0), first);
}
