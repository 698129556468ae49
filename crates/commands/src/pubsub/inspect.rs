//! PUBSUB: who subscribes to what.

use crate::help;
use engine::pubsub::Kind;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

const FLAGS: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale];

/// PUBSUB.
pub const PUBSUB: Command = Command {
    spec: CommandSpec {
        name: "pubsub",
        since: "2.8.0",
        group: Group::PubSub,
        summary: "Commands about subscriptions.",
        complexity: "Depends on the subcommand.",
        ungrouped: true,
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&CHANNELS, &HELP, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB],
};

const CHANNELS: Command = Command {
    spec: CommandSpec {
        name: "channels",
        since: "2.8.0",
        group: Group::PubSub,
        summary: "Answers the channels that anybody subscribes to.",
        complexity: "O(N) in the channels.",
        flags: FLAGS,
        args: &[Arg::pattern("pattern").optional()],
        reply: &[ReplyShape::Array("The channels, in no order.")],
        ..CommandSpec::EMPTY
    },
    run: channels,
    subcommands: &[],
};

const HELP: Command = help::help(CommandSpec { since: "6.2.0", group: Group::PubSub, ..help::ROW });

const NUMPAT: Command = Command {
    spec: CommandSpec {
        name: "numpat",
        since: "2.8.0",
        group: Group::PubSub,
        summary: "Answers how many patterns anybody subscribes to.",
        flags: FLAGS,
        reply: &[ReplyShape::Integer("The number of different patterns.")],
        ..CommandSpec::EMPTY
    },
    run: numpat,
    subcommands: &[],
};

const NUMSUB: Command = Command {
    spec: CommandSpec {
        name: "numsub",
        since: "2.8.0",
        group: Group::PubSub,
        summary: "Answers how many connections subscribe to each channel, patterns left out.",
        complexity: "O(N) in the channels named.",
        flags: FLAGS,
        args: &[Arg::bytes("channel").optional().multiple()],
        reply: &[ReplyShape::Array("Each channel and its number.")],
        ..CommandSpec::EMPTY
    },
    run: numsub,
    subcommands: &[],
};

const SHARDCHANNELS: Command = Command {
    spec: CommandSpec {
        name: "shardchannels",
        since: "7.0.0",
        group: Group::PubSub,
        summary: "Answers the shard channels that anybody subscribes to.",
        complexity: "O(N) in the shard channels.",
        flags: FLAGS,
        args: &[Arg::pattern("pattern").optional()],
        reply: &[ReplyShape::Array("The shard channels, in no order.")],
        ..CommandSpec::EMPTY
    },
    run: shard_channels,
    subcommands: &[],
};

const SHARDNUMSUB: Command = Command {
    spec: CommandSpec {
        name: "shardnumsub",
        since: "7.0.0",
        group: Group::PubSub,
        summary: "Answers how many connections subscribe to each shard channel.",
        complexity: "O(N) in the shard channels named.",
        flags: FLAGS,
        args: &[Arg::bytes("shardchannel").optional().multiple()],
        reply: &[ReplyShape::Array("Each shard channel and its number.")],
        ..CommandSpec::EMPTY
    },
    run: shard_numsub,
    subcommands: &[],
};

fn channels(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    list(cx, args, Kind::Channel)
}

fn shard_channels(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    list(cx, args, Kind::Shard)
}

fn list(cx: &mut Context<'_>, args: &mut Args<'_>, kind: Kind) -> CommandResult {
    let pattern = args.next();
    if args.left() > 0 {
        return Err(help::wrong_words(args));
    }
    let channels = cx.node.pubsub.channels(kind, pattern);
    cx.reply.array(channels.len());
    for channel in channels {
        cx.reply.bulk(channel);
    }
    Ok(())
}

fn numpat(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let patterns = cx.node.pubsub.count(Kind::Pattern);
    cx.reply.integer(i64::try_from(patterns).unwrap_or(i64::MAX));
    Ok(())
}

fn numsub(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    count(cx, args, Kind::Channel);
    Ok(())
}

fn shard_numsub(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    count(cx, args, Kind::Shard);
    Ok(())
}

fn count(cx: &mut Context<'_>, args: &mut Args<'_>, kind: Kind) {
    cx.reply.array(args.left() * 2);
    while let Some(channel) = args.next() {
        let count = cx.node.pubsub.subscriber_count(kind, channel);
        cx.reply.bulk(channel);
        cx.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn tells_who_subscribes() {
        let mut server = Server::new();
        server.line("hello 3");
        server.line("subscribe news");
        server.line("psubscribe n* x*");
        server.line("ssubscribe part");
        let rows = [
            ("pubsub shardchannels", "*1\r\n$4\r\npart\r\n"),
            ("pubsub shardchannels x*", "*0\r\n"),
            ("pubsub shardnumsub part b", "*4\r\n$4\r\npart\r\n:1\r\n$1\r\nb\r\n:0\r\n"),
            ("pubsub shardnumsub", "*0\r\n"),
            ("pubsub channels", "*1\r\n$4\r\nnews\r\n"),
            ("pubsub channels x*", "*0\r\n"),
            ("pubsub numsub news b", "*4\r\n$4\r\nnews\r\n:1\r\n$1\r\nb\r\n:0\r\n"),
            ("pubsub numsub", "*0\r\n"),
            ("pubsub numpat", ":2\r\n"),
            ("pubsub foo", "-ERR unknown subcommand 'foo'. Try PUBSUB HELP.\r\n"),
            (
                "pubsub channels a b",
                "-ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB \
                 HELP.\r\n",
            ),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }
}
