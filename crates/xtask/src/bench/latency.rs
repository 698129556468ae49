//! `cargo xtask bench --latency`: how long a request takes at half of what the server could do.
//!
//! Each round finds out how much a server answers when it is kept busy, and then sends requests evenly
//! at half that rate, and at half of stock's: latency counts from when a request was due.

use super::generator::{Generator, Load};
use super::report::{Sample, float, head, judge, median};
use super::rounds::{fill, measured};
use super::server::{self, Server, Start};
use super::workload::{GET, SET, Workload};
use super::{CONNECTIONS, GENERATOR_CPU, Measuring, REDOUBT, SERVER_CPU, STOCK};
use crate::failure::Outcome;
use crate::verdicts::Verdicts;
use std::fmt::Write;

/// The most p99 against stock.
const BAR: f64 = 1.0;
/// What is measured.
const WORKLOADS: [Workload; 2] = [GET, SET];

/// The figures of one server under one workload: a value for each round.
#[derive(Clone, Debug, Default)]
struct Figures {
    /// Operations a second when kept busy.
    rate: Vec<f64>,
    /// Latencies at half that rate.
    at_own: Vec<Sample>,
    /// Latencies at half of stock's.
    at_stocks: Vec<Sample>,
}

impl Figures {
    fn shown(samples: &[Sample]) -> String {
        let of = |figure: fn(&Sample) -> u64| {
            median(&samples.iter().map(|sample| float(figure(sample))).collect::<Vec<_>>())
        };
        format!("{:.0}, {:.0}", of(|sample| sample.p50_us), of(|sample| sample.p99_us))
    }

    fn p99(samples: &[Sample]) -> f64 {
        median(&samples.iter().map(|sample| float(sample.p99_us)).collect::<Vec<_>>())
    }
}

/// Measures, and gives the table and the bars.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    let mut servers = Vec::new();
    for (number, (label, program)) in with.programs.iter().enumerate() {
        let start = Start::new(label, program, SERVER_CPU);
        let mut server = Server::start(start, &with.folder.join(number.to_string()))?;
        server::pin(GENERATOR_CPU)?;
        fill(&server, &WORKLOADS, with.plan)?;
        server.pause()?;
        servers.push(server);
    }
    let mut all = vec![vec![Figures::default(); servers.len()]; WORKLOADS.len()];
    for round in 0..with.plan.rounds {
        eprintln!("round {} of {}", round + 1, with.plan.rounds);
        let seed = with.plan.seed + u64::try_from(round)?;
        for (workload, figures) in WORKLOADS.into_iter().zip(&mut all) {
            let load = Load {
                workload,
                connections: CONNECTIONS,
                pipeline: 1,
                keys: with.plan.keys,
                seed,
            };
            let count = servers.len();
            for at in (0..count).map(|turn| (turn + round) % count) {
                let rate = saturated(&mut servers[at], &load, with)?;
                figures[at].rate.push(rate);
            }
            let stocks = median(&figures[STOCK].rate);
            for at in (0..count).map(|turn| (turn + round) % count) {
                let own = median(&figures[at].rate);
                let sample = paced(&mut servers[at], &load, with, own / 2.0)?;
                figures[at].at_own.push(sample);
                let sample = paced(&mut servers[at], &load, with, stocks / 2.0)?;
                figures[at].at_stocks.push(sample);
            }
        }
    }
    let how = format!("{CONNECTIONS} connections, P1, requests sent evenly");
    let mut text = head(with.words, with.plan, &how);
    for (workload, figures) in WORKLOADS.iter().zip(&all) {
        let _ = writeln!(
            text,
            "\n| {}: p50, p99 in microseconds | saturated, a second | at half of that | at half of \
             stock's |\n|---|---|---|---|",
            workload.name
        );
        for (server, figures) in servers.iter().zip(figures) {
            let _ = writeln!(
                text,
                "| {} | {:.0} k | {} | {} |",
                server.label,
                median(&figures.rate) / 1000.0,
                Figures::shown(&figures.at_own),
                Figures::shown(&figures.at_stocks)
            );
        }
        let (ours, stock) = (&figures[REDOUBT], &figures[STOCK]);
        for (at, ours, stock) in [
            ("its own", &ours.at_own, &stock.at_own),
            ("stock's", &ours.at_stocks, &stock.at_stocks),
        ] {
            let name =
                format!("bench: p99 of {} at half of {at} saturation, of stock", workload.name);
            judge(verdicts, &name, Figures::p99(ours) / Figures::p99(stock), BAR);
        }
    }
    Ok(text)
}

fn saturated(server: &mut Server, load: &Load, with: &Measuring<'_>) -> Outcome<f64> {
    server.resume();
    let mut generator = Generator::connect(server.port(), load)?;
    let sample = measured(server, &mut generator, with.plan)?;
    drop(generator);
    server.pause()?;
    Ok(sample.rate())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "operations a second, far below 2^53"
)]
fn paced(server: &mut Server, load: &Load, with: &Measuring<'_>, rate: f64) -> Outcome<Sample> {
    server.resume();
    let mut generator = Generator::connect(server.port(), load)?;
    generator.run_paced(with.plan.warm_ms, rate as u64)?;
    generator.forget();
    let elapsed_us = generator.run_paced(with.plan.window_ms, rate as u64)?;
    let sample = generator.sample(elapsed_us, 0);
    drop(generator);
    server.pause()?;
    Ok(sample)
}
