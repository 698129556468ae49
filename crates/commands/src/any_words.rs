//! Requests of any words: whatever a client sends, each is answered by exactly one well-formed reply,
//! nothing panics, and the node goes on.

use crate::harness::Server;
use base::random::Random;
use engine::Command;
use resp::reply::Protocol;

/// Requests in one run.
const REQUESTS: usize = 30_000;

const KEYS: &[&str] = &["a", "b", "c", "{a}d", ""];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "3",
    "100000",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999",
    "99999999999000",
    "1.5",
    "-3.0e2",
    "0x10",
    "+5",
    " 7",
    "inf",
];
const TOKENS: &[&str] = &[
    "NX",
    "xx",
    "GET",
    "EX",
    "px",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "PERSIST",
    "GT",
    "lt",
    "DB",
    "REPLACE",
    "MATCH",
    "COUNT",
    "TYPE",
    "LEN",
    "IDX",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "ASYNC",
    "sync",
    "HELP",
    "*",
];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[usize::try_from(random.below(from.len() as u64)).expect("an index")]
}

fn word(random: &mut Random, at: usize) -> String {
    match (random.below(10), at) {
        (0..=6, 1) | (0..=1, _) => pick(random, KEYS).into(),
        (2..=4, _) => pick(random, NUMBERS).into(),
        (5..=8, _) => pick(random, TOKENS).into(),
        _ => "some text\r\n\0".into(),
    }
}

/// A request for one of `commands`, of about as many words as it takes.
fn request(random: &mut Random, commands: &[&'static Command]) -> Vec<String> {
    let at = usize::try_from(random.below(commands.len() as u64)).expect("an index");
    let command = commands[at];
    let mut words = vec![command.spec.name.to_owned()];
    let names: Vec<&str> = command.subcommands.iter().map(|sub| sub.spec.name).collect();
    if !names.is_empty() && !random.one_in(8) {
        words.push(pick(random, &names).to_ascii_uppercase());
    }
    let arity = command.spec.arity(1);
    let spare = if arity < 0 || random.one_in(10) { random.below(4) } else { 0 };
    let len = usize::try_from(arity.unsigned_abs() + spare).expect("a few");
    while words.len() < len {
        words.push(word(random, words.len()));
    }
    words
}

#[test]
fn every_request_has_one_well_formed_reply() {
    let groups = [crate::database::COMMANDS, crate::generic::COMMANDS, crate::string::COMMANDS];
    let commands = groups.concat();
    for (seed, protocol) in [(1, Protocol::Resp2), (2, Protocol::Resp3)] {
        let (mut server, mut random) = (Server::new(), Random::from_seed(seed));
        server.session.protocol = protocol;
        for step in 0..REQUESTS {
            let owned = request(&mut random, &commands);
            let words: Vec<&[u8]> = owned.iter().map(String::as_bytes).collect();
            let reply = server.run(&words).0;
            let decoded = resp::value::decode(&reply);
            let len = decoded.ok().flatten().map(|(_, len)| len);
            assert_eq!(len, Some(reply.len()), "seed {seed}, step {step}: {owned:?}");
            server.logged();
        }
        assert!(!server.node().incomplete.load(std::sync::atomic::Ordering::Acquire));
    }
}
