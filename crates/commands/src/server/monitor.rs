//! MONITOR: the connection is told of every command that the server runs, until RESET or its end.

use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// MONITOR.
pub const MONITOR: Command = Command {
    spec: CommandSpec {
        name: "monitor",
        since: "1.0.0",
        group: Group::Server,
        summary: "Shows every command that the server runs from now on.",
        complexity: "O(1) for each command.",
        flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
        reply: &[ReplyShape::Status("OK, then a line for each command.")],
        ..CommandSpec::EMPTY
    },
    run: monitor,
    subcommands: &[],
};

fn monitor(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    if cx.session.executing {
        return Err(CommandError::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    cx.node.monitors.add(cx.session);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::mailbox::Message;

    /// The lines that the loop is to deliver, without the time.
    fn lines(server: &Server) -> Vec<String> {
        let mail = server.node().mailboxes()[0].take();
        mail.into_iter()
            .filter_map(|message| match message {
                Message::Push(push) => Some(String::from_utf8_lossy(&push.resp2).into_owned()),
                _ => None,
            })
            .map(|line| line.split_once(' ').expect("a time").1.to_owned())
            .collect()
    }

    #[test]
    fn commands_are_shown_without_passwords() {
        let mut server = Server::new();
        server.line("set unseen 1");
        let mut other = server.other_session();
        std::mem::swap(&mut server.session, &mut other);
        server.check("monitor", "+OK\r\n");
        server.check("get k", "-ERR Replica can't interact with the keyspace\r\n");
        std::mem::swap(&mut server.session, &mut other);
        for line in ["select 1", "SET k \"a\\nb\"", "auth x y", "config get port", "nonsense"] {
            server.line(line);
        }
        for line in ["multi", "get k", "exec", "multi", "nonsense", "exec"] {
            server.line(line);
        }
        let expected = [
            "[0 ] \"select\" \"1\"\r\n",
            "[1 ] \"SET\" \"k\" \"a\\nb\"\r\n",
            "[1 ] \"auth\" \"(redacted)\" \"(redacted)\"\r\n",
            "[1 ] \"multi\"\r\n",
            "[1 ] \"get\" \"k\"\r\n",
            "[1 ] \"exec\"\r\n",
            "[1 ] \"multi\"\r\n",
            "[1 ] \"exec\"\r\n",
        ];
        assert_eq!(lines(&server), expected);
        std::mem::swap(&mut server.session, &mut other);
        assert!(server.line("client info").contains(" flags=O "));
        server.check("reset", "+RESET\r\n");
        lines(&server);
        server.line("ping");
        assert!(lines(&server).is_empty() && !server.node().monitors.any());
    }
}
