//! The snapshot file: over a kill, to stock, and from stock.

use super::Stage;
use super::compare;
use super::load;
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use base::random::Random;
use std::fs;

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
