//! `cargo xtask bench --persistence`: how long saving a data set and loading it again take.
//!
//! Each data set is put into both programs once. Then they take turns: a server is started on its file,
//! and the time until it answers PING is that of loading; it is told to SAVE, and the time until the
//! reply is that of saving; it is killed. Medians over the rounds are compared. Files are in the page
//! cache. Nothing is pinned: a program may use all processors, and what it used stands beside the time.

use super::report::{self, machine};
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

/// Commands sent at once.
const BATCH: u64 = 500;
/// How long one save or load may take.
const LIMIT_MS: u64 = 120_000;
/// Ticks of processor time in a second, as `/proc` has them.
const TICKS_PER_S: f64 = 100.0;
/// The most of stock's time that saving and loading may take.
const SAVE_BAR: f64 = 0.6;
/// See above.
const LOAD_BAR: f64 = 0.5;

/// A data set.
struct Shape {
    name: &'static str,
    /// Commands that make it, for so many keys.
    commands: fn(keys: u64) -> u64,
    /// The words of a command.
    words: fn(number: u64, random: &mut Random) -> Vec<String>,
}

const SHAPES: [Shape; 2] = [
    Shape {
        name: "strings: key 16, value 64 of drawn letters",
        commands: |keys| keys,
        words: |number, random| {
            vec!["SET".into(), format!("key:{number:012}"), letters(random, 64)]
        },
    },
    Shape {
        name: "mixed: small hashes, sorted sets, lists, sets; a tenth as many elements in large ones",
        commands: |keys| keys / 4 + keys / 40,
        words: |number, random| {
            // Every eleventh command adds to one of fifty large collections.
            if number % 11 == 10 {
                collection(number / 11 % 5, &format!("large:{}", number / 11 % 50), number, random)
            } else {
                collection(number % 5, &format!("small:{number:010}"), number, random)
            }
        },
    },
];

/// A command that adds ten elements to the collection at `key`.
fn collection(kind: u64, key: &str, number: u64, random: &mut Random) -> Vec<String> {
    let (command, key) = match kind {
        0 => ("HSET", format!("h{key}")),
        1 => ("ZADD", format!("z{key}")),
        2 => ("RPUSH", format!("l{key}")),
        3 => ("SADD", format!("i{key}")),
        _ => ("SADD", format!("s{key}")),
    };
    let mut words = vec![command.to_owned(), key];
    for at in 0..10 {
        match kind {
            0 => words.extend([format!("field:{}", 10 * number + at), letters(random, 16)]),
            1 => words.extend([
                random.below(1_000_000).to_string(),
                format!("member:{}", 10 * number + at),
            ]),
            2 => words.push(letters(random, 16)),
            3 => words.push((10 * number + at).to_string()),
            _ => words.push(letters(random, 8)),
        }
    }
    words
}

/// Drawn letters.
pub fn letters(random: &mut Random, count: usize) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
    let mut drawn = 0;
    (0..count)
        .map(|at| {
            if at % 10 == 0 {
                drawn = random.next_u64();
            }
            drawn >>= 6;
            char::from(LETTERS[usize::try_from(drawn & 63).unwrap_or(0)])
        })
        .collect()
}

/// Seconds on the wall, and of processors.
#[derive(Clone, Copy)]
struct Time {
    wall_s: f64,
    cpu_s: f64,
}

/// What was measured of one program.
#[derive(Default)]
struct Figures {
    save: Vec<Time>,
    load: Vec<Time>,
    bytes: u64,
}

/// Measures all data sets; the tables, and the bars.
///
/// # Errors
/// When a server does not start, or refuses a command.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let Measuring { programs, folder, words, plan: amount, .. } = with;
    let mut text = format!(
        "Machine: {}. Command: `cargo xtask {}`. Seed {}, {} keys, medians of {} rounds.\n",
        machine(),
        words.join(" "),
        amount.seed,
        amount.keys,
        amount.rounds
    );
    for shape in &SHAPES {
        eprintln!("{}", shape.name);
        let all = measure_one(programs, &folder.join("persistence"), shape, *amount)?;
        let _ = writeln!(text, "\n{}\n\n| | save | load | file |\n|---|---|---|---|", shape.name);
        for ((label, _), figures) in programs.iter().zip(&all) {
            let stock = &all[STOCK];
            let _ = writeln!(
                text,
                "| {label} | {} | {} | {} MB |",
                cell(&figures.save, &stock.save),
                cell(&figures.load, &stock.load),
                figures.bytes >> 20
            );
        }
        let stock = &all[STOCK];
        for (name, bar, ours, theirs) in [
            ("save", SAVE_BAR, &all[REDOUBT].save, &stock.save),
            ("load", LOAD_BAR, &all[REDOUBT].load, &stock.load),
        ] {
            let ratio = median(ours, wall) / median(theirs, wall);
            let shape = shape.name.split(':').next().unwrap_or_default();
            let name = format!("persistence: {name} of {shape} at most {bar} of stock");
            verdicts.outcome(&name, ensure(ratio <= bar, || format!("it is {ratio:.2}")));
        }
    }
    Ok(text)
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
        let mut node = Node::server(
            program,
            &folder.join(number.to_string()),
            ports::free(1)?,
            &["appendonly no".to_owned()],
        )?;
        fill(&node, (shape.commands)(amount.keys), amount.seed, shape.words)?;
        wire(&node)?.ok(&["SAVE"])?;
        node.kill();
        nodes.push((node, Figures::default()));
    }
    for round in 0..amount.rounds {
        eprintln!("round {} of {}", round + 1, amount.rounds);
        for turn in 0..nodes.len() {
            let at = (turn + round) % nodes.len();
            let (node, figures) = &mut nodes[at];
            one(node, figures)?;
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(nodes.into_iter().map(|(_, figures)| figures).collect())
}

fn one(node: &mut Node, figures: &mut Figures) -> Outcome {
    let begun = clock::monotonic_us();
    node.launch_only()?;
    wait::closely("a loaded server", LIMIT_MS, || node.ask(&["PING"]).ok())?;
    let loaded = Time { wall_s: since(begun), cpu_s: cpu_s(node)? };
    figures.load.push(loaded);
    let mut wire = wire(node)?;
    let begun = clock::monotonic_us();
    wire.ok(&["SAVE"])?;
    let wall_s = since(begun);
    figures.save.push(Time { wall_s, cpu_s: cpu_s(node)? - loaded.cpu_s });
    figures.bytes = fs::metadata(node.folder.join("dump.rdb"))?.len();
    node.kill();
    Ok(())
}

/// A connection that is patient.
///
/// # Errors
/// When there is none to be had.
pub fn wire(node: &Node) -> Outcome<Wire> {
    Wire::open(node.port, LIMIT_MS, None)
}

/// Sends the first `commands` commands that `words` makes of drawn values.
///
/// # Errors
/// When one is refused.
pub fn fill(
    node: &Node,
    commands: u64,
    seed: u64,
    words: fn(u64, &mut Random) -> Vec<String>,
) -> Outcome {
    let (mut wire, mut random) = (wire(node)?, Random::from_seed(seed));
    let mut next = 0;
    while next < commands {
        let end = (next + BATCH).min(commands);
        let batch: Vec<_> = (next..end).map(|number| words(number, &mut random)).collect();
        wire.pipeline(&batch)?;
        next = end;
    }
    Ok(())
}

/// Processor time of all threads so far, those included that have ended.
fn cpu_s(node: &mut Node) -> Outcome<f64> {
    let id = node.process().map(|process| process.id());
    let id = id.ok_or_else(|| Failure::new("the server is gone"))?;
    let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let behind = text.rsplit(')').next().unwrap_or_default();
    let ticks = behind.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> =
        ticks.map(str::parse).collect::<Result<_, _>>().during(|| "stat".to_owned())?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
}

fn since(begun_us: u64) -> f64 {
    report::float(clock::monotonic_us() - begun_us) / 1e6
}

fn wall(time: &Time) -> f64 {
    time.wall_s
}

fn sorted(times: &[Time], figure: impl Fn(&Time) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = times.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(times: &[Time], figure: impl Fn(&Time) -> f64) -> f64 {
    let values = sorted(times, figure);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Median, its ratio to stock's, the distance of the extremes, and the processor time.
fn cell(times: &[Time], stock: &[Time]) -> String {
    let values = sorted(times, wall);
    let middle = median(times, wall);
    let spread = match (values.first(), values.last()) {
        (Some(least), Some(most)) => (most - least) / middle * 100.0,
        _ => f64::NAN,
    };
    let cpu = median(times, |time| time.cpu_s);
    format!("{middle:.2} s ({:.2}; {spread:.0} %; cpu {cpu:.2} s)", middle / median(stock, wall))
}
