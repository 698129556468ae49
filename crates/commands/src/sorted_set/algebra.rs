//! ZUNION, ZINTER, ZDIFF, what stores their results, and ZINTERCARD: of sorted sets and sets, whose
//! members count with a score of one.
//!
//! Scores are added up in the order in which stock does, from the smallest set to the largest: sums of
//! floating-point numbers depend on it. Where a sum is no number, it is zero.

use crate::count::count;
use crate::elements::write_all;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::cmp::Ordering;
use std::collections::HashMap;
use structures::listpack::Item;
use values::string::{parse_double, parse_i64};
use values::{Kind, Set, SortedSet};

const SOURCES: &[KeySpec] = &[KeySpec::counted(1, &[KeyFlag::ReadOnly, KeyFlag::Access])];
const STORED: &[KeySpec] = &[
    KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update]),
    KeySpec::counted(2, &[KeyFlag::ReadOnly, KeyFlag::Access]),
];
const WEIGHTS: Arg = Arg::integer("weight").token("WEIGHTS").optional().multiple();
const AGGREGATE: Arg = Arg::one_of(
    "aggregate",
    &[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")],
)
.token("AGGREGATE")
.optional();
const WITHSCORES: Arg = Arg::word("withscores", "WITHSCORES").optional();

/// ZUNION.
pub const ZUNION: Command = Command {
    spec: CommandSpec {
        name: "zunion",
        since: "6.2.0",
        group: Group::SortedSet,
        summary: "Answers the members of any of some sorted sets.",
        complexity: "O(N)+O(M*log(M)) in the members of all sets and of the result.",
        flags: &[Flag::ReadOnly, Flag::MovableKeys],
        keys: SOURCES,
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            WEIGHTS,
            AGGREGATE,
            WITHSCORES,
        ],
        reply: &[ReplyShape::Array("The members, with their scores if asked for.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| answer(cx, args, Operation::Union),
    subcommands: &[],
};

/// ZINTER.
pub const ZINTER: Command = Command {
    spec: CommandSpec {
        name: "zinter",
        summary: "Answers the members of all of some sorted sets.",
        complexity: "O(N*K)+O(M*log(M)) in the smallest set, the keys and the result.",
        ..ZUNION.spec
    },
    run: |cx, args| answer(cx, args, Operation::Inter),
    subcommands: &[],
};

/// ZDIFF.
pub const ZDIFF: Command = Command {
    spec: CommandSpec {
        name: "zdiff",
        summary: "Answers the members of the first of some sorted sets that are in no other.",
        complexity: "O(L + (N-K)log(N)) in all members, those of the first and those left.",
        args: &[Arg::integer("numkeys"), Arg::key("key").multiple(), WITHSCORES],
        ..ZUNION.spec
    },
    run: |cx, args| answer(cx, args, Operation::Diff),
    subcommands: &[],
};

/// ZUNIONSTORE.
pub const ZUNIONSTORE: Command = Command {
    spec: CommandSpec {
        name: "zunionstore",
        since: "2.0.0",
        summary: "Stores the members of any of some sorted sets.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::MovableKeys],
        keys: STORED,
        args: &[
            Arg::key("destination"),
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            WEIGHTS,
            AGGREGATE,
        ],
        reply: &[ReplyShape::Integer("How many were stored.")],
        ..ZUNION.spec
    },
    run: |cx, args| store(cx, args, Operation::Union, Event::SortedSetUnionStore),
    subcommands: &[],
};

/// ZINTERSTORE.
pub const ZINTERSTORE: Command = Command {
    spec: CommandSpec {
        name: "zinterstore",
        summary: "Stores the members of all of some sorted sets.",
        complexity: ZINTER.spec.complexity,
        ..ZUNIONSTORE.spec
    },
    run: |cx, args| store(cx, args, Operation::Inter, Event::SortedSetInterStore),
    subcommands: &[],
};

/// ZDIFFSTORE.
pub const ZDIFFSTORE: Command = Command {
    spec: CommandSpec {
        name: "zdiffstore",
        since: "6.2.0",
        summary: "Stores the members of the first of some sorted sets that are in no other.",
        complexity: ZDIFF.spec.complexity,
        args: &[Arg::key("destination"), Arg::integer("numkeys"), Arg::key("key").multiple()],
        ..ZUNIONSTORE.spec
    },
    run: |cx, args| store(cx, args, Operation::Diff, Event::SortedSetDiffStore),
    subcommands: &[],
};

/// ZINTERCARD.
pub const ZINTERCARD: Command = Command {
    spec: CommandSpec {
        name: "zintercard",
        since: "7.0.0",
        summary: "Counts the members of all of some sorted sets.",
        complexity: "O(N*K) in the smallest set and the keys.",
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            Arg::integer("limit").token("LIMIT").optional(),
        ],
        reply: &[ReplyShape::Integer("How many, at most the limit.")],
        ..ZUNION.spec
    },
    run: zintercard,
    subcommands: &[],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of a member's scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Aggregate {
    #[default]
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

/// Infinities may cancel out: that counts as zero.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

#[derive(Debug)]
struct Query<'a> {
    /// Keys with their weights, in the order in which they are worked on, and their sizes.
    sources: Vec<(&'a [u8], f64, usize)>,
    aggregate: Aggregate,
    with_scores: bool,
    /// At most so many are counted.
    limit: Option<usize>,
}

type Scores = Vec<(Vec<u8>, f64)>;

/// The size of the sorted set or set at `key`.
fn size_of(cx: &mut Context<'_>, key: &[u8]) -> Result<usize, CommandError> {
    let Some(kind) = cx.keys.find(key).map(engine::keys::kind_of) else { return Ok(0) };
    if kind == Kind::Set {
        return Ok(cx.keys.peek_at::<Set>(key)?.map_or(0, values::SetRef::len));
    }
    Ok(cx.keys.peek_at::<SortedSet>(key)?.map_or(0, values::SortedSetRef::len))
}

/// Visits the members of the sorted set or set at `key` with their scores.
fn each(cx: &mut Context<'_>, key: &[u8], mut visit: impl FnMut(Item<'_>, f64)) -> CommandResult {
    match cx.keys.peek(key).map(engine::keys::kind_of) {
        None => {}
        Some(Kind::Set) => {
            let set = cx.keys.peek_at::<Set>(key)?;
            set.into_iter().flat_map(values::SetRef::iter).for_each(|member| visit(member, 1.0));
        }
        Some(_) => {
            if let Some(set) = cx.keys.peek_at::<SortedSet>(key)? {
                set.iter(0..set.len()).for_each(|(member, score)| visit(member, score));
            }
        }
    }
    Ok(())
}

/// Keeps of `members` what `keep` says, which is given the score of each in the set at `key`, if it is
/// there.
fn filter(
    cx: &mut Context<'_>,
    key: &[u8],
    members: &mut Scores,
    mut keep: impl FnMut(&mut f64, Option<f64>) -> bool,
) -> CommandResult {
    match cx.keys.peek(key).map(engine::keys::kind_of) {
        None => members.retain_mut(|(_, score)| keep(score, None)),
        Some(Kind::Set) => {
            let set = cx.keys.peek_at::<Set>(key)?;
            members.retain_mut(|(member, score)| {
                let is_in = set.as_ref().is_some_and(|set| set.contains(member));
                keep(score, is_in.then_some(1.0))
            });
        }
        Some(_) => {
            let set = cx.keys.peek_at::<SortedSet>(key)?;
            members.retain_mut(|(member, score)| {
                keep(score, set.as_ref().and_then(|set| set.score(member)))
            });
        }
    }
    Ok(())
}

impl<'a> Query<'a> {
    /// Reads the request; `answers` says that members are answered, `counts` that they are counted.
    fn parse(
        cx: &mut Context<'_>,
        args: &mut Args<'a>,
        operation: Operation,
        answers: bool,
        counts: bool,
    ) -> Result<Query<'a>, CommandError> {
        let keys = args.integer()?;
        if keys < 1 {
            let name = &cx.command.full_name;
            return Err(CommandError::text(format!(
                "ERR at least 1 input key is needed for '{name}' command"
            )));
        }
        let keys = usize::try_from(keys).unwrap_or(usize::MAX);
        if keys > args.left() {
            return Err(CommandError::Syntax);
        }
        let mut sources = Vec::with_capacity(keys);
        for _ in 0..keys {
            let key = args.key()?;
            sources.push((key, 1.0, size_of(cx, key)?));
        }
        let (aggregate, with_scores, limit) = (Aggregate::Sum, false, None);
        let mut query = Query { sources, aggregate, with_scores, limit };
        let weighs = operation != Operation::Diff && !counts;
        while args.left() > 0 {
            if weighs && args.left() > keys && args.take_token("WEIGHTS") {
                for (_, weight, _) in &mut query.sources {
                    *weight = parse_double(args.bytes()?)
                        .ok_or_else(|| CommandError::text("ERR weight value is not a float"))?;
                }
            } else if weighs && args.left() > 1 && args.take_token("AGGREGATE") {
                query.aggregate = if args.take_token("SUM") {
                    Aggregate::Sum
                } else if args.take_token("MIN") {
                    Aggregate::Min
                } else if args.take_token("MAX") {
                    Aggregate::Max
                } else {
                    return Err(CommandError::Syntax);
                };
            } else if answers && args.take_token("WITHSCORES") {
                query.with_scores = true;
            } else if counts && args.left() > 1 && args.take_token("LIMIT") {
                let limit = parse_i64(args.bytes()?).and_then(|limit| usize::try_from(limit).ok());
                let limit =
                    limit.ok_or_else(|| CommandError::text("ERR LIMIT can't be negative"))?;
                query.limit = (limit > 0).then_some(limit);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if operation != Operation::Diff {
            query.sources.sort_by_key(|(_, _, size)| *size);
        }
        Ok(query)
    }

    /// The members of the result with their scores, in no order.
    fn run(&self, cx: &mut Context<'_>, operation: Operation) -> Result<Scores, CommandError> {
        let Some((&(first, weight, size), others)) = self.sources.split_first() else {
            return Ok(Vec::new());
        };
        let mut members = Scores::with_capacity(size);
        if operation == Operation::Union {
            return self.union(cx);
        }
        if operation == Operation::Inter && size == 0 {
            return Ok(members);
        }
        each(cx, first, |member, score| members.push((member.to_vec(), number(weight * score))))?;
        for &(key, weight, _) in others {
            filter(cx, key, &mut members, |score, other| match (operation, other) {
                (Operation::Diff, other) => other.is_none(),
                (_, Some(other)) => {
                    *score = self.aggregate.of(*score, weight * other);
                    true
                }
                (_, None) => false,
            })?;
        }
        Ok(members)
    }

    fn union(&self, cx: &mut Context<'_>) -> Result<Scores, CommandError> {
        let mut scores: HashMap<Vec<u8>, f64> = HashMap::new();
        for &(key, weight, _) in &self.sources {
            each(cx, key, |member, score| {
                let score = number(weight * score);
                let held = scores.entry(member.to_vec());
                held.and_modify(|held| *held = self.aggregate.of(*held, score)).or_insert(score);
            })?;
        }
        Ok(scores.into_iter().collect())
    }
}

fn sort(members: &mut Scores) {
    members.sort_unstable_by(|(one, score), (other, other_score)| {
        score.partial_cmp(other_score).unwrap_or(Ordering::Equal).then_with(|| one.cmp(other))
    });
}

fn answer(cx: &mut Context<'_>, args: &mut Args<'_>, operation: Operation) -> CommandResult {
    let query = Query::parse(cx, args, operation, true, false)?;
    let mut members = query.run(cx, operation)?;
    sort(&mut members);
    let members = members.iter().map(|(member, score)| (Item::Bytes(member), *score));
    write_all(&mut cx.reply, members, query.with_scores);
    Ok(())
}

fn store(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    operation: Operation,
    event: Event,
) -> CommandResult {
    let destination = args.key()?;
    let query = Query::parse(cx, args, operation, false, false)?;
    let mut members = query.run(cx, operation)?;
    sort(&mut members);
    super::store(cx, destination, &members, event);
    Ok(())
}

fn zintercard(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let query = Query::parse(cx, args, Operation::Inter, false, true)?;
    let found = query.run(cx, Operation::Inter)?.len();
    cx.reply.integer(count(query.limit.map_or(found, |limit| found.min(limit))));
    Ok(())
}
