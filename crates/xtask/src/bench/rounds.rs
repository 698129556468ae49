//! Rounds over servers that take turns: every workload with every pipeline, on each in turn.

use super::generator::{self, Generator, Load};
use super::report::{Report, Sample};
use super::server::{self, Server, Start};
use super::workload::{Before, Data, Template, Workload};
use super::{GENERATOR_CPU, Plan};
use crate::failure::Outcome;
use std::path::Path;

/// Elements that RPOP may take in a millisecond at most.
const TAKEN_PER_MS: u64 = 3_000;
/// Elements that are pushed with one command.
const PUSHED_AT_ONCE: u64 = 100;

/// What is measured on which servers.
pub struct Contest<'a> {
    /// The servers; which of them the others are compared with is the report's.
    pub starts: Vec<Start<'a>>,
    /// The columns.
    pub workloads: Vec<Workload>,
    /// Commands sent at once: a table for each.
    pub pipelines: &'a [usize],
    /// Connections of the generator.
    pub connections: usize,
    /// The generator has a cpu to itself.
    pub pinned: bool,
}

impl Contest<'_> {
    /// Plays all rounds; `base` is the server that others are compared with.
    ///
    /// # Errors
    /// When a server does not start or answers wrongly.
    pub fn play(self, folder: &Path, plan: Plan, base: usize) -> Outcome<Report> {
        let mut servers = Vec::new();
        for (number, start) in self.starts.into_iter().enumerate() {
            let mut server = Server::start(start, &folder.join(number.to_string()))?;
            eprintln!("filling {}", server.label);
            if self.pinned {
                server::pin(GENERATOR_CPU)?;
            } else {
                server::unpin()?;
            }
            fill(&server, &self.workloads, plan)?;
            server.pause()?;
            servers.push(server);
        }
        let labels = servers.iter().map(|server| server.label.clone()).collect();
        let columns = self.workloads.iter().map(|workload| workload.name).collect();
        let mut report = Report::new(labels, columns, self.pipelines.to_vec(), base);
        for round in 0..plan.rounds {
            eprintln!("round {} of {}", round + 1, plan.rounds);
            for &pipeline in self.pipelines {
                for (column, &workload) in self.workloads.iter().enumerate() {
                    let seed = plan.seed + u64::try_from(round)?;
                    let (connections, keys) = (self.connections, plan.keys);
                    let load = Load { workload, connections, pipeline, keys, seed };
                    for turn in 0..servers.len() {
                        let at = (turn + round) % servers.len();
                        let sample = one(&mut servers[at], &load, plan)?;
                        report.add((at, column, pipeline), sample);
                    }
                }
            }
        }
        Ok(report)
    }
}

/// Fills in what the workloads want, each kind of data once.
///
/// # Errors
/// When the server refuses.
pub fn fill(server: &Server, workloads: &[Workload], plan: Plan) -> Outcome {
    let mut done: Vec<Data> = Vec::new();
    for &data in workloads.iter().flat_map(|workload| workload.data) {
        if !done.contains(&data) {
            generator::fill(server.port(), data, plan.keys)?;
            done.push(data);
        }
    }
    Ok(())
}

/// Measures one load on a server that is stopped before and after.
///
/// # Errors
/// When the server answers wrongly.
pub fn one(server: &mut Server, load: &Load, plan: Plan) -> Outcome<Sample> {
    server.resume();
    prepare(server, load.workload.before, plan)?;
    let mut generator = Generator::connect(server.port(), load)?;
    let sample = measured(server, &mut generator, plan)?;
    drop(generator);
    server.pause()?;
    Ok(sample)
}

/// Measures a server under a generator that keeps it busy.
///
/// # Errors
/// When the server answers wrongly.
pub fn measured(server: &mut Server, generator: &mut Generator, plan: Plan) -> Outcome<Sample> {
    generator.run(plan.warm_ms)?;
    generator.forget();
    let before = server.cpu_ns()?;
    let elapsed_us = generator.run(plan.window_ms)?;
    let cpu_ns = server.cpu_ns()?.saturating_sub(before);
    Ok(generator.sample(elapsed_us, cpu_ns))
}

fn prepare(server: &mut Server, before: Before, plan: Plan) -> Outcome {
    let (Before::Absent(key) | Before::LongList(key)) = before else { return Ok(()) };
    server.node().ask(&["DEL", key])?;
    if matches!(before, Before::LongList(_)) {
        let elements = " {text}".repeat(usize::try_from(PUSHED_AT_ONCE)?);
        let template = Template::new(&format!("RPUSH {key}{elements}"));
        let commands = (plan.warm_ms + plan.window_ms) * TAKEN_PER_MS / PUSHED_AT_ONCE;
        generator::fill_with(server.port(), &template, commands)?;
    }
    Ok(())
}
