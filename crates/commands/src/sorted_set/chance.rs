//! ZRANDMEMBER key [count [WITHSCORES]], and ZSCAN key cursor [MATCH pattern] [COUNT n]
//! [NOSCORES].

use crate::elements::{Scan, Wanted, cursor, different, nothing_scanned};
use base::random::Random;
use engine::context::Outcome;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::listpack::Item;
use values::{SortedSet, SortedSetRef};

const READ: &[KeySpec] = &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])];

/// ZRANDMEMBER.
pub const ZRANDMEMBER: Command = Command {
    spec: CommandSpec {
        name: "zrandmember",
        since: "6.2.0",
        group: Group::SortedSet,
        summary: "Answers members that are chosen by chance.",
        complexity: "O(N) in the count.",
        flags: &[Flag::ReadOnly],
        keys: READ,
        args: &[
            Arg::key("key"),
            Arg::block(
                "options",
                &[Arg::integer("count"), Arg::word("withscores", "WITHSCORES").optional()],
            )
            .optional(),
        ],
        reply: &[
            ReplyShape::Bulk("The member, without a count."),
            ReplyShape::Null("There is none."),
            ReplyShape::Array("The members, with their scores if asked for."),
        ],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: zrandmember,
    subcommands: &[],
};

/// ZSCAN.
pub const ZSCAN: Command = Command {
    spec: CommandSpec {
        name: "zscan",
        since: "2.8.0",
        group: Group::SortedSet,
        summary: "Goes through the members and scores of a sorted set, some at each call.",
        complexity: "O(1) for each call, O(N) in the members for all of them.",
        flags: &[Flag::ReadOnly],
        keys: READ,
        args: &[
            Arg::key("key"),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("noscores", "NOSCORES").optional(),
        ],
        reply: &[ReplyShape::Array("The next cursor, 0 at the end, and members with scores.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: zscan,
    subcommands: &[],
};

type Pair<'a> = (Item<'a>, f64);

fn one<'a>(set: SortedSetRef<'a>, random: &mut Random) -> Option<Pair<'a>> {
    let rank = usize::try_from(random.below(set.len() as u64)).unwrap_or(0);
    set.iter(rank..rank + 1).next()
}

fn write(cx: &mut Context<'_>, (member, score): Pair<'_>, with_scores: bool) {
    if with_scores && cx.reply.is_resp3() {
        cx.reply.array(2);
    }
    cx.reply.bulk(member.bytes(&mut itoa::Buffer::new()));
    if with_scores {
        cx.reply.double(score);
    }
}

fn zrandmember(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, mut with_scores) = (args.key()?, false);
    let wanted = match args.next() {
        None => None,
        Some(word) => {
            let count = values::string::parse_i64(word).ok_or(CommandError::NotInteger)?;
            with_scores = args.take_token("WITHSCORES");
            args.end()?;
            Some(Wanted::of(count, with_scores)?)
        }
    };
    let mut random = Random::from_system();
    let words = if with_scores && !cx.reply.is_resp3() { 2 } else { 1 };
    let bytes_max = cx.reply_bytes_max();
    let Some(set) = cx.keys.read::<SortedSet>(key)? else {
        match wanted {
            None => cx.reply.null(),
            Some(_) => cx.reply.array(0),
        }
        return Ok(());
    };
    let mut chosen: Vec<(Vec<u8>, f64)> = Vec::new();
    let owned = |(member, score): Pair<'_>| (member.to_vec(), score);
    match wanted {
        None => chosen.extend(one(set, &mut random).map(owned)),
        Some(Wanted::Different(count)) => {
            let all = || set.iter(0..set.len()).collect();
            let some = different(
                count,
                set.len(),
                &mut random,
                all,
                |random| one(set, random),
                |(member, _)| member.to_vec(),
            );
            chosen.extend(some.into_iter().map(owned));
        }
        Some(Wanted::Repeated(count)) => {
            cx.reply.array(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(words));
            for _ in 0..count {
                let Some((member, score)) = one(set, &mut random) else { break };
                if with_scores && words == 1 {
                    cx.reply.array(2);
                }
                cx.reply.bulk(member.bytes(&mut itoa::Buffer::new()));
                if with_scores {
                    cx.reply.double(score);
                }
                if cx.reply.position() > bytes_max {
                    *cx.outcome = Outcome::Abort;
                    break;
                }
            }
            return Ok(());
        }
    }
    if wanted.is_some() {
        cx.reply.array(chosen.len() * words);
    }
    for (member, score) in &chosen {
        write(cx, (Item::Bytes(member), *score), with_scores);
    }
    Ok(())
}

fn zscan(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, cursor) = (args.key()?, cursor(args)?);
    let Some(set) = cx.keys.read::<SortedSet>(key)? else {
        nothing_scanned(cx);
        return Ok(());
    };
    let scan = Scan::parse(args, Some("NOSCORES"))?;
    scan.run(&mut cx.reply, cursor, |cursor, out| {
        let (mut looked, mut written) = (0, 0);
        let next = set.scan(cursor, |member, score| {
            looked += 1;
            if scan.wants(member) {
                out.bulk(member);
                written += 1;
                if !scan.only_names {
                    let mut text = Vec::with_capacity(24);
                    base::double::write(&mut text, score);
                    out.bulk(text);
                    written += 1;
                }
            }
        });
        (looked, written, next)
    });
    Ok(())
}
