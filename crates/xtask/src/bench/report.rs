//! The figures: medians over rounds, their spread, the ratio to a peer, as Markdown.

use super::Plan;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::verdicts::Verdicts;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

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

impl Sample {
    /// Server CPU microseconds of an operation.
    pub fn cpu_us(&self) -> f64 {
        float(self.cpu_ns) / 1000.0 / float(self.operations)
    }

    /// Operations a second.
    pub fn rate(&self) -> f64 {
        float(self.operations) * 1e6 / float(self.elapsed_us)
    }
}

/// A server, a column, a pipeline.
pub type Cell = (usize, usize, usize);

/// All measurements.
pub struct Report {
    labels: Vec<String>,
    columns: Vec<&'static str>,
    pipelines: Vec<usize>,
    base: usize,
    samples: BTreeMap<Cell, Vec<Sample>>,
}

impl Report {
    /// No measurements yet; ratios are to the server `base`.
    pub fn new(
        labels: Vec<String>,
        columns: Vec<&'static str>,
        pipelines: Vec<usize>,
        base: usize,
    ) -> Report {
        Report { labels, columns, pipelines, base, samples: BTreeMap::new() }
    }

    /// Adds one.
    pub fn add(&mut self, cell: Cell, sample: Sample) {
        self.samples.entry(cell).or_default().push(sample);
    }

    /// The median of a figure.
    pub fn median(&self, cell: Cell, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(&self.values(cell, figure))
    }

    fn values(&self, cell: Cell, figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.get(&cell).into_iter().flatten().map(figure).collect()
    }

    /// The CPU time of an operation against that of the base.
    pub fn ratio(&self, (server, column, pipeline): Cell) -> f64 {
        self.median((server, column, pipeline), Sample::cpu_us)
            / self.median((self.base, column, pipeline), Sample::cpu_us)
    }

    /// The geometric mean of the ratios of some columns.
    pub fn mean_ratio(&self, server: usize, columns: &[usize], pipeline: usize) -> f64 {
        let logs = columns.iter().map(|&column| self.ratio((server, column, pipeline)).ln());
        (logs.sum::<f64>() / float(columns.len() as u64)).exp()
    }

    /// CPU time of an operation, its ratio to the base, its spread: a table for each pipeline.
    pub fn cpu_tables(&self) -> String {
        let name = &self.labels[self.base];
        let mut text = format!(
            "\nServer CPU microseconds per operation (ratio to {name}; spread of the rounds)\n"
        );
        self.tables(&mut text, |cell| {
            let values = self.values(cell, Sample::cpu_us);
            format!(
                "{:.3} ({:.2}; {:.0} %)",
                median(&values),
                self.ratio(cell),
                spread_percent(&values)
            )
        });
        text
    }

    /// Rates and latencies: a table for each pipeline.
    pub fn rate_tables(&self) -> String {
        let mut text =
            "\nOperations per second, p50 and p99 of a batch in microseconds\n".to_owned();
        self.tables(&mut text, |cell| {
            let rate = self.median(cell, Sample::rate) / 1000.0;
            let p50 = self.median(cell, |sample| float(sample.p50_us));
            let p99 = self.median(cell, |sample| float(sample.p99_us));
            format!("{rate:.0} k, {p50:.0}, {p99:.0}")
        });
        text
    }

    fn tables(&self, text: &mut String, show: impl Fn(Cell) -> String) {
        for &pipeline in &self.pipelines {
            let _ = writeln!(text, "\n| P{pipeline} | {} |", self.columns.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(1 + self.columns.len()));
            for (server, label) in self.labels.iter().enumerate() {
                let cells = (0..self.columns.len()).map(|column| show((server, column, pipeline)));
                let _ = writeln!(text, "| {label} | {} |", cells.collect::<Vec<_>>().join(" | "));
            }
        }
    }
}

/// What was measured, how, and where.
pub fn head(words: &[String], plan: Plan, how: &str) -> String {
    let Plan { seed, keys, rounds, window_ms, .. } = plan;
    format!(
        "Machine: {}. Command: `cargo xtask {}`. Seed {seed}. {how}, {keys} keys of each kind, medians \
         of {rounds} rounds of {window_ms} ms.\n",
        machine(),
        words.join(" "),
    )
}

/// Notes whether a figure of `name` is at most `bar`.
pub fn judge(verdicts: &mut Verdicts, name: &str, figure: f64, bar: f64) {
    let verdict = ensure(figure <= bar, || format!("it is {figure:.2}"));
    verdicts.outcome(&format!("{name} at most {bar}"), verdict);
}

/// The middle of `values`.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The distance of the extremes, in percent of the median.
fn spread_percent(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least) / median(values) * 100.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ratios_and_means() {
        let labels = vec!["ours".to_owned(), "stock".to_owned()];
        let mut report = Report::new(labels, vec!["A", "B"], vec![1], 1);
        let sample = |cpu_ns| Sample { operations: 1, elapsed_us: 1, cpu_ns, p50_us: 1, p99_us: 1 };
        for (server, column, cpu_ns) in [
            (0, 0, 9_000),
            (0, 0, 1_000),
            (0, 0, 2_000),
            (1, 0, 4_000),
            (0, 1, 2_000),
            (1, 1, 1_000),
        ] {
            report.add((server, column, 1), sample(cpu_ns));
        }
        assert!((report.median((0, 0, 1), Sample::cpu_us) - 2.0).abs() < 1e-9);
        assert!((report.ratio((0, 0, 1)) - 0.5).abs() < 1e-9);
        assert!((report.mean_ratio(0, &[0, 1], 1) - 1.0).abs() < 1e-9);
        assert!(report.cpu_tables().contains("| ours | 2.000 (0.50; 400 %) | 2.000 (2.00; 0 %) |"));
    }
}
