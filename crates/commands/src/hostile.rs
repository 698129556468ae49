//! Damaged payloads that RESTORE takes all the same: whatever they hold, commands on it end well.

use crate::corpus::samples::{mutate, samples, sealed, times};
use crate::harness::Server;
use crate::malformed::{Draw, KEYS, rows};
use base::random::Random;
use engine::Command;
use spec::Flag;
use std::sync::atomic::Ordering;

/// Rounds, each with other payloads.
const ROUNDS: u64 = 12;

/// Drawn commands in a round: a thousand for each key. Now and then the keys are restored again, since
/// many commands put something else in their place.
const COMMANDS: usize = 1000 * KEYS.len();

/// Drawn commands until the keys are restored again.
const RESTORED_EVERY: usize = 20 * KEYS.len();

/// Payloads offered to a key until one is taken.
const OFFERS_MAX: usize = 1000;

/// Payloads of every form: those of the corpus, and of large collections.
fn bodies() -> Vec<(Vec<u8>, u16)> {
    let mut bodies: Vec<_> = samples()
        .into_iter()
        .filter(|sample| sample.value.len() < 400)
        .map(|sample| ([&[sample.kind], &sample.value[..]].concat(), sample.version))
        .collect();
    let mut server = Server::new();
    for setting in
        ["hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-listpack-entries"]
    {
        server.line(&format!("config set {setting} 2"));
    }
    server.line("config set list-max-listpack-size 2");
    for line in [
        "set k \"some text that is longer than others, to be packed packed packed\"",
        "rpush k a b c 1 2 3",
        "sadd k a b c 1 2",
        "hset k a 1 b two c 3",
        "zadd k 1 a 2.5 b 3 c",
        "hsetex k ex 100000 fields 2 a 1 b 2",
        "pfadd k a b c d e f",
        "geoadd k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    ] {
        server.line("del k");
        server.line(line);
        let dumped = server.run(&[b"dump", b"k"]).0;
        let (dumped, _) = resp::value::decode(&dumped).unwrap().unwrap();
        let dumped = dumped.as_bytes().unwrap();
        bodies.push((dumped[..dumped.len() - 10].to_vec(), 10));
    }
    bodies
}

/// Offers damaged payloads to `key` until one is taken, and gives it.
fn restore(
    server: &mut Server,
    key: &str,
    bodies: &[(Vec<u8>, u16)],
    draw: &mut Draw,
) -> Option<Vec<u8>> {
    let (body, version) = &bodies[draw.below(bodies.len())];
    for _ in 0..OFFERS_MAX {
        let mut body = body.clone();
        mutate(&mut body, 0, &mut draw.0);
        let payload = sealed(body, *version);
        let reply = server.run(&[b"restore", key.as_bytes(), b"0", &payload, b"replace"]).0;
        assert!(
            !server.node().incomplete.load(Ordering::Acquire),
            "a panic in restoring {payload:02x?}"
        );
        if reply == b"+OK\r\n" {
            return Some(payload);
        }
        assert_eq!(reply, b"-ERR Bad data format\r\n", "{payload:02x?}");
    }
    None
}

#[test]
fn what_is_restored_survives_commands() {
    let rows: Vec<(String, &'static Command)> = rows()
        .into_iter()
        .filter(|(name, command)| {
            let flags = command.spec.flag_set();
            !command.spec.keys.is_empty() && !flags.has(Flag::Admin) && name != "restore"
        })
        .collect();
    let (bodies, mut server) = (bodies(), Server::new());
    let mut draw = Draw(Random::from_seed(times(ROUNDS)));
    let mut taken = 0;
    for _ in 0..times(ROUNDS) {
        server.session = server.other_session();
        server.line("flushall");
        let payloads: Vec<_> =
            KEYS.iter().map(|key| restore(&mut server, key, &bodies, &mut draw)).collect();
        taken += payloads.iter().flatten().count();
        for step in 0..COMMANDS {
            if step % RESTORED_EVERY == 0 {
                for (key, payload) in KEYS.iter().zip(&payloads) {
                    let Some(payload) = payload else { continue };
                    server.run(&[b"restore", key.as_bytes(), b"0", payload, b"replace"]);
                }
            }
            let (name, command) = &rows[draw.below(rows.len())];
            let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
            draw.all(command.spec.args, &mut words);
            if draw.0.one_in(4) {
                draw.mutate(&mut words);
            }
            let bytes: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
            server.session = server.other_session();
            server.run(&bytes);
            assert!(
                !server.node().incomplete.load(Ordering::Acquire),
                "a panic in {words:?}, the keys having been restored from {payloads:02x?}"
            );
        }
        server.logged_words();
    }
    let offered = times(ROUNDS) * KEYS.len() as u64;
    assert!(taken as u64 > offered * 9 / 10, "{taken} of {offered} keys were made");
}
