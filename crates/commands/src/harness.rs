//! A server without sockets, for tests: requests in, reply bytes out.

use conf::Settings;
use engine::args::OwnedRequest;
use engine::client::Origin;
use engine::context::Outcome;
use engine::pipeline::{Worker, prepare};
use engine::{Node, Session};
use std::sync::Arc;

/// A node with one session.
pub(crate) struct Server {
    node: &'static Node,
    worker: Worker<'static>,
    /// The connection that `run` speaks for.
    pub(crate) session: Session,
}

impl Server {
    /// An empty primary.
    pub(crate) fn new() -> Server {
        let settings = Arc::new(Settings::default());
        let node = Node::new(settings, None, &crate::all(), &[], 1, None);
        let node: &'static Node = Box::leak(Box::new(node));
        let worker = Worker::new(node).expect("the only worker");
        Server { node, worker, session: Server::session_of(node) }
    }

    fn session_of(node: &Node) -> Session {
        Session::new(node.clients.add(Origin::default()), true)
    }

    /// The node.
    pub(crate) fn node(&self) -> &'static Node {
        self.node
    }

    /// Another connection to the same node.
    pub(crate) fn other_session(&self) -> Session {
        Server::session_of(self.node)
    }

    /// Runs a request of these words.
    pub(crate) fn run(&mut self, words: &[&[u8]]) -> (Vec<u8>, Outcome) {
        let owned = OwnedRequest::from_words(words.iter().copied());
        let request = owned.request();
        let prepared = prepare(&self.node.table, request);
        let mut out = Vec::new();
        self.worker.enter();
        let outcome = self.worker.execute(&mut self.session, &prepared, request, &mut out);
        self.worker.leave();
        (out, outcome)
    }

    /// Runs a line (inline syntax, so words may be quoted) and gives the reply as text.
    pub(crate) fn line(&mut self, line: &str) -> String {
        let words = resp::inline::split(line.as_bytes()).expect("a well-quoted line");
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        String::from_utf8_lossy(&self.run(&words).0).into_owned()
    }

    /// Runs a line and compares the reply bytes.
    #[track_caller]
    pub(crate) fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(self.line(line), expected, "{line}");
    }
}
