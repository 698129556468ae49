//! MULTI, EXEC, DISCARD: queue commands, then run them as one, or forget them.
//!
//! The pipeline queues and executes; what stands here begins a transaction, ends one unexecuted, and
//! answers when there is none.

use engine::error::CommandError;
use engine::{Args, Command, CommandResult, Context, transaction};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// MULTI.
pub const MULTI: Command = Command {
    spec: CommandSpec {
        name: "multi",
        since: "1.2.0",
        group: Group::Transactions,
        summary: "Begins a transaction: the commands that follow are queued.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: multi,
    subcommands: &[],
};

/// EXEC.
pub const EXEC: Command = Command {
    spec: CommandSpec {
        name: "exec",
        since: "1.2.0",
        group: Group::Transactions,
        summary: "Runs the queued commands as one.",
        complexity: "That of the commands.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::SkipSlowlog],
        reply: &[
            ReplyShape::Array("The replies of the commands."),
            ReplyShape::Null("A watched key has changed; nothing ran."),
        ],
        ..CommandSpec::EMPTY
    },
    run: exec,
    subcommands: &[],
};

/// DISCARD.
pub const DISCARD: Command = Command {
    spec: CommandSpec {
        name: "discard",
        since: "2.0.0",
        group: Group::Transactions,
        summary: "Ends a transaction without running it, and all watching.",
        complexity: "O(N) in the commands queued.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: discard,
    subcommands: &[],
};

fn multi(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if cx.session.queue.is_some() {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    transaction::begin(cx.session);
    cx.reply.ok();
    Ok(())
}

fn exec(_cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    Err(CommandError::text("ERR EXEC without MULTI"))
}

fn discard(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if transaction::take_queue(cx.session).is_none() {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    transaction::unwatch(cx.node, cx.session);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn queues_and_runs() {
        let mut server = Server::new();
        server.check("exec", "-ERR EXEC without MULTI\r\n");
        server.check("discard", "-ERR DISCARD without MULTI\r\n");
        server.check("multi", "+OK\r\n");
        server.check("multi", "-ERR MULTI calls can not be nested\r\n");
        server.check("append k a", "+QUEUED\r\n");
        server.check("get k", "+QUEUED\r\n");
        server.check("exec", "*2\r\n:1\r\n$1\r\na\r\n");
        server.check("multi", "+OK\r\n");
        server.check("exec", "*0\r\n");
    }

    #[test]
    fn a_refused_command_voids_all() {
        let mut server = Server::new();
        server.check("multi", "+OK\r\n");
        server.check("append k a", "+QUEUED\r\n");
        server.check("get", "-ERR wrong number of arguments for 'get' command\r\n");
        let void = "-EXECABORT Transaction discarded because of previous errors.\r\n";
        server.check("exec", void);
        server.check("get k", "$-1\r\n");
        server.check("exec", "-ERR EXEC without MULTI\r\n");
    }

    #[test]
    fn commands_about_the_server_may_stand_among_others() {
        let mut server = Server::new();
        server.node().settings.enable_debug_command.set(conf::ProtectedAction::Yes);
        server.check("watch other", "+OK\r\n");
        server.check("multi", "+OK\r\n");
        let lines = [
            "append a x",
            "append b x",
            "info everything",
            "role",
            "wait 0 0",
            "client list",
            "client pause 0",
            "publish c m",
            "config set timeout 1",
            "debug digest",
            "command count",
            "slowlog get",
            "unwatch",
            "subscribe c",
            "get a",
        ];
        for line in lines {
            server.check(line, "+QUEUED\r\n");
        }
        let text = server.line("exec");
        assert!(text.starts_with(&format!("*{}\r\n:1\r\n:1\r\n$", lines.len())), "{text}");
        assert!(!text.contains("\r\n-"), "{text}");
        let end = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n$1\r\nx\r\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn discard_forgets() {
        let mut server = Server::new();
        server.check("multi", "+OK\r\n");
        server.check("append k a", "+QUEUED\r\n");
        server.check("discard", "+OK\r\n");
        server.check("get k", "$-1\r\n");
    }
}
