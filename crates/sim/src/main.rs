//! `sim`: plays drawn worlds until so many failovers were completed, and prints what happened.

#![allow(clippy::print_stdout, reason = "the table is what the program is for")]

use sim::campaign::Campaign;
use sim::{Mutation, Outcome, Trace, play};
use std::io::{self, BufWriter};
use std::process::ExitCode;

/// A line of progress after so many runs.
const PROGRESS_RUNS: u64 = 250;

const HELP: &str = "sim [--failovers N] [--seed S] [--runs-from S] [--mutation NAME|all] [--trace]

  --failovers N      play until N failovers were completed (2000)
  --seed S           play this one seed, and print what became of it
  --runs-from S      the first seed of a campaign (1)
  --mutation NAME    break a rule on purpose, and expect it to be noticed: no-epoch-check,
                     vote-twice, vote-not-durable, promote-without-quorum, or all of them
  --trace            with --seed: print every event

Exit code 1: an invariant did not hold, a broken rule was not noticed, or the faults were too few.";

/// What the command line asks for.
#[derive(Debug)]
struct Wish {
    failovers: u64,
    seed: Option<u64>,
    first: u64,
    mutations: Vec<Mutation>,
    trace: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|word| word == "--help" || word == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let wish = match parse(&arguments) {
        Ok(wish) => wish,
        Err(what) => {
            eprintln!("sim: {what}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let fine = match wish.seed {
        Some(seed) => play_one(seed, &wish),
        None if wish.mutations.is_empty() => play_many(&wish),
        None => wish.mutations.iter().filter(|&&rule| !notices(rule, &wish)).count() == 0,
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: &[String]) -> Result<Wish, String> {
    let mut wish =
        Wish { failovers: 2_000, seed: None, first: 1, mutations: Vec::new(), trace: false };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--trace" {
            wish.trace = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} wants a number, not {value}"));
        match word.as_str() {
            "--failovers" => wish.failovers = number()?,
            "--seed" => wish.seed = Some(number()?),
            "--runs-from" => wish.first = number()?,
            "--mutation" if value == "all" => wish.mutations = Mutation::ALL.to_vec(),
            "--mutation" => {
                let rule = Mutation::parse(value).ok_or_else(|| format!("no rule {value}"))?;
                wish.mutations.push(rule);
            }
            _ => return Err(format!("what is {word}?")),
        }
    }
    Ok(wish)
}

fn play_one(seed: u64, wish: &Wish) -> bool {
    let sink: Option<Box<dyn io::Write>> =
        if wish.trace { Some(Box::new(BufWriter::new(io::stdout()))) } else { None };
    let Outcome { violation, failovers, events, hash, .. } =
        play(seed, wish.mutations.first().copied(), Trace::new(sink));
    println!("seed {seed}: {failovers} failovers, {events} events, trace hash {hash:016x}");
    if let Some(what) = &violation {
        println!("violation: {what}");
    }
    violation.is_none()
}

fn play_many(wish: &Wish) -> bool {
    let started = base::clock::monotonic();
    let campaign = Campaign::run(wish.first, wish.failovers, None, |campaign| {
        if campaign.runs.is_multiple_of(PROGRESS_RUNS) {
            eprintln!("{} runs, {} failovers", campaign.runs, campaign.total.failovers);
        }
    });
    print!("{campaign}");
    println!("took                 {} ms", base::clock::monotonic().since(started));
    if let Some(what) = &campaign.total.violation {
        println!("violation in seed {}: {what}", campaign.total.seed);
        return false;
    }
    let weakness = campaign.weakness();
    if let Some(what) = &weakness {
        println!("{what}");
    }
    weakness.is_none() && campaign.total.failovers >= wish.failovers
}

/// True if a broken rule is noticed within the failovers.
fn notices(rule: Mutation, wish: &Wish) -> bool {
    let campaign = Campaign::run(wish.first, wish.failovers, Some(rule), |_| {});
    let (name, total) = (rule.name(), &campaign.total);
    match &total.violation {
        Some(what) => {
            let (failovers, seed) = (total.failovers, total.seed);
            println!("{name}: caught after {failovers} failovers, seed {seed}: {what}");
        }
        None => println!("{name}: NOT caught in {} failovers", total.failovers),
    }
    total.violation.is_some()
}
