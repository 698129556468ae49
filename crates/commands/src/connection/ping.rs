//! PING [message] and ECHO message: whether the connection is alive.

use engine::error::CommandError;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// PING.
pub const PING: Command = Command {
    spec: CommandSpec {
        name: "ping",
        since: "1.0.0",
        group: Group::Connection,
        summary: "Answers PONG, or the message.",
        flags: &[Flag::Fast],
        args: &[Arg::bytes("message").optional()],
        reply: &[
            ReplyShape::Status("PONG"),
            ReplyShape::Bulk("The message."),
            ReplyShape::Array("To a RESP2 subscriber: `pong` and the message."),
        ],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..CommandSpec::EMPTY
    },
    run: ping,
    subcommands: &[],
};

/// ECHO.
pub const ECHO: Command = Command {
    spec: CommandSpec {
        name: "echo",
        since: "1.0.0",
        group: Group::Connection,
        summary: "Answers the message.",
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        args: &[Arg::bytes("message")],
        reply: &[ReplyShape::Bulk("The message.")],
        ..CommandSpec::EMPTY
    },
    run: echo,
    subcommands: &[],
};

fn ping(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let message = args.next();
    if args.left() > 0 {
        return Err(CommandError::Arity("ping".into()));
    }
    if cx.session.is_subscriber_only() {
        cx.reply.array(2);
        cx.reply.bulk("pong");
        cx.reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => cx.reply.bulk(message),
        None => cx.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let message = args.bytes()?;
    cx.reply.bulk(message);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn ping_and_echo() {
        let mut server = Server::new();
        let arity = "-ERR wrong number of arguments for 'ping' command\r\n";
        let rows = [
            ("ping", "+PONG\r\n"),
            ("PING hello", "$5\r\nhello\r\n"),
            ("ping a b", arity),
            ("echo \"\"", "$0\r\n\r\n"),
            ("echo a b", "-ERR wrong number of arguments for 'echo' command\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }

    #[test]
    fn a_resp2_subscriber_gets_an_array() {
        let mut server = Server::new();
        server.session.subscriptions.channels.insert((*b"c").into());
        server.check("ping", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        server.check("ping hi", "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n");
        server.session.protocol = resp::reply::Protocol::Resp3;
        server.check("ping", "+PONG\r\n");
    }
}
