//! A server without sockets, for tests: requests in, reply bytes out.

use base::Millis;
use conf::Settings;
use engine::args::OwnedRequest;
use engine::blocking::Waiting;
use engine::client::Origin;
use engine::context::Outcome;
use engine::expiry::Expirer;
use engine::image;
use engine::keys::{Text, kind_of};
use engine::mailbox::Mailbox;
use engine::pipeline::{Applied, Worker, prepare};
use engine::replication::Address;
use engine::stats::LoopStats;
use engine::{Node, Session};
use oplog::Reader;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::ValueDigest;

/// Bytes of the log that are kept for tests to read.
const LOG_BYTES: u64 = 1 << 20;

/// What a node holds: the string and the expiry of each key, by database.
pub(crate) type Contents = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<Millis>)>;

/// A node with one session.
pub(crate) struct Server {
    node: &'static Arc<Node>,
    worker: Worker<'static>,
    log: Reader,
    /// The connection that `run` speaks for.
    pub(crate) session: Session,
}

impl Server {
    /// An empty primary.
    pub(crate) fn new() -> Server {
        let settings = Arc::new(Settings::default());
        // Expected logs are those of stock's defaults.
        for setting in [
            &settings.lazyfree_lazy_expire,
            &settings.lazyfree_lazy_server_del,
            &settings.lazyfree_lazy_user_del,
            &settings.lazyfree_lazy_user_flush,
        ] {
            setting.set(false);
        }
        // FLUSHALL would write a file into the directory of the tests.
        settings.save.set(Arc::default());
        let node = Node::new(settings, None, &crate::all(), &[], 1, None);
        let node: &'static Arc<Node> = Box::leak(Box::new(Arc::new(node)));
        node.set_mailboxes(vec![Arc::new(Mailbox::new(Box::new(|| ())))]);
        let worker = Worker::new(node).expect("the only worker");
        node.log.retain(LOG_BYTES);
        let log = node.log.reader(node.log.end()).expect("the log's own end");
        Server { node, worker, log, session: Server::session_of(node) }
    }

    /// Runs what `waiting` waits with, as its loop does when its time has come.
    pub(crate) fn serve_again(&mut self, waiting: &Arc<Waiting>) {
        self.worker.serve_again(waiting);
    }

    /// Looks through all shards for what has expired, as a loop does again and again.
    pub(crate) fn expire(&mut self) {
        let mut expirer = Expirer::new(0, 1);
        loop {
            self.worker.enter();
            let goes_on = expirer.step(&mut self.worker);
            self.worker.leave();
            if !goes_on {
                break;
            }
        }
    }

    fn session_of(node: &Node) -> Session {
        Session::new(node.clients.add(Origin::default()), true)
    }

    /// The node.
    pub(crate) fn node(&self) -> &'static Arc<Node> {
        self.node
    }

    /// What the thread has counted.
    pub(crate) fn stats(&self) -> &LoopStats {
        self.worker.stats()
    }

    /// Another connection to the same node.
    pub(crate) fn other_session(&self) -> Session {
        Server::session_of(self.node)
    }

    /// Makes the node a replica.
    pub(crate) fn follow(&self, host: &str, port: u16) {
        let alone = self.node.keyspace.gate.exclusive();
        self.node.change_role(&alone, Some(Address { host: host.to_owned(), port }));
    }

    /// The link to the node's primary.
    pub(crate) fn session_of_primary(&self) -> Session {
        let origin = Origin { primary: true, ..Origin::default() };
        Session::new(self.node.clients.add(origin), true)
    }

    /// Applies a line of the primary's stream.
    #[track_caller]
    pub(crate) fn apply(&mut self, link: &mut Session, line: &str) {
        let words = resp::inline::split(line.as_bytes()).expect("a well-quoted line");
        self.apply_stream(link, &[words]);
    }

    /// Applies requests of the primary's stream, none left incomplete.
    #[track_caller]
    pub(crate) fn apply_stream(&mut self, link: &mut Session, stream: &[Vec<Vec<u8>>]) {
        let mut raw = Vec::new();
        for words in stream {
            let owned = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
            resp::command_into(&mut raw, words);
            self.worker.enter();
            let applied = self.worker.apply(link, owned.request(), &raw, &|| true);
            self.worker.leave();
            match applied {
                Applied::Done => raw.clear(),
                Applied::Queued => {}
                Applied::Overtaken | Applied::Failed(_) => panic!("{applied:?}: {words:?}"),
            }
        }
        assert!(raw.is_empty(), "a transaction without its end");
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

    /// Every key that is held, expired or not, by database: its string, or the digest of another value, and its
    /// expiry.
    pub(crate) fn contents(&self) -> Contents {
        let mut held = BTreeMap::new();
        self.node.keyspace.each_shard(|_, shard| {
            for (number, db) in shard.dbs() {
                for entry in db.iter() {
                    let digest = || {
                        let begun = ValueDigest::new(kind_of(entry));
                        image::digest(begun, entry).finish(false).as_bytes().to_vec()
                    };
                    let value = Text::of(entry).map_or_else(|_| digest(), |text| text.to_vec());
                    held.insert((number, entry.key().to_vec()), (value, entry.expire_at()));
                }
            }
        });
        held
    }

    /// The commands logged since the last call.
    pub(crate) fn logged_words(&mut self) -> Vec<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        while self.log.read(usize::MAX, &mut bytes).expect("a held log") > 0 {}
        let (mut rest, mut commands) = (&bytes[..], Vec::new());
        while let Some((command, len)) = resp::value::decode(rest).expect("requests") {
            let words = command.as_array().expect("a request").iter();
            commands.push(words.map(|word| word.as_bytes().expect("a word").to_vec()).collect());
            rest = &rest[len..];
        }
        commands
    }

    /// The commands logged since the last call, their words joined by blanks.
    pub(crate) fn logged(&mut self) -> Vec<String> {
        let joined = |words: Vec<Vec<u8>>| String::from_utf8_lossy(&words.join(&b' ')).into_owned();
        self.logged_words().into_iter().map(joined).collect()
    }

    /// Runs a line and compares what it has logged, a SELECT 0 in front left out.
    #[track_caller]
    pub(crate) fn check_log(&mut self, line: &str, expected: &[&str]) {
        self.logged();
        self.line(line);
        let logged = self.logged();
        let from = usize::from(logged.first().is_some_and(|first| first == "SELECT 0"));
        assert_eq!(logged[from..], *expected, "{line}");
    }
}
