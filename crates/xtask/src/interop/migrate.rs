//! MIGRATE between ours and stock: every type, both ways, and how its replicas hear of it.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wait;
use crate::wire::{Reading, Wire, shown};

/// Commands that make a key of every type; the last has an expiry.
const KEYS: [&[&str]; 7] = [
    &["SET", "string", "a value"],
    &["RPUSH", "list", "a", "b", "3"],
    &["SADD", "set", "x", "y"],
    &["HSET", "hash", "f", "v"],
    &["ZADD", "zset", "1", "a", "2.5", "b"],
    &["XADD", "stream", "1-1", "f", "v"],
    &["SET", "expires", "soon", "EX", "1000"],
];

/// Ours to stock.
pub fn to_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.ours, &stage.stock)
}

/// Stock to ours.
pub fn from_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.stock, &stage.ours)
}

fn server(stage: &Stage, program: &Program, name: &str, settings: &[&str]) -> Outcome<Node> {
    let settings: Vec<String> = settings.iter().map(|&line| line.to_owned()).collect();
    Node::server(program, &stage.folder.join(name), ports::free(1)?, &settings)
}

fn digest(wire: &mut Wire) -> Outcome<String> {
    let digests: Outcome<Vec<_>> = KEYS
        .iter()
        .map(|words| Ok(wire.ok(&["DEBUG", "DIGEST-VALUE", words[1]])?.items()[0].text()))
        .collect();
    Ok(digests?.join(" "))
}

fn moves(stage: &Stage, from: &Program, to: &Program) -> Outcome {
    let debug = "enable-debug-command yes";
    let from = server(stage, from, "from", &[debug])?;
    let replica = server(stage, &stage.stock, "replica", &[])?;
    replica.follow(from.port)?;
    let to = server(stage, to, "to", &[debug, "requirepass secret"])?;
    let (mut here, mut there) = (from.wire()?, to.wire()?);
    for words in KEYS {
        here.ok(words)?;
    }
    let before = digest(&mut here)?;
    let port = to.port.to_string();
    let names: Vec<&str> = KEYS.iter().map(|words| words[1]).collect();
    let head = ["MIGRATE", "127.0.0.1", &port, "", "1", "5000"];
    let mut check = |options: &[&str], expected: &str| {
        let words = [&head[..], options, &["KEYS"], &names].concat();
        let reply = shown(&here.call(&words)?);
        ensure(reply.contains(expected), || format!("{options:?} gives {reply}"))
    };
    check(&[], "NOAUTH")?;
    check(&["AUTH", "wrong"], "WRONGPASS")?;
    check(&["COPY", "AUTH", "secret"], "OK")?;
    check(&["AUTH2", "default", "secret"], "BUSYKEY")?;
    check(&["REPLACE", "AUTH", "secret"], "OK")?;
    check(&["AUTH", "secret"], "NOKEY")?;
    there.ok(&["SELECT", "1"])?;
    let after = digest(&mut there)?;
    ensure(before == after, || format!("{before} became {after}"))?;
    let left = there.ok(&["TTL", "expires"])?.as_integer().unwrap_or(0);
    ensure((900..=1000).contains(&left), || format!("{left} seconds are left"))?;
    let size = here.ok(&["DBSIZE"])?.text();
    ensure(size == "0", || format!("{size} keys stayed"))?;
    wait::until("a replica without the keys", 10_000, || {
        (replica.ask(&["DBSIZE"]).ok()? == "0").then_some(())
    })
}
