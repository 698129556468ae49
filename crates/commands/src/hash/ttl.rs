//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: when fields end. Commands of Redis 7.4.

use super::expire::FIELDS;
use super::field_expiry::{FEW, named_fields, remove_expired};
use base::Millis;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Hash;

/// HTTL.
pub const HTTL: Command = Command {
    spec: CommandSpec {
        name: "httl",
        since: "7.4.0",
        group: Group::Hash,
        summary: "Answers in how many seconds fields expire.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), FIELDS],
        reply: &[ReplyShape::Array(
            "For each field: -2 without it, -1 if it has no expiry, otherwise the time.",
        )],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| times(cx, args, |at, now| seconds(at.saturating_sub(now))),
    subcommands: &[],
};

/// HPTTL.
pub const HPTTL: Command = Command {
    spec: CommandSpec {
        name: "hpttl",
        summary: "Answers in how many milliseconds fields expire.",
        ..HTTL.spec
    },
    run: |cx, args| times(cx, args, u64::saturating_sub),
    subcommands: &[],
};

/// HEXPIRETIME.
pub const HEXPIRETIME: Command = Command {
    spec: CommandSpec {
        name: "hexpiretime",
        summary: "Answers the Unix time in seconds at which fields expire.",
        tips: &[],
        ..HTTL.spec
    },
    run: |cx, args| times(cx, args, |at, _| seconds(at)),
    subcommands: &[],
};

/// HPEXPIRETIME.
pub const HPEXPIRETIME: Command = Command {
    spec: CommandSpec {
        name: "hpexpiretime",
        summary: "Answers the Unix time in milliseconds at which fields expire.",
        tips: &[],
        ..HTTL.spec
    },
    run: |cx, args| times(cx, args, |at, _| at),
    subcommands: &[],
};

/// Milliseconds as the seconds that have begun.
fn seconds(millis: u64) -> u64 {
    millis.div_ceil(1000)
}

fn times(cx: &mut Context<'_>, args: &mut Args<'_>, time: fn(u64, u64) -> u64) -> CommandResult {
    let (key, now) = (args.key()?, cx.now);
    let fields = named_fields(args, FEW)?;
    remove_expired(cx, key, fields.iter().copied())?;
    let fields_now = cx.keys.fields_now();
    let hash = cx.keys.read::<Hash>(key)?;
    cx.reply.array(fields.len());
    for field in fields {
        cx.reply.integer(match hash.and_then(|hash| hash.expire_at(field, fields_now)) {
            None => -2,
            Some(None) => -1,
            Some(Some(Millis(at))) => i64::try_from(time(at, now.0)).unwrap_or(i64::MAX),
        });
    }
    Ok(())
}
