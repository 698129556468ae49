//! CLIENT and its subcommands: what the server knows of connections, and what one asks for its own.

mod describe;
mod filter;
mod kill;
mod list;
mod names;
mod pause;
mod switches;
mod tracking;
mod unblock;

pub(super) use names::check_name;

use crate::help;
use engine::{Args, Command, CommandResult, Context};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// Flags of subcommands that concern the connection itself.
const OWN: &[Flag] = &[Flag::NoScript, Flag::Loading, Flag::Stale];
/// Flags of subcommands that concern other connections.
const OTHERS: &[Flag] = &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale];
/// Flags of those after whose answer nothing of the others may be under way any more.
const OTHERS_ALONE: &[Flag] =
    &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::WholeKeyspace];

/// CLIENT.
pub const CLIENT: Command = Command {
    spec: CommandSpec {
        name: "client",
        since: "2.4.0",
        group: Group::Connection,
        summary: "Commands about connections.",
        complexity: "Depends on the subcommand.",
        ungrouped: true,
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[
        &tracking::CACHING,
        &names::GETNAME,
        &tracking::GETREDIR,
        &HELP,
        &ID,
        &list::INFO,
        &kill::KILL,
        &list::LIST,
        &switches::NO_EVICT,
        &switches::NO_TOUCH,
        &pause::PAUSE,
        &switches::REPLY,
        &names::SETINFO,
        &names::SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
};

const HELP: Command =
    help::help(CommandSpec { group: Group::Connection, ungrouped: false, ..help::ROW });

const ID: Command = Command {
    spec: CommandSpec {
        name: "id",
        since: "5.0.0",
        group: Group::Connection,
        summary: "Answers the id of the connection.",
        flags: OWN,
        reply: &[ReplyShape::Integer("The id; it rises by one with each connection.")],
        ..CommandSpec::EMPTY
    },
    run: id,
    subcommands: &[],
};

fn id(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.integer(i64::try_from(cx.session.info.id).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests;
