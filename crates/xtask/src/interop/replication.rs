//! PSYNC with stock at either end, under load, over a link that breaks.

use super::Stage;
use super::compare;
use super::load::{self, Load};
use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::{ports, wait};
use base::random::Random;

/// Batches that a load must bring through before and after an event.
const BATCHES: u64 = 150;
/// How long they may take.
const LOAD_MS: u64 = 30_000;
/// What every chunk waits on a slow link.
const SLOW_MS: u64 = 5;
/// Batches written while a link is cut.
const MISSED: u32 = 40;

/// A stock replica of our primary.
pub fn stock_follows(stage: &Stage) -> Outcome {
    under_load(stage, &stage.ours, &stage.stock)
}

/// Our replica of a stock primary.
pub fn follows_stock(stage: &Stage) -> Outcome {
    under_load(stage, &stage.stock, &stage.ours)
}

/// Our replica of our primary.
pub fn follows_itself(stage: &Stage) -> Outcome {
    under_load(stage, &stage.ours, &stage.ours)
}

fn server(stage: &Stage, program: &Program, name: &str) -> Outcome<Node> {
    Node::server(program, &stage.folder.join(name), ports::free(1)?, &[])
}

/// A replica joins while the primary is written to: the full sync meets a moving target.
fn under_load(stage: &Stage, primary: &Program, replica: &Program) -> Outcome {
    let primary = server(stage, primary, "primary")?;
    let replica = server(stage, replica, "replica")?;
    let load = Load::start(primary.wire()?, 1);
    progress(&load)?;
    replica.follow(primary.port)?;
    progress(&load)?;
    load.finish()?;
    compare::settled(&primary, &replica)?;
    refuses_writes(&replica)
}

/// A full sync whose every chunk waits: the primary goes on serving, and nothing is lost meanwhile.
pub fn slow_link(stage: &Stage) -> Outcome {
    let primary = server(stage, &stage.ours, "primary")?;
    let replica = server(stage, &stage.ours, "replica")?;
    let proxy = Proxy::start(primary.port)?;
    let load = Load::start(primary.wire()?, 5);
    progress(&load)?;
    proxy.delay(SLOW_MS);
    replica.ask(&["REPLICAOF", "127.0.0.1", &proxy.port.to_string()])?;
    progress(&load)?;
    replica.linked()?;
    load.finish()?;
    proxy.delay(0);
    compare::settled(&primary, &replica)
}

/// Waits until the load has done another [`BATCHES`].
fn progress(load: &Load) -> Outcome {
    let target = load.batches() + BATCHES;
    wait::until("progress of the load", LOAD_MS, || (load.batches() >= target).then_some(()))
}

fn refuses_writes(replica: &Node) -> Outcome {
    let reply = replica.wire()?.call(&["SET", "a", "b"])?;
    let text = reply.as_error().unwrap_or_default().into_owned();
    ensure(text == "READONLY You can't write against a read only replica.", || {
        format!("a replica answered a write with `{text}`")
    })
}

/// Stock follows ours follows stock: what ours passes on is what it got, byte by byte.
pub fn chain(stage: &Stage) -> Outcome {
    let top = server(stage, &stage.stock, "top")?;
    let middle = server(stage, &stage.ours, "middle")?;
    let bottom = server(stage, &stage.stock, "bottom")?;
    let load = Load::start(top.wire()?, 2);
    middle.follow(top.port)?;
    bottom.follow(middle.port)?;
    progress(&load)?;
    load.finish()?;
    compare::settled(&top, &middle)?;
    compare::settled(&middle, &bottom)
}

/// Ours with ours over a link that is cut.
pub fn partial_resync(stage: &Stage) -> Outcome {
    over_a_cut_link(stage, &stage.ours, &stage.ours)
}

/// Our primary with a stock replica over a link that is cut.
pub fn partial_resync_of_stock(stage: &Stage) -> Outcome {
    over_a_cut_link(stage, &stage.ours, &stage.stock)
}

/// A stock primary with our replica over a link that is cut.
pub fn partial_resync_with_stock(stage: &Stage) -> Outcome {
    over_a_cut_link(stage, &stage.stock, &stage.ours)
}

/// What was missed comes from the backlog, counted as such, and no second full sync happens.
fn over_a_cut_link(stage: &Stage, primary: &Program, replica: &Program) -> Outcome {
    let backlog = ["repl-backlog-size 64mb".to_owned()];
    let folder = stage.folder.join("primary");
    let primary = Node::server(primary, &folder, ports::free(1)?, &backlog)?;
    let replica = server(stage, replica, "replica")?;
    let proxy = Proxy::start(primary.port)?;
    let mut random = Random::from_seed(3);
    let mut wire = primary.wire()?;
    load::write(&mut wire, &mut random)?;
    replica.follow(proxy.port)?;
    compare::settled(&primary, &replica)?;
    let counts = || (count(&primary, "sync_full"), count(&primary, "sync_partial_ok"));
    let (full, partial) = counts();
    proxy.cut(true);
    wait::until("the loss of the link", 20_000, || {
        (replica.info("replication", "master_link_status") == "down").then_some(())
    })?;
    for _ in 0..MISSED {
        load::write(&mut wire, &mut random)?;
    }
    proxy.cut(false);
    replica.linked()?;
    compare::settled(&primary, &replica)?;
    let now = counts();
    ensure(now.0 == full, || format!("sync_full went from {full} to {}", now.0))?;
    ensure(now.1 > partial, || format!("sync_partial_ok stayed {partial}"))
}

fn count(node: &Node, name: &str) -> u64 {
    node.info("stats", name).parse().unwrap_or(0)
}
