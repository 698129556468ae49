//! BLPOP, BRPOP and BLMPOP, BLMOVE and BRPOPLPUSH: what waits until there is a list.
//!
//! Each is logged as its kin that does not wait. Inside a transaction none waits.

use super::lmove::{LMOVE, SOURCE_AND_DESTINATION, try_move};
use super::lmpop::{KEY_FLAGS, LMPOP, pop_first};
use super::{ENDS, end_of, pop_name, take, write_from};
use crate::numkeys::PopMany;
use crate::waiting::{wait, wait_time};
use engine::blocking::Nothing;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeySpec, ReplyShape};
use values::List;
use values::list::End;

/// BLPOP.
pub const BLPOP: Command = Command {
    spec: CommandSpec {
        name: "blpop",
        since: "2.0.0",
        group: Group::List,
        summary: "Takes the first element of the first of some lists that there is, or waits for one.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::Write, Flag::NoScript, Flag::Blocking],
        keys: &[KeySpec::range(1, -2, 1, KEY_FLAGS)],
        args: &[Arg::key("key").multiple(), Arg::double("timeout")],
        reply: &[
            ReplyShape::Array("The key and the element."),
            ReplyShape::Null("The time was over."),
        ],
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| blocking_pop(cx, args, End::Left),
    subcommands: &[],
};

/// BRPOP.
pub const BRPOP: Command = Command {
    spec: CommandSpec {
        name: "brpop",
        summary: "Takes the last element of the first of some lists that there is, or waits for one.",
        ..BLPOP.spec
    },
    run: |cx, args| blocking_pop(cx, args, End::Right),
    subcommands: &[],
};

/// BLMPOP.
pub const BLMPOP: Command = Command {
    spec: CommandSpec {
        name: "blmpop",
        summary: "Takes elements of the first of some lists that there is, or waits for one.",
        flags: &[Flag::Write, Flag::Blocking, Flag::MovableKeys],
        keys: &[KeySpec::counted(2, KEY_FLAGS)],
        args: &[
            Arg::double("timeout"),
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            Arg::one_of("where", ENDS),
            Arg::integer("count").token("COUNT").optional(),
        ],
        reply: &[
            ReplyShape::Array("The key and its elements."),
            ReplyShape::Null("The time was over."),
        ],
        ..LMPOP.spec
    },
    run: blmpop,
    subcommands: &[],
};

/// BLMOVE.
pub const BLMOVE: Command = Command {
    spec: CommandSpec {
        name: "blmove",
        summary: "Moves an element from an end of a list to an end of another, or waits for one.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::NoScript, Flag::Blocking],
        args: &[
            Arg::key("source"),
            Arg::key("destination"),
            Arg::one_of("wherefrom", ENDS),
            Arg::one_of("whereto", ENDS),
            Arg::double("timeout"),
        ],
        reply: &[ReplyShape::Bulk("The element."), ReplyShape::Null("The time was over.")],
        ..LMOVE.spec
    },
    run: blmove,
    subcommands: &[],
};

/// BRPOPLPUSH.
pub const BRPOPLPUSH: Command = Command {
    spec: CommandSpec {
        name: "brpoplpush",
        since: "2.2.0",
        summary: "Moves the last element of a list to the beginning of another, or waits for one.",
        keys: SOURCE_AND_DESTINATION,
        args: &[Arg::key("source"), Arg::key("destination"), Arg::double("timeout")],
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..BLMOVE.spec
    },
    run: brpoplpush,
    subcommands: &[],
};

fn blocking_pop(cx: &mut Context<'_>, args: &mut Args<'_>, end: End) -> CommandResult {
    let request = args.request();
    let words = request.words();
    let [_, keys @ .., timeout] = &words[..] else { return Ok(()) };
    let timeout = wait_time(timeout, cx.now)?;
    for &key in keys {
        let Some(list) = cx.keys.peek_at::<List>(key)? else { continue };
        cx.reply.array(2);
        cx.reply.bulk(key);
        write_from(&mut cx.reply, list, end, 1);
        take(cx, key, end, 1)?;
        cx.effects.log_instead(cx.keys.db, &[pop_name(end), key]);
        return Ok(());
    }
    wait(cx, request, keys, timeout, Nothing::NullArray);
    Ok(())
}

fn blmpop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let timeout = args.bytes()?;
    let wanted = PopMany::parse(args, end_of)?;
    let timeout = wait_time(timeout, cx.now)?;
    if pop_first(cx, &wanted)? {
        return Ok(());
    }
    wait(cx, args.request(), &wanted.keys, timeout, Nothing::NullArray);
    Ok(())
}

fn blmove(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (source, destination) = (args.key()?, args.key()?);
    let (from, to) = (args.bytes()?, args.bytes()?);
    let ends = (end_of(from)?, end_of(to)?);
    let timeout = wait_time(args.bytes()?, cx.now)?;
    if try_move(cx, source, destination, ends.0, ends.1)? {
        cx.effects.log_instead(cx.keys.db, &[b"LMOVE", source, destination, from, to]);
        return Ok(());
    }
    wait(cx, args.request(), &[source], timeout, Nothing::Null);
    Ok(())
}

fn brpoplpush(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (source, destination) = (args.key()?, args.key()?);
    let timeout = wait_time(args.bytes()?, cx.now)?;
    if try_move(cx, source, destination, End::Right, End::Left)? {
        cx.effects.log_instead(cx.keys.db, &[b"RPOPLPUSH", source, destination]);
        return Ok(());
    }
    wait(cx, args.request(), &[source], timeout, Nothing::Null);
    Ok(())
}

#[cfg(test)]
mod tests;
