//! `redoubt benchmark`: the load generator, with the options and the output of redis-benchmark 7.0.
//!
//! One test runs after the other. A test is a request that many connections send over and over ([`load`]);
//! its latencies are counted in stock's buckets ([`histogram`]) and printed in stock's lines ([`report`]),
//! so that figures of both programs compare. Beyond stock, `--cpu PID` tells what a request costs the
//! server, which a rate on a busy machine does not.
//!
//! Deliberately absent so far: TLS and cluster mode; each is refused in one line.

mod batch;
mod cpu;
mod help;
mod histogram;
mod load;
mod options;
mod report;
mod scan;
mod target;
mod workloads;

use batch::Batch;
use histogram::{Histogram, to_float};
use load::{LoadError, Plan, Shared};
use options::{Asked, Options};
use report::Report;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use target::Target;
use workloads::Workload;

/// The longest argument taken from standard input.
const INPUT_BYTES_MAX: u64 = 512 << 20;
/// How often the rate so far is printed.
const PROGRESS: Duration = Duration::from_millis(250);
/// The seed of drawn numbers if none is given is drawn itself; this is that of a run without drawing.
const SEED_NONE: u64 = 0;

/// Runs the program on the process's own streams. `arguments` are the words after its name; the result
/// is the exit code.
pub fn run(arguments: &[OsString]) -> i32 {
    let words: Vec<Vec<u8>> = arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
    let out = &mut io::stdout();
    let result = match options::parse(&words) {
        Ok(Asked::Help) => return i32::from(write!(out, "{}", help::USAGE).is_err()),
        Ok(Asked::Version) => {
            let version = env!("CARGO_PKG_VERSION");
            return i32::from(writeln!(out, "redoubt benchmark {version}").is_err());
        }
        Ok(Asked::Run(options)) => run_all(out, &options),
        Err(error @ options::OptionError::Invalid(_)) => Err(format!("{error}\n\n{}", help::USAGE)),
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => 0,
        Err(text) => {
            // Nobody can be told that standard error is closed.
            let _ = out.flush();
            let _ = writeln!(io::stderr(), "{text}");
            1
        }
    }
}

fn run_all(out: &mut dyn Write, options: &Options) -> Result<(), String> {
    let target = Target::find(options)?;
    if target.persistence.is_none() {
        let _ = writeln!(io::stderr(), "WARNING: Could not fetch server CONFIG");
    }
    if options.idle {
        return stay_idle(out, options, &target);
    }
    let tests = workloads::chosen(options, read_input(options)?);
    let print = |result: io::Result<()>| result.map_err(|error| error.to_string());
    if options.csv {
        print(writeln!(out, "{}", report::csv_head(options.cpu_of.is_some())))?;
    }
    loop {
        for test in &tests {
            run_one(out, options, &target, test)?;
        }
        if !options.csv && options.command.is_empty() {
            print(writeln!(out))?;
        }
        if !options.repeats {
            return Ok(());
        }
    }
}

fn read_input(options: &Options) -> Result<Option<Vec<u8>>, String> {
    if !options.last_from_input || options.command.is_empty() {
        return Ok(None);
    }
    let mut input = Vec::new();
    let read = io::stdin().take(INPUT_BYTES_MAX).read_to_end(&mut input);
    read.map_err(|error| format!("Standard input cannot be read: {error}"))?;
    Ok(Some(input))
}

fn stay_idle(out: &mut dyn Write, options: &Options, target: &Target) -> Result<(), String> {
    let text = "idle connections and waiting forever (Ctrl+C when done)";
    writeln!(out, "Creating {} {text}", options.clients).map_err(|error| error.to_string())?;
    let request = batch::Request::Words(vec![b"PING".to_vec()]);
    let batch = Batch::new(&request, 1, false);
    let plan = plan(options, target, batch, options.clients, SEED_NONE);
    load::idle(&plan).map_err(|error| error.to_string())
}

fn plan<'a>(
    options: &Options,
    target: &'a Target,
    batch: Batch,
    clients: usize,
    seed: u64,
) -> Plan<'a> {
    let (pipeline, keeps_alive) = (options.pipeline as u64, options.keeps_alive);
    Plan { target, batch, pipeline, clients, keeps_alive, keys: options.keys.unwrap_or(1), seed }
}

/// Runs one test and prints its figures.
fn run_one(
    out: &mut dyn Write,
    options: &Options,
    target: &Target,
    test: &Workload,
) -> Result<(), String> {
    let batch = Batch::new(&test.request, options.pipeline, options.keys.is_some());
    let seed = options.seed.unwrap_or_else(base::random::system_u64);
    let threads = options.threads.clamp(1, options.clients);
    let plans: Vec<Plan<'_>> = (0..threads)
        .map(|at| {
            let clients = options.clients / threads + usize::from(at < options.clients % threads);
            plan(options, target, batch.clone(), clients, seed.wrapping_add(at as u64))
        })
        .collect();
    let mut progress = Progress::new(&test.title, !options.csv);
    let measured = measure(options, &plans, |answered, latency_us, now_us| {
        progress.print(out, answered, latency_us, now_us)
    });
    let measured = measured.map_err(|error| format!("\n{error}"))?;
    let report = Report {
        title: &test.title,
        completed: measured.completed,
        elapsed_us: measured.elapsed_us,
        latencies: measured.latencies,
        cpu_ns: measured.cpu_ns,
    };
    let printed = progress.wipe(out).and_then(|()| {
        report.print(out, options, &target.persistence)?;
        out.flush()
    });
    printed.map_err(|error| error.to_string())
}

struct Measured {
    completed: u64,
    elapsed_us: u64,
    latencies: Histogram,
    cpu_ns: Option<(u64, u64)>,
}

/// Lets a thread run each plan; `look` is called now and then with what was answered so far.
fn measure(
    options: &Options,
    plans: &[Plan<'_>],
    mut look: impl FnMut(u64, u64, u64) -> io::Result<()>,
) -> Result<Measured, LoadError> {
    let shared = Shared::new(options.requests);
    let start = Barrier::new(plans.len() + 1);
    let cpu = || options.cpu_of.and_then(cpu::of_process_ns).map(|server| (server, cpu::own_ns()));
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for plan in plans {
            let (sender, shared, start) = (sender.clone(), &shared, &start);
            // The receiver is there until every thread has sent.
            scope.spawn(move || sender.send(load::run(plan, shared, start)));
        }
        drop(sender);
        start.wait();
        let before = cpu();
        let began_us = base::clock::monotonic_us();
        let (mut latencies, mut failure) = (Histogram::default(), None);
        loop {
            match results.recv_timeout(PROGRESS) {
                Ok(Ok(more)) => latencies.merge(&more),
                Ok(Err(error)) => failure = failure.or(Some(error)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => look(
                    shared.answered.load(Ordering::Relaxed),
                    shared.latency_us.load(Ordering::Relaxed),
                    base::clock::monotonic_us().saturating_sub(began_us),
                )?,
            }
        }
        let elapsed_us = base::clock::monotonic_us().saturating_sub(began_us).max(1);
        let spent = |((from, own_from), (to, own_to)): ((u64, u64), (u64, u64))| {
            (to.saturating_sub(from), own_to.saturating_sub(own_from))
        };
        let cpu_ns = before.zip(cpu()).map(spent);
        let completed = shared.answered.load(Ordering::Relaxed);
        match failure {
            Some(error) => Err(error),
            None => Ok(Measured { completed, elapsed_us, latencies, cpu_ns }),
        }
    })
}

/// The line that shows how far a test has come, written over itself.
struct Progress<'a> {
    title: &'a str,
    is_shown: bool,
    /// Columns of the line that stands there.
    columns: usize,
    before: (u64, u64, u64),
}

impl Progress<'_> {
    fn new(title: &str, is_shown: bool) -> Progress<'_> {
        Progress { title, is_shown, columns: 1, before: (0, 0, 0) }
    }

    fn print(
        &mut self,
        out: &mut dyn Write,
        answered: u64,
        latency_us: u64,
        now_us: u64,
    ) -> io::Result<()> {
        if !self.is_shown {
            return Ok(());
        }
        let (answered_before, latency_before, before_us) = self.before;
        self.before = (answered, latency_us, now_us);
        let rate = |count: u64, us: u64| to_float(count) * 1e6 / to_float(us.max(1));
        let mean = |sum: u64, count: u64| to_float(sum) / 1000.0 / to_float(count.max(1));
        let recent = answered - answered_before;
        let line = format!(
            "{}: rps={:.1} (overall: {:.1}) avg_msec={:.3} (overall: {:.3})",
            self.title,
            rate(recent, now_us - before_us),
            rate(answered, now_us),
            mean(latency_us - latency_before, recent),
            mean(latency_us, answered),
        );
        self.wipe(out)?;
        write!(out, "{line}\r")?;
        self.columns = line.len();
        out.flush()
    }

    /// Takes the line away.
    fn wipe(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_shown { write!(out, "{:1$}\r", "", self.columns) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
