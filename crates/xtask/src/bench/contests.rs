//! The measurements that are rounds over servers: which servers, which load, which bars.

use super::report::{Report, head, judge};
use super::rounds::Contest;
use super::server::Start;
use super::workload::{COMMANDS, GET, INCR, MIX, SET, VALUE_BYTES, Workload, ZADD_BIG};
use super::{CONNECTIONS, GENERATOR_CPU, Measuring, PIPELINES, REDOUBT, SERVER_CPU, STOCK};
use crate::failure::Outcome;
use crate::verdicts::Verdicts;
use std::fmt::Write;

/// The most CPU time per operation against stock: pipeline, GET, SET.
const HOT_BARS: [(usize, [f64; 2]); 2] = [(1, [0.87, 0.87]), (16, [0.42, 0.45])];
/// The same with `io_uring`, at P1.
const RING_BAR: f64 = 0.78;
/// The geometric mean over the other commands.
const MEAN_BAR: f64 = 0.90;
/// Each of the other commands.
const EACH_BAR: f64 = 1.0;
/// New scores in one large sorted set.
const ZADD_BAR: f64 = 0.75;
/// CPU time per operation of two loops against one.
const LOOPS_BAR: f64 = 1.15;
/// Connections with which they are compared: as everywhere, and so many that both loops have enough to do
/// although the generator takes its share of their cpus.
const LOOPS_CONNECTIONS: [usize; 2] = [CONNECTIONS, 200];
/// How much worse a ratio may be with a file and a replica.
const ATTACHED_BAR: f64 = 1.10;

fn how() -> String {
    format!("{CONNECTIONS} connections, values of {VALUE_BYTES} bytes")
}

fn play(with: &Measuring<'_>, starts: Vec<Start<'_>>, workloads: Vec<Workload>) -> Outcome<Report> {
    let contest = Contest {
        starts,
        workloads,
        pipelines: &PIPELINES,
        connections: CONNECTIONS,
        pinned: true,
    };
    contest.play(&with.folder, with.plan, STOCK)
}

/// Every program with one loop on a cpu of its own.
fn plain<'a>(with: &'a Measuring<'_>) -> Vec<Start<'a>> {
    let programs = with.programs.iter();
    programs.map(|(label, program)| Start::new(label, program, SERVER_CPU)).collect()
}

/// GET, SET, INCR and a mix.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn hot(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let workloads = vec![GET, SET, INCR, MIX];
    let report = play(with, plain(with), workloads)?;
    for (pipeline, bars) in HOT_BARS {
        for (column, (name, bar)) in ["GET", "SET"].into_iter().zip(bars).enumerate() {
            let name = format!("bench: {name} P{pipeline} of stock");
            judge(verdicts, &name, report.ratio((REDOUBT, column, pipeline)), bar);
        }
    }
    let head = head(with.words, with.plan, &how());
    Ok([head, report.cpu_tables(), report.rate_tables()].concat())
}

/// Commands of the other types, and their geometric mean.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn commands(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let mut workloads = COMMANDS.to_vec();
    workloads.push(ZADD_BIG);
    let report = play(with, plain(with), workloads)?;
    let columns: Vec<usize> = (0..COMMANDS.len()).collect();
    let mut text = head(with.words, with.plan, &how()) + &report.cpu_tables();
    let _ = writeln!(text, "\nGeometric mean of the ratios, the one big sorted set left out\n");
    for pipeline in PIPELINES {
        let mean = report.mean_ratio(REDOUBT, &columns, pipeline);
        let _ = writeln!(text, "- P{pipeline}: {mean:.2} (bar {MEAN_BAR})");
        judge(verdicts, &format!("bench: mean of commands P{pipeline} of stock"), mean, MEAN_BAR);
        for (column, workload) in COMMANDS.iter().enumerate() {
            let name = format!("bench: {} P{pipeline} of stock", workload.name);
            judge(verdicts, &name, report.ratio((REDOUBT, column, pipeline)), EACH_BAR);
        }
        let name = format!("bench: {} P{pipeline} of stock", ZADD_BIG.name);
        judge(verdicts, &name, report.ratio((REDOUBT, COMMANDS.len(), pipeline)), ZADD_BAR);
    }
    Ok(text)
}

/// The two drivers.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn drivers(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let mut starts = plain(with);
    let (label, program) = &with.programs[REDOUBT];
    let mut ring = Start::new(format!("{label}, io_uring"), program, SERVER_CPU);
    ring.settings.push("io-backend io_uring".to_owned());
    starts.push(ring);
    let place = starts.len() - 1;
    let report = play(with, starts, vec![GET, SET])?;
    for (column, name) in ["GET", "SET"].into_iter().enumerate() {
        let name = format!("bench: {name} P1 by io_uring of stock");
        judge(verdicts, &name, report.ratio((place, column, 1)), RING_BAR);
    }
    let head = head(with.words, with.plan, &how());
    Ok([head, report.cpu_tables(), report.rate_tables()].concat())
}

/// Two loops against one, on all cpus, which the generator shares.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn loops(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let (label, program) = &with.programs[REDOUBT];
    let how = format!("Values of {VALUE_BYTES} bytes, nothing pinned");
    let mut text = head(with.words, with.plan, &how);
    for connections in LOOPS_CONNECTIONS {
        let starts = [1, 2].map(|loops| {
            let settings = vec![format!("io-threads {loops}"), "appendonly no".to_owned()];
            let label = format!("{label}, io-threads {loops}");
            Start { label, program, cpu: None, settings, replica_cpu: None }
        });
        let contest = Contest {
            starts: starts.into(),
            workloads: vec![GET, SET],
            pipelines: &PIPELINES[1..],
            connections,
            pinned: false,
        };
        let folder = with.folder.join(connections.to_string());
        let report = contest.play(&folder, with.plan, 0)?;
        for (column, name) in ["GET", "SET"].into_iter().enumerate() {
            let name =
                format!("bench: {name} P16 of two loops of one's, {connections} connections");
            judge(verdicts, &name, report.ratio((1, column, 16)), LOOPS_BAR);
        }
        let _ = writeln!(text, "\n{connections} connections");
        text += &report.cpu_tables();
        text += &report.rate_tables();
    }
    Ok(text)
}

/// With an append-only file synced every second and a replica of the same program, beside the same
/// without.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn attached(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let mut starts = plain(with);
    let count = starts.len();
    for (label, program) in with.programs {
        let mut start = Start::new(format!("{label}, file and replica"), program, SERVER_CPU);
        start.settings = [
            "io-threads 1",
            "appendonly yes",
            "appendfsync everysec",
            "auto-aof-rewrite-percentage 0",
            // A replica on the generator's cpu falls behind, and nobody is to be parted from it.
            "client-output-buffer-limit replica 0 0 0",
            "repl-timeout 3600",
        ]
        .map(str::to_owned)
        .into();
        start.replica_cpu = Some(GENERATOR_CPU);
        starts.push(start);
    }
    let report = play(with, starts, vec![GET, SET])?;
    let mut text = head(with.words, with.plan, &how()) + &report.cpu_tables();
    let _ = writeln!(text, "\nThe ratio to stock with file and replica, and without\n");
    for pipeline in PIPELINES {
        for (column, name) in ["GET", "SET"].into_iter().enumerate() {
            let beside = report.ratio((count + REDOUBT, column, pipeline))
                / report.ratio((count + STOCK, column, pipeline));
            let without = report.ratio((REDOUBT, column, pipeline));
            let _ = writeln!(text, "- {name} P{pipeline}: {beside:.2}, {without:.2}");
            let name =
                format!("bench: {name} P{pipeline} with file and replica of the same without");
            judge(verdicts, &name, beside / without, ATTACHED_BAR);
        }
    }
    Ok(text)
}
