//! PUBLISH channel message: a message to all who subscribe to the channel, here and at replicas.
//! SPUBLISH shardchannel message: the same for channels that belong to a slot, as keys do.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// PUBLISH.
pub const PUBLISH: Command = Command {
    spec: CommandSpec {
        name: "publish",
        since: "2.0.0",
        group: Group::PubSub,
        summary: "Sends a message to a channel.",
        complexity: "O(N+M): N receivers, M patterns that anybody subscribes to.",
        flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate],
        args: &[Arg::bytes("channel"), Arg::bytes("message")],
        reply: &[ReplyShape::Integer("How many connections of this server received it.")],
        ..CommandSpec::EMPTY
    },
    run: publish,
    subcommands: &[],
};

/// SPUBLISH.
pub const SPUBLISH: Command = Command {
    spec: CommandSpec {
        name: "spublish",
        since: "7.0.0",
        group: Group::PubSub,
        summary: "Sends a message to a shard channel.",
        complexity: "O(N) in the receivers.",
        flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate],
        keys: &[KeySpec::one(1, &[KeyFlag::NotKey])],
        args: &[Arg::bytes("shardchannel"), Arg::bytes("message")],
        reply: &[ReplyShape::Integer("How many connections of this server received it.")],
        ..CommandSpec::EMPTY
    },
    run: publish_to_shard,
    subcommands: &[],
};

fn publish(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    let receivers = cx.node.pubsub.publish(cx.node, channel, message);
    cx.effects.log_anyway(cx.keys.db, args.request());
    cx.reply.integer(i64::try_from(receivers).unwrap_or(i64::MAX));
    Ok(())
}

fn publish_to_shard(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    let receivers = cx.node.pubsub.publish_to_shard(cx.node, channel, message);
    cx.effects.log_anyway(cx.keys.db, args.request());
    cx.reply.integer(i64::try_from(receivers).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn receivers_are_counted_and_replicas_told() {
        let mut server = Server::new();
        let before = server.node().log.end();
        server.check("publish a hi", ":0\r\n");
        assert!(server.node().log.end() > before, "replicas get it too");
        let mut other = server.other_session();
        std::mem::swap(&mut server.session, &mut other);
        server.line("subscribe a");
        server.line("psubscribe a* b*");
        server.line("ssubscribe a");
        std::mem::swap(&mut server.session, &mut other);
        server.check("publish a hi", ":2\r\n");
        server.check("publish b hi", ":1\r\n");
        server.check("spublish a hi", ":1\r\n");
        server.check_log("spublish c hi", &["spublish c hi"]);
        server.check("publish a", "-ERR wrong number of arguments for 'publish' command\r\n");
    }
}
