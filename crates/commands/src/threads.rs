//! Several threads at once: no command is lost, nobody waits for ever, and the log's order is a serial
//! order of the keyspace, so that a replica that applies it alone comes to hold the same.

use crate::harness::Server;
use crate::string::model::Draw;
use base::random::Random;
use engine::args::OwnedRequest;
use engine::client::Origin;
use engine::context::Outcome;
use engine::expiry::Expirer;
use engine::pipeline::{Worker, prepare};
use engine::{Node, Session};
use std::sync::atomic::Ordering;
use std::thread;

/// Threads that run commands.
const THREADS: usize = 3;
/// Rounds of one thread.
const ROUNDS: usize = 3_000;
/// A database that only the counters are in.
const COUNTERS: u32 = 9;

/// One thread's connection.
struct Client {
    worker: Worker<'static>,
    session: Session,
    draw: Draw,
    counted: usize,
}

impl Client {
    fn new(node: &'static Node, seed: u64) -> Client {
        Client {
            worker: Worker::new(node).expect("a seat for each thread"),
            session: Session::new(node.clients.add(Origin::default()), true),
            draw: Draw(Random::from_seed(seed)),
            counted: 0,
        }
    }

    /// Runs a request as a loop does: what is parked is tried again.
    fn run(&mut self, words: &[&str]) -> Vec<u8> {
        let owned = OwnedRequest::from_words(words.iter().map(|word| word.as_bytes()));
        let request = owned.request();
        let mut out = Vec::new();
        self.worker.enter();
        let prepared = prepare(&self.worker.node().table, request);
        while let Outcome::Parked =
            self.worker.execute(&mut self.session, &prepared, request, &mut out)
        {
            self.worker.leave();
            thread::yield_now();
            self.worker.enter();
        }
        self.worker.leave();
        out
    }

    fn draw_and_run(&mut self) {
        let words = self.draw.command();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words);
    }

    fn count(&mut self) {
        self.session.db = COUNTERS;
        self.run(&["incr", "total"]);
        self.session.db = 0;
        self.counted += 1;
    }

    fn round(&mut self, expirer: &mut Expirer) {
        self.draw_and_run();
        match self.draw.0.below(60) {
            0 => drop(self.run(&["flushdb"])),
            1 => drop(self.run(&["swapdb", "0", "2"])),
            2 => drop(self.run(&["keys", "*"])),
            3 => drop(self.run(&["scan", "0", "count", "5"])),
            4 => drop(self.run(&["dbsize"])),
            5 => drop(self.run(&["randomkey"])),
            6 => drop(self.run(&["move", "k1", "2"])),
            7 => drop(self.run(&["copy", "k1", "k2", "db", "2"])),
            8..=12 => {
                self.run(&["watch", "k1", "k2"]);
                self.run(&["multi"]);
                self.draw_and_run();
                self.draw_and_run();
                let last = self.draw.one(&["dbsize", "incr k1", "scan 0", "set k2 1", "keys *"]);
                self.run(&last.split(' ').collect::<Vec<_>>());
                self.run(&["exec"]);
            }
            13..=16 => {
                self.worker.enter();
                expirer.step(&mut self.worker);
                self.worker.leave();
            }
            _ => self.count(),
        }
    }
}

#[test]
fn the_log_is_a_serial_order() {
    let mut server = Server::new();
    let node = server.node();
    let counted: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS)
            .map(|index| {
                scope.spawn(move || {
                    let mut client = Client::new(node, index as u64);
                    let mut expirer = Expirer::new(index, THREADS);
                    (0..ROUNDS).for_each(|_| client.round(&mut expirer));
                    client.counted
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).sum()
    });
    assert!(!node.incomplete.load(Ordering::Acquire));
    let held = server.contents();
    let total = held.get(&(COUNTERS, b"total".to_vec())).map(|(text, _)| text.clone());
    assert_eq!(total, Some(counted.to_string().into_bytes()));

    let mut replica = Server::new();
    replica.follow("127.0.0.1", 1);
    let mut link = replica.session_of_primary();
    replica.apply_stream(&mut link, &server.logged_words());
    assert_eq!(replica.contents(), held);
}
