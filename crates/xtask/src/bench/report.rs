//! The figures: medians over rounds, their spread, the ratio to stock, as Markdown.

use super::workload::Workload;
use super::{CONNECTIONS, PIPELINES, Plan};
use crate::failure::{During, Failure, Outcome, ensure};
use crate::verdicts::Verdicts;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The server that others are compared with.
const STOCK: usize = 1;
/// The most CPU time per operation against stock, by pipeline, for GET and SET.
const BAR: [(usize, f64); 2] = [(1, 1.0), (16, 0.6)];

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Replies counted.
    pub operations: u64,
    /// How long it took.
    pub elapsed_us: u64,
    /// Run time of all the server's threads.
    pub cpu_ns: u64,
    /// Half of the batches were answered within this time.
    pub p50_us: u64,
    /// 99 in 100 were.
    pub p99_us: u64,
}

/// A server, a workload's place in [`Workload::ALL`], a pipeline.
type Cell = (usize, usize, usize);

/// All measurements.
pub struct Report {
    labels: Vec<String>,
    plan: Plan,
    samples: BTreeMap<Cell, Vec<Sample>>,
}

impl Report {
    /// No measurements yet.
    pub fn new(labels: impl Iterator<Item = String>, plan: Plan) -> Report {
        Report { labels: labels.collect(), plan, samples: BTreeMap::new() }
    }

    /// Adds one.
    pub fn add(&mut self, server: usize, workload: Workload, pipeline: usize, sample: Sample) {
        let place = Workload::ALL.iter().position(|one| *one == workload).unwrap_or(0);
        self.samples.entry((server, place, pipeline)).or_default().push(sample);
    }

    fn median(&self, cell: Cell, figure: impl Fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(cell, figure);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The distance of the extremes, in percent of the median.
    fn spread(&self, cell: Cell, figure: impl Fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(cell, figure);
        match (values.first(), values.last()) {
            (Some(least), Some(most)) => (most - least) / values[values.len() / 2] * 100.0,
            _ => f64::NAN,
        }
    }

    fn sorted(&self, cell: Cell, figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> =
            self.samples.get(&cell).into_iter().flatten().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn ratio(&self, (server, workload, pipeline): Cell) -> f64 {
        self.median((server, workload, pipeline), cpu_us)
            / self.median((STOCK, workload, pipeline), cpu_us)
    }

    /// The tables and how they were made.
    pub fn markdown(&self, words: &[String]) -> String {
        let mut text = format!(
            "Machine: {}. Command: `cargo xtask {}`. Seed {}. {} connections, {} keys of each kind \
             with values of 64 bytes, medians of {} rounds of {} ms.\n",
            machine(),
            words.join(" "),
            self.plan.seed,
            CONNECTIONS,
            self.plan.keys,
            self.plan.rounds,
            self.plan.window_ms
        );
        text += "\nServer CPU microseconds per operation (ratio to stock; spread of the rounds)\n";
        self.table(&mut text, |cell| {
            let (us, spread) = (self.median(cell, cpu_us), self.spread(cell, cpu_us));
            format!("{us:.3} ({:.2}; {spread:.0} %)", self.ratio(cell))
        });
        text += "\nOperations per second, p50 and p99 of a batch in microseconds\n";
        self.table(&mut text, |cell| {
            let rate = self.median(cell, rate) / 1000.0;
            let p50 = self.median(cell, |sample| float(sample.p50_us));
            let p99 = self.median(cell, |sample| float(sample.p99_us));
            format!("{rate:.0} k, {p50:.0}, {p99:.0}")
        });
        text
    }

    fn table(&self, text: &mut String, show: impl Fn(Cell) -> String) {
        for pipeline in PIPELINES {
            let names: Vec<_> = Workload::ALL.iter().map(|workload| workload.name()).collect();
            let _ = writeln!(text, "\n| P{pipeline} | {} |", names.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(1 + names.len()));
            for (server, label) in self.labels.iter().enumerate() {
                let cells = (0..names.len()).map(|workload| show((server, workload, pipeline)));
                let _ = writeln!(text, "| {label} | {} |", cells.collect::<Vec<_>>().join(" | "));
            }
        }
    }

    /// The first server against the bar.
    pub fn judge(&self, verdicts: &mut Verdicts) {
        for (pipeline, most) in BAR {
            for (place, workload) in Workload::ALL.iter().enumerate().take(2) {
                let ratio = self.ratio((0, place, pipeline));
                let name =
                    format!("bench: {} P{pipeline} at most {most} of stock", workload.name());
                verdicts.outcome(&name, ensure(ratio <= most, || format!("it is {ratio:.2}")));
            }
        }
    }
}

fn cpu_us(sample: &Sample) -> f64 {
    float(sample.cpu_ns) / 1000.0 / float(sample.operations)
}

fn rate(sample: &Sample) -> f64 {
    float(sample.operations) * 1e6 / float(sample.elapsed_us)
}

/// The number as it is.
#[allow(clippy::cast_precision_loss, reason = "figures of a report, far below 2^53")]
pub fn float(number: u64) -> f64 {
    number as f64
}

/// The processor and the kernel.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = model.map_or("unknown processor", |(_, name)| name);
    format!("{count} x {model}, kernel {}", kernel.trim())
}

/// Puts `text` between the marks `name` of the document at `path`.
///
/// # Errors
/// When the marks are missing.
pub fn write_docs(path: &Path, name: &str, text: &str) -> Outcome {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let document = fs::read_to_string(path).during(|| path.display().to_string())?;
    let missing = || Failure::new(format!("{} has no {begin} and {end}", path.display()));
    let (head, rest) = document.split_once(&begin).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(fs::write(path, format!("{head}{begin}\n\n{text}\n{end}{tail}"))?)
}
