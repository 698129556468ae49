//! A client without a socket, on whatever thread calls it.

use engine::args::OwnedRequest;
use engine::client::Origin;
use engine::context::Outcome;
use engine::pipeline::{Worker, prepare};
use engine::{Node, Session};
use std::thread;

/// A session of a node, with a worker to itself.
pub struct Client<'n> {
    pub node: &'n Node,
    pub session: Session,
    worker: Worker<'n>,
}

impl<'n> Client<'n> {
    pub fn new(node: &'n Node) -> Client<'n> {
        let session = Session::new(node.clients.add(Origin::default()), true);
        Client { node, session, worker: Worker::new(node).expect("a seat") }
    }

    /// Runs a line; the reply does not wait for the barrier.
    pub fn run(&mut self, line: &str) -> String {
        let owned = OwnedRequest::from_words(line.split(' ').map(str::as_bytes));
        let prepared = prepare(&self.node.table, owned.request());
        let mut out = Vec::new();
        loop {
            self.worker.enter();
            let session = &mut self.session;
            let outcome = self.worker.execute(session, &prepared, owned.request(), &mut out);
            self.worker.leave();
            if !matches!(outcome, Outcome::Parked) {
                break;
            }
            thread::yield_now();
        }
        self.node.log.wake_readers();
        String::from_utf8(out).expect("text")
    }
}
