//! SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE.
//!
//! Each name is confirmed by a message of its own: the verb, the name, and how many channels and
//! patterns the connection now subscribes to. Unsubscribing from everything when there is nothing
//! confirms a null.

use engine::pubsub::Kind;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

const FLAGS: &[Flag] = &[Flag::PubSub, Flag::NoScript, Flag::Loading, Flag::Stale];
const REPLY: &[ReplyShape] =
    &[ReplyShape::Array("For each name: the verb, the name, how many subscriptions there are.")];

const ROW: CommandSpec = CommandSpec {
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the names.",
    flags: FLAGS,
    reply: REPLY,
    ..CommandSpec::EMPTY
};

/// SUBSCRIBE.
pub const SUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "subscribe",
        summary: "Subscribes to channels.",
        args: &[Arg::bytes("channel").multiple()],
        ..ROW
    },
    run: subscribe,
    subcommands: &[],
};

/// UNSUBSCRIBE.
pub const UNSUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "unsubscribe",
        summary: "Ends subscriptions to channels, to all without a name.",
        args: &[Arg::bytes("channel").optional().multiple()],
        ..ROW
    },
    run: unsubscribe,
    subcommands: &[],
};

/// PSUBSCRIBE.
pub const PSUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "psubscribe",
        summary: "Subscribes to all channels that match patterns.",
        args: &[Arg::block("pattern", &[Arg::pattern("pattern")]).multiple()],
        ..ROW
    },
    run: psubscribe,
    subcommands: &[],
};

/// PUNSUBSCRIBE.
pub const PUNSUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "punsubscribe",
        summary: "Ends subscriptions to patterns, to all without a pattern.",
        args: &[Arg::pattern("pattern").optional().multiple()],
        ..ROW
    },
    run: punsubscribe,
    subcommands: &[],
};

fn subscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    begin(cx, args, Kind::Channel, "subscribe");
    Ok(())
}

fn psubscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    begin(cx, args, Kind::Pattern, "psubscribe");
    Ok(())
}

fn unsubscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    end(cx, args, Kind::Channel, "unsubscribe");
    Ok(())
}

fn punsubscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    end(cx, args, Kind::Pattern, "punsubscribe");
    Ok(())
}

fn begin(cx: &mut Context<'_>, args: &mut Args<'_>, kind: Kind, verb: &str) {
    while let Some(name) = args.next() {
        cx.node.pubsub.subscribe(cx.session, kind, name);
        confirm(cx, verb, Some(name));
    }
}

fn end(cx: &mut Context<'_>, args: &mut Args<'_>, kind: Kind, verb: &str) {
    if args.left() > 0 {
        while let Some(name) = args.next() {
            cx.node.pubsub.unsubscribe(cx.session, kind, name);
            confirm(cx, verb, Some(name));
        }
        return;
    }
    let names = match kind {
        Kind::Channel => cx.session.subscriptions.channels.clone(),
        Kind::Pattern => cx.session.subscriptions.patterns.clone(),
    };
    if names.is_empty() {
        confirm(cx, verb, None);
    }
    for name in names {
        cx.node.pubsub.unsubscribe(cx.session, kind, &name);
        confirm(cx, verb, Some(&name));
    }
}

fn confirm(cx: &mut Context<'_>, verb: &str, name: Option<&[u8]>) {
    let count = i64::try_from(cx.session.subscriptions.len()).unwrap_or(i64::MAX);
    cx.reply.push(3);
    cx.reply.bulk(verb);
    match name {
        Some(name) => cx.reply.bulk(name),
        None => cx.reply.null(),
    }
    cx.reply.integer(count);
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn confirms_and_counts() {
        let mut server = Server::new();
        server.check(
            "subscribe a b a",
            "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n\
             *3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:2\r\n",
        );
        server.check("psubscribe p*", "*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n");
        server.check(
            "get a",
            "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context\r\n",
        );
        server.check(
            "unsubscribe",
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n",
        );
        server.check("punsubscribe", "*3\r\n$12\r\npunsubscribe\r\n$2\r\np*\r\n:0\r\n");
        server.check("unsubscribe", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
        server.check("unsubscribe x", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n");
        server.check("get a", "$-1\r\n");
        server.check("subscribe", "-ERR wrong number of arguments for 'subscribe' command\r\n");
    }

    #[test]
    fn resp3_confirms_with_pushes() {
        let mut server = Server::new();
        server.line("hello 3");
        server.check("subscribe a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
        server.check("punsubscribe", ">3\r\n$12\r\npunsubscribe\r\n_\r\n:1\r\n");
        server.check("get a", "_\r\n");
    }
}
