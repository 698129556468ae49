//! XPENDING key group [[IDLE min-idle-time] start end count [consumer]]: what is not acknowledged.

use super::ids;
use super::reply::{write_count, write_id};
use engine::{Args, Command, CommandError, CommandResult, Context};
use resp::reply::Writer;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Group as Consumers, Pending, Stream, StreamId};

/// XPENDING.
pub const XPENDING: Command = Command {
    spec: CommandSpec {
        name: "xpending",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Tells which entries a group's consumers hold without having acknowledged them.",
        complexity: "O(N) in the entries that are looked at, or in the consumers for the summary.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::bytes("group"),
            Arg::block(
                "filters",
                &[
                    Arg::integer("min-idle-time").token("IDLE").optional(),
                    Arg::bytes("start"),
                    Arg::bytes("end"),
                    Arg::integer("count"),
                    Arg::bytes("consumer").optional(),
                ],
            )
            .optional(),
        ],
        reply: &[ReplyShape::Array(
            "How many entries, the first and last id, and each consumer with its number; or, with \
             an interval, per entry: id, consumer, milliseconds since delivery, deliveries.",
        )],
        tips: &["nondeterministic_output"],
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        ..CommandSpec::EMPTY
    },
    run: xpending,
    subcommands: &[],
};

#[derive(Clone, Copy, Debug)]
struct Filter<'a> {
    min_idle_ms: u64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Option<Filter<'a>>, CommandError> {
        if args.left() == 0 {
            return Ok(None);
        }
        if !(3..=6).contains(&args.left()) {
            return Err(CommandError::Syntax);
        }
        let mut min_idle_ms = 0;
        if args.take_token("IDLE") {
            min_idle_ms = u64::try_from(args.integer()?).unwrap_or(0);
            if args.left() < 3 {
                return Err(CommandError::Syntax);
            }
        }
        let (start, end) = (args.bytes()?, args.bytes()?);
        let count = ids::count(args)?;
        let (start, end) = (ids::start(start)?, ids::end(end)?);
        Ok(Some(Filter { min_idle_ms, start, end, count, consumer: args.next() }))
    }
}

fn xpending(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name) = (args.key()?, args.bytes()?);
    let filter = Filter::parse(args)?;
    let stream = cx.keys.read::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| super::no_group(key, name))?;
    match filter {
        None => summary(&mut cx.reply, group),
        Some(filter) => list(&mut cx.reply, group, filter, cx.now.0),
    }
    Ok(())
}

fn summary(reply: &mut Writer<'_>, group: &Consumers) {
    reply.array(4);
    write_count(reply, group.pending().len());
    let ends = group.pending().first_key_value().zip(group.pending().last_key_value());
    let Some(((&first, _), (&last, _))) = ends else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, first);
    write_id(reply, last);
    let holders = group.consumers().iter().filter(|(_, one)| !one.pending().is_empty());
    reply.array(holders.clone().count());
    for (name, consumer) in holders {
        reply.array(2);
        reply.bulk(name);
        reply.bulk(consumer.pending().len().to_string());
    }
}

fn list(reply: &mut Writer<'_>, group: &Consumers, filter: Filter<'_>, now_ms: u64) {
    let Filter { start, end, count, .. } = filter;
    let idle_ms = |pending: &Pending| now_ms.saturating_sub(pending.delivered_at_ms);
    if start > end {
        reply.array(0);
        return;
    }
    let place = reply.deferred();
    let mut written = 0;
    let mut write = |id: StreamId, pending: &Pending| {
        reply.array(4);
        write_id(reply, id);
        reply.bulk(&pending.consumer);
        write_count(reply, idle_ms(pending));
        write_count(reply, pending.deliveries);
        written += 1;
    };
    let wanted = |pending: &Pending| idle_ms(pending) >= filter.min_idle_ms;
    if let Some(name) = filter.consumer {
        let held =
            group.consumer(name).into_iter().flat_map(|one| one.pending().range(start..=end));
        held.filter_map(|&id| Some((id, group.pending().get(&id)?)))
            .filter(|(_, pending)| wanted(pending))
            .take(count)
            .for_each(|(id, pending)| write(id, pending));
    } else {
        let all = group.pending().range(start..=end).filter(|(_, pending)| wanted(pending));
        all.take(count).for_each(|(&id, pending)| write(id, pending));
    }
    reply.finish_array(place, written);
}
