//! ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [...] and ZINCRBY key increment member.

use super::limits;
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::string::parse_double;
use values::{Collection, SortedSet};

/// ZADD.
pub const ZADD: Command = Command {
    spec: CommandSpec {
        name: "zadd",
        since: "1.2.0",
        group: Group::SortedSet,
        summary: "Adds members with their scores, or changes scores.",
        complexity: "O(log(N)) for each member, N being the members that are there.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
            Arg::one_of("comparison", &[Arg::word("gt", "GT"), Arg::word("lt", "LT")]).optional(),
            Arg::word("change", "CH").optional(),
            Arg::word("increment", "INCR").optional(),
            Arg::block("score_member", &[Arg::double("score"), Arg::bytes("member")]).multiple(),
        ],
        reply: &[
            ReplyShape::Integer("How many members were added; with CH, added or changed."),
            ReplyShape::Double("With INCR: the score afterwards."),
            ReplyShape::Null("With INCR: the options forbade it."),
        ],
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ],
        ..CommandSpec::EMPTY
    },
    run: add,
    subcommands: &[],
};

/// ZINCRBY.
pub const ZINCRBY: Command = Command {
    spec: CommandSpec {
        name: "zincrby",
        since: "1.2.0",
        summary: "Adds to a member's score, which is zero if it is absent.",
        complexity: "O(log(N)) in the members.",
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("increment"), Arg::bytes("member")],
        reply: &[ReplyShape::Double("The score afterwards.")],
        history: &[],
        ..ZADD.spec
    },
    run: increment,
    subcommands: &[],
};

/// What ZADD is allowed to do.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct Options {
    only_new: bool,
    only_old: bool,
    only_greater: bool,
    only_less: bool,
    counts_changes: bool,
    increments: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Options {
        let mut options = Options::default();
        loop {
            let option = if args.take_token("NX") {
                &mut options.only_new
            } else if args.take_token("XX") {
                &mut options.only_old
            } else if args.take_token("GT") {
                &mut options.only_greater
            } else if args.take_token("LT") {
                &mut options.only_less
            } else if args.take_token("CH") {
                &mut options.counts_changes
            } else if args.take_token("INCR") {
                &mut options.increments
            } else {
                return options;
            };
            *option = true;
        }
    }

    fn check(self, words: usize) -> CommandResult {
        let refused = |text: &str| Err(CommandError::text(format!("ERR {text}")));
        if words == 0 || !words.is_multiple_of(2) {
            return Err(CommandError::Syntax);
        }
        if self.only_new && self.only_old {
            return refused("XX and NX options at the same time are not compatible");
        }
        if (self.only_new && (self.only_greater || self.only_less))
            || (self.only_greater && self.only_less)
        {
            return refused("GT, LT, and/or NX options at the same time are not compatible");
        }
        if self.increments && words > 2 {
            return refused("INCR option supports a single increment-element pair");
        }
        Ok(())
    }

    /// The score that a member is to have, if the options allow one.
    fn wanted(self, before: Option<f64>, stated: f64) -> Result<Option<f64>, CommandError> {
        let Some(before) = before else { return Ok((!self.only_old).then_some(stated)) };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.increments { before + stated } else { stated };
        if score.is_nan() {
            return Err(CommandError::text("ERR resulting score is not a number (NaN)"));
        }
        let is_forbidden =
            (self.only_less && score >= before) || (self.only_greater && score <= before);
        Ok((!is_forbidden).then_some(score))
    }
}

/// What came of adding.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    added: usize,
    changed: usize,
    /// The last score, if the options allowed it.
    score: Option<f64>,
}

/// Adds what the words say; GEOADD does so too.
pub(crate) fn add(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let options = Options::parse(args);
    options.check(args.left())?;
    let mut pairs = Vec::with_capacity(args.left() / 2);
    while args.left() > 0 {
        let score = parse_double(args.bytes()?).ok_or(CommandError::NotFloat)?;
        pairs.push((score, args.bytes()?));
    }
    let outcome = put(cx, key, options, &pairs)?;
    answer(cx, options, outcome);
    Ok(())
}

fn increment(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, by, member) = (args.key()?, args.bytes()?, args.bytes()?);
    let by = parse_double(by).ok_or(CommandError::NotFloat)?;
    let options = Options { increments: true, ..Options::default() };
    let outcome = put(cx, key, options, &[(by, member)])?;
    answer(cx, options, outcome);
    Ok(())
}

fn answer(cx: &mut Context<'_>, options: Options, outcome: Outcome) {
    match outcome.score {
        Some(score) if options.increments => cx.reply.double(score),
        None if options.increments => cx.reply.null(),
        _ if options.counts_changes => cx.reply.integer(count(outcome.added + outcome.changed)),
        _ => cx.reply.integer(count(outcome.added)),
    }
}

#[allow(clippy::float_cmp, reason = "whether a score changes is what is asked")]
fn put(
    cx: &mut Context<'_>,
    key: &[u8],
    options: Options,
    pairs: &[(f64, &[u8])],
) -> Result<Outcome, CommandError> {
    let limits = limits(cx);
    let mut outcome = Outcome::default();
    // Looked at first: what changes nothing must not touch the key.
    let mut changes = false;
    let held = cx.keys.peek_at::<SortedSet>(key)?;
    for &(stated, member) in pairs {
        let before = held.as_ref().and_then(|set| set.score(member));
        outcome.score = options.wanted(before, stated)?;
        if outcome.score.is_some() && outcome.score != before {
            changes = true;
            break;
        }
    }
    if !changes {
        return Ok(outcome);
    }
    cx.keys.edit_or_create::<SortedSet, _>(key, |set| {
        if set.as_ref().is_empty() {
            // The first member decides in which form it begins, as in stock.
            let is_long = pairs.first().is_some_and(|(_, member)| member.len() > limits.value);
            set.reserve(if is_long { usize::MAX } else { 0 }, limits);
        }
        for &(stated, member) in pairs {
            let before = set.as_ref().score(member);
            outcome.score = options.wanted(before, stated)?;
            let Some(score) = outcome.score.filter(|score| Some(*score) != before) else {
                continue;
            };
            set.insert(member, score, limits);
            outcome.added += usize::from(before.is_none());
            outcome.changed += usize::from(before.is_some());
        }
        Ok(())
    })?;
    let event = if options.increments { Event::SortedSetIncrement } else { Event::SortedSetAdd };
    cx.effects.changed(cx.keys.db, key, event);
    for _ in 1..outcome.added + outcome.changed {
        cx.effects.changed_silently();
    }
    Ok(outcome)
}
