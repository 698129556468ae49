//! ZREMRANGEBYRANK, ZREMRANGEBYSCORE and ZREMRANGEBYLEX: remove what lies between two bounds.

use super::bounds::{Between, By};
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;

/// ZREMRANGEBYRANK.
pub const ZREMRANGEBYRANK: Command = Command {
    spec: CommandSpec {
        name: "zremrangebyrank",
        since: "2.0.0",
        group: Group::SortedSet,
        summary: "Removes the members between two ranks.",
        complexity: "O(log(N)+M) in all members and those removed.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop")],
        reply: &[ReplyShape::Integer("How many were removed.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| remove(cx, args, By::Rank, Event::SortedSetRemoveByRank),
    subcommands: &[],
};

/// ZREMRANGEBYSCORE.
pub const ZREMRANGEBYSCORE: Command = Command {
    spec: CommandSpec {
        name: "zremrangebyscore",
        since: "1.2.0",
        summary: "Removes the members between two scores.",
        args: &[Arg::key("key"), Arg::double("min"), Arg::double("max")],
        ..ZREMRANGEBYRANK.spec
    },
    run: |cx, args| remove(cx, args, By::Score, Event::SortedSetRemoveByScore),
    subcommands: &[],
};

/// ZREMRANGEBYLEX.
pub const ZREMRANGEBYLEX: Command = Command {
    spec: CommandSpec {
        name: "zremrangebylex",
        since: "2.8.9",
        summary: "Removes the members between two, where all scores are equal.",
        args: &[Arg::key("key"), Arg::bytes("min"), Arg::bytes("max")],
        ..ZREMRANGEBYRANK.spec
    },
    run: |cx, args| remove(cx, args, By::Lex, Event::SortedSetRemoveByLex),
    subcommands: &[],
};

fn remove(cx: &mut Context<'_>, args: &mut Args<'_>, by: By, event: Event) -> CommandResult {
    let (key, min, max) = (args.key()?, args.bytes()?, args.bytes()?);
    let between = Between::parse(by, min, max)?;
    let ranks = cx.keys.peek_at::<SortedSet>(key)?.map(|set| between.ranks(set, false));
    let ranks = ranks.unwrap_or(0..0);
    let removed = ranks.len();
    if removed > 0 {
        super::take(cx, key, ranks, event)?;
    }
    cx.reply.integer(count(removed));
    Ok(())
}
