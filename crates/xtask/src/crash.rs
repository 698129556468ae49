//! `cargo xtask crash`: a server with `appendfsync always` is killed with -9 under fifty clients.
//!
//! Each client counts up its own key, several writes on their way at a time, and notes what was
//! acknowledged. The kill comes at a drawn moment, sometimes while the file is rewritten, sometimes
//! while a replica is given a full sync; then the server starts again with what is on the disk, and every
//! key must hold at least what its client was told. The replica, killed as well, must start too.
//!
//! A kill leaves what the system holds; the death of the machine is played on a disk in memory
//! (`crates/commands/tests/durability.rs`).

use crate::arguments::Arguments;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::interop::Stage;
use crate::node::Node;
use crate::program::Program;
use crate::wire::{Reading, Wire};
use crate::{ports, wait, workspace};
use base::random::Random;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Connections that write.
const CLIENTS: usize = 50;
/// Writes of one connection on their way at a time.
const DEPTH: u64 = 8;
/// Kills of `cargo xtask test`.
const SHORT: u32 = 30;
/// Kills of `cargo xtask soak`.
pub const LONG: u32 = 1_000;
/// The longest that is written before a kill, in milliseconds.
const WRITE_MS_MAX: u64 = 400;

/// Of both servers; snapshots take about half a second, so that kills meet them.
const SETTINGS: [&str; 4] =
    ["appendonly yes", "appendfsync always", "rdb-key-save-delay 20", "enable-debug-command yes"];
/// Keys beside the clients'.
const KEYS: &str = "20000";

/// What came of all cycles.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    acknowledged: u64,
    rewriting: u32,
    syncing: u32,
}

/// Runs the task.
///
/// # Errors
/// When a program is not there, a start fails, or something acknowledged is lost.
pub fn task(mut arguments: Arguments) -> Outcome {
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let cycles = arguments.number("--cycles", SHORT)?;
    let seed = arguments.number("--seed", 1)?;
    arguments.finish()?;
    cycles_of(&Program::chosen(path.as_deref(), &kind)?, cycles, seed)
}

/// The short run of `cargo xtask test`.
///
/// # Errors
/// As [`task`].
pub fn short(stage: &Stage) -> Outcome {
    cycles_of(&stage.ours, SHORT, 1)
}

/// So many cycles, on the same files.
///
/// # Errors
/// As [`task`].
pub fn cycles_of(program: &Program, cycles: u32, seed: u64) -> Outcome {
    let folder = workspace::scratch("crash")?;
    let port = ports::free(2)?;
    let settings = SETTINGS.map(str::to_owned);
    let mut primary = Node::server(program, &folder.join("primary"), port, &settings)?;
    let mut replica = Node::server(program, &folder.join("replica"), port + 1, &settings)?;
    let mut random = Random::from_seed(seed);
    primary.ask(&["DEBUG", "POPULATE", KEYS])?;
    primary.ask(&["BGREWRITEAOF"])?;
    let (mut counts, mut sum) = (vec![0; CLIENTS], Sum::default());
    for cycle in 0..cycles {
        let context = || format!("cycle {cycle} of seed {seed}, {}", primary_log(&folder));
        let acknowledged = one(&primary, &mut replica, &counts, &mut random, &mut sum);
        let acknowledged = acknowledged.during(context)?;
        primary.kill();
        replica.kill();
        primary.start().during(context)?;
        replica.start().during(context)?;
        counts = held(&primary).during(context)?;
        for (client, (held, acknowledged)) in counts.iter().zip(&acknowledged).enumerate() {
            ensure(held >= acknowledged, || {
                format!("{}: client {client} was told {acknowledged}, {held} is held", context())
            })?;
        }
        sum.acknowledged += acknowledged.iter().sum::<u64>();
    }
    ensure(sum.acknowledged > 0 && (sum.rewriting > 0 || cycles < SHORT), || {
        "the kills met neither a write nor a rewrite: they test nothing".to_owned()
    })?;
    println!(
        "{cycles} kills of seed {seed}: 0 of {} acknowledged counts lost, every start succeeded; {} kills \
         were in a rewrite, {} in a full sync",
        sum.acknowledged, sum.rewriting, sum.syncing
    );
    Ok(())
}

fn primary_log(folder: &std::path::Path) -> String {
    format!("log {}", folder.join("primary/server.log").display())
}

/// Writes for a while, and kills the server under it. Gives what each client was told last.
fn one(
    primary: &Node,
    replica: &mut Node,
    counts: &[u64],
    random: &mut Random,
    sum: &mut Sum,
) -> Outcome<Vec<u64>> {
    let span = Duration::from_millis(random.below(WRITE_MS_MAX));
    let (rewrites, syncs) = (random.one_in(2), random.one_in(3));
    let ends = AtomicBool::new(false);
    let process_id =
        primary.info("server", "process_id").parse().during(|| "a process id".to_owned())?;
    thread::scope(|scope| {
        let clients: Vec<_> = counts
            .iter()
            .enumerate()
            .map(|(client, &count)| {
                let ends = &ends;
                let opened = primary.wire();
                scope.spawn(move || count_up(opened.ok(), client, count, ends))
            })
            .collect();
        if syncs {
            // A replica of a history that it does not know is given everything.
            replica.ask(&["REPLICAOF", "NO", "ONE"])?;
            replica.ask(&["SET", "stray", "1"])?;
            replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()])?;
        }
        wait::pause(span);
        if rewrites {
            // One may be under way already.
            primary.wire()?.call(&["BGREWRITEAOF"])?;
            wait::pause(Duration::from_millis(random.below(30)));
            sum.rewriting +=
                u32::from(primary.info("persistence", "aof_rewrite_in_progress") == "1");
        }
        if syncs {
            let syncs_now = replica.info("replication", "master_sync_in_progress") == "1";
            sum.syncing += u32::from(syncs_now);
        }
        crate::process::signal_process(process_id, rustix::process::Signal::KILL);
        ends.store(true, Ordering::SeqCst);
        let joined = clients
            .into_iter()
            .map(|client| client.join().map_err(|_| Failure::new("a client's thread panicked")));
        joined.collect()
    })
}

/// Counts up a key until the server is gone; gives what was acknowledged last.
fn count_up(wire: Option<Wire>, client: usize, count: u64, ends: &AtomicBool) -> u64 {
    let (mut acknowledged, Some(mut wire)) = (count, wire) else { return count };
    while !ends.load(Ordering::SeqCst) {
        let commands: Vec<Vec<String>> = (1..=DEPTH)
            .map(|step| {
                let value = (acknowledged + step).to_string();
                vec!["SET".to_owned(), format!("client:{client}"), value]
            })
            .collect();
        match wire.pipeline(&commands) {
            Ok(_) => acknowledged += DEPTH,
            Err(_) => break,
        }
    }
    acknowledged
}

/// What each client's key holds.
fn held(primary: &Node) -> Outcome<Vec<u64>> {
    let mut wire = primary.wire()?;
    (0..CLIENTS)
        .map(|client| {
            let text = wire.ok(&["GET", &format!("client:{client}")])?.text();
            Ok(text.parse().unwrap_or(0))
        })
        .collect()
}
