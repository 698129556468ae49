//! The snapshot file: over a kill, to stock, and from stock.

use super::Stage;
use super::compare;
use super::load;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::wire::{Reading, Wire};
use base::random::Random;
use resp::Value;
use std::fs;

/// Members of each large value, and how many are added at once.
const LARGE_MEMBERS: u32 = 200_000;
/// See above.
const LARGE_BATCH: u32 = 500;

/// The round of changes in which values are renamed, deleted and overwritten.
const GONE_ROUND: u32 = 3;
/// Microseconds for which the save rests at each key until then.
const HELD_US: u32 = 500_000;

/// Batches that are written before the snapshot.
const BATCHES: u32 = 60;

fn server(stage: &Stage, program: &Program, name: &str) -> Outcome<Node> {
    Node::server(program, &stage.folder.join(name), ports::free(1)?, &[])
}

fn fill(node: &Node) -> Outcome {
    let (mut wire, mut random) = (node.wire()?, Random::from_seed(4));
    for _ in 0..BATCHES {
        load::write(&mut wire, &mut random)?;
    }
    // Keys about to expire would differ between two looks at them.
    for _ in 0..2 {
        let keys: Vec<Vec<String>> =
            (0..3000).map(|number| vec!["DEL".to_owned(), format!("short:{number}")]).collect();
        wire.pipeline(&keys)?;
    }
    Ok(())
}

/// SAVE, kill -9, start: everything saved is there; what was written after SAVE is not.
pub fn after_kill(stage: &Stage) -> Outcome {
    let mut node = server(stage, &stage.ours, "node")?;
    fill(&node)?;
    let twin = server(stage, &stage.stock, "twin")?;
    twin.follow(node.port)?;
    compare::settled(&node, &twin)?;
    twin.ask(&["REPLICAOF", "NO", "ONE"])?;
    node.ask(&["SAVE"])?;
    node.ask(&["SET", "after", "the snapshot"])?;
    node.kill();
    node.start()?;
    let after = node.ask(&["EXISTS", "after"])?;
    ensure(after == "0", || "a key survived that was never saved".to_owned())?;
    compare::same(&mut node.wire()?, &mut twin.wire()?)
}

/// A snapshot of ours loads in stock.
pub fn to_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.ours, &stage.stock)
}

/// Large values that are changed, renamed and deleted while they are saved load in stock as they were.
pub fn large_to_stock(stage: &Stage) -> Outcome {
    let debug = ["enable-debug-command yes".to_owned()];
    let from = Node::server(&stage.ours, &stage.folder.join("from"), ports::free(1)?, &debug)?;
    let mut wire = from.wire()?;
    for number in 0..LARGE_MEMBERS / LARGE_BATCH {
        wire.pipeline(&grow(number))?;
    }
    let before = digests(&mut wire)?;
    // The save waits at the first key until they have gone.
    wire.ok(&["CONFIG", "SET", "rdb-key-save-delay", &HELD_US.to_string()])?;
    wire.ok(&["BGSAVE"])?;
    let (mut random, mut rounds) = (Random::from_seed(6), 0);
    while wire.info("persistence", "rdb_bgsave_in_progress")? == "1" {
        wire.pipeline(&spoil(&mut random))?;
        rounds += 1;
        if rounds == GONE_ROUND {
            wire.ok(&["RENAME", "zset", "moved"])?;
            wire.ok(&["DEL", "list"])?;
            wire.ok(&["SET", "string", "short"])?;
            wire.ok(&["CONFIG", "SET", "rdb-key-save-delay", "0"])?;
        }
    }
    ensure(rounds >= GONE_ROUND, || format!("the save was over after {rounds} rounds"))?;
    let status = wire.info("persistence", "rdb_last_bgsave_status")?;
    ensure(status == "ok", || format!("the save ended with {status}"))?;
    let folder = stage.folder.join("to");
    fs::create_dir_all(&folder)?;
    fs::copy(from.folder.join("dump.rdb"), folder.join("dump.rdb"))?;
    let to = Node::server(&stage.stock, &folder, ports::free(1)?, &debug)?;
    let after = digests(&mut to.wire()?)?;
    ensure(before == after, || format!("{before:?} was saved as {after:?} in {rounds} rounds"))
}

/// A batch of commands that make one large value of each type longer.
fn grow(number: u32) -> Vec<Vec<String>> {
    let (mut commands, words) = (Vec::new(), |words: &[&str]| {
        words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    });
    let [mut zset, mut hash, mut list, mut set] =
        [["ZADD", "zset"], ["HSET", "hash"], ["RPUSH", "list"], ["SADD", "set"]]
            .map(|one| words(&one));
    for member in number * LARGE_BATCH..(number + 1) * LARGE_BATCH {
        let name = format!("member:{member:08}");
        zset.extend([(member % 1013).to_string(), name.clone()]);
        hash.extend([name.clone(), format!("value {member}")]);
        list.push(format!("{name} of a list"));
        set.push(name.clone());
        commands.push(words(&["XADD", "stream", &format!("{}-1", member + 1), "name", &name]));
    }
    let text = format!("{number:08}").repeat(1 << 10);
    commands.extend([zset, hash, list, set, words(&["APPEND", "string", &text])]);
    commands
}

/// Commands that change the large values here and there.
fn spoil(random: &mut Random) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for _ in 0..20 {
        let member = format!("member:{:08}", random.below(LARGE_MEMBERS.into()));
        let number = random.below(LARGE_MEMBERS.into()).to_string();
        let entry = format!("{number}-1");
        for words in [
            &["ZADD", "zset", "-5", &member][..],
            &["ZREM", "zset", &format!("member:{:08}", random.below(LARGE_MEMBERS.into()))],
            &["ZADD", "moved", "7", &member],
            &["HSET", "hash", &member, "another"],
            &["HDEL", "hash", &format!("member:{:08}", random.below(LARGE_MEMBERS.into()))],
            &["LREM", "list", "1", &format!("{member} of a list")],
            &["LPOP", "list"],
            &["SREM", "set", &member],
            &["XDEL", "stream", &entry],
            &["SETRANGE", "string", &number, "another"],
            &["APPEND", "string", "another"],
        ] {
            commands.push(words.iter().map(|word| (*word).to_owned()).collect());
        }
    }
    commands
}

fn digests(wire: &mut Wire) -> Outcome<Vec<String>> {
    let mut digests = Vec::new();
    for key in ["zset", "hash", "list", "set", "stream", "string"] {
        let reply = wire.ok(&["DEBUG", "DIGEST-VALUE", key])?;
        digests.extend(reply.items().iter().map(Value::text));
    }
    Ok(digests)
}

/// A snapshot of stock loads in ours.
pub fn from_stock(stage: &Stage) -> Outcome {
    moves(stage, &stage.stock, &stage.ours)
}

fn moves(stage: &Stage, from: &Program, to: &Program) -> Outcome {
    let from = server(stage, from, "from")?;
    fill(&from)?;
    from.ask(&["SAVE"])?;
    let folder = stage.folder.join("to");
    fs::create_dir_all(&folder)?;
    fs::copy(from.folder.join("dump.rdb"), folder.join("dump.rdb"))?;
    let to = server(stage, to, "to")?;
    compare::same(&mut from.wire()?, &mut to.wire()?)
}
