//! What passed and what failed, printed as it comes and counted at the end.

use crate::failure::{Failure, Outcome, ensure};
use base::clock;

/// The counts so far and the names of what failed.
#[derive(Default)]
pub struct Verdicts {
    passed: u64,
    failed: Vec<String>,
}

impl Verdicts {
    /// Notes that `name` came to `outcome`.
    pub fn outcome(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(failure) => {
                println!("FAILED  {name}: {failure}");
                let text = failure.to_string();
                self.failed.push(format!("{name}: {}", text.lines().next().unwrap_or_default()));
            }
        }
    }

    /// Notes a check that passes when it found nothing.
    pub fn findings(&mut self, name: &str, findings: &[String]) {
        for finding in findings {
            println!("  {finding}");
        }
        let count = findings.len();
        self.outcome(name, ensure(count == 0, || format!("{count} findings")));
    }

    /// Adds the counts of a program that counts its own tests.
    pub fn counted(&mut self, name: &str, passed: u64, failed: u64) {
        println!("{}  {name}: {passed} passed, {failed} failed", verdict(failed));
        self.passed += passed;
        for _ in 0..failed {
            self.failed.push(name.to_owned());
        }
    }

    /// Runs `step` and says how long it took.
    pub fn step(&mut self, name: &str, step: impl FnOnce(&mut Verdicts) -> Outcome) {
        println!("--- {name}");
        let start = clock::monotonic();
        if let Err(failure) = step(self) {
            self.outcome(name, Err(failure));
        }
        println!("--- {name}: {} s", clock::monotonic().since(start).0 / 1000);
    }

    /// Prints what failed, then the counts alone on the last line.
    ///
    /// # Errors
    /// When something failed.
    pub fn finish(self) -> Outcome {
        if !self.failed.is_empty() {
            println!("\nFailed:");
            for name in &self.failed {
                println!("  {name}");
            }
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() { Ok(()) } else { Err(Failure::new("")) }
    }
}

fn verdict(failed: u64) -> &'static str {
    if failed == 0 { "ok    " } else { "FAILED" }
}
