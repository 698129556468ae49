//! XINFO: what is known of a stream, its groups and their consumers.

use super::no_group_of_key;
use super::reply::{write_count, write_entries, write_entry, write_id, write_known};
use crate::help::{self, wrong_words};
use engine::{Args, Command, CommandError, CommandResult, Context};
use resp::reply::Writer;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Group as Consumers, Stream, StreamId};

/// XINFO.
pub const XINFO: Command = Command {
    spec: CommandSpec {
        name: "xinfo",
        summary: "A container of commands that tell of streams.",
        complexity: "Depends on the subcommand.",
        flags: &[],
        keys: &[],
        ungrouped: true,
        ..ROW
    },
    run: help::no_subcommand,
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
};

const ROW: CommandSpec = CommandSpec {
    since: "5.0.0",
    group: Group::Stream,
    flags: &[Flag::ReadOnly],
    keys: &[KeySpec::one(2, &[KeyFlag::ReadOnly, KeyFlag::Access])],
    ..CommandSpec::EMPTY
};

const HELP: Command =
    help::help(CommandSpec { group: Group::Stream, ungrouped: false, ..help::ROW });

const STREAM: Command = Command {
    spec: CommandSpec {
        name: "stream",
        summary: "Tells of a stream; with FULL also of its groups and consumers.",
        args: &[
            Arg::key("key"),
            Arg::block("full", &[Arg::integer("count").token("COUNT").optional()])
                .token("FULL")
                .optional(),
        ],
        reply: &[ReplyShape::Map("What is known, by name.")],
        history: &[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, \
                 `entries-read` and `lag` fields",
            ),
        ],
        ..ROW
    },
    run: stream,
    subcommands: &[],
};

const GROUPS: Command = Command {
    spec: CommandSpec {
        name: "groups",
        summary: "Lists the groups of consumers of a stream.",
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Array("What is known of each group, by name.")],
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
        ..ROW
    },
    run: groups,
    subcommands: &[],
};

const CONSUMERS: Command = Command {
    spec: CommandSpec {
        name: "consumers",
        summary: "Lists the consumers of a group.",
        args: &[Arg::key("key"), Arg::bytes("groupname")],
        reply: &[ReplyShape::Array("What is known of each consumer, by name.")],
        tips: &["nondeterministic_output"],
        ..ROW
    },
    run: consumers,
    subcommands: &[],
};

/// Entries that FULL shows if nothing else is said.
const COUNT: usize = 10;

fn stream(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let full = args.take_token("FULL");
    let mut count = COUNT;
    if full && args.left() == 2 && args.take_token("COUNT") {
        count = match args.integer()? {
            0 => usize::MAX,
            given => usize::try_from(given).unwrap_or(COUNT),
        };
    }
    if args.left() > 0 {
        return Err(wrong_words(args));
    }
    let stream = cx.keys.read::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
    let reply = &mut cx.reply;
    reply.map(if full { 9 } else { 10 });
    reply.bulk("length");
    write_count(reply, stream.len());
    reply.bulk("radix-tree-keys");
    write_count(reply, stream.block_count());
    reply.bulk("radix-tree-nodes");
    write_count(reply, stream.radix_node_count());
    reply.bulk("last-generated-id");
    write_id(reply, stream.last_id);
    reply.bulk("max-deleted-entry-id");
    write_id(reply, stream.max_deleted_id);
    reply.bulk("entries-added");
    write_count(reply, stream.entries_added);
    reply.bulk("recorded-first-entry-id");
    write_id(reply, stream.first_id());
    if full {
        reply.bulk("entries");
        write_entries(reply, stream.range(StreamId::MIN, StreamId::MAX).take(count));
        reply.bulk("groups");
        reply.array(stream.groups().len());
        for (name, group) in stream.groups() {
            full_group(reply, stream, name, group, count);
        }
        return Ok(());
    }
    reply.bulk("groups");
    write_count(reply, stream.groups().len());
    let first = stream.range(StreamId::MIN, StreamId::MAX).next();
    for (name, entry) in [("first-entry", first), ("last-entry", stream.last())] {
        reply.bulk(name);
        match entry {
            Some(entry) => write_entry(reply, &entry),
            None => reply.null(),
        }
    }
    Ok(())
}

fn full_group(
    reply: &mut Writer<'_>,
    stream: &Stream,
    name: &[u8],
    group: &Consumers,
    count: usize,
) {
    reply.map(7);
    reply.bulk("name");
    reply.bulk(name);
    position(reply, stream, group);
    reply.bulk("pel-count");
    write_count(reply, group.pending().len());
    reply.bulk("pending");
    reply.array(group.pending().len().min(count));
    for (&id, pending) in group.pending().iter().take(count) {
        reply.array(4);
        write_id(reply, id);
        reply.bulk(&pending.consumer);
        write_count(reply, pending.delivered_at_ms);
        write_count(reply, pending.deliveries);
    }
    reply.bulk("consumers");
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(5);
        reply.bulk("name");
        reply.bulk(name);
        reply.bulk("seen-time");
        write_count(reply, consumer.seen_at_ms());
        reply.bulk("active-time");
        reply.integer(consumer.active_at_ms.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)));
        reply.bulk("pel-count");
        write_count(reply, consumer.pending().len());
        reply.bulk("pending");
        reply.array(consumer.pending().len().min(count));
        for &id in consumer.pending().iter().take(count) {
            let pending = group.pending().get(&id);
            reply.array(3);
            write_id(reply, id);
            write_count(reply, pending.map_or(0, |pending| pending.delivered_at_ms));
            write_count(reply, pending.map_or(0, |pending| pending.deliveries));
        }
    }
}

/// How far a group has read.
fn position(reply: &mut Writer<'_>, stream: &Stream, group: &Consumers) {
    reply.bulk("last-delivered-id");
    write_id(reply, group.last_id);
    reply.bulk("entries-read");
    write_known(reply, group.entries_read);
    reply.bulk("lag");
    write_known(reply, stream.lag(group));
}

fn groups(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let stream = cx.keys.read::<Stream>(args.key()?)?.ok_or(CommandError::NoSuchKey)?;
    let reply = &mut cx.reply;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk("name");
        reply.bulk(name);
        reply.bulk("consumers");
        write_count(reply, group.consumers().len());
        reply.bulk("pending");
        write_count(reply, group.pending().len());
        position(reply, stream, group);
    }
    Ok(())
}

fn consumers(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name) = (args.key()?, args.bytes()?);
    let stream = cx.keys.read::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key, name))?;
    let (reply, now_ms) = (&mut cx.reply, cx.now.0);
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk("name");
        reply.bulk(name);
        reply.bulk("pending");
        write_count(reply, consumer.pending().len());
        reply.bulk("idle");
        write_count(reply, now_ms.saturating_sub(consumer.seen_at_ms()));
        reply.bulk("inactive");
        match consumer.active_at_ms {
            Some(at) => write_count(reply, now_ms.saturating_sub(at)),
            None => reply.integer(-1),
        }
    }
    Ok(())
}
