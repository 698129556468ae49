//! The drill's figures, printed as a table of Markdown while they come.

use super::{Plan, Run, libraries};

/// All runs so far.
pub struct Table {
    label: String,
    plan: Plan,
    runs: Vec<Run>,
}

impl Table {
    /// Prints the head.
    pub fn new(label: &str, plan: Plan) -> Table {
        let fault = if plan.freeze { "links frozen, then kill -9" } else { "kill -9" };
        println!(
            "\n{label}: {fault} of the primary's node, down-after {} ms\n",
            plan.down_after_ms
        );
        print!("| run | kill to first accepted write, ms |");
        for library in libraries() {
            print!(" {library}, ms |");
        }
        println!(" tried | acknowledged | lost |");
        println!("|{}", "---|".repeat(5 + libraries().count()));
        Table { label: label.to_owned(), plan, runs: Vec::new() }
    }

    /// Adds and prints a run.
    pub fn row(&mut self, number: u32, run: &Run) {
        print!("| {number} | {} |", run.gap_ms);
        for ms in &run.clients_ms {
            print!(" {ms} |");
        }
        println!(" {} | {} | {} |", run.tried, run.acknowledged, run.lost);
        self.runs.push(run.clone());
    }

    /// Prints p50 and the maximum of each column.
    pub fn summary(&self) {
        for (name, pick) in [("p50", median as fn(Vec<u64>) -> u64), ("max", maximum)] {
            print!("| **{name}** | {} |", pick(self.gaps()));
            for client in 0..libraries().count() {
                let ms = self.runs.iter().filter_map(|run| run.clients_ms.get(client).copied());
                print!(" {} |", pick(ms.collect()));
            }
            println!("  |  | {} |", pick(self.runs.iter().map(|run| run.lost).collect()));
        }
        let (p50, max) = self.gap();
        let frozen = if self.plan.freeze { " (links frozen)" } else { "" };
        println!(
            "\n{}{frozen}: kill to first accepted write p50 {p50} ms, max {max} ms, {} lost of {} \
             acknowledged in {} runs\n",
            self.label,
            self.lost(),
            self.runs.iter().map(|run| run.acknowledged).sum::<u64>(),
            self.runs.len()
        );
    }

    /// Median and maximum of the time from the kill to the first accepted write.
    pub fn gap(&self) -> (u64, u64) {
        (median(self.gaps()), maximum(self.gaps()))
    }

    /// The longest time any client took to return.
    pub fn slowest_client(&self) -> u64 {
        maximum(self.runs.iter().flat_map(|run| run.clients_ms.clone()).collect())
    }

    /// Writes lost in all runs.
    pub fn lost(&self) -> u64 {
        self.runs.iter().map(|run| run.lost).sum()
    }

    fn gaps(&self) -> Vec<u64> {
        self.runs.iter().map(|run| run.gap_ms).collect()
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn maximum(values: Vec<u64>) -> u64 {
    values.into_iter().max().unwrap_or(0)
}
