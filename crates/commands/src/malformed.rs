//! Every command with arguments drawn from its own row, most of them a little wrong: none panics, each
//! request has one well-formed reply, an error leaves every key and the log as they were, and what is
//! not flagged as writing writes nothing.

use crate::harness::{Contents, Server};
use base::random::Random;
use engine::Command;
use engine::context::Outcome;
use resp::reply::Protocol;
use spec::{Arg, ArgKind, Flag, KeyFlag};

/// Requests of each command in each protocol.
const REQUESTS: usize = 30;

/// What the keys hold before each command's turn.
const FILLING: [&str; 12] = [
    "set string hello",
    "set int 10",
    "setex timed 100000 value",
    "setbit bits 70 1",
    "pfadd log a b c",
    "rpush list a b c 1 2 3",
    "sadd ints 1 2 3",
    "sadd set a b c",
    "hset hash a 1 b two",
    "zadd zset 1 a 2 b 2 c",
    "xadd stream 1-1 a 1",
    "xgroup create stream g 0",
];
/// The keys that are drawn.
pub(crate) const KEYS: [&str; 12] = [
    "string", "int", "timed", "bits", "log", "list", "ints", "set", "hash", "zset", "stream",
    "none",
];
const WORDS: [&str; 26] = [
    "",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "10",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "99999999999999999999",
    "1.5",
    "-0.0",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "a",
    "b",
    "(1",
    "[a",
    "1-1",
    "*",
    "$",
    "\u{0}\u{ff}\r\n",
    "no such word",
];

/// Commands that end the process or the connection, act on the world outside the keyspace, or test
/// the server for seconds.
const LEFT_OUT: &[&str] = &[
    "bgsave",
    "client kill",
    "client pause",
    "config rewrite",
    "config set",
    "debug",
    "failover",
    "migrate",
    "module",
    "monitor",
    "pfselftest",
    "psync",
    "quit",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

/// Draws words for a row's arguments.
pub(crate) struct Draw(pub(crate) Random);

impl Draw {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap()
    }

    pub(crate) fn all(&mut self, args: &[Arg], words: &mut Vec<String>) {
        for arg in args {
            if arg.optional && !self.0.one_in(3) {
                continue;
            }
            let times = if arg.multiple { 1 + self.below(3) } else { 1 };
            for _ in 0..times {
                words.extend(arg.token.map(str::to_owned));
                self.one(arg, words);
            }
        }
    }

    fn one(&mut self, arg: &Arg, words: &mut Vec<String>) {
        let word = match arg.kind {
            ArgKind::Word => return,
            ArgKind::Block(args) => return self.all(args, words),
            ArgKind::OneOf(choices) => {
                let choice = choices[self.below(choices.len())];
                return self.all(&[Arg { optional: false, ..choice }], words);
            }
            _ if self.0.one_in(8) => self.pick(&WORDS),
            ArgKind::Key => self.pick(&KEYS),
            ArgKind::Integer | ArgKind::UnixTime => self.pick(&["0", "1", "2", "-1", "3", "100"]),
            ArgKind::Double => self.pick(&["0", "1", "-2.5", "0.001"]),
            ArgKind::Pattern => self.pick(&["*", "s*", "[", "?"]),
            ArgKind::Bytes => self.pick(&["a", "b", "c", "1", "hello", "g", "1-1", "-", "+", "("]),
        };
        words.push(word.to_owned());
    }

    /// Drops, doubles or exchanges a word now and then.
    pub(crate) fn mutate(&mut self, words: &mut Vec<String>) {
        while words.len() > 1 && self.0.one_in(3) {
            let at = 1 + self.below(words.len() - 1);
            match self.below(4) {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[at].clone()),
                2 => self.pick(&WORDS).clone_into(&mut words[at]),
                _ => words.swap(at, 1),
            }
        }
    }
}

/// Every command and subcommand with its full name.
pub(crate) fn rows() -> Vec<(String, &'static Command)> {
    let mut rows = Vec::new();
    for command in crate::all() {
        let name = command.spec.name;
        if command.subcommands.is_empty() || !command.spec.args.is_empty() {
            rows.push((name.to_owned(), command));
        }
        rows.extend(
            command.subcommands.iter().map(|sub| (format!("{name} {}", sub.spec.name), *sub)),
        );
    }
    rows.retain(|(name, _)| {
        let first = name.split(' ').next().unwrap_or_default();
        !LEFT_OUT.iter().any(|left| name == left || first == *left)
    });
    rows
}

/// Runs one request. `held` is what the keys hold, before and afterwards.
fn play(server: &mut Server, words: &[String], command: &Command, held: &mut Contents) {
    let bytes: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
    let protocol = server.session.protocol;
    server.session = server.other_session();
    server.session.protocol = protocol;
    let (reply, outcome) = server.run(&bytes);
    let now = server.contents();
    let flags = command.spec.flag_set();
    let text = String::from_utf8_lossy(&reply);
    let is_error = text.starts_with('-');
    // PFCOUNT reads, and keeps what it has worked out.
    let changes = command.spec.keys.iter().any(|key| key.flags.contains(&KeyFlag::ReadWrite));
    let may_change = !is_error && (flags.has(Flag::Write) || changes);
    if !may_change {
        assert!(now == *held, "{words:?} answers {text} and changes a key");
    }
    let logged = server.logged_words();
    if is_error || !may_change && !flags.has(Flag::PubSub) {
        assert!(logged.is_empty(), "{words:?} answers {text} and is logged");
    }
    // Messages have several replies, CLIENT REPLY OFF none.
    let is_silent = words[..2.min(words.len())].join(" ") == "client reply";
    if matches!(outcome, Outcome::Done) && !flags.has(Flag::PubSub) && !is_silent {
        let len = resp::value::decode(&reply).ok().flatten().map(|(_, len)| len);
        assert_eq!(len, Some(reply.len()), "{words:?} answers {text}");
    }
    *held = now;
}

#[test]
fn an_error_changes_nothing_and_every_request_has_one_reply() {
    let (mut server, mut draw) = (Server::new(), Draw(Random::from_seed(11)));
    for (name, command) in rows() {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            server.session = server.other_session();
            server.line("flushall");
            for line in FILLING {
                let reply = server.line(line);
                assert!(!reply.starts_with('-'), "{line} answers {reply}");
            }
            server.logged_words();
            server.session.protocol = protocol;
            let mut held = server.contents();
            for _ in 0..REQUESTS {
                let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
                draw.all(command.spec.args, &mut words);
                draw.mutate(&mut words);
                play(&mut server, &words, command, &mut held);
            }
        }
    }
    assert!(!server.node().incomplete.load(std::sync::atomic::Ordering::Acquire));
}
