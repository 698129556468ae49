//! `cargo xtask test` runs everything in short amounts, `cargo xtask soak` in long ones.
//!
//! Cheap checks come first, so that most mistakes show early; nothing stops at a failure, so that one
//! run shows all of them. The last line of the output counts.

use crate::drill::{self, Plan};
use crate::failure::{Outcome, ensure};
use crate::program::Program;
use crate::verdicts::Verdicts;
use crate::{bench, crash, interop, run, setup, tidy};
use base::clock;

/// How long `test` may take on two cores.
const TEST_MINUTES_MAX: u64 = 25;

/// How much is done.
struct Amount {
    failovers: u32,
    drills: u32,
    frozen_drills: u32,
    /// Kills under `appendfsync always`, beside those of interop.
    crashes: u32,
    /// Cases of each property; nothing leaves the default.
    property_cases: Option<&'static str>,
}

/// In `test`.
const SHORT: Amount =
    Amount { failovers: 2_000, drills: 5, frozen_drills: 2, crashes: 0, property_cases: None };
/// In `soak`.
const LONG: Amount = Amount {
    failovers: 20_000,
    drills: 20,
    frozen_drills: 5,
    crashes: crash::LONG,
    property_cases: Some("20000"),
};

/// Every test, in short amounts.
///
/// # Errors
/// When one failed.
pub fn test() -> Outcome {
    let start = clock::monotonic();
    let mut verdicts = Verdicts::default();
    verdicts.step("tidy", tidy::check);
    verdicts.step("clippy", |verdicts| {
        tidy::lint(verdicts);
        Ok(())
    });
    verdicts.step("generated documents", |verdicts| {
        crate::r#gen::check(verdicts);
        Ok(())
    });
    verdicts.step("setup", |verdicts| {
        setup::everything(verdicts);
        Ok(())
    });
    verdicts
        .step("instructions", |verdicts| bench::instructions::test(&Program::redoubt()?, verdicts));
    amount(&SHORT, &mut verdicts);
    let minutes = clock::monotonic().since(start).0 / 60_000;
    println!("took {minutes} minutes of {TEST_MINUTES_MAX}");
    verdicts.finish()
}

/// What draws at random, in long amounts.
///
/// # Errors
/// When one failed.
pub fn soak() -> Outcome {
    let mut verdicts = Verdicts::default();
    setup::everything(&mut verdicts);
    amount(&LONG, &mut verdicts);
    verdicts.finish()
}

fn amount(amount: &Amount, verdicts: &mut Verdicts) {
    verdicts.step("cargo test", |verdicts| cargo_test(amount, verdicts));
    verdicts.step("simulator", |verdicts| {
        let failovers = amount.failovers.to_string();
        let arguments = ["run", "--quiet", "--release", "--package", "sim", "--"];
        let mut cargo = run::command("cargo", &arguments);
        cargo.args(["--failovers", &failovers]);
        let name = format!("simulator: {failovers} failovers");
        verdicts.outcome(&name, run::finish(&mut cargo));
        let mut cargo = run::command("cargo", &arguments);
        cargo.args(["--failovers", &failovers, "--mutation", "all"]);
        verdicts.outcome("simulator: broken rules are noticed", run::finish(&mut cargo));
        Ok(())
    });
    verdicts.step("interop", |verdicts| interop::play(&Program::redoubt()?, "", verdicts));
    if amount.crashes > 0 {
        verdicts.step("crash", |verdicts| {
            let outcome = crash::cycles_of(&Program::redoubt()?, amount.crashes, 2);
            verdicts.outcome("crash: kill -9 under load", outcome);
            Ok(())
        });
    }
    for (runs, freeze) in [(amount.drills, false), (amount.frozen_drills, true)] {
        verdicts.step(if freeze { "drill, links frozen" } else { "drill" }, |verdicts| {
            let plan = Plan { runs, freeze, down_after_ms: 1000 };
            drill::drill(&Program::redoubt()?, plan, verdicts)
        });
    }
}

/// Runs the workspace's tests and adds their counts to ours.
fn cargo_test(amount: &Amount, verdicts: &mut Verdicts) -> Outcome {
    let mut cargo = run::command("cargo", &["test", "--workspace", "--no-fail-fast", "--quiet"]);
    if let Some(cases) = amount.property_cases {
        cargo.env("PROPTEST_CASES", cases);
    }
    let (mut passed, mut failed) = (0, 0);
    let success = run::lines(&mut cargo, |line| {
        if let Some((ok, bad)) = counts(line) {
            (passed, failed) = (passed + ok, failed + bad);
        } else if !is_progress(line) {
            println!("{line}");
        }
    })?;
    verdicts.counted("cargo test", passed, failed);
    ensure(success || failed > 0, || "cargo test did not run to its end".to_owned())
}

/// The counts in a line such as `test result: ok. 8 passed; 0 failed; 0 ignored; ...`.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = rest.split("; ").map_while(|part| part.split(' ').next()?.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// Lines of which a run has hundreds and that say nothing.
fn is_progress(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("running ")
        || line.chars().all(|c| c == '.' || c == ' ' || c == '/' || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_cargo() {
        let line = "test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(line), Some((8, 0)));
        assert_eq!(counts("test result: FAILED. 7 passed; 2 failed; 0 ignored"), Some((7, 2)));
        assert_eq!(counts("test parse ... ok"), None);
        assert!(is_progress("........ 87/120") && !is_progress("thread panicked"));
    }
}
