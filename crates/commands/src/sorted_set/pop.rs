//! ZPOPMIN, ZPOPMAX, ZMPOP and their forms that wait: BZPOPMIN, BZPOPMAX, BZMPOP.
//!
//! What waits is logged as the ZPOPMIN or ZPOPMAX it became.

use crate::numkeys::PopMany;
use crate::waiting::{wait, wait_time};
use engine::blocking::Nothing;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::ops::Range;
use values::string::parse_i64;
use values::{SortedSet, SortedSetRef};

const KEY_FLAGS: &[KeyFlag] = &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete];
const ENDS: Arg = Arg::one_of("where", &[Arg::word("min", "MIN"), Arg::word("max", "MAX")]);

/// ZPOPMIN.
pub const ZPOPMIN: Command = Command {
    spec: CommandSpec {
        name: "zpopmin",
        since: "5.0.0",
        group: Group::SortedSet,
        summary: "Takes the members with the lowest scores; the key goes with the last.",
        complexity: "O(log(N)*M) in all members and those taken.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, KEY_FLAGS)],
        args: &[Arg::key("key"), Arg::integer("count").optional()],
        reply: &[ReplyShape::Array("The members with their scores.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| pop(cx, args, End::Min),
    subcommands: &[],
};

/// ZPOPMAX.
pub const ZPOPMAX: Command = Command {
    spec: CommandSpec {
        name: "zpopmax",
        summary: "Takes the members with the highest scores; the key goes with the last.",
        ..ZPOPMIN.spec
    },
    run: |cx, args| pop(cx, args, End::Max),
    subcommands: &[],
};

/// ZMPOP.
pub const ZMPOP: Command = Command {
    spec: CommandSpec {
        name: "zmpop",
        since: "7.0.0",
        group: Group::SortedSet,
        summary: "Takes members at an end of the first of some sorted sets that there is.",
        complexity: "O(K+M*log(N)) in the keys, the members taken and all members.",
        flags: &[Flag::Write, Flag::MovableKeys],
        keys: &[KeySpec::counted(1, KEY_FLAGS)],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            ENDS,
            Arg::integer("count").token("COUNT").optional(),
        ],
        reply: &[
            ReplyShape::Array("The key, and its members with their scores."),
            ReplyShape::Null("There is none of the keys."),
        ],
        ..CommandSpec::EMPTY
    },
    run: zmpop,
    subcommands: &[],
};

/// BZPOPMIN.
pub const BZPOPMIN: Command = Command {
    spec: CommandSpec {
        name: "bzpopmin",
        since: "5.0.0",
        group: Group::SortedSet,
        summary: "Takes the member with the lowest score; waits for one.",
        complexity: "O(log(N)) in the members.",
        flags: &[Flag::Write, Flag::NoScript, Flag::Blocking, Flag::Fast],
        keys: &[KeySpec::range(1, -2, 1, KEY_FLAGS)],
        args: &[Arg::key("key").multiple(), Arg::double("timeout")],
        reply: &[
            ReplyShape::Array("The key, the member and its score."),
            ReplyShape::Null("The time was up."),
        ],
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| bzpop(cx, args, End::Min),
    subcommands: &[],
};

/// BZPOPMAX.
pub const BZPOPMAX: Command = Command {
    spec: CommandSpec {
        name: "bzpopmax",
        summary: "Takes the member with the highest score; waits for one.",
        ..BZPOPMIN.spec
    },
    run: |cx, args| bzpop(cx, args, End::Max),
    subcommands: &[],
};

/// BZMPOP.
pub const BZMPOP: Command = Command {
    spec: CommandSpec {
        name: "bzmpop",
        summary: "Takes members at an end of the first sorted set there is; waits for one.",
        flags: &[Flag::Write, Flag::Blocking, Flag::MovableKeys],
        keys: &[KeySpec::counted(2, KEY_FLAGS)],
        args: &[
            Arg::double("timeout"),
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            ENDS,
            Arg::integer("count").token("COUNT").optional(),
        ],
        ..ZMPOP.spec
    },
    run: bzmpop,
    subcommands: &[],
};

/// Where members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> Event {
        match self {
            End::Min => Event::SortedSetPopMin,
            End::Max => Event::SortedSetPopMax,
        }
    }

    fn verb(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }

    /// The ranks of the `count` members at this end.
    fn ranks(self, set: SortedSetRef<'_>, count: usize) -> Range<usize> {
        let (len, count) = (set.len(), count.min(set.len()));
        match self {
            End::Min => 0..count,
            End::Max => len - count..len,
        }
    }
}

type Taken = Vec<(Vec<u8>, f64)>;

/// Takes members of the sorted set at `key`; nothing if there is none.
fn take(
    cx: &mut Context<'_>,
    key: &[u8],
    end: End,
    count: usize,
) -> Result<Option<Taken>, CommandError> {
    let served = cx.session.served;
    let set = match cx.keys.peek_at::<SortedSet>(key) {
        // Who waits goes on waiting whatever else is put there.
        Err(CommandError::WrongType) if served => return Ok(None),
        set => set?,
    };
    let Some(set) = set else { return Ok(None) };
    let ranks = end.ranks(set, count);
    let members = set.iter(ranks.clone()).map(|(member, score)| (member.to_vec(), score));
    let mut members: Taken = members.collect();
    if end == End::Max {
        members.reverse();
    }
    if !members.is_empty() {
        super::take(cx, key, ranks, end.event())?;
    }
    Ok(Some(members))
}

fn pop(cx: &mut Context<'_>, args: &mut Args<'_>, end: End) -> CommandResult {
    let (key, word) = (args.key()?, args.next());
    args.end()?;
    let number = |word| parse_i64(word).and_then(|number| usize::try_from(number).ok());
    let wanted = word.map(|word| number(word).ok_or(CommandError::NotPositive)).transpose()?;
    let members = take(cx, key, end, wanted.unwrap_or(1))?.unwrap_or_default();
    let nested = wanted.is_some() && cx.reply.is_resp3();
    cx.reply.array(if nested { members.len() } else { 2 * members.len() });
    for (member, score) in &members {
        if nested {
            cx.reply.array(2);
        }
        cx.reply.bulk(member);
        cx.reply.double(*score);
    }
    Ok(())
}

/// The end that a word names.
fn end_of(word: &[u8]) -> Result<End, CommandError> {
    if word.eq_ignore_ascii_case(b"min") {
        Ok(End::Min)
    } else if word.eq_ignore_ascii_case(b"max") {
        Ok(End::Max)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Takes members of the first sorted set there is and answers them; false if there is none.
fn pop_first(cx: &mut Context<'_>, wanted: &PopMany<'_, End>) -> Result<bool, CommandError> {
    for &key in &wanted.keys {
        let Some(members) = take(cx, key, wanted.end, wanted.count)? else { continue };
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.array(members.len());
        for (member, score) in &members {
            cx.reply.array(2);
            cx.reply.bulk(member);
            cx.reply.double(*score);
        }
        let mut room = itoa::Buffer::new();
        let taken = room.format(members.len()).as_bytes();
        cx.effects.log_instead(cx.keys.db, &[wanted.end.verb(), key, taken]);
        return Ok(true);
    }
    Ok(false)
}

fn zmpop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let wanted = PopMany::parse(args, end_of)?;
    if !pop_first(cx, &wanted)? {
        cx.reply.null_array();
    }
    Ok(())
}

fn bzpop(cx: &mut Context<'_>, args: &mut Args<'_>, end: End) -> CommandResult {
    let mut keys: Vec<&[u8]> = Vec::with_capacity(args.left());
    while args.left() > 1 {
        keys.push(args.key()?);
    }
    let timeout = wait_time(args.bytes()?, cx.now)?;
    for &key in &keys {
        let Some(members) = take(cx, key, end, 1)? else { continue };
        cx.reply.array(1 + 2 * members.len());
        cx.reply.bulk(key);
        for (member, score) in &members {
            cx.reply.bulk(member);
            cx.reply.double(*score);
        }
        cx.effects.log_instead(cx.keys.db, &[end.verb(), key]);
        return Ok(());
    }
    wait(cx, args.request(), &keys, timeout, Nothing::NullArray);
    Ok(())
}

fn bzmpop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let timeout = args.bytes()?;
    let wanted = PopMany::parse(args, end_of)?;
    let timeout = wait_time(timeout, cx.now)?;
    if !pop_first(cx, &wanted)? {
        wait(cx, args.request(), &wanted.keys, timeout, Nothing::NullArray);
    }
    Ok(())
}
