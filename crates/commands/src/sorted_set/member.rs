//! Commands of single members: ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZREM.

use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;

const READ: &[KeySpec] = &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])];

/// ZCARD.
pub const ZCARD: Command = Command {
    spec: CommandSpec {
        name: "zcard",
        since: "1.2.0",
        group: Group::SortedSet,
        summary: "Answers the number of members.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("How many there are.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| {
        let len = cx.keys.read::<SortedSet>(args.key()?)?.map_or(0, values::SortedSetRef::len);
        cx.reply.integer(count(len));
        Ok(())
    },
    subcommands: &[],
};

/// ZSCORE.
pub const ZSCORE: Command = Command {
    spec: CommandSpec {
        name: "zscore",
        since: "1.2.0",
        group: Group::SortedSet,
        summary: "Answers a member's score.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: READ,
        args: &[Arg::key("key"), Arg::bytes("member")],
        reply: &[ReplyShape::Double("The score."), ReplyShape::Null("There is no such member.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| {
        let (key, member) = (args.key()?, args.bytes()?);
        let score = cx.keys.read::<SortedSet>(key)?.and_then(|set| set.score(member));
        answer_score(cx, score);
        Ok(())
    },
    subcommands: &[],
};

/// ZMSCORE.
pub const ZMSCORE: Command = Command {
    spec: CommandSpec {
        name: "zmscore",
        since: "6.2.0",
        group: Group::SortedSet,
        summary: "Answers the scores of some members.",
        complexity: "O(N) in the members asked for.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: READ,
        args: &[Arg::key("key"), Arg::bytes("member").multiple()],
        reply: &[ReplyShape::Array("A score for each member, null for one that is not there.")],
        ..CommandSpec::EMPTY
    },
    run: zmscore,
    subcommands: &[],
};

/// ZRANK.
pub const ZRANK: Command = Command {
    spec: CommandSpec {
        name: "zrank",
        since: "2.0.0",
        group: Group::SortedSet,
        summary: "Answers how many members are before one, from the lowest score on.",
        complexity: "O(log(N)) in the members.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: READ,
        args: &[
            Arg::key("key"),
            Arg::bytes("member"),
            Arg::word("withscore", "WITHSCORE").optional(),
        ],
        reply: &[
            ReplyShape::Integer("The rank."),
            ReplyShape::Array("With WITHSCORE: the rank and the score."),
            ReplyShape::Null("There is no such member."),
        ],
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| rank(cx, args, false),
    subcommands: &[],
};

/// ZREVRANK.
pub const ZREVRANK: Command = Command {
    spec: CommandSpec {
        name: "zrevrank",
        summary: "Answers how many members are before one, from the highest score on.",
        ..ZRANK.spec
    },
    run: |cx, args| rank(cx, args, true),
    subcommands: &[],
};

/// ZREM.
pub const ZREM: Command = Command {
    spec: CommandSpec {
        name: "zrem",
        since: "1.2.0",
        group: Group::SortedSet,
        summary: "Removes members; the key goes with the last.",
        complexity: "O(M*log(N)) in the members removed and all members.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("member").multiple()],
        reply: &[ReplyShape::Integer("How many were removed.")],
        history: &[("2.4.0", "Accepts multiple elements.")],
        ..CommandSpec::EMPTY
    },
    run: zrem,
    subcommands: &[],
};

/// Answers a score, or null.
fn answer_score(cx: &mut Context<'_>, score: Option<f64>) {
    match score {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
}

fn zmscore(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let set = cx.keys.read::<SortedSet>(key)?;
    cx.reply.array(args.left());
    while let Some(member) = args.next() {
        match set.as_ref().and_then(|set| set.score(member)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

fn rank(cx: &mut Context<'_>, args: &mut Args<'_>, from_highest: bool) -> CommandResult {
    let (key, member) = (args.key()?, args.bytes()?);
    let with_score = args.take_token("WITHSCORE");
    args.end()?;
    let found = cx.keys.read::<SortedSet>(key)?.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        Some((if from_highest { set.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            cx.reply.array(2);
            cx.reply.integer(count(rank));
            cx.reply.double(score);
        }
        Some((rank, _)) => cx.reply.integer(count(rank)),
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(())
}

fn zrem(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let held = cx.keys.peek_at::<SortedSet>(key)?;
    if !held.is_some_and(|set| args.words().any(|member| set.score(member).is_some())) {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx.keys.edit::<SortedSet, _>(key, |set| {
        Ok(args.words().filter(|member| set.remove(member).is_some()).count())
    })?;
    let (removed, has_gone) = edited.map_or((0, false), |edited| (edited.value, edited.removed));
    cx.changed(key, Event::SortedSetRemove, removed, has_gone);
    cx.reply.integer(count(removed));
    Ok(())
}
