//! Instructions of an operation, counted by callgrind: `cargo xtask bench --instructions`, and the test
//! that they do not grow.
//!
//! A server with one loop runs under valgrind, its housekeeping resting. One connection sends batches
//! with drawn keys from a fixed seed; what the server has executed is counted over so many operations
//! and over more of them, and the difference is divided by theirs, so that connecting and whatever
//! else happens once falls out. System calls count as one instruction: it is the path in user space
//! that is counted. Two runs differ by a few tenths of a percent.
//!
//! The reference is `instructions.toml` beside this crate's manifest. It changes in commits that say why.

use super::generator::{self, Generator, Load};
use super::report::{float, machine, write_docs};
use super::workload::{GET, SET, Workload};
use crate::arguments::Arguments;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::setup::valgrind;
use crate::verdicts::Verdicts;
use crate::{ports, run, wait, workspace};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is counted.
const ROWS: [(Workload, usize); 4] = [(GET, 1), (SET, 1), (GET, 16), (SET, 16)];
/// Operations of the two counts.
const OPERATIONS: [u64; 2] = [2_000, 10_000];
/// Operations before anything is counted.
const WARM_OPERATIONS: u64 = 2_000;
/// Keys that exist.
const KEYS: u64 = 10_000;
/// Where the drawing of keys begins.
const SEED: u64 = 1;
/// How much more than the reference the test lets pass.
const GROWTH_MAX: f64 = 1.03;
/// How long a dump of the counts may take.
const DUMP_MS: u64 = 20_000;

/// Runs the task.
///
/// # Errors
/// When valgrind cannot be had, the server answers wrongly, or a count has grown.
pub fn task(mut arguments: Arguments, words: &[String]) -> Outcome {
    let (docs, anew) = (arguments.flag("--write-docs"), arguments.flag("--write-reference"));
    let path = arguments.text("--program")?;
    arguments.finish()?;
    let counts = count(&Program::chosen(path.as_deref(), "redoubt")?)?;
    if anew {
        let mut text = "# Instructions of an operation (crates/xtask/src/bench/instructions.rs).\n\
                        # `cargo xtask bench --instructions --write-reference` writes this file; it \
                        changes only in a\n# commit of its own that says why.\n"
            .to_owned();
        for (name, count) in &counts {
            let _ = writeln!(text, "\"{name}\" = {count:.0}");
        }
        fs::write(reference_path(), text)?;
    }
    let reference = reference()?;
    let mut text = format!(
        "Machine: {}. Command: `cargo xtask {}`. One connection, {KEYS} keys, values of 64 bytes, \
         seed {SEED}.\n\n| instructions of an operation, user space | now | reference |\n|---|---|---|\n",
        machine(),
        words.join(" ")
    );
    for (name, count) in &counts {
        let known = reference.get(name).copied().unwrap_or(f64::NAN);
        let _ = writeln!(text, "| {name} | {count:.0} | {known:.0} |");
    }
    println!("{text}");
    if docs {
        write_docs(&workspace::root().join("docs/performance.md"), "instructions", &text)?;
    }
    let mut verdicts = Verdicts::default();
    judge(&counts, &reference, &mut verdicts);
    verdicts.finish()
}

/// The test: no count may be more than a little above its reference.
///
/// # Errors
/// When valgrind cannot be had, or the server answers wrongly.
pub fn test(program: &Program, verdicts: &mut Verdicts) -> Outcome {
    judge(&count(program)?, &reference()?, verdicts);
    Ok(())
}

fn judge(counts: &Counts, reference: &Counts, verdicts: &mut Verdicts) {
    for (name, count) in counts {
        let known = reference.get(name).copied().unwrap_or(0.0);
        let verdict = ensure(*count <= known * GROWTH_MAX, || {
            format!("{count:.0}, which is more than 3 % above the reference of {known:.0}")
        });
        verdicts.outcome(&format!("instructions: {name}"), verdict);
    }
}

/// Instructions of an operation, by workload and pipeline.
type Counts = BTreeMap<String, f64>;

fn reference_path() -> PathBuf {
    workspace::root().join("crates/xtask/instructions.toml")
}

fn reference() -> Outcome<Counts> {
    let path = reference_path();
    let text = fs::read_to_string(&path).during(|| workspace::name_of(&path))?;
    let table: toml::Table = text.parse().during(|| workspace::name_of(&path))?;
    let number = |value: &toml::Value| {
        value.as_integer().and_then(|number| u64::try_from(number).ok()).map(float)
    };
    Ok(table.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect())
}

fn count(program: &Program) -> Outcome<Counts> {
    valgrind::prepare()?;
    let folder = workspace::scratch("instructions")?;
    let counted = program.under(valgrind::callgrind(&folder.join("counts")));
    let settings = ["io-threads 1", "appendonly no", "enable-debug-command yes"];
    let port = ports::free(1)?;
    let mut node = Node::server(&counted, &folder, port, &settings.map(str::to_owned))?;
    node.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
    node.ask(&["DEBUG", "PAUSE-CRON", "1"])?;
    for data in ROWS.iter().flat_map(|(workload, _)| workload.data) {
        generator::fill(port, *data, KEYS)?;
    }
    let id = node.process().map(|process| process.id());
    let mut callgrind = Callgrind {
        id: id.ok_or_else(|| Failure::new("the server is gone"))?,
        path: folder.join("counts"),
        dumps: 0,
    };
    callgrind.command(&["instrumentation", "on"])?;
    let mut counts = Counts::new();
    for (workload, pipeline) in ROWS {
        let mut run = |operations: u64| -> Outcome<u64> {
            let load = Load { workload, connections: 1, pipeline, keys: KEYS, seed: SEED };
            let mut generator = Generator::connect(port, &load)?;
            generator.run_batches(operations / u64::try_from(pipeline)?)?;
            drop(generator);
            callgrind.count()
        };
        run(WARM_OPERATIONS)?;
        let [few, many] = [run(OPERATIONS[0])?, run(OPERATIONS[1])?];
        let each = float(many.saturating_sub(few)) / float(OPERATIONS[1] - OPERATIONS[0]);
        counts.insert(format!("{} P{pipeline}", workload.name), each);
    }
    node.kill();
    Ok(counts)
}

/// The tool inside the process that is counted.
struct Callgrind {
    id: u32,
    path: PathBuf,
    dumps: usize,
}

impl Callgrind {
    fn command(&self, words: &[&str]) -> Outcome {
        let mut command = Command::new("vgdb");
        command.arg(format!("--pid={}", self.id)).args(words);
        run::output(&mut command).map(drop)
    }

    /// The instructions since the last call.
    fn count(&mut self) -> Outcome<u64> {
        self.command(&["dump"])?;
        self.dumps += 1;
        let path = PathBuf::from(format!("{}.{}", self.path.display(), self.dumps));
        wait::until("the counts", DUMP_MS, || total(&path))
    }
}

/// What the file of a dump says in its last line.
fn total(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}
