//! `cargo xtask drill`: clients write through Sentinel while the primary's node is killed with -9.
//!
//! Two times are taken per run: from the kill to the first write that any node accepts (what the group
//! needs), and to each client's first acknowledged write (what a user waits for, its library's own
//! pauses included). Losses are what clients were promised and do not find afterwards.
//!
//! A kill on loopback cannot lose what the kernel already holds. So `--freeze` first stops a proxy that
//! stands in the replication links: then the run shows what asynchronous replication loses.

mod prober;
mod table;
pub mod writers;

use crate::arguments::Arguments;
use crate::failure::{During, Failure, Outcome, ensure};
use crate::group::{self, Group, Options};
use crate::program::Program;
use crate::proxy::Proxy;
use crate::setup::clients::{self, Client};
use crate::verdicts::Verdicts;
use crate::wire::Reading;
use crate::{wait, workspace};
use base::clock;
use prober::Prober;
use std::time::Duration;
use table::Table;
use writers::Writer;

/// Half of the kills must be over in so many milliseconds, and all of them in twice as many.
const P50_MAX_MS: u64 = 2_500;
/// The longest a kill may go unrepaired.
const GAP_MAX_MS: u64 = 5_000;
/// The longest a client may take, whose library has pauses of its own: go-redis and ioredis wait
/// for seconds between tries whatever the servers do.
const CLIENT_MAX_MS: u64 = 10_000;
/// Writing before the fault, and after the last client came back.
const WRITE_FOR: Duration = Duration::from_millis(700);
/// Writing between the freeze and the kill.
const FROZEN_FOR: Duration = Duration::from_millis(500);
/// How long a client may take to come back.
const RETURN_MS: u64 = 60_000;
/// In a frozen drill sentinels must not set replicas right again, which they do after this time.
const FREEZE_FAILOVER_TIMEOUT_MS: u64 = 60_000;

/// What is drilled.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Kills.
    pub runs: u32,
    /// Whether the replication links are frozen before each kill.
    pub freeze: bool,
    /// Milliseconds until a sentinel thinks a node down.
    pub down_after_ms: u64,
}

/// One kill and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// From the kill to the first write any node accepted.
    pub gap_ms: u64,
    /// Per client: from the kill to its first acknowledged write.
    pub clients_ms: Vec<u64>,
    /// Writes tried, acknowledged, and acknowledged but not found afterwards, over all clients.
    pub tried: u64,
    /// See above.
    pub acknowledged: u64,
    /// See above.
    pub lost: u64,
}

/// Runs the task.
///
/// # Errors
/// When a group or a client does not work; bad figures are bad verdicts.
pub fn task(mut arguments: Arguments) -> Outcome {
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let freeze = arguments.flag("--freeze");
    let runs = arguments.number("--runs", if freeze { 3 } else { 20 })?;
    let plan = Plan { runs, freeze, down_after_ms: arguments.number("--down-after", 1000)? };
    let against_stock = arguments.flag("--against-stock");
    arguments.finish()?;
    for client in clients::ALL {
        client.prepare()?;
    }
    let mut verdicts = Verdicts::default();
    let program = Program::chosen(path.as_deref(), &kind)?;
    drill(&program, plan, &mut verdicts)?;
    if against_stock {
        // Stock's figures stand beside ours; they are nothing to pass or fail.
        drill(&Program::stock()?, plan, &mut Verdicts::default())?;
    }
    verdicts.finish()
}

/// Drills a group of `program` and judges the figures.
///
/// # Errors
/// When the group or a client does not work.
pub fn drill(program: &Program, plan: Plan, verdicts: &mut Verdicts) -> Outcome {
    let name = format!("drill-{}{}", program.label(), if plan.freeze { "-freeze" } else { "" });
    let folder = workspace::scratch(&name.replace(' ', "-"))?;
    let options = Options {
        down_after_ms: plan.down_after_ms,
        failover_timeout_ms: if plan.freeze {
            FREEZE_FAILOVER_TIMEOUT_MS
        } else {
            Options::default().failover_timeout_ms
        },
        ..Options::default()
    };
    let mut group = Group::start(program, &folder.join("group"), &options)?;
    let mut table = Table::new(program.label(), plan);
    for number in 1..=plan.runs {
        let primary = group.ready()?;
        let run = one_run(&mut group, primary, number, plan, &folder)
            .during(|| format!("run {number}, logs in {}", folder.display()))?;
        table.row(number, &run);
        if number < plan.runs {
            group.heal(primary)?;
        }
    }
    table.summary();
    judge(&name, &table, plan, verdicts);
    Ok(())
}

fn judge(name: &str, table: &Table, plan: Plan, verdicts: &mut Verdicts) {
    let (p50, max) = table.gap();
    let lost = table.lost();
    if !plan.freeze {
        let holds = lost == 0;
        verdicts
            .outcome(&format!("{name}: nothing lost"), ensure(holds, || format!("{lost} lost")));
    }
    let fast = p50 <= P50_MAX_MS && max <= GAP_MAX_MS;
    let figures = || format!("p50 {p50} ms, max {max} ms");
    verdicts.outcome(&format!("{name}: accepts writes again in time"), ensure(fast, figures));
    let slowest = table.slowest_client();
    let returned = ensure(slowest <= CLIENT_MAX_MS, || format!("the slowest took {slowest} ms"));
    verdicts.outcome(&format!("{name}: clients return in time"), returned);
}

fn one_run(
    group: &mut Group,
    primary: u16,
    number: u32,
    plan: Plan,
    folder: &std::path::Path,
) -> Outcome<Run> {
    let proxies = if plan.freeze { link_through_proxies(group, primary)? } else { Vec::new() };
    let mut writers = Vec::new();
    for client in clients::ALL {
        writers.push(Writer::start(client, group, number, folder)?);
    }
    for writer in &mut writers {
        writer.ready()?;
    }
    wait::pause(WRITE_FOR);
    for proxy in &proxies {
        proxy.freeze(true);
    }
    if plan.freeze {
        wait::pause(FROZEN_FOR);
    }
    let others = (0..group::NODES).filter(|node| *node != primary).map(|node| group.port + node);
    let prober = Prober::start(others.collect(), group.passwords().0.map(str::to_owned));
    let killed = clock::unix().0;
    group.kill(primary)?;
    let accepted = prober.finish(RETURN_MS)?;
    let mut run = Run { gap_ms: accepted.saturating_sub(killed), ..Run::default() };
    for writer in &mut writers {
        run.clients_ms.push(writer.returned(killed, RETURN_MS)?.saturating_sub(killed));
    }
    wait::pause(WRITE_FOR);
    for writer in writers {
        let report = writer.finish(RETURN_MS)?;
        run.tried += report.tried;
        run.acknowledged += report.acknowledged;
        run.lost += report.lost;
    }
    Ok(run)
}

/// Puts a proxy between each replica and the primary.
fn link_through_proxies(group: &Group, primary: u16) -> Outcome<Vec<Proxy>> {
    let mut proxies = Vec::new();
    for node in (0..group::NODES).filter(|node| *node != primary) {
        let proxy = Proxy::start(group.port + primary)?;
        let mut wire = group.server(node)?;
        wire.ok(&["REPLICAOF", "127.0.0.1", &proxy.port.to_string()])?;
        wait::until("a replica's link through the proxy", 10_000, || {
            let up = wire.info("replication", "master_link_status").ok()? == "up";
            (up && proxy.accepted() > 0).then_some(())
        })?;
        proxies.push(proxy);
    }
    let mut wire = group.server(primary)?;
    wait::until("replicas online", 10_000, || {
        let role = wire.ok(&["ROLE"]).ok()?;
        (role.items().get(2)?.items().len() == proxies.len()).then_some(())
    })?;
    Ok(proxies)
}

/// The libraries, in the order of [`Run::clients_ms`].
pub fn libraries() -> impl Iterator<Item = &'static str> {
    clients::ALL.iter().map(|client: &Client| client.library())
}

/// A failure for figures that should be there.
fn absent(what: &str) -> Failure {
    Failure::new(format!("{what} is missing"))
}
