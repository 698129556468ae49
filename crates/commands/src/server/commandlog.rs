//! COMMANDLOG: the commands that ran longest, that were largest, and whose replies were.

use super::slowlog;
use crate::help;
use engine::commandlog::Reason;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

const FLAGS: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale];
const TYPES: Arg = Arg::one_of(
    "type",
    &[
        Arg::word("slow", "SLOW"),
        Arg::word("large-request", "LARGE-REQUEST"),
        Arg::word("large-reply", "LARGE-REPLY"),
    ],
);

/// What the subcommands have in common.
const ROW: CommandSpec =
    CommandSpec { since: "8.1.0", group: Group::Server, flags: FLAGS, ..CommandSpec::EMPTY };

/// COMMANDLOG.
pub const COMMANDLOG: Command = Command {
    spec: CommandSpec {
        name: "commandlog",
        since: "8.1.0",
        group: Group::Server,
        summary: "Commands about slow and large commands.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&GET, &HELP, &LEN, &RESET],
};

const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        summary: "Answers the newest entries of a log; -1 is all.",
        complexity: "O(N) in the entries.",
        args: &[Arg::integer("count"), TYPES],
        reply: &[ReplyShape::Array(
            "For each: id, Unix time, microseconds or bytes, words, the client's address and name.",
        )],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        ..ROW
    },
    run: get,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { since: "8.1.0", group: Group::Server, ..help::ROW });

const LEN: Command = Command {
    spec: CommandSpec {
        name: "len",
        summary: "Answers how many entries a log has.",
        args: &[TYPES],
        reply: &[ReplyShape::Integer("The number of entries.")],
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..ROW
    },
    run: len,
    subcommands: &[],
};

const RESET: Command = Command {
    spec: CommandSpec {
        name: "reset",
        summary: "Forgets all entries of a log.",
        complexity: "O(N) in the entries.",
        args: &[TYPES],
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..ROW
    },
    run: reset,
    subcommands: &[],
};

fn reason(word: &[u8]) -> Result<Reason, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(Reason::Slow),
        b"large-request" => Ok(Reason::LargeRequest),
        b"large-reply" => Ok(Reason::LargeReply),
        _ => Err(CommandError::text(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

fn get(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let count = slowlog::count(args.bytes()?)?;
    let reason = reason(args.bytes()?)?;
    slowlog::show(cx, reason, count);
    Ok(())
}

fn len(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let len = cx.node.commandlogs.of(reason(args.bytes()?)?).len();
    cx.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

fn reset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.node.commandlogs.of(reason(args.bytes()?)?).clear();
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn large_commands_and_replies_are_kept() {
        let mut server = Server::new();
        server.check("config set commandlog-request-larger-than 1000", "+OK\r\n");
        server.check("config set commandlog-reply-larger-than 1000", "+OK\r\n");
        server.line(&format!("set k {}", "x".repeat(1200)));
        server.line("get k");
        server.check("commandlog len large-request", ":1\r\n");
        server.check("commandlog len LARGE-REPLY", ":1\r\n");
        server.check("commandlog len slow", ":0\r\n");
        let reply = server.line("commandlog get -1 large-reply");
        assert!(reply.contains(":1209\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), "{reply}");
        let request = server.line("commandlog get 5 large-request");
        assert!(request.contains("... (1072 more bytes)"), "{request}");
        server.check("commandlog reset large-reply", "+OK\r\n");
        server.check("commandlog get 5 large-reply", "*0\r\n");
        server.check("config set commandlog-request-larger-than -1", "+OK\r\n");
        server.line("set k {}");
        server.check("commandlog len large-request", ":1\r\n");
    }

    #[test]
    fn the_slow_log_is_one_of_them() {
        let mut server = Server::new();
        server.check("config set commandlog-execution-slower-than 0", "+OK\r\n");
        server.line("get a");
        server.check("config set slowlog-log-slower-than -1", "+OK\r\n");
        server.check("commandlog len slow", ":2\r\n");
        server.check("slowlog len", ":2\r\n");
        server.check("commandlog reset slow", "+OK\r\n");
        server.check("slowlog len", ":0\r\n");
    }

    #[test]
    fn refuses_as_documented() {
        let mut server = Server::new();
        let kinds =
            "-ERR type should be one of the following: slow, large-request, large-reply\r\n";
        let count = "-ERR count should be greater than or equal to -1\r\n";
        server.check("commandlog len x", kinds);
        server.check("commandlog get 1 x", kinds);
        server.check("commandlog get -2 slow", count);
        server.check(
            "commandlog get 1",
            "-ERR wrong number of arguments for 'commandlog|get' command\r\n",
        );
    }
}
