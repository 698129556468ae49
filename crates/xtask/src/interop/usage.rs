//! How long keys have not been used, and how often they are: in snapshots and full syncs, both ways with stock.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wire::Reading;
use resp::Value;
use std::fs;

/// Fields of the large value, which is saved in fragments.
const LARGE_FIELDS: u32 = 5_000;
/// Seconds that may pass between two looks.
const PASSED_S: i64 = 600;

/// A policy, the word of RESTORE that says how a key was used, and what OBJECT calls it.
const POLICIES: [(&str, &str, &str); 2] =
    [("allkeys-lru", "IDLETIME", "IDLETIME"), ("volatile-lfu", "FREQ", "FREQ")];

/// What ours says of keys is stock's to read.
pub fn to_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.ours, &stage.stock)
}

/// And the other way round.
pub fn from_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.stock, &stage.ours)
}

fn moves(stage: &Stage, from: &Program, to: &Program) -> Outcome {
    for (policy, option, question) in POLICIES {
        let settings = [format!("maxmemory-policy {policy}"), "lfu-decay-time 0".to_owned()];
        let place = |name: &str| stage.folder.join(format!("{policy}-{name}"));
        let server = |program: &Program, name: &str| {
            Node::server(program, &place(name), ports::free(1)?, &settings)
        };
        let from = server(from, "from")?;
        let keys = fill(&from, option)?;
        from.ask(&["SAVE"])?;
        fs::create_dir_all(place("to"))?;
        fs::copy(from.folder.join("dump.rdb"), place("to").join("dump.rdb"))?;
        let loaded = server(to, "to")?;
        told(&loaded, question, &keys)?;
        let replica = server(to, "replica")?;
        replica.follow(from.port)?;
        told(&replica, question, &keys)?;
    }
    Ok(())
}

/// Makes keys, small and large, that have been used in ways of their own.
fn fill(node: &Node, option: &str) -> Outcome<Vec<(String, i64)>> {
    let mut wire = node.wire()?;
    wire.ok(&["SET", "small", "value"])?;
    let fields = (0..LARGE_FIELDS).flat_map(|field| [format!("field:{field}"), "v".to_owned()]);
    let words: Vec<String> =
        ["HSET", "large"].map(str::to_owned).into_iter().chain(fields).collect();
    wire.pipeline(&[words])?;
    let mut keys = Vec::new();
    for from in ["small", "large"] {
        let payload = wire.ok(&["DUMP", from])?;
        let payload = payload.as_bytes().unwrap_or_default().to_vec();
        for used in [0_u8, 3, 100, 255] {
            let (key, amount) = (format!("{from}:{used}"), (i64::from(used) * step(option)));
            let words = ["RESTORE", &key, "0"].map(|word| word.as_bytes().to_vec());
            let tail = [payload.clone(), option.into(), amount.to_string().into_bytes()];
            let reply = wire.bytes(&[&words[..], &tail[..]].concat())?;
            ensure(reply == Value::Simple("OK".into()), || format!("RESTORE: {reply:?}"))?;
            keys.push((key, amount));
        }
    }
    Ok(keys)
}

/// Idle times lie so far apart that a slow test does not mix them up.
fn step(option: &str) -> i64 {
    if option == "IDLETIME" { 2 * PASSED_S } else { 1 }
}

/// Looks whether the keys are known as they were used.
fn told(node: &Node, question: &str, keys: &[(String, i64)]) -> Outcome {
    let mut wire = node.wire()?;
    let passed = if question == "IDLETIME" { PASSED_S } else { 0 };
    for (key, amount) in keys {
        let found = wire.ok(&["OBJECT", question, key])?.text().parse().unwrap_or(-1);
        ensure((*amount..=amount + passed).contains(&found), || {
            format!("OBJECT {question} {key} is {found}, not {amount}")
        })?;
    }
    Ok(())
}
