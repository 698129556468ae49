//! `cargo xtask bench`: Redoubt and stock redis-server on the same core, in turns.
//!
//! Servers are pinned to cpu 0 with one event loop, the generator to cpu 1; the servers whose turn it
//! is not are stopped with SIGSTOP. The figure to compare is the server's CPU time per operation: run
//! time of all its threads, from the scheduler's statistics, over operations answered. It does not
//! depend on how fast the generator is. Rounds are interleaved and the median is taken, so that what
//! else happens on the machine meets all servers alike.
//!
//! An option chooses what is measured ([`MEASURES`]); each has its block in `docs/performance.md`.

mod contests;
mod generator;
mod idle;
pub mod instructions;
mod latency;
mod memory;
mod persistence;
mod report;
mod rounds;
mod saving;
mod server;
mod turns;
mod workload;

use crate::arguments::Arguments;
use crate::failure::{Failure, Outcome, ensure};
use crate::program::{Kind, Program};
use crate::verdicts::Verdicts;
use crate::{run, workspace};
use std::fs;
use std::path::{Path, PathBuf};

/// Connections of the generator.
const CONNECTIONS: usize = 50;
/// Commands sent at once.
const PIPELINES: [usize; 2] = [1, 16];
/// The cpu of the servers, and that of the generator.
const SERVER_CPU: usize = 0;
/// See above.
const GENERATOR_CPU: usize = 1;
/// The place of the program under test.
const REDOUBT: usize = 0;
/// The place of the program that it is compared with.
const STOCK: usize = 1;
/// Keys of each kind in a quick run.
const QUICK_KEYS: u64 = 100_000;

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

/// What a measurement is given.
pub struct Measuring<'a> {
    /// Redoubt, stock, and others, with the names a table shows.
    pub programs: &'a [(String, Program)],
    /// How much.
    pub plan: Plan,
    /// Connections that stay idle.
    pub idle: usize,
    /// What the names of data sets must contain.
    pub only: String,
    /// A folder for what servers write.
    pub folder: PathBuf,
    /// The words of the command, for the head of the text.
    pub words: &'a [String],
}

/// A measurement: the option that asks for it, which is the name of its block in the document as well,
/// the keys it uses, and what it does.
struct Measure {
    name: &'static str,
    keys: u64,
    run: fn(&Measuring<'_>, &mut Verdicts) -> Outcome<String>,
}

/// All measurements; the first is made when none is asked for.
const MEASURES: [Measure; 11] = [
    Measure { name: "bench", keys: 1_000_000, run: contests::hot },
    Measure { name: "commands", keys: 1_000_000, run: contests::commands },
    Measure { name: "drivers", keys: 1_000_000, run: contests::drivers },
    Measure { name: "loops", keys: 1_000_000, run: contests::loops },
    Measure { name: "attached", keys: 1_000_000, run: contests::attached },
    Measure { name: "latency", keys: 1_000_000, run: latency::measure },
    Measure { name: "idle", keys: 1_000_000, run: idle::measure },
    Measure { name: "turns", keys: 20_000_000, run: turns::measure },
    Measure { name: "memory", keys: 0, run: memory::measure },
    Measure { name: "persistence", keys: 2_000_000, run: persistence::measure },
    Measure { name: "saving", keys: 2_000_000, run: saving::measure },
];

/// Runs the task.
///
/// # Errors
/// When a server does not start or answers wrongly, or Redoubt is above a bar.
pub fn task(mut arguments: Arguments, words: &[String]) -> Outcome {
    if cfg!(debug_assertions) {
        // An unoptimised generator would be what is measured.
        let mut cargo =
            run::command("cargo", &["run", "--quiet", "--release", "--package", "xtask"]);
        return run::finish(cargo.arg("--").args(words)).map_err(|_| Failure::new(""));
    }
    if arguments.flag("--instructions") {
        return instructions::task(arguments, words);
    }
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let against = arguments.text("--against")?;
    let write_docs = arguments.flag("--write-docs");
    let chosen = MEASURES.iter().skip(1).find(|one| arguments.flag(&format!("--{}", one.name)));
    let measure = chosen.unwrap_or(&MEASURES[0]);
    let plan = plan(&mut arguments, measure)?;
    let idle = arguments.number("--connections", 10_000)?;
    let only = arguments.text("--only")?.unwrap_or_default();
    arguments.finish()?;
    let ours = Program::chosen(path.as_deref(), &kind)?;
    let mut programs = vec![(ours.label().to_owned(), ours)];
    programs.push(("stock 7.0.15".to_owned(), Program::stock()?));
    if let Some(path) = against {
        programs.push((path.clone(), Program::at(Kind::Stock, Path::new(&path))?));
    }
    let mut verdicts = Verdicts::default();
    let folder = workspace::scratch("bench")?;
    let measuring = Measuring { programs: &programs, plan, idle, only, folder, words };
    let text = (measure.run)(&measuring, &mut verdicts)?;
    fs::remove_dir_all(&measuring.folder)?;
    println!("{text}");
    if write_docs {
        report::write_docs(&workspace::root().join("docs/performance.md"), measure.name, &text)?;
    }
    verdicts.finish()
}

fn plan(arguments: &mut Arguments, measure: &Measure) -> Outcome<Plan> {
    let quick = arguments.flag("--quick");
    let (rounds, window_ms) = if quick { (3, 700) } else { (5, 2_500) };
    let keys = if quick { measure.keys.min(QUICK_KEYS) } else { measure.keys };
    let plan = Plan {
        rounds: arguments.number("--rounds", rounds)?,
        warm_ms: arguments.number("--warm", window_ms / 5)?,
        window_ms: arguments.number("--window", window_ms)?,
        keys: arguments.number("--keys", keys)?,
        seed: arguments.number("--seed", 1)?,
    };
    ensure(plan.rounds > 0 && plan.window_ms > 0, || "nothing would be measured".to_owned())?;
    Ok(plan)
}
