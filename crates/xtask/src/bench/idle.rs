//! `cargo xtask bench --idle`: what many connections that are idle, or wait in BLPOP, cost those that are
//! active.

use super::generator::{Generator, Load};
use super::report::{Report, Sample, head, judge};
use super::rounds::{fill, measured};
use super::server::{self, Server, Start};
use super::workload::GET;
use super::{GENERATOR_CPU, Measuring, PIPELINES, REDOUBT, SERVER_CPU};
use crate::failure::{During, Outcome};
use crate::verdicts::Verdicts;
use crate::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

/// Active connections.
const ACTIVE: usize = 100;
/// The most CPU time of an operation beside idle connections, against without.
const BAR: f64 = 1.2;
/// What those that wait send.
const BLPOP: &[u8] = b"BLPOP queue 0\r\n";
/// How long the server may take to see that connections wait, or were closed.
const CLOSE_MS: u64 = 30_000;

/// Measures, and gives the table and the bar.
///
/// # Errors
/// When the server does not start, refuses connections, or answers wrongly.
pub fn measure(with: &Measuring<'_>, verdicts: &mut Verdicts) -> Outcome<String> {
    raise_limit()?;
    let (label, program) = &with.programs[REDOUBT];
    let mut start = Start::new(label, program, SERVER_CPU);
    start.settings.push(format!("maxclients {}", 2 * (with.idle + ACTIVE)));
    let mut server = Server::start(start, &with.folder.join("idle"))?;
    server::pin(GENERATOR_CPU)?;
    fill(&server, &[GET], with.plan)?;
    let count = with.idle;
    let others = ["0 idle".to_owned(), format!("{count} idle"), format!("{count} blocked")];
    let labels = others.clone().map(|others| format!("{ACTIVE} active, {others}"));
    let mut report = Report::new(labels.into(), vec!["GET"], PIPELINES.to_vec(), 0);
    for round in 0..with.plan.rounds {
        eprintln!("round {} of {}", round + 1, with.plan.rounds);
        for pipeline in PIPELINES {
            let seed = with.plan.seed + u64::try_from(round)?;
            let keys = with.plan.keys;
            let load = Load { workload: GET, connections: ACTIVE, pipeline, keys, seed };
            report.add((0, 0, pipeline), one(&mut server, &load, with)?);
            for (place, request) in [(1, &b""[..]), (2, BLPOP)] {
                let mut idle = connect(server.port(), count)?;
                idle.iter_mut().try_for_each(|one| one.write_all(request))?;
                let blocked = if request.is_empty() { 0 } else { count };
                wait_for(&mut server, "blocked_clients", |clients| clients == blocked)?;
                report.add((place, 0, pipeline), one(&mut server, &load, with)?);
                drop(idle);
                wait_for(&mut server, "connected_clients", |clients| clients < ACTIVE)?;
            }
        }
    }
    for pipeline in PIPELINES {
        for (place, others) in others.iter().enumerate().skip(1) {
            let name = format!("bench: GET P{pipeline} beside {others}, of without");
            judge(verdicts, &name, report.ratio((place, 0, pipeline)), BAR);
        }
    }
    let how = format!("{ACTIVE} active connections");
    Ok([head(with.words, with.plan, &how), report.cpu_tables(), report.rate_tables()].concat())
}

/// Waits until the server counts as many clients of a kind as it should.
fn wait_for(server: &mut Server, kind: &str, is_so: impl Fn(usize) -> bool) -> Outcome {
    let node = server.node();
    wait::until(kind, CLOSE_MS, || {
        let clients = node.info("clients", kind).parse::<usize>().ok()?;
        is_so(clients).then_some(())
    })
}

fn one(server: &mut Server, load: &Load, with: &Measuring<'_>) -> Outcome<Sample> {
    let mut generator = Generator::connect(server.port(), load)?;
    measured(server, &mut generator, with.plan)
}

fn connect(port: u16, count: usize) -> Outcome<Vec<TcpStream>> {
    let connections = (0..count).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    connections.collect::<Result<_, _>>().during(|| format!("open {count} connections"))
}

/// Lets this process, and what it starts, open as many files as it may.
fn raise_limit() -> Outcome {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .during(|| "raise the number of open files".to_owned())
}
