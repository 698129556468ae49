//! `cargo xtask bench --memory`: bytes a key or member takes, by the server's own count and by the
//! kernel's.
//!
//! Every shape is put into a fresh server. `used` is the growth of `used_memory`, RSS that of the
//! resident set, each divided by the number of keys, or of members where one key holds all.

use super::Measuring;
use super::report::machine;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use crate::verdicts::Verdicts;
use crate::wire::Wire;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Commands sent at once.
const BATCH: u64 = 500;
/// Bytes of a page.
const PAGE: u64 = 4096;

/// What is filled in, and what it may take.
struct Shape {
    name: &'static str,
    /// Commands that fill it.
    commands: u64,
    /// Things counted per command.
    things: u64,
    /// Words of the command with a number.
    words: fn(u64) -> Vec<String>,
    /// The most bytes that `used` may be, if there is a bar.
    target: Option<f64>,
}

/// All shapes.
const SHAPES: [Shape; 10] = [
    Shape {
        name: "string: key 16, value 64",
        commands: 500_000,
        things: 1,
        words: |n| vec!["SET".into(), format!("key:{n:012}"), "v".repeat(64)],
        target: Some(108.0),
    },
    Shape {
        name: "the same with an expiry",
        commands: 500_000,
        things: 1,
        words: |n| {
            let key = format!("key:{n:012}");
            vec!["SET".into(), key, "v".repeat(64), "EX".into(), "100000".into()]
        },
        target: None,
    },
    Shape {
        name: "integer: key 16",
        commands: 500_000,
        things: 1,
        words: |n| vec!["SET".into(), format!("key:{n:012}"), n.to_string()],
        target: None,
    },
    Shape {
        name: "hash: 10 fields with values of 16",
        commands: 100_000,
        things: 1,
        words: |n| {
            let mut words = vec!["HSET".into(), format!("key:{n:012}")];
            words
                .extend((0..10).flat_map(|at| [format!("f{at}"), format!("value:{:010}", n + at)]));
            words
        },
        target: Some(330.0),
    },
    Shape {
        name: "sorted set: 10 members of 8",
        commands: 100_000,
        things: 1,
        words: |n| {
            let mut words = vec!["ZADD".into(), format!("key:{n:012}")];
            words.extend((0..10).flat_map(|at| [(n + at).to_string(), format!("mem:{at:04}")]));
            words
        },
        target: Some(225.0),
    },
    Shape {
        name: "list: 10 elements of 16",
        commands: 100_000,
        things: 1,
        words: |n| {
            let mut words = vec!["RPUSH".into(), format!("key:{n:012}")];
            words.extend((0..10).map(|at| format!("value:{:010}", n + at)));
            words
        },
        target: None,
    },
    Shape {
        name: "set: 10 integers",
        commands: 100_000,
        things: 1,
        words: |n| {
            let mut words = vec!["SADD".into(), format!("key:{n:012}")];
            words.extend((0..10).map(|at| (n + at).to_string()));
            words
        },
        target: None,
    },
    Shape {
        name: "one set of 1M members of 19, a member",
        commands: 100_000,
        things: 10,
        words: |n| {
            let mut words = vec!["SADD".into(), "members".into()];
            words.extend((0..10).map(|at| format!("member:{:012}", 10 * n + at)));
            words
        },
        target: Some(34.0),
    },
    Shape {
        name: "one sorted set of 1M members of 19, a member",
        commands: 100_000,
        things: 10,
        words: |n| {
            let mut words = vec!["ZADD".into(), "members".into()];
            let pair = |at: u64| [(10 * n + at).to_string(), format!("member:{:012}", 10 * n + at)];
            words.extend((0..10).flat_map(pair));
            words
        },
        target: None,
    },
    Shape {
        name: "one stream of 500k entries of 2 fields, an entry",
        commands: 500_000,
        things: 1,
        words: |n| {
            let id = format!("{}-0", n + 1);
            let words = ["XADD", "stream", &id, "sensor", "12", "value", "3.14159"];
            words.map(str::to_owned).to_vec()
        },
        target: None,
    },
];

/// Bytes a thing takes.
struct Figures {
    used: f64,
    resident: f64,
}

/// Fills every shape into both programs, one after the other; the tables, and the bars.
///
/// # Errors
/// When a server does not start or refuses a command.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let Measuring { programs, folder, words, .. } = with;
    let command = words.join(" ");
    let mut text = format!("Machine: {}. Command: `cargo xtask {command}`.\n", machine());
    let labels: Vec<String> =
        programs.iter().map(|(label, _)| format!("{label}: used / RSS")).collect();
    let _ = writeln!(text, "\n| bytes | {} | bar |", labels.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(2 + labels.len()));
    for shape in &SHAPES {
        eprintln!("{}", shape.name);
        let mut cells = Vec::new();
        for (place, (_, program)) in programs.iter().enumerate() {
            let figures = fill(program, &folder.join("memory"), shape)?;
            cells.push(format!("{:.1} / {:.1}", figures.used, figures.resident));
            if let Some(target) = shape.target.filter(|_| place == 0) {
                let verdict = ensure(figures.used <= target, || format!("{:.1}", figures.used));
                verdicts.outcome(&format!("memory: {} at most {target}", shape.name), verdict);
            }
        }
        let bar = shape.target.map(|target| target.to_string()).unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {bar} |", shape.name, cells.join(" | "));
    }
    Ok(text)
}

fn fill(program: &Program, folder: &Path, shape: &Shape) -> Outcome<Figures> {
    let mut node = Node::server(program, folder, ports::free(1)?, &["io-threads 1".to_owned()])?;
    let mut wire = node.wire()?;
    let (used, resident) = (used(&mut wire)?, resident(&mut node)?);
    let mut next = 0;
    while next < shape.commands {
        let end = (next + BATCH).min(shape.commands);
        let commands: Vec<Vec<String>> = (next..end).map(shape.words).collect();
        wire.pipeline(&commands)?;
        next = end;
    }
    let things = shape.commands * shape.things;
    let figures = Figures {
        used: each(self::used(&mut wire)?.saturating_sub(used), things),
        resident: each(self::resident(&mut node)?.saturating_sub(resident), things),
    };
    node.kill();
    fs::remove_dir_all(folder)?;
    Ok(figures)
}

fn used(wire: &mut Wire) -> Outcome<u64> {
    wire.info("memory", "used_memory")?.parse().during(|| "used_memory".to_owned())
}

fn resident(node: &mut Node) -> Outcome<u64> {
    let id = node.process().map(|process| process.id());
    let id = id.ok_or_else(|| Failure::new("the server is gone"))?;
    let text = fs::read_to_string(format!("/proc/{id}/statm"))?;
    let pages = text.split_whitespace().nth(1).unwrap_or_default();
    Ok(pages.parse::<u64>().during(|| "statm".to_owned())? * PAGE)
}

#[allow(clippy::cast_precision_loss, reason = "figures of a report, far below 2^53")]
fn each(bytes: u64, things: u64) -> f64 {
    bytes as f64 / things as f64
}
