//! CLIENT LIST [TYPE type] [ID id ...] and CLIENT INFO.

use super::describe::describe;
use super::filter::{Filter, LIST_WORDS};
use super::{OTHERS, OWN};
use engine::{Args, Command, CommandResult, Context};
use spec::{CommandSpec, Group, ReplyShape};

pub(super) const LIST: Command = Command {
    spec: CommandSpec {
        name: "list",
        since: "2.4.0",
        group: Group::Connection,
        summary: "Answers a line for each connection.",
        complexity: "O(N) in the connections.",
        flags: OTHERS,
        args: LIST_WORDS,
        reply: &[ReplyShape::Bulk("Lines of `name=value`.")],
        tips: &["nondeterministic_output"],
        history: &[
            ("5.0.0", "Takes TYPE."),
            ("6.2.0", "Takes ID."),
            ("7.2.0", "Shows `lib-name` and `lib-ver`."),
        ],
        ..CommandSpec::EMPTY
    },
    run: list,
    subcommands: &[],
};

pub(super) const INFO: Command = Command {
    spec: CommandSpec {
        name: "info",
        since: "6.2.0",
        group: Group::Connection,
        summary: "Answers the connection's own line of CLIENT LIST.",
        flags: OWN,
        reply: &[ReplyShape::Bulk("The line.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: info,
    subcommands: &[],
};

fn list(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let filter = Filter::of_list(args)?;
    let caller = cx.session.info.id;
    let mut text = Vec::new();
    for client in cx.node.clients.all() {
        if filter.matches(&client, caller) {
            describe(cx.node, &client, &mut text);
            text.push(b'\n');
        }
    }
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}

fn info(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let mut text = Vec::new();
    describe(cx.node, &cx.session.info, &mut text);
    text.push(b'\n');
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}
