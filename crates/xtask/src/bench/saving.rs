//! `cargo xtask bench --saving`: what a client and the memory feel of a background save.
//!
//! For each data set the programs take turns: a probe sends one request every quarter of a millisecond
//! while another client overwrites at a steady pace, first without a save, then while BGSAVE runs. Each
//! latency counts from when the request was due, so that a pause is felt by all that fall into it; figures
//! are medians of the rounds. Then BGSAVE runs again while the other client overwrites as fast as it can,
//! and the memory of the server and of its children (proportional set size, so that shared pages count
//! once) is compared with that before. Where a save is to have a slow sink, `rdb-key-save-delay` slows the
//! saver.

use super::persistence::{fill, letters, wire};
use super::report::{float, machine};
use super::{Measuring, Plan, REDOUBT, STOCK};
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::program::Program;
use crate::verdicts::Verdicts;
use crate::wire::Wire;
use crate::{ports, wait};
use base::clock;
use base::random::Random;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Microseconds between two requests of the probe.
const PROBE_US: u64 = 250;
/// Microseconds without a save in a round.
const IDLE_US: u64 = 3_000_000;
/// Milliseconds between two looks at a save and at the memory.
const LOOK_MS: u64 = 20;
/// How long a save may take.
const LIMIT_MS: u64 = 300_000;
/// Overwriting requests sent at once.
const BATCH: u64 = 16;
/// Bytes by which memory may grow besides a share of the data, and that share.
const GROWTH_BYTES: f64 = 64e6;
/// See above.
const GROWTH_SHARE: f64 = 0.05;
/// How many times the p99 without a save that during one may be.
const P99_BAR: f64 = 2.0;
/// Microseconds by which the p99.9 during a save may be above that without.
const P999_US: u64 = 4_000;

/// A data set and what is done to it.
struct Shape {
    name: &'static str,
    /// Commands that make it, for so many keys.
    commands: fn(keys: u64) -> u64,
    /// The words of a command that makes it.
    words: fn(number: u64, random: &mut Random) -> Vec<String>,
    /// A command that overwrites, where it was made by so many commands.
    overwrite: fn(commands: u64, random: &mut Random) -> Vec<String>,
    /// A command that reads.
    probe: fn(commands: u64, random: &mut Random) -> Vec<String>,
    /// Overwriting commands a second, while latencies are measured.
    pace: u64,
    /// `rdb-key-save-delay`, in microseconds.
    delay_us: u64,
    /// Whether the bar of memory is for it: for values of up to 64 KB.
    bounds_memory: bool,
}

fn key(number: u64) -> String {
    format!("key:{number:012}")
}

fn get(commands: u64, random: &mut Random) -> Vec<String> {
    vec!["GET".into(), key(random.below(commands))]
}

fn set_short(number: u64, random: &mut Random) -> Vec<String> {
    vec!["SET".into(), key(number), letters(random, 64)]
}

fn set_long(number: u64, random: &mut Random) -> Vec<String> {
    vec!["SET".into(), key(number), letters(random, 64).repeat(1024)]
}

/// The name of the one large key.
const LARGE: &str = "large";
/// Members added by a command.
const MEMBERS: u64 = 500;
/// Bytes of the large string, and the commands that make it.
const LARGE_BYTES: u64 = 512 << 20;
/// See above.
const LARGE_PIECES: u64 = 8192;

const LONG: Shape = Shape {
    name: "strings of 64 KB",
    commands: |keys| keys / 500,
    words: set_long,
    overwrite: |commands, random| set_long(random.below(commands), random),
    probe: |commands, random| vec!["STRLEN".into(), key(random.below(commands))],
    pace: 800,
    delay_us: 0,
    bounds_memory: true,
};

const SHAPES: [Shape; 5] = [
    Shape {
        name: "strings of 64 bytes",
        commands: |keys| keys,
        words: set_short,
        overwrite: |commands, random| set_short(random.below(commands), random),
        probe: get,
        pace: 20_000,
        delay_us: 0,
        bounds_memory: true,
    },
    LONG,
    Shape { name: "strings of 64 KB, a slow sink", delay_us: 1_500, ..LONG },
    Shape {
        name: "one sorted set, five members for each key of the first",
        commands: |keys| keys * 5 / MEMBERS,
        words: |number, random| {
            let mut words = vec!["ZADD".to_owned(), LARGE.to_owned()];
            for member in number * MEMBERS..(number + 1) * MEMBERS {
                words.push(random.below(1_000_000).to_string());
                words.push(key(member));
            }
            words
        },
        overwrite: |commands, random| {
            let member = key(random.below(commands * MEMBERS));
            vec!["ZADD".into(), LARGE.into(), random.below(1_000_000).to_string(), member]
        },
        probe: |commands, random| {
            vec!["ZSCORE".into(), LARGE.into(), key(random.below(commands * MEMBERS))]
        },
        pace: 20_000,
        delay_us: 0,
        bounds_memory: false,
    },
    Shape {
        name: "one string of 512 MB",
        commands: |_| LARGE_PIECES,
        words: |number, random| {
            let bytes = usize::try_from(LARGE_BYTES / LARGE_PIECES).unwrap_or(0);
            let at = number * LARGE_BYTES / LARGE_PIECES;
            let text = letters(random, 64).repeat(bytes / 64);
            vec!["SETRANGE".into(), LARGE.into(), at.to_string(), text]
        },
        overwrite: |_, random| {
            let at = random.below(LARGE_BYTES - 64).to_string();
            vec!["SETRANGE".into(), LARGE.into(), at, letters(random, 64)]
        },
        probe: |_, random| {
            let at = random.below(LARGE_BYTES - 64);
            vec!["GETRANGE".into(), LARGE.into(), at.to_string(), (at + 63).to_string()]
        },
        pace: 20_000,
        delay_us: 0,
        bounds_memory: false,
    },
];

/// What was measured of one program.
#[derive(Default)]
struct Figures {
    /// Microseconds of each request without a save, by the round.
    idle: Vec<Vec<u64>>,
    /// And during one.
    saving: Vec<Vec<u64>>,
    /// Bytes of memory before the fastest overwriting.
    before: Vec<u64>,
    /// Bytes by which it grew during a save.
    growth: Vec<u64>,
    /// Milliseconds of a save.
    save_ms: Vec<u64>,
}

impl Figures {
    fn finish(&mut self) {
        let Figures { idle, saving, before, growth, save_ms } = self;
        let latencies = idle.iter_mut().chain(saving);
        for values in latencies.chain([before, growth, save_ms]) {
            values.sort_unstable();
        }
    }
}

/// The value below which so many thousandths of the sorted `values` are.
fn at(values: &[u64], thousandths: usize) -> u64 {
    let last = values.len().saturating_sub(1);
    values.get((values.len() * thousandths / 1000).min(last)).copied().unwrap_or(0)
}

/// The median over the rounds of [`at`]: a pause that the machine makes is felt in one of them.
fn median_at(rounds: &[Vec<u64>], thousandths: usize) -> u64 {
    let mut values: Vec<u64> = rounds.iter().map(|round| at(round, thousandths)).collect();
    values.sort_unstable();
    at(&values, 500)
}

/// Measures all data sets whose names contain `only`; the tables, and the bars.
///
/// # Errors
/// When a server does not start, or refuses a command.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let Measuring { programs, folder, words, plan: amount, only, .. } = with;
    let mut text = format!(
        "Machine: {}. Command: `cargo xtask {}`. Seed {}, {} keys, {} rounds.\n",
        machine(),
        words.join(" "),
        amount.seed,
        amount.keys,
        amount.rounds
    );
    for shape in SHAPES.iter().filter(|shape| shape.name.contains(only.as_str())) {
        eprintln!("{}", shape.name);
        let all = measure_one(programs, &folder.join("saving"), shape, *amount)?;
        let _ = writeln!(
            text,
            "\n{}\n\n| us | idle: p50, p99, p99.9 | saving: p50, p99, p99.9, most | save | growth |\n\
             |---|---|---|---|---|",
            shape.name
        );
        for ((label, _), figures) in programs.iter().zip(&all) {
            let _ = writeln!(text, "| {label} |{}", row(figures));
        }
        judge(shape, &all, verdicts);
    }
    Ok(text)
}

fn row(figures: &Figures) -> String {
    let Figures { idle, saving, before, growth, save_ms } = figures;
    let growth_mb = float(at(growth, 500)) / 1e6;
    format!(
        " {}, {}, {} | {}, {}, {}, {} | {:.2} s | {growth_mb:.0} MB ({:.0} %) |",
        median_at(idle, 500),
        median_at(idle, 990),
        median_at(idle, 999),
        median_at(saving, 500),
        median_at(saving, 990),
        median_at(saving, 999),
        median_at(saving, 1000),
        float(at(save_ms, 500)) / 1000.0,
        growth_mb * 1e8 / float(at(before, 500))
    )
}

fn judge(shape: &Shape, all: &[Figures], verdicts: &mut Verdicts) {
    let (ours, stock) = (&all[REDOUBT], &all[STOCK]);
    let mut say = |what: &str, holds: bool, found: String| {
        verdicts.outcome(&format!("saving: {}: {what}", shape.name), ensure(holds, || found));
    };
    let (idle, saving) = (median_at(&ours.idle, 990), median_at(&ours.saving, 990));
    let holds = float(saving) <= P99_BAR * float(idle);
    say("p99 at most twice that without a save", holds, format!("{saving} us to {idle} us"));
    let [idle, saving, theirs] =
        [&ours.idle, &ours.saving, &stock.saving].map(|rounds| median_at(rounds, 999));
    let found = format!("{saving} us to {idle} us, stock {theirs} us");
    say("p99.9 within 4 ms of that without a save", saving <= idle + P999_US, found.clone());
    say("p99.9 at most stock's", saving <= theirs, found);
    if !shape.bounds_memory {
        return;
    }
    let growth = float(at(&ours.growth, 500));
    let bar = GROWTH_BYTES + GROWTH_SHARE * float(at(&ours.before, 500));
    let found = format!("{:.0} MB of {:.0} MB", growth / 1e6, bar / 1e6);
    say("memory grows by 64 MB and 5 % at most", growth <= bar, found);
}

fn measure_one(
    programs: &[(String, Program)],
    folder: &Path,
    shape: &Shape,
    amount: Plan,
) -> Outcome<Vec<Figures>> {
    let mut nodes = Vec::new();
    for (number, (label, program)) in programs.iter().enumerate() {
        eprintln!("filling {label}");
        let settings = ["appendonly no".to_owned()];
        let folder = folder.join(number.to_string());
        let mut node = Node::server(program, &folder, ports::free(1)?, &settings)?;
        let commands = (shape.commands)(amount.keys);
        fill(&node, commands, amount.seed, shape.words)?;
        if shape.delay_us > 0 {
            wire(&node)?.ok(&[
                "CONFIG",
                "SET",
                "rdb-key-save-delay",
                &shape.delay_us.to_string(),
            ])?;
        }
        signal(&mut node, rustix::process::Signal::STOP);
        nodes.push((node, Figures::default()));
    }
    for round in 0..amount.rounds {
        eprintln!("round {} of {}", round + 1, amount.rounds);
        for turn in 0..nodes.len() {
            let at = (turn + round) % nodes.len();
            let (node, figures) = &mut nodes[at];
            signal(node, rustix::process::Signal::CONT);
            one(node, shape, amount, figures)?;
            signal(node, rustix::process::Signal::STOP);
        }
    }
    for (node, figures) in &mut nodes {
        node.kill();
        figures.finish();
    }
    fs::remove_dir_all(folder)?;
    Ok(nodes.into_iter().map(|(_, figures)| figures).collect())
}

fn signal(node: &mut Node, signal: rustix::process::Signal) {
    if let Some(process) = node.process() {
        process.signal(signal);
    }
}

fn one(node: &mut Node, shape: &Shape, amount: Plan, figures: &mut Figures) -> Outcome {
    let id = node.process().map(|process| process.id());
    let id = id.ok_or_else(|| Failure::new("the server is gone"))?;
    let commands = (shape.commands)(amount.keys);
    let seed = amount.seed + 1 + u64::try_from(figures.save_ms.len()).unwrap_or(0);
    let load = Load { overwrite: shape.overwrite, commands, seed };
    let probe = |ended: &dyn Fn() -> bool, latencies: &mut Vec<u64>| {
        let mut random = Random::from_seed(seed ^ 0xABCD);
        let (mut wire, begun) = (wire(node)?, clock::monotonic_us());
        let mut due = begun;
        while !ended() {
            let words = (shape.probe)(commands, &mut random);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            sleep_until(due);
            wire.ok(&words)?;
            latencies.push(clock::monotonic_us() - due);
            due += PROBE_US;
        }
        Ok(())
    };
    load.beside(node, shape.pace, || {
        let end = clock::monotonic_us() + IDLE_US;
        let mut latencies = Vec::new();
        probe(&|| clock::monotonic_us() >= end, &mut latencies)?;
        figures.idle.push(latencies);
        Ok(())
    })?;
    load.beside(node, shape.pace, || {
        let (mut control, over) = (wire(node)?, AtomicBool::new(false));
        control.ok(&["BGSAVE"])?;
        let begun = clock::monotonic_us();
        let measured = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let watched = await_save(&mut control, || Ok(()));
                over.store(true, Ordering::Release);
                watched
            });
            let mut latencies = Vec::new();
            let probed = probe(&|| over.load(Ordering::Acquire), &mut latencies);
            figures.saving.push(latencies);
            probed.and(watching.join().map_err(|_| Failure::new("a thread has panicked"))?)
        });
        figures.save_ms.push((clock::monotonic_us() - begun) / 1000);
        measured
    })?;
    load.beside(node, u64::MAX, || {
        let mut control = wire(node)?;
        wait::pause(Duration::from_millis(500));
        let before = memory(id)?;
        let mut most = before;
        control.ok(&["BGSAVE"])?;
        await_save(&mut control, || {
            most = most.max(memory(id)?);
            Ok(())
        })?;
        figures.before.push(before);
        figures.growth.push(most - before);
        Ok(())
    })
}

/// A client that overwrites.
struct Load {
    overwrite: fn(u64, &mut Random) -> Vec<String>,
    commands: u64,
    seed: u64,
}

impl Load {
    /// Overwrites, so many times a second, while `work` lasts.
    fn beside(&self, node: &Node, pace: u64, work: impl FnOnce() -> Outcome) -> Outcome {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let loading = scope.spawn(|| self.run(node, pace, &over));
            let worked = work();
            over.store(true, Ordering::Release);
            worked.and(loading.join().map_err(|_| Failure::new("a thread has panicked"))?)
        })
    }

    fn run(&self, node: &Node, pace: u64, over: &AtomicBool) -> Outcome {
        let (mut wire, mut random) = (wire(node)?, Random::from_seed(self.seed));
        let mut due = clock::monotonic_us();
        while !over.load(Ordering::Acquire) {
            let batch: Vec<_> =
                (0..BATCH).map(|_| (self.overwrite)(self.commands, &mut random)).collect();
            sleep_until(due);
            wire.pipeline(&batch)?;
            due += (BATCH * 1_000_000).checked_div(pace).unwrap_or(0);
        }
        Ok(())
    }
}

fn sleep_until(due_us: u64) {
    let early = due_us.saturating_sub(clock::monotonic_us());
    if early > 0 {
        wait::pause(Duration::from_micros(early));
    }
}

/// Waits for the save under way, looking around meanwhile.
fn await_save(control: &mut Wire, mut look: impl FnMut() -> Outcome) -> Outcome {
    let limit = clock::monotonic_us() + LIMIT_MS * 1000;
    while control.info("persistence", "rdb_bgsave_in_progress")? == "1" {
        ensure(clock::monotonic_us() < limit, || "the save does not end".to_owned())?;
        look()?;
        wait::pause(Duration::from_millis(LOOK_MS));
    }
    let status = control.info("persistence", "rdb_last_bgsave_status")?;
    ensure(status == "ok", || format!("the save failed: {status}"))
}

/// Bytes of memory of a process and of its children, shared pages divided by those that share them.
fn memory(id: u32) -> Outcome<u64> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    let mut sum = pss(id)?;
    for child in children {
        // It may have ended meanwhile.
        sum += pss(child).unwrap_or(0);
    }
    Ok(sum)
}

fn pss(id: u32) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap_or_default();
    Ok(kb.parse::<u64>().during(|| "smaps_rollup".to_owned())? * 1024)
}
