//! `cargo xtask linear`: whether what several connections saw at once can be put in one order.
//!
//! Eight connections send a few drawn commands each, at the same time, to a server with four threads:
//! commands with several keys, transactions, blocking pops, keys that expire meanwhile. Then a search
//! looks for an order of all of them that explains every reply: one that a plain model, run one command
//! after the other, gives too, and in which no command comes before one that had ended when it began.
//! Each round begins with empty keys, so that the search stays small.

mod model;
mod search;

use crate::arguments::Arguments;
use crate::failure::{Failure, Outcome};
use crate::interop::Stage;
use crate::node::Node;
use crate::program::{Kind, Program};
use crate::wire::{Wire, shown};
use crate::{ports, workspace};
use base::clock::monotonic_us;
use base::random::Random;
use model::{Op, Value};
use search::Call;
use std::sync::Barrier;
use std::thread;

/// Connections at once.
const CLIENTS: usize = 8;
/// Commands of one connection in one round.
const CALLS: usize = 4;
/// Rounds of `cargo xtask test`.
const SHORT: u64 = 400;

/// Runs the task.
///
/// # Errors
/// When a program is not there, or a round has no order.
pub fn task(mut arguments: Arguments) -> Outcome {
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let rounds = arguments.number("--rounds", 20_000)?;
    let seed = arguments.number("--seed", 1)?;
    arguments.finish()?;
    let ours = Program::chosen(path.as_deref(), &kind)?;
    let stage = Stage { ours, stock: Program::stock()?, folder: workspace::scratch("linear")? };
    rounds_of(&stage, rounds, seed)
}

/// The short run of `cargo xtask test`.
///
/// # Errors
/// The round that has no order.
pub fn drawn(stage: &Stage) -> Outcome {
    rounds_of(stage, SHORT, 5)
}

fn rounds_of(stage: &Stage, rounds: u64, seed: u64) -> Outcome {
    let settings = match stage.ours.kind {
        Kind::Redoubt => vec!["io-threads 4".to_owned()],
        Kind::Stock => Vec::new(),
    };
    let node = Node::server(&stage.ours, &stage.folder.join("node"), ports::free(1)?, &settings)?;
    let barrier = Barrier::new(CLIENTS);
    let histories: Vec<Outcome<Vec<Vec<Call>>>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (node, barrier) = (&node, &barrier);
                scope.spawn(move || play(node, barrier, (rounds, seed, client)))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap_or_else(|_| broken())).collect()
    });
    let mut histories = histories.into_iter().collect::<Outcome<Vec<_>>>()?;
    for round in 0..rounds {
        let calls: Vec<Vec<Call>> =
            histories.iter_mut().map(|history| std::mem::take(&mut history[at(round)])).collect();
        if !search::is_linear(&calls) {
            return Err(Failure::new(format!("round {round} of seed {seed}: {}", told(&calls))));
        }
    }
    println!("{rounds} rounds of seed {seed}: every one has an order");
    Ok(())
}

fn broken<T>() -> Outcome<T> {
    Err(Failure::new("a client's thread panicked"))
}

fn at(round: u64) -> usize {
    usize::try_from(round).unwrap_or(usize::MAX)
}

/// One connection's part of every round. The first of them empties the keys.
fn play(
    node: &Node,
    barrier: &Barrier,
    (rounds, seed, client): (u64, u64, usize),
) -> Outcome<Vec<Vec<Call>>> {
    let opened = node.wire();
    let mut random = Random::from_seed(seed.wrapping_mul(31) + client as u64);
    let mut history = Vec::new();
    let mut failed = None;
    let mut wire = opened.map_err(|failure| failed = Some(failure)).ok();
    for _ in 0..rounds {
        // Who has failed still comes to the barrier, or the others would wait for ever.
        if client == 0
            && let Some(Err(failure)) = wire.as_mut().map(|wire| wire.ok(&["FLUSHALL"]))
        {
            failed = Some(failure);
        }
        barrier.wait();
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            let op = Op::draw(&mut random);
            match wire.as_mut().map(|wire| call(wire, op)) {
                Some(Ok(call)) => calls.push(call),
                Some(Err(failure)) => (failed, wire) = (Some(failure), None),
                None => {}
            }
        }
        history.push(calls);
        barrier.wait();
    }
    failed.map_or(Ok(history), Err)
}

fn call(wire: &mut Wire, op: Op) -> Outcome<Call> {
    let requests = op.requests();
    let start = monotonic_us();
    let replies = wire.replies(requests.iter())?;
    let end = monotonic_us();
    let reply = replies.last().map_or(Value::Null, |reply| Value::of(&shown(reply)));
    Ok(Call { op, reply, start, end })
}

/// A round as a person reads it, by time.
fn told(calls: &[Vec<Call>]) -> String {
    let mut lines: Vec<_> = calls
        .iter()
        .enumerate()
        .flat_map(|(client, calls)| calls.iter().map(move |call| (call.start, client, call)))
        .collect();
    lines.sort_by_key(|line| line.0);
    let line = |(_, client, call): &(_, usize, &Call)| {
        let (start, end) = (call.start, call.end);
        format!("\n    client {client} {start}..{end} us: {:?} -> {:?}", call.op, call.reply)
    };
    format!("no order explains{}", lines.iter().map(line).collect::<String>())
}
