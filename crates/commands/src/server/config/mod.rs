//! CONFIG: settings read, changed and written back, and statistics cleared.

pub(super) mod rewrite;
mod set;

pub(super) use set::caller;

use crate::help;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;

const FLAGS: &[Flag] = &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale];

/// CONFIG.
pub const CONFIG: Command = Command {
    spec: CommandSpec {
        name: "config",
        since: "2.0.0",
        group: Group::Server,
        summary: "Commands about settings.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&GET, &HELP, &RESETSTAT, &rewrite::REWRITE, &set::SET],
};

const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        since: "2.0.0",
        group: Group::Server,
        summary: "Answers the settings whose names match patterns.",
        complexity: "O(N) in the patterns.",
        flags: FLAGS,
        args: &[Arg::block("parameter", &[Arg::bytes("parameter")]).multiple()],
        reply: &[ReplyShape::Map("Names and values.")],
        history: &[("7.0.0", "Takes several patterns.")],
        ..CommandSpec::EMPTY
    },
    run: get,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { group: Group::Server, ..help::ROW });

const RESETSTAT: Command = Command {
    spec: CommandSpec {
        name: "resetstat",
        since: "2.0.0",
        group: Group::Server,
        summary: "Sets the statistics of INFO to zero.",
        flags: FLAGS,
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: reset_stat,
    subcommands: &[],
};

fn get(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut patterns = Vec::with_capacity(args.left());
    while let Some(pattern) = args.next() {
        patterns.push(pattern);
    }
    let found = cx.node.settings.get(&patterns);
    cx.reply.map(found.len());
    for (name, value) in found {
        // A name is given back as it was asked for.
        let asked = patterns.iter().find(|asked| asked.eq_ignore_ascii_case(name.as_bytes()));
        cx.reply.bulk(asked.copied().unwrap_or(name.as_bytes()));
        cx.reply.bulk(value);
    }
    Ok(())
}

fn reset_stat(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.node.stats.reset();
    cx.node.lazyfree.reset();
    cx.node.defrag.reset();
    cx.node.clients.accepted.store(0, Ordering::Relaxed);
    cx.node.clients.rejected.store(0, Ordering::Relaxed);
    cx.node.clients.evicted.store(0, Ordering::Relaxed);
    cx.node.saves.state().saves = 0;
    let mut file = cx.node.append_only.facts();
    (file.rewrites, file.failures, file.delayed_syncs) = (0, 0, 0);
    drop(file);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests;
