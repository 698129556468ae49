//! MODULE: there are no loadable modules, so the list is empty.

use crate::help;
use engine::{Args, Command, CommandResult, Context};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// MODULE.
pub const MODULE: Command = Command {
    spec: CommandSpec {
        name: "module",
        since: "4.0.0",
        group: Group::Server,
        summary: "Commands about modules.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&HELP, &LIST],
};

const HELP: Command = help::help(CommandSpec { group: Group::Server, ..help::ROW });

const LIST: Command = Command {
    spec: CommandSpec {
        name: "list",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers the loaded modules.",
        complexity: "O(N) in the modules.",
        flags: &[Flag::Admin, Flag::NoScript],
        reply: &[ReplyShape::Array("Empty.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: list,
    subcommands: &[],
};

fn list(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.array(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn there_are_none() {
        let mut server = Server::new();
        server.check("module list", "*0\r\n");
        server.check("module foo", "-ERR unknown subcommand 'foo'. Try MODULE HELP.\r\n");
    }
}
