//! XRANGE key start end [COUNT count] and XREVRANGE key end start [COUNT count].

use super::ids;
use super::reply::write_entries;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Stream, StreamId};

const ROW: CommandSpec = CommandSpec {
    since: "5.0.0",
    group: Group::Stream,
    complexity: "O(N) in the entries that are given.",
    flags: &[Flag::ReadOnly],
    keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
    reply: &[
        ReplyShape::Array("The entries, each an id and a list of fields and values."),
        ReplyShape::Null("COUNT is 0."),
    ],
    history: &[("6.2.0", "Added exclusive ranges.")],
    ..CommandSpec::EMPTY
};

/// XRANGE.
pub const XRANGE: Command = Command {
    spec: CommandSpec {
        name: "xrange",
        summary: "Gives the entries of a stream whose ids lie in an interval.",
        args: &[
            Arg::key("key"),
            Arg::bytes("start"),
            Arg::bytes("end"),
            Arg::integer("count").token("COUNT").optional(),
        ],
        ..ROW
    },
    run: xrange,
    subcommands: &[],
};

/// XREVRANGE.
pub const XREVRANGE: Command = Command {
    spec: CommandSpec {
        name: "xrevrange",
        summary: "Gives the entries of a stream whose ids lie in an interval, the last one first.",
        args: &[
            Arg::key("key"),
            Arg::bytes("end"),
            Arg::bytes("start"),
            Arg::integer("count").token("COUNT").optional(),
        ],
        ..ROW
    },
    run: xrevrange,
    subcommands: &[],
};

fn count(args: &mut Args<'_>) -> Result<usize, CommandError> {
    let mut count = usize::MAX;
    while args.left() > 0 {
        if args.left() < 2 || !args.take_token("COUNT") {
            return Err(CommandError::Syntax);
        }
        count = ids::count(args)?;
    }
    Ok(count)
}

fn xrange(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let (start, end) = (ids::start(args.bytes()?)?, ids::end(args.bytes()?)?);
    answer(cx, args, key, (start, end), false)
}

fn xrevrange(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let end = args.bytes()?;
    let start = ids::start(args.bytes()?)?;
    answer(cx, args, key, (start, ids::end(end)?), true)
}

fn answer(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    key: &[u8],
    (start, end): (StreamId, StreamId),
    backwards: bool,
) -> CommandResult {
    let count = count(args)?;
    let Some(stream) = cx.keys.read::<Stream>(key)? else {
        cx.reply.array(0);
        return Ok(());
    };
    if count == 0 {
        cx.reply.null_array();
    } else if start > end {
        cx.reply.array(0);
    } else if backwards {
        write_entries(&mut cx.reply, stream.range_backwards(start, end).take(count));
    } else {
        write_entries(&mut cx.reply, stream.range(start, end).take(count));
    }
    Ok(())
}
