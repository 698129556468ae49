//! CONFIG SET name value ...: changes settings, all of them or none.
//!
//! The whole keyspace stands still meanwhile: two changes never meet, and no command runs half under
//! the old settings.

use conf::{Caller, SetError};
use engine::node::Refused;
use engine::{Args, Command, CommandError, CommandResult, Context, Node};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;

pub(super) const SET: Command = Command {
    spec: CommandSpec {
        name: "set",
        since: "2.0.0",
        group: Group::Server,
        summary: "Changes settings, all of those given or none.",
        complexity: "O(N) in the settings given.",
        flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::WholeKeyspace],
        args: &[Arg::block("parameter_value", &[Arg::bytes("parameter"), Arg::bytes("value")])
            .multiple()],
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        history: &[("7.0.0", "Takes several settings.")],
        ..CommandSpec::EMPTY
    },
    run: set,
    subcommands: &[],
};

/// The allocator does not tell what lies badly: there is none of ours, or one without statistics.
const NO_DEFRAGMENTATION: &str = "Active defragmentation cannot be enabled: it requires a Redis \
server compiled with a modified Jemalloc like the one shipped by default with the Redis source \
distribution";

fn set(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if !args.left().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let mut pairs = Vec::with_capacity(args.left() / 2);
    while let Some(name) = args.next() {
        pairs.push((name, args.bytes()?));
    }
    let where_data_is = |(name, _): &(&[u8], &[u8])| {
        [&b"dir"[..], b"appendonly"].iter().any(|other| name.eq_ignore_ascii_case(other))
    };
    if cx.node.loading.load(Ordering::Acquire) && pairs.iter().any(where_data_is) {
        return Err(CommandError::Loading);
    }
    cx.keys.release();
    let settings = &cx.node.settings;
    let change = settings.change(&pairs, caller(cx)).map_err(|error| refusal(&error))?;
    let names: Vec<&str> = change.rows.iter().map(|row| row.name).collect();
    if let Err(Refused { name, text }) = apply(cx.node, &names) {
        settings.undo(change);
        // What was done by then is done back.
        if let Err(Refused { name, text }) = apply(cx.node, &names) {
            tracing::warn!("The old value of {name} cannot be had any more: {text}");
        }
        return Err(refusal(&SetError::Apply(name.to_owned(), text)));
    }
    if names.iter().any(|name| name.starts_with("append") || name.starts_with("aof-"))
        && let Some(alone) = cx.alone
    {
        let toggles = names.contains(&"appendonly");
        cx.node.append_only.settings_changed(cx.node, alone, toggles);
    }
    if names.contains(&"repl-backlog-size") {
        cx.node.log.resize(settings.repl_backlog_size.count());
    }
    cx.node.refresh();
    if names.iter().any(|name| name.starts_with("min-replicas") || *name == "maxmemory") {
        cx.node.wake_loops();
    }
    cx.reply.ok();
    Ok(())
}

/// Has the program do as the settings say now.
fn apply(node: &Node, names: &[&str]) -> Result<(), Refused> {
    let defrags = names.contains(&"activedefrag") && node.settings.activedefrag.get();
    if defrags && !node.defrag.is_possible() {
        return Err(Refused { name: "activedefrag", text: NO_DEFRAGMENTATION.to_owned() });
    }
    node.services().map_or(Ok(()), |services| services.settings_changed(names))
}

fn refusal(error: &SetError) -> CommandError {
    CommandError::Text(format!("ERR {error}"))
}

/// Whether the client sits on this machine.
pub(in crate::server) fn caller(cx: &Context<'_>) -> Caller {
    let info = &cx.session.info;
    let local = ["127.", "[::1]", "::1"].iter().any(|start| info.address.starts_with(start));
    if info.unix_socket || local { Caller::Local } else { Caller::Remote }
}
