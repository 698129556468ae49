//! SLOWLOG: the commands that ran longest, one of the logs that COMMANDLOG shows.

use crate::help;
use engine::commandlog::Reason;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// Entries shown when no count is given.
const COUNT_DEFAULT: usize = 10;

const FLAGS: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale];

/// SLOWLOG.
pub const SLOWLOG: Command = Command {
    spec: CommandSpec {
        name: "slowlog",
        since: "2.2.12",
        group: Group::Server,
        summary: "Commands about slow commands.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&GET, &HELP, &LEN, &RESET],
};

const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        since: "2.2.12",
        group: Group::Server,
        summary: "Answers the newest slow commands, ten of them unless told otherwise; -1 is all.",
        complexity: "O(N) in the entries.",
        flags: FLAGS,
        args: &[Arg::integer("count").optional()],
        reply: &[ReplyShape::Array(
            "For each: id, Unix time, microseconds, words, the client's address and name.",
        )],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        history: &[("4.0.0", "Shows the client's address and name.")],
        ..CommandSpec::EMPTY
    },
    run: get,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { since: "6.2.0", group: Group::Server, ..help::ROW });

const LEN: Command = Command {
    spec: CommandSpec {
        name: "len",
        since: "2.2.12",
        group: Group::Server,
        summary: "Answers how many entries there are.",
        flags: FLAGS,
        reply: &[ReplyShape::Integer("The number of entries.")],
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: len,
    subcommands: &[],
};

const RESET: Command = Command {
    spec: CommandSpec {
        name: "reset",
        since: "2.2.12",
        group: Group::Server,
        summary: "Forgets all entries.",
        complexity: "O(N) in the entries.",
        flags: FLAGS,
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..CommandSpec::EMPTY
    },
    run: reset,
    subcommands: &[],
};

fn get(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let count = match args.next() {
        None => COUNT_DEFAULT,
        Some(_) if args.left() > 0 => return Err(help::wrong_words(args)),
        Some(word) => count(word)?,
    };
    show(cx, Reason::Slow, count);
    Ok(())
}

/// How many entries are wanted.
pub(super) fn count(word: &[u8]) -> Result<usize, CommandError> {
    match values::string::parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        Some(count) if count >= 0 => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(CommandError::text("ERR count should be greater than or equal to -1")),
    }
}

/// Answers the newest entries of a log.
pub(super) fn show(cx: &mut Context<'_>, reason: Reason, count: usize) {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let entries = cx.node.commandlogs.of(reason).newest(count);
    cx.reply.array(entries.len());
    for entry in entries {
        cx.reply.array(6);
        cx.reply.integer(number(entry.id));
        cx.reply.integer(number(entry.time_s));
        cx.reply.integer(number(entry.amount));
        let words = entry.request.request().words();
        cx.reply.array(words.len());
        for word in words {
            cx.reply.bulk(word);
        }
        cx.reply.bulk(entry.address);
        cx.reply.bulk(entry.name);
    }
}

fn len(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.reply.integer(i64::try_from(cx.node.commandlogs.of(Reason::Slow).len()).unwrap_or(i64::MAX));
    Ok(())
}

fn reset(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.node.commandlogs.of(Reason::Slow).clear();
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn slow_commands_are_kept_newest_first() {
        let mut server = Server::new();
        server.check("slowlog get", "*0\r\n");
        server.check("slowlog len", ":0\r\n");
        server.check("config set slowlog-log-slower-than 0", "+OK\r\n");
        server.line("get a");
        server.check("config set slowlog-log-slower-than -1", "+OK\r\n");
        server.check("slowlog len", ":2\r\n");
        let all = server.line("slowlog get -1");
        assert!(all.starts_with("*2\r\n*6\r\n:1\r\n:"), "{all}");
        let oldest = all.rfind("*4\r\n$6\r\nconfig\r\n$3\r\nset\r\n").expect("the oldest");
        assert!(oldest > all.find("*2\r\n$3\r\nget\r\n$1\r\na\r\n").expect("the newest"));
        assert!(server.line("slowlog get 1").starts_with("*1\r\n*6\r\n:1\r\n:"));
        server.check("slowlog reset", "+OK\r\n");
        server.check("slowlog len", ":0\r\n");
    }

    #[test]
    fn refuses_as_stock_does() {
        let mut server = Server::new();
        let count = "-ERR count should be greater than or equal to -1\r\n";
        let rows = [
            ("slowlog get -2", count),
            ("slowlog get x", count),
            ("slowlog foo", "-ERR unknown subcommand 'foo'. Try SLOWLOG HELP.\r\n"),
            (
                "slowlog get 1 2",
                "-ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.\r\n",
            ),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }
}
