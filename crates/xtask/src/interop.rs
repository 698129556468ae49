//! `cargo xtask interop`: Redoubt and stock 7.0.15 in one group, and Redoubt where users make mistakes.
//!
//! A case is a function with a name; it starts what it needs in a folder of its own and fails with one
//! sentence. `--program` may be stock itself, which shows that a case asks for nothing but what stock
//! does; cases about `redoubt up` are then left out.

mod benchmark;
mod compare;
mod failover;
mod functions;
mod load;
mod migrate;
mod replication;
mod replies;
mod settings;
mod snapshot;
mod tables;
mod up;
mod usage;
mod wireform;

use crate::arguments::Arguments;
use crate::failure::Outcome;
use crate::program::{Kind, Program};
use crate::verdicts::Verdicts;
use crate::workspace;
use crate::{crash, differential, linearizability};
use std::path::PathBuf;

/// What a case works with.
#[derive(Clone)]
pub struct Stage {
    /// The program under test.
    pub ours: Program,
    /// Stock Redis.
    pub stock: Program,
    /// A folder for this case alone.
    pub folder: PathBuf,
}

/// Plays one case.
type Play = fn(&Stage) -> Outcome;

/// Cases that any program with stock's command line can play.
const FOR_ALL: [(&str, Play); 38] = [
    ("replies-listed", replies::listed),
    ("replies-drawn", differential::drawn),
    ("replication-of-drawn-effects", differential::drawn_replicated),
    ("replies-have-an-order", linearizability::drawn),
    ("kills-lose-nothing", crash::short),
    ("sentinel-replies", replies::sentinel),
    ("malformed-requests", wireform::requests),
    ("requests-in-pieces", wireform::pieces),
    ("publish-between-connections", wireform::publish),
    ("sockets-and-limits", wireform::sockets),
    ("info-fields", tables::info),
    ("settings-names", tables::settings),
    ("client-list-fields", tables::client_list),
    ("command-rows", tables::commands),
    ("stock-follows-redoubt", replication::stock_follows),
    ("redoubt-follows-stock", replication::follows_stock),
    ("redoubt-follows-redoubt", replication::follows_itself),
    ("full-sync-over-a-slow-link", replication::slow_link),
    ("chain-through-redoubt", replication::chain),
    ("partial-resync-after-a-cut", replication::partial_resync),
    ("partial-resync-of-a-stock-replica", replication::partial_resync_of_stock),
    ("partial-resync-with-a-stock-primary", replication::partial_resync_with_stock),
    ("stock-sentinels-fail-over-redoubt", failover::stock_sentinels),
    ("redoubt-sentinels-fail-over-stock", failover::stock_servers),
    ("mixed-quorum", failover::mixed_quorum),
    ("guide-clients-with-two-passwords", failover::two_passwords),
    ("restart-after-kill-loads-the-snapshot", snapshot::after_kill),
    ("snapshot-moves-to-stock", snapshot::to_stock),
    ("large-values-change-while-saved", snapshot::large_to_stock),
    ("snapshot-comes-from-stock", snapshot::from_stock),
    ("function-libraries-are-carried", functions::carried),
    ("use-of-keys-moves-to-stock", usage::to_stock),
    ("use-of-keys-comes-from-stock", usage::from_stock),
    ("benchmark-lines", benchmark::lines),
    ("keys-migrate-to-stock", migrate::to_stock),
    ("keys-migrate-from-stock", migrate::from_stock),
    ("bad-settings-are-fatal", settings::bad),
    ("guide-settings-load", settings::guide),
];

/// Cases about `redoubt up`.
const FOR_UP: [(&str, Play); 7] = [
    ("up-port-in-use", up::port_in_use),
    ("up-sentinel-port-in-use", up::sentinel_port_in_use),
    ("up-folder-not-writable", up::folder_not_writable),
    ("up-twice-on-one-folder", up::twice),
    ("up-keeps-data-and-roles", up::resumes),
    ("up-stops-all-nodes", up::stops),
    ("fast-restart-keeps-data", up::fast_restart),
];

/// Runs the task.
///
/// # Errors
/// When a program is not there, or a case failed.
pub fn task(mut arguments: Arguments) -> Outcome {
    let path = arguments.text("--program")?;
    let kind = arguments.text("--kind")?.unwrap_or_else(|| "redoubt".to_owned());
    let only = arguments.text("--only")?;
    let list = arguments.flag("--list");
    arguments.finish()?;
    if list {
        FOR_ALL.iter().chain(&FOR_UP).for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let mut verdicts = Verdicts::default();
    let ours = Program::chosen(path.as_deref(), &kind)?;
    play(&ours, only.as_deref().unwrap_or_default(), &mut verdicts)?;
    verdicts.finish()
}

/// Plays every case whose name contains `only`.
///
/// # Errors
/// When stock Redis cannot be had; cases that fail are in the verdicts.
pub fn play(ours: &Program, only: &str, verdicts: &mut Verdicts) -> Outcome {
    let stock = Program::stock()?;
    let up: &[(&str, Play)] = if ours.kind == Kind::Redoubt { &FOR_UP } else { &[] };
    for (name, play) in FOR_ALL.iter().chain(up).filter(|(name, _)| name.contains(only)) {
        let folder = workspace::scratch(&format!("interop-{name}"))?;
        let stage = Stage { ours: ours.clone(), stock: stock.clone(), folder };
        verdicts.outcome(&format!("interop: {name}"), play(&stage));
    }
    Ok(())
}
