//! ZRANGE in all its forms, the older commands it stands for, ZRANGESTORE, ZCOUNT and ZLEXCOUNT.

use super::bounds::{Between, By, limited};
use crate::count::count;
use crate::elements::write_all;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;

const READ: &[KeySpec] = &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])];
const LIMIT: Arg = Arg::block("offset_count", &[Arg::integer("offset"), Arg::integer("count")])
    .token("LIMIT")
    .optional();
const SORT_BY: Arg =
    Arg::one_of("sortby", &[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")])
        .optional();
const WITHSCORES: Arg = Arg::word("withscores", "WITHSCORES").optional();
const FOUND: &[ReplyShape] = &[ReplyShape::Array("The members, with their scores if asked for.")];
const BY_RANGE: (&str, &str) = ("6.2.0", "`ZRANGE` with the `BYSCORE` argument");

/// ZRANGE.
pub const ZRANGE: Command = Command {
    spec: CommandSpec {
        name: "zrange",
        since: "1.2.0",
        group: Group::SortedSet,
        summary: "Answers the members between two ranks, scores or members.",
        complexity: "O(log(N)+M) in all members and those answered.",
        flags: &[Flag::ReadOnly],
        keys: READ,
        args: &[
            Arg::key("key"),
            Arg::bytes("start"),
            Arg::bytes("stop"),
            SORT_BY,
            Arg::word("rev", "REV").optional(),
            LIMIT,
            WITHSCORES,
        ],
        reply: FOUND,
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| range(cx, args, None, false),
    subcommands: &[],
};

/// ZREVRANGE.
pub const ZREVRANGE: Command = Command {
    spec: CommandSpec {
        name: "zrevrange",
        summary: "Answers the members between two ranks, from the highest score on.",
        args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop"), WITHSCORES],
        history: &[],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
        ..ZRANGE.spec
    },
    run: |cx, args| range(cx, args, Some(By::Rank), true),
    subcommands: &[],
};

/// ZRANGEBYSCORE.
pub const ZRANGEBYSCORE: Command = Command {
    spec: CommandSpec {
        name: "zrangebyscore",
        since: "1.0.5",
        summary: "Answers the members between two scores.",
        args: &[Arg::key("key"), Arg::double("min"), Arg::double("max"), WITHSCORES, LIMIT],
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        deprecated: Some(BY_RANGE),
        ..ZRANGE.spec
    },
    run: |cx, args| range(cx, args, Some(By::Score), false),
    subcommands: &[],
};

/// ZREVRANGEBYSCORE.
pub const ZREVRANGEBYSCORE: Command = Command {
    spec: CommandSpec {
        name: "zrevrangebyscore",
        since: "2.2.0",
        summary: "Answers the members between two scores, from the highest on.",
        args: &[Arg::key("key"), Arg::double("max"), Arg::double("min"), WITHSCORES, LIMIT],
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
        ..ZRANGE.spec
    },
    run: |cx, args| range(cx, args, Some(By::Score), true),
    subcommands: &[],
};

/// ZRANGEBYLEX.
pub const ZRANGEBYLEX: Command = Command {
    spec: CommandSpec {
        name: "zrangebylex",
        since: "2.8.9",
        summary: "Answers the members between two, where all scores are equal.",
        args: &[Arg::key("key"), Arg::bytes("min"), Arg::bytes("max"), LIMIT],
        history: &[],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
        ..ZRANGE.spec
    },
    run: |cx, args| range(cx, args, Some(By::Lex), false),
    subcommands: &[],
};

/// ZREVRANGEBYLEX.
pub const ZREVRANGEBYLEX: Command = Command {
    spec: CommandSpec {
        name: "zrevrangebylex",
        summary: "Answers the members between two, from the last on, where all scores are equal.",
        args: &[Arg::key("key"), Arg::bytes("max"), Arg::bytes("min"), LIMIT],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
        ..ZRANGEBYLEX.spec
    },
    run: |cx, args| range(cx, args, Some(By::Lex), true),
    subcommands: &[],
};

/// ZRANGESTORE.
pub const ZRANGESTORE: Command = Command {
    spec: CommandSpec {
        name: "zrangestore",
        since: "6.2.0",
        summary: "Stores the members between two ranks, scores or members in another key.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update]),
            KeySpec::one(2, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        args: &[
            Arg::key("dst"),
            Arg::key("src"),
            Arg::bytes("min"),
            Arg::bytes("max"),
            SORT_BY,
            Arg::word("rev", "REV").optional(),
            LIMIT,
        ],
        reply: &[ReplyShape::Integer("How many were stored.")],
        history: &[],
        ..ZRANGE.spec
    },
    run: store,
    subcommands: &[],
};

/// ZCOUNT.
pub const ZCOUNT: Command = Command {
    spec: CommandSpec {
        name: "zcount",
        since: "2.0.0",
        group: Group::SortedSet,
        summary: "Counts the members between two scores.",
        complexity: "O(log(N)) in the members.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: READ,
        args: &[Arg::key("key"), Arg::double("min"), Arg::double("max")],
        reply: &[ReplyShape::Integer("How many there are.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| count_between(cx, args, By::Score),
    subcommands: &[],
};

/// ZLEXCOUNT.
pub const ZLEXCOUNT: Command = Command {
    spec: CommandSpec {
        name: "zlexcount",
        since: "2.8.9",
        summary: "Counts the members between two, where all scores are equal.",
        args: &[Arg::key("key"), Arg::bytes("min"), Arg::bytes("max")],
        ..ZCOUNT.spec
    },
    run: |cx, args| count_between(cx, args, By::Lex),
    subcommands: &[],
};

fn count_between(cx: &mut Context<'_>, args: &mut Args<'_>, by: By) -> CommandResult {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    let between = Between::parse(by, min, max)?;
    let found = cx.keys.read::<SortedSet>(key)?.map_or(0, |set| between.ranks(set, false).len());
    cx.reply.integer(count(found));
    Ok(())
}

/// What is asked for.
#[derive(Debug)]
struct Query<'a> {
    between: Between<'a>,
    reversed: bool,
    offset: i64,
    count: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// `fixed` says by what the command itself chooses and whether it begins at the end.
    fn parse(
        args: &mut Args<'a>,
        fixed: Option<(By, bool)>,
        stores: bool,
    ) -> Result<Query<'a>, CommandError> {
        let (first, second) = (args.bytes()?, args.bytes()?);
        let (mut by, mut reversed) = fixed.map_or((None, false), |(by, rev)| (Some(by), rev));
        let (mut offset, mut count, mut with_scores) = (0, -1, false);
        while args.left() > 0 {
            if !stores && args.take_token("WITHSCORES") {
                with_scores = true;
            } else if args.left() > 2 && args.take_token("LIMIT") {
                (offset, count) = (args.integer()?, args.integer()?);
            } else if fixed.is_none() && !reversed && args.take_token("REV") {
                reversed = true;
            } else if by.is_none() && args.take_token("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.take_token("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let by = by.unwrap_or(By::Rank);
        if count != -1 && by == By::Rank {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (min, max) = if reversed && by != By::Rank { (second, first) } else { (first, second) };
        let between = Between::parse(by, min, max)?;
        if by == By::Rank {
            offset = 0;
        }
        Ok(Query { between, reversed, offset, count, with_scores })
    }

    fn ranks(&self, set: values::SortedSetRef<'_>) -> std::ops::Range<usize> {
        let ranks = self.between.ranks(set, self.reversed);
        limited(ranks, self.reversed, self.offset, self.count)
    }
}

fn range(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    by: Option<By>,
    reversed: bool,
) -> CommandResult {
    let key = args.key()?;
    let query = Query::parse(args, by.map(|by| (by, reversed)), false)?;
    let Some(set) = cx.keys.read::<SortedSet>(key)? else {
        cx.reply.array(0);
        return Ok(());
    };
    let found = set.iter(query.ranks(set));
    if query.reversed {
        write_all(&mut cx.reply, found.rev(), query.with_scores);
    } else {
        write_all(&mut cx.reply, found, query.with_scores);
    }
    Ok(())
}

fn store(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (destination, source) = (args.key()?, args.key()?);
    let query = Query::parse(args, None, true)?;
    let found: Vec<_> = cx.keys.read::<SortedSet>(source)?.map_or_else(Vec::new, |set| {
        let found = set.iter(query.ranks(set));
        found.map(|(member, score)| (member.to_vec(), score)).collect()
    });
    super::store(cx, destination, &found, Event::SortedSetRangeStore);
    Ok(())
}
