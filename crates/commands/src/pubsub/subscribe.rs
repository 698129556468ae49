//! SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, SSUBSCRIBE, SUNSUBSCRIBE.
//!
//! Each name is confirmed by a message of its own: the verb, the name, and how many channels and
//! patterns the connection now subscribes to; shard channels are counted apart. Unsubscribing from everything when there is nothing
//! confirms a null.

use engine::pubsub::Kind;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

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

const SHARD_CHANNELS: &[KeySpec] = &[KeySpec::range(1, -1, 1, &[KeyFlag::NotKey])];

/// SSUBSCRIBE.
pub const SSUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "ssubscribe",
        since: "7.0.0",
        summary: "Subscribes to shard channels.",
        keys: SHARD_CHANNELS,
        args: &[Arg::bytes("shardchannel").multiple()],
        ..ROW
    },
    run: ssubscribe,
    subcommands: &[],
};

/// SUNSUBSCRIBE.
pub const SUNSUBSCRIBE: Command = Command {
    spec: CommandSpec {
        name: "sunsubscribe",
        since: "7.0.0",
        summary: "Ends subscriptions to shard channels, to all without a name.",
        keys: SHARD_CHANNELS,
        args: &[Arg::bytes("shardchannel").optional().multiple()],
        ..ROW
    },
    run: sunsubscribe,
    subcommands: &[],
};

fn ssubscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if cx.session.executing {
        let text = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client";
        return Err(CommandError::text(text));
    }
    begin(cx, args, Kind::Shard, "ssubscribe");
    Ok(())
}

fn sunsubscribe(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    end(cx, args, Kind::Shard, "sunsubscribe");
    Ok(())
}

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
        confirm(cx, kind, verb, Some(name));
    }
}

fn end(cx: &mut Context<'_>, args: &mut Args<'_>, kind: Kind, verb: &str) {
    if args.left() > 0 {
        while let Some(name) = args.next() {
            cx.node.pubsub.unsubscribe(cx.session, kind, name);
            confirm(cx, kind, verb, Some(name));
        }
        return;
    }
    let names = cx.session.subscriptions.of(kind).clone();
    if names.is_empty() {
        confirm(cx, kind, verb, None);
    }
    for name in names {
        cx.node.pubsub.unsubscribe(cx.session, kind, &name);
        confirm(cx, kind, verb, Some(&name));
    }
}

fn confirm(cx: &mut Context<'_>, kind: Kind, verb: &str, name: Option<&[u8]>) {
    let count = i64::try_from(cx.session.subscriptions.counted_with(kind)).unwrap_or(i64::MAX);
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
    fn shard_channels_are_counted_apart() {
        let mut server = Server::new();
        server.line("subscribe a");
        server.check(
            "ssubscribe a b",
            "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n\
             *3\r\n$10\r\nssubscribe\r\n$1\r\nb\r\n:2\r\n",
        );
        server.check("unsubscribe", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
        assert!(server.line("get a").starts_with("-ERR Can't execute 'get'"));
        server.check("sunsubscribe b", "*3\r\n$12\r\nsunsubscribe\r\n$1\r\nb\r\n:1\r\n");
        server.check("sunsubscribe", "*3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n");
        server.check("sunsubscribe", "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n");
        let lines = ["multi", "ssubscribe a"].map(|line| server.line(line));
        assert_eq!(lines, ["+OK\r\n", "+QUEUED\r\n"]);
        server.check("exec", "*1\r\n-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n");
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
