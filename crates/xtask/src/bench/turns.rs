//! `cargo xtask bench --turns`: the processor time of the longest turn of the loop while much is
//! inserted, while much expires at once, and while a large value is deleted.
//!
//! The server measures it (DEBUG TURN-CPU): what else runs on the machine does not count. What the host of
//! a virtual machine takes from it does, since the guest does not see it: so the same is measured of a loop of
//! arithmetic on the same processor, whose pieces are all alike and last as long as a turn.

use super::generator::{self, Generator, Load};
use super::report::{float, judge, machine};
use super::server::{self, Server, Start};
use super::workload::{Template, Workload};
use super::{CONNECTIONS, GENERATOR_CPU, Measuring, REDOUBT, SERVER_CPU};
use crate::failure::{During, Failure, Outcome, ensure};
use crate::verdicts::Verdicts;
use crate::wait;
use base::clock;
use std::fmt::Write;
use std::hint::black_box;
use std::thread;

/// The most milliseconds of a turn.
const BAR_MS: f64 = 2.0;
/// Commands sent at once while keys are inserted.
const PIPELINE: usize = 16;
/// Members that are added with one command.
const MEMBERS_AT_ONCE: u64 = 100;
/// How many times as long as filling in keys, and another second, saying when they expire may take.
const PATIENCE: u64 = 2;
/// Seconds of arithmetic, and the multiplications of a piece of about half a millisecond.
const ARITHMETIC_S: u64 = 30;
/// See above.
const PIECE_STEPS: u64 = 300_000;
/// How long freeing or expiring may take.
const LIMIT_MS: u64 = 300_000;

/// Measures, and gives the table and the bars. `keys` are inserted, a twentieth of them expire, half as
/// many are the members of a set.
///
/// # Errors
/// When the server does not start or answers wrongly.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let keys = with.plan.keys;
    let (label, program) = &with.programs[REDOUBT];
    let mut start = Start::new(label, program, SERVER_CPU);
    start.settings.push("enable-debug-command yes".to_owned());
    let mut server = Server::start(start, &with.folder.join("turns"))?;
    server::pin(GENERATOR_CPU)?;
    server.node().ask(&["DEBUG", "TURN-CPU", "1"])?;
    let mut text = format!(
        "Machine: {}. Command: `cargo xtask {}`.\n\n| | longest turn, ms of its thread | turns | above 2 ms \
         |\n|---|---|---|---|\n",
        machine(),
        with.words.join(" ")
    );
    let figures = [
        (format!("{keys} keys inserted, P{PIPELINE}"), insert(&mut server, keys)?),
        (format!("{} keys expire at once", keys / 20), expire(&mut server, keys / 20)?),
        (format!("a set of {} members is deleted", keys / 2), delete(&mut server, keys / 2)?),
    ];
    let machine = arithmetic()?;
    for (name, Turns { longest_ms, count, long }) in &figures {
        let _ = writeln!(text, "| {name} | {longest_ms:.2} | {count} | {long} |");
        judge(verdicts, &format!("bench: longest turn, {name}, in ms"), *longest_ms, BAR_MS);
    }
    let Turns { longest_ms, count, long } = machine;
    let _ = writeln!(
        text,
        "| arithmetic for {ARITHMETIC_S} s, both processors busy | {longest_ms:.2} | {count} | {long} |"
    );
    Ok(text)
}

/// What a loop of arithmetic on the server's processor takes for pieces of half a millisecond, while another
/// is on the generator's.
fn arithmetic() -> Outcome<Turns> {
    let ends = clock::monotonic_us() + ARITHMETIC_S * 1_000_000;
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            server::pin(GENERATOR_CPU)?;
            while clock::monotonic_us() < ends {
                black_box(piece(PIECE_STEPS));
            }
            Outcome::Ok(())
        });
        let counted = scope.spawn(|| {
            server::pin(SERVER_CPU)?;
            let mut turns = Turns { longest_ms: 0.0, count: 0, long: 0 };
            while clock::monotonic_us() < ends {
                let began_us = clock::thread_cpu_us();
                black_box(piece(PIECE_STEPS));
                let spent_ms = float(clock::thread_cpu_us() - began_us) / 1000.0;
                turns.longest_ms = turns.longest_ms.max(spent_ms);
                turns.count += 1;
                turns.long += u64::from(spent_ms > BAR_MS);
            }
            Outcome::Ok(turns)
        });
        let ended = |_| Failure::new("a loop of arithmetic panicked");
        other.join().map_err(ended)??;
        counted.join().map_err(ended)?
    })
}

/// So many dependent multiplications.
fn piece(steps: u64) -> u64 {
    (0..steps).fold(1, |value: u64, step| black_box(value.wrapping_mul(0x9E37_79B9) ^ step))
}

/// What the server says of its turns.
struct Turns {
    longest_ms: f64,
    count: u64,
    /// Those above 2 ms.
    long: u64,
}

fn turns(server: &mut Server) -> Outcome<Turns> {
    let mut wire = server.node().wire()?;
    let longest: u64 = wire
        .info("debug", "eventloop_cpu_max")?
        .parse()
        .during(|| "the longest turn".to_owned())?;
    let count = wire.info("stats", "eventloop_cycles")?;
    let count = count.parse().during(|| "the number of turns".to_owned())?;
    let long = wire.info("debug", "eventloop_cpu_long")?;
    let long = long.parse().during(|| "the number of long turns".to_owned())?;
    Ok(Turns { longest_ms: float(longest) / 1000.0, count, long })
}

fn reset(server: &mut Server) -> Outcome {
    server.node().ask(&["CONFIG", "RESETSTAT"]).map(drop)
}

/// Keys that were not there, over many connections.
fn insert(server: &mut Server, keys: u64) -> Outcome<Turns> {
    const INSERT: Workload = Workload::inserting(&[(10, "SET key:{key} {value}")]);
    eprintln!("inserting {keys} keys");
    let load =
        Load { workload: INSERT, connections: CONNECTIONS, pipeline: PIPELINE, keys, seed: 0 };
    reset(server)?;
    let mut generator = Generator::connect(server.port(), &load)?;
    generator.run_batches(keys.div_ceil(u64::try_from(PIPELINE)?))?;
    turns(server)
}

/// Keys that expire at the same millisecond.
fn expire(server: &mut Server, keys: u64) -> Outcome<Turns> {
    server.node().ask(&["FLUSHALL"])?;
    eprintln!("waiting for {keys} keys to expire");
    let began = clock::unix().0;
    generator::fill_with(server.port(), &Template::new("SET key:{key} {value}"), keys)?;
    let filled = clock::unix().0;
    let at = filled + 1_000 + PATIENCE * (filled - began);
    let template = Template::new(&format!("PEXPIREAT key:{{key}} {at}"));
    generator::fill_with(server.port(), &template, keys)?;
    ensure(clock::unix().0 < at, || "some keys expired too early; try again".to_owned())?;
    reset(server)?;
    let node = server.node();
    wait::until("the keys' end", LIMIT_MS, || {
        (node.info("stats", "expired_keys").parse() == Ok(keys)).then_some(())
    })?;
    turns(server)
}

/// A set with very many members.
fn delete(server: &mut Server, members: u64) -> Outcome<Turns> {
    eprintln!("adding {members} members");
    let words: Vec<_> = (0..MEMBERS_AT_ONCE).map(|at| format!("{{key}}:{at:02}")).collect();
    let template = Template::new(&format!("SADD big {}", words.join(" ")));
    generator::fill_with(server.port(), &template, members / MEMBERS_AT_ONCE)?;
    reset(server)?;
    let node = server.node();
    node.ask(&["DEL", "big"])?;
    wait::until("the members' end", LIMIT_MS, || {
        (node.info("memory", "lazyfree_pending_objects") == "0").then_some(())
    })?;
    turns(server)
}
