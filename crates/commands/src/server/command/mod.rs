//! COMMAND and its subcommands: what commands there are, computed from their rows.

mod docs;
mod info;
mod keys;
mod list;

use crate::help;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

const FLAGS: &[Flag] = &[Flag::Loading, Flag::Stale];
const CATEGORIES: &[Category] = &[Category::Connection];
const NAMES: &[Arg] = &[Arg::bytes("command-name").optional().multiple()];

/// A row that all of them share.
const ROW: CommandSpec = CommandSpec {
    since: "2.8.13",
    group: Group::Server,
    flags: FLAGS,
    categories: CATEGORIES,
    ..CommandSpec::EMPTY
};

/// COMMAND.
pub const COMMAND: Command = Command {
    spec: CommandSpec {
        name: "command",
        summary: "Describes all commands.",
        complexity: "O(N) in the commands.",
        reply: &[ReplyShape::Array("A description of each command.")],
        tips: &["nondeterministic_output_order"],
        args: &[Arg::bytes("subcommand").optional().multiple()],
        ..ROW
    },
    run: info::all,
    subcommands: &[&COUNT, &DOCS, &GETKEYS, &GETKEYSANDFLAGS, &HELP, &INFO, &LIST],
};

const COUNT: Command = Command {
    spec: CommandSpec {
        name: "count",
        summary: "Answers how many commands there are.",
        reply: &[ReplyShape::Integer("The number, subcommands not counted.")],
        ..ROW
    },
    run: count,
    subcommands: &[],
};

const DOCS: Command = Command {
    spec: CommandSpec {
        name: "docs",
        since: "7.0.0",
        summary: "Documents the commands named, or all.",
        complexity: "O(N) in the commands.",
        args: NAMES,
        reply: &[ReplyShape::Map("Names and documentation.")],
        tips: &["nondeterministic_output_order"],
        ..ROW
    },
    run: docs::docs,
    subcommands: &[],
};

const GETKEYS: Command = Command {
    spec: CommandSpec {
        name: "getkeys",
        summary: "Answers which words of a command are keys.",
        complexity: "O(N) in the words.",
        args: &[Arg::bytes("command"), Arg::bytes("arg").multiple()],
        reply: &[ReplyShape::Array("The keys.")],
        ..ROW
    },
    run: keys::get_keys,
    subcommands: &[],
};

const GETKEYSANDFLAGS: Command = Command {
    spec: CommandSpec {
        name: "getkeysandflags",
        since: "7.0.0",
        summary: "Answers which words of a command are keys, and what it does to each.",
        complexity: "O(N) in the words.",
        args: &[Arg::bytes("command"), Arg::bytes("arg").multiple()],
        reply: &[ReplyShape::Array("Each key and its flags.")],
        ..ROW
    },
    run: keys::get_keys_and_flags,
    subcommands: &[],
};

const HELP: Command =
    help::help(CommandSpec { group: Group::Server, categories: CATEGORIES, ..help::ROW });

const INFO: Command = Command {
    spec: CommandSpec {
        name: "info",
        summary: "Describes the commands named, or all.",
        complexity: "O(N) in the commands.",
        args: NAMES,
        reply: &[ReplyShape::Array("A description of each; null for what is no command.")],
        tips: &["nondeterministic_output_order"],
        history: &[("7.0.0", "Without a name it describes all commands.")],
        ..ROW
    },
    run: info::named,
    subcommands: &[],
};

const LIST: Command = Command {
    spec: CommandSpec {
        name: "list",
        since: "7.0.0",
        summary: "Answers the names of commands.",
        complexity: "O(N) in the commands.",
        args: &[Arg::one_of(
            "filterby",
            &[
                Arg::bytes("module-name").token("MODULE"),
                Arg::bytes("category").token("ACLCAT"),
                Arg::pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()],
        reply: &[ReplyShape::Array("The names, subcommands with their container's.")],
        tips: &["nondeterministic_output_order"],
        ..ROW
    },
    run: list::list,
    subcommands: &[],
};

fn count(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.integer(i64::try_from(cx.node.table.commands().len()).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests;
