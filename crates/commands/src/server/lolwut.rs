//! LOLWUT: the version, where other servers draw.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// LOLWUT.
pub const LOLWUT: Command = Command {
    spec: CommandSpec {
        name: "lolwut",
        since: "5.0.0",
        group: Group::Server,
        summary: "Answers the version of the server.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        args: &[
            Arg::integer("version").token("VERSION").optional(),
            Arg::bytes("ignored").optional().multiple(),
        ],
        reply: &[ReplyShape::Bulk("A line.")],
        ..CommandSpec::EMPTY
    },
    run: lolwut,
    subcommands: &[],
};

fn lolwut(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.verbatim(*b"txt", concat!("Redoubt ver. ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(())
}
