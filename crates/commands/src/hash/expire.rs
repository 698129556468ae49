//! When fields end: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST.
//!
//! As with keys, the log carries the absolute millisecond, and an instant that has passed removes the
//! field at once. Commands of Redis 7.4.

use super::field_expiry::{
    FEW, fields_among, log_fields, log_removal, named_fields, remove_expired,
};
use crate::expire_time::{EX, EXAT, Form, PX, PXAT, millis};
use crate::generic::expire::{CONDITION, Condition};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{Collection, Hash, HashRef};

/// `FIELDS numfields field [field ...]`.
pub(super) const FIELDS: Arg =
    Arg::block("fields", &[Arg::integer("numfields"), Arg::bytes("field").multiple()])
        .token("FIELDS");

/// There is no such field.
const NO_FIELD: i64 = -2;
/// It has no expiry.
const NO_EXPIRY: i64 = -1;
/// The condition does not hold.
const UNMET: i64 = 0;
/// It was done.
const DONE: i64 = 1;
/// The instant had passed, and the field was removed.
const REMOVED: i64 = 2;

/// HEXPIRE.
pub const HEXPIRE: Command = Command {
    spec: CommandSpec {
        name: "hexpire",
        since: "7.4.0",
        group: Group::Hash,
        summary: "Lets fields expire in so many seconds.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("seconds"), CONDITION, FIELDS],
        reply: &[ReplyShape::Array(
            "For each field: -2 without it, 0 if the condition does not hold, 1 if it was set, 2 if \
             the field was removed.",
        )],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| expire(cx, args, EX),
    subcommands: &[],
};

/// HPEXPIRE.
pub const HPEXPIRE: Command = Command {
    spec: CommandSpec {
        name: "hpexpire",
        summary: "Lets fields expire in so many milliseconds.",
        args: &[Arg::key("key"), Arg::integer("milliseconds"), CONDITION, FIELDS],
        ..HEXPIRE.spec
    },
    run: |cx, args| expire(cx, args, PX),
    subcommands: &[],
};

/// HEXPIREAT.
pub const HEXPIREAT: Command = Command {
    spec: CommandSpec {
        name: "hexpireat",
        summary: "Lets fields expire at a Unix time in seconds.",
        args: &[Arg::key("key"), Arg::unix_time("unix-time-seconds"), CONDITION, FIELDS],
        ..HEXPIRE.spec
    },
    run: |cx, args| expire(cx, args, EXAT),
    subcommands: &[],
};

/// HPEXPIREAT.
pub const HPEXPIREAT: Command = Command {
    spec: CommandSpec {
        name: "hpexpireat",
        summary: "Lets fields expire at a Unix time in milliseconds.",
        args: &[Arg::key("key"), Arg::unix_time("unix-time-milliseconds"), CONDITION, FIELDS],
        ..HEXPIRE.spec
    },
    run: |cx, args| expire(cx, args, PXAT),
    subcommands: &[],
};

/// HPERSIST.
pub const HPERSIST: Command = Command {
    spec: CommandSpec {
        name: "hpersist",
        summary: "Removes the expiry of fields.",
        flags: &[Flag::Write, Flag::Fast],
        args: &[Arg::key("key"), FIELDS],
        reply: &[ReplyShape::Array(
            "For each field: -2 without it, -1 if it has no expiry, 1 if that was removed.",
        )],
        ..HEXPIRE.spec
    },
    run: hpersist,
    subcommands: &[],
};

/// The last millisecond at which a field may end, as in Redis 7.4.
const LAST: i64 = (1 << 46) - 1;

/// `instant` if a field may end then. What the primary or a file says holds in any case.
///
/// # Errors
/// `InvalidExpire` if it is too late.
fn allowed(cx: &Context<'_>, instant: i64) -> Result<i64, CommandError> {
    if instant > LAST && !cx.session.info.primary {
        return Err(CommandError::InvalidExpire(cx.command.command.spec.name.into()));
    }
    Ok(instant)
}

/// The instant that `number` states.
///
/// # Errors
/// One for a number below zero or an instant at which no field may end.
pub(super) fn instant(cx: &Context<'_>, number: i64, form: Form) -> Result<i64, CommandError> {
    if number < 0 {
        return Err(CommandError::text("ERR invalid expire time, must be >= 0"));
    }
    allowed(cx, form.instant(number, cx.now, cx.command.command.spec.name)?)
}

fn expire(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let (key, number) = (args.key()?, args.integer()?);
    let instant = instant(cx, number, form)?;
    let mut condition = Condition::default();
    let few = "ERR Parameter `numFields` should be greater than 0";
    let fields = fields_among(cx, args, (1, few), |args| Ok(condition.take(args)))?;
    if condition.is_several() {
        return Err(CommandError::text("ERR Multiple condition flags specified"));
    }
    let codes = expire_fields(cx, key, &fields, condition, instant)?;
    answer(cx, &codes);
    Ok(())
}

fn answer(cx: &mut Context<'_>, codes: &[i64]) {
    cx.reply.array(codes.len());
    for &code in codes {
        cx.reply.integer(code);
    }
}

/// Lets one field end at `instant`. False if there is none.
///
/// # Errors
/// `WrongType`, or `InvalidExpire` if no field may end then.
pub(crate) fn expire_field(
    cx: &mut Context<'_>,
    key: &[u8],
    field: &[u8],
    instant: i64,
) -> Result<bool, CommandError> {
    let instant = allowed(cx, instant)?;
    let codes = expire_fields(cx, key, &[field], Condition::default(), instant)?;
    Ok(codes.iter().any(|&code| code >= DONE))
}

/// Lets `fields` end at `instant`. What became of each.
pub(super) fn expire_fields(
    cx: &mut Context<'_>,
    key: &[u8],
    fields: &[&[u8]],
    condition: Condition,
    instant: i64,
) -> Result<Vec<i64>, CommandError> {
    remove_expired(cx, key, fields.iter().copied())?;
    let (now, at) = (cx.keys.fields_now(), millis(instant));
    let passed = at <= cx.now && cx.node.originates();
    let code = |hash: HashRef<'_>, field: &[u8]| match hash.expire_at(field, now) {
        None => NO_FIELD,
        Some(before) if !condition.holds(before, instant) => UNMET,
        Some(_) if passed => REMOVED,
        Some(_) => DONE,
    };
    let Some(hash) = cx.keys.peek_at::<Hash>(key)? else {
        return Ok(vec![NO_FIELD; fields.len()]);
    };
    let codes: Vec<i64> = fields.iter().map(|field| code(hash, field)).collect();
    if !codes.iter().any(|&code| code >= DONE) {
        return Ok(codes);
    }
    let edited = cx.keys.edit::<Hash, _>(key, |hash| {
        let one = |field: &&[u8]| {
            let code = code(hash.as_ref(), field);
            match code {
                REMOVED => hash.remove(field),
                DONE => hash.set_expire_at(field, Some(at)),
                _ => false,
            };
            code
        };
        Ok(fields.iter().map(one).collect::<Vec<i64>>())
    })?;
    let Some(edited) = edited else { return Ok(codes) };
    if passed {
        let removed = of_code(fields, &edited.value, REMOVED);
        cx.changed(key, Event::HashDelete, removed.len(), edited.removed);
        log_removal(cx, key, &removed);
    } else {
        let done = of_code(fields, &edited.value, DONE);
        cx.changed(key, Event::HashExpire, done.len(), false);
        let mut room = itoa::Buffer::new();
        log_fields(cx, key, (b"HPEXPIREAT", &[room.format(at.0).as_bytes()]), &done);
    }
    Ok(edited.value)
}

/// Those of `fields` of which `wanted` came.
fn of_code<'a>(fields: &[&'a [u8]], codes: &[i64], wanted: i64) -> Vec<&'a [u8]> {
    let pairs = fields.iter().zip(codes);
    pairs.filter(|&(_, &code)| code == wanted).map(|(&field, _)| field).collect()
}

fn hpersist(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let fields = named_fields(args, FEW)?;
    let codes = persist_fields(cx, key, &fields)?;
    answer(cx, &codes);
    Ok(())
}

/// Removes the expiry of `fields`. What became of each.
pub(super) fn persist_fields(
    cx: &mut Context<'_>,
    key: &[u8],
    fields: &[&[u8]],
) -> Result<Vec<i64>, CommandError> {
    remove_expired(cx, key, fields.iter().copied())?;
    let now = cx.keys.fields_now();
    let Some(hash) = cx.keys.peek_at::<Hash>(key)? else {
        return Ok(vec![NO_FIELD; fields.len()]);
    };
    let code = |hash: HashRef<'_>, field: &[u8]| match hash.expire_at(field, now) {
        None => NO_FIELD,
        Some(None) => NO_EXPIRY,
        Some(Some(_)) => DONE,
    };
    let codes: Vec<i64> = fields.iter().map(|field| code(hash, field)).collect();
    if !codes.contains(&DONE) {
        return Ok(codes);
    }
    let edited = cx.keys.edit::<Hash, _>(key, |hash| {
        // A field that is named twice has no expiry the second time.
        let one = |field: &&[u8]| {
            let code = code(hash.as_ref(), field);
            if code == DONE {
                hash.set_expire_at(field, None);
            }
            code
        };
        Ok(fields.iter().map(one).collect::<Vec<i64>>())
    })?;
    let Some(edited) = edited else { return Ok(codes) };
    let done = of_code(fields, &edited.value, DONE);
    cx.effects.changed_by(cx.keys.db, key, Event::HashPersist, done.len());
    log_fields(cx, key, (b"HPERSIST", &[]), &done);
    Ok(edited.value)
}

#[cfg(test)]
mod tests;
