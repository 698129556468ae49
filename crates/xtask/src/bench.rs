//! `cargo xtask bench`: Redoubt and stock redis-server on the same core, in turns.
//!
//! Servers are pinned to cpu 0 with one event loop, the generator to cpu 1; the servers whose turn it
//! is not are stopped with SIGSTOP. The figure to compare is the server's CPU time per operation: run
//! time of all its threads, from the scheduler's statistics, over operations answered. It does not
//! depend on how fast the generator is. Rounds are interleaved and the median is taken, so that what
//! else happens on the machine meets all servers alike.

mod generator;
mod memory;
mod persistence;
mod report;
mod saving;
mod server;
mod workload;

use crate::arguments::Arguments;
use crate::failure::{Failure, Outcome};
use crate::program::{Kind, Program};
use crate::verdicts::Verdicts;
use crate::{run, workspace};
use report::{Report, Sample};
use server::Server;
use std::path::Path;
use workload::Workload;

/// Connections of the generator.
const CONNECTIONS: usize = 50;
/// Commands sent at once.
const PIPELINES: [usize; 2] = [1, 16];
/// The cpu of the servers, and that of the generator.
const SERVER_CPU: usize = 0;
/// See above.
const GENERATOR_CPU: usize = 1;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds over all servers; the median of them is taken.
    pub rounds: usize,
    /// Milliseconds before a measurement counts.
    pub warm_ms: u64,
    /// Milliseconds of a measurement.
    pub window_ms: u64,
    /// Keys of each kind.
    pub keys: u64,
    /// Where the drawing of keys begins.
    pub seed: u64,
}

/// Runs the task.
///
/// # Errors
/// When a server does not start or answers wrongly, or Redoubt is above the bar.
pub fn task(mut arguments: Arguments, words: &[String]) -> Outcome {
    if cfg!(debug_assertions) {
        // An unoptimised generator would be what is measured.
        let mut cargo =
            run::command("cargo", &["run", "--quiet", "--release", "--package", "xtask"]);
        return run::finish(cargo.arg("--").args(words)).map_err(|_| Failure::new(""));
    }
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let against = arguments.text("--against")?;
    let quick = arguments.flag("--quick");
    let write_docs = arguments.flag("--write-docs");
    let memory = arguments.flag("--memory");
    let persistence = arguments.flag("--persistence");
    let saving = arguments.flag("--saving");
    let only = arguments.text("--only")?.unwrap_or_default();
    let all_keys = if persistence || saving { 2_000_000 } else { 1_000_000 };
    let (rounds, window_ms, keys) = if quick { (3, 700, 100_000) } else { (5, 2_500, all_keys) };
    let plan = Plan {
        rounds: arguments.number("--rounds", rounds)?,
        warm_ms: arguments.number("--warm", window_ms / 5)?,
        window_ms: arguments.number("--window", window_ms)?,
        keys: arguments.number("--keys", keys)?,
        seed: arguments.number("--seed", 1)?,
    };
    arguments.finish()?;
    let ours = Program::chosen(path.as_deref(), &kind)?;
    let judged = ours.kind == Kind::Redoubt;
    let mut programs = vec![(ours.label().to_owned(), ours)];
    programs.push(("stock 7.0.15".to_owned(), Program::stock()?));
    if let Some(path) = against {
        programs.push((path.clone(), Program::at(Kind::Stock, Path::new(&path))?));
    }
    let mut verdicts = Verdicts::default();
    let (name, text) = if memory {
        let folder = workspace::scratch("bench")?;
        ("memory", memory::measure(&programs, &folder, words, &mut verdicts)?)
    } else if persistence {
        let folder = workspace::scratch("bench")?;
        let Plan { rounds, keys, seed, .. } = plan;
        let amount = persistence::Amount { rounds, keys, seed };
        let text = persistence::measure(&programs, &folder, amount, words, &mut verdicts)?;
        ("persistence", text)
    } else if saving {
        let folder = workspace::scratch("bench")?;
        let Plan { rounds, keys, seed, .. } = plan;
        let amount = saving::Amount { rounds, keys, seed };
        ("saving", saving::measure(&programs, &folder, amount, &only, words, &mut verdicts)?)
    } else {
        let report = measure(programs, plan)?;
        if judged {
            report.judge(&mut verdicts);
        }
        ("bench", report.markdown(words))
    };
    println!("{text}");
    if write_docs {
        report::write_docs(&workspace::root().join("docs/performance.md"), name, &text)?;
    }
    verdicts.finish()
}

fn measure(programs: Vec<(String, Program)>, plan: Plan) -> Outcome<Report> {
    let folder = workspace::scratch("bench")?;
    let mut servers = Vec::new();
    for (number, (label, program)) in programs.into_iter().enumerate() {
        let folder = folder.join(number.to_string());
        let mut server = Server::start(label, &program, &folder, SERVER_CPU)?;
        eprintln!("filling {}", server.label);
        server::pin(GENERATOR_CPU)?;
        generator::fill(server.port(), plan.keys)?;
        server.pause();
        servers.push(server);
    }
    let mut report = Report::new(servers.iter().map(|server| server.label.clone()), plan);
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        for pipeline in PIPELINES {
            for workload in Workload::ALL {
                for turn in 0..servers.len() {
                    let at = (turn + round) % servers.len();
                    let sample = one(&mut servers[at], workload, pipeline, plan, round)?;
                    report.add(at, workload, pipeline, sample);
                }
            }
        }
    }
    Ok(report)
}

fn one(
    server: &mut Server,
    workload: Workload,
    pipeline: usize,
    plan: Plan,
    round: usize,
) -> Outcome<Sample> {
    server.resume();
    let seed = plan.seed + u64::try_from(round).unwrap_or(0);
    let mut generator =
        generator::Generator::connect(server.port(), workload, pipeline, plan.keys, seed)?;
    generator.run(plan.warm_ms)?;
    generator.forget();
    let before = server.cpu_ns()?;
    let elapsed_us = generator.run(plan.window_ms)?;
    let cpu_ns = server.cpu_ns()?.saturating_sub(before);
    let sample = generator.sample(elapsed_us, cpu_ns);
    drop(generator);
    server.pause();
    Ok(sample)
}
