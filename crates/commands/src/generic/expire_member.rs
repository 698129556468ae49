//! EXPIREMEMBER, PEXPIREMEMBER, EXPIREMEMBERAT and PEXPIREMEMBERAT of `KeyDB`: a member of a set or
//! sorted set, or a field of a hash, expires by itself.
//!
//! A field is as HEXPIRE leaves it. A member that has ended is taken out when somebody looks at the set,
//! or within a tenth of a second, by the primary, whose log says SREM or ZREM; until then replicas show
//! it. Another score leaves the expiry as it is, and so does another try to add it. The log carries the
//! absolute millisecond, and an instant that has passed removes at once. A snapshot says it in `KeyDB`'s
//! words, which stock passes over; DUMP does not say it.
//!
//! Source: `KeyDB` documentation, EXPIREMEMBER; that sorted sets are among them, its own tests of that
//! (`tests/unit/expire.tcl`).

use crate::expire_time::{EX, EXAT, Form, PX, PXAT, millis};
use crate::hash::expire::expire_field;
use base::Millis;
use engine::effects::Event;
use engine::keys::kind_of;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{Collection, Kind, Set, SortedSet};

/// EXPIREMEMBER.
pub const EXPIREMEMBER: Command = Command {
    spec: CommandSpec {
        name: "expiremember",
        since: "0.1.0",
        group: Group::Generic,
        summary: "Lets a member of a set or sorted set or a field of a hash expire in so many seconds, or milliseconds with the unit ms.",
        complexity: "O(1), O(log N) in a sorted set; O(N) in a small collection, which becomes a table.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::bytes("member"),
            Arg::integer("delay"),
            Arg::one_of("unit", &[Arg::word("seconds", "S"), Arg::word("milliseconds", "MS")])
                .optional(),
        ],
        reply: &[ReplyShape::Integer("1 if it was set; 0 if there is no such key or member.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| expire_member(cx, args, EX),
    subcommands: &[],
};

/// PEXPIREMEMBER.
pub const PEXPIREMEMBER: Command = Command {
    spec: CommandSpec {
        name: "pexpiremember",
        summary: "Lets a member of a set or sorted set or a field of a hash expire in so many milliseconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::integer("milliseconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, PX),
    subcommands: &[],
};

/// EXPIREMEMBERAT.
pub const EXPIREMEMBERAT: Command = Command {
    spec: CommandSpec {
        name: "expirememberat",
        summary: "Lets a member of a set or sorted set or a field of a hash expire at a Unix time in seconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::unix_time("unix-time-seconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, EXAT),
    subcommands: &[],
};

/// PEXPIREMEMBERAT.
pub const PEXPIREMEMBERAT: Command = Command {
    spec: CommandSpec {
        name: "pexpirememberat",
        summary: "Lets a member of a set or sorted set or a field of a hash expire at a Unix time in milliseconds.",
        args: &[Arg::key("key"), Arg::bytes("member"), Arg::unix_time("unix-time-milliseconds")],
        ..EXPIREMEMBER.spec
    },
    run: |cx, args| expire_member(cx, args, PXAT),
    subcommands: &[],
};

fn expire_member(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let (key, member, number) = (args.key()?, args.bytes()?, args.integer()?);
    let form = match args.next() {
        None => form,
        Some(unit) if unit.eq_ignore_ascii_case(b"s") => EX,
        Some(unit) if unit.eq_ignore_ascii_case(b"ms") => PX,
        Some(_) => return Err(CommandError::Syntax),
    };
    let instant = form.instant(number, cx.now, cx.command.command.spec.name)?;
    let expire = match cx.keys.peek(key).map(kind_of) {
        Some(Kind::Set) => expire_in::<Set>,
        Some(Kind::SortedSet) => expire_in::<SortedSet>,
        _ => expire_field,
    };
    let is_done = expire(cx, key, member, instant)?;
    cx.reply.integer(i64::from(is_done));
    Ok(())
}

/// What is asked of sets and sorted sets alike.
trait Members: Collection {
    /// The command that takes a member out.
    const REMOVAL: &[u8];
    /// The event of that.
    const REMOVED: Event;
    /// Whether `member` is there.
    fn has(set: Self::Ref<'_>, member: &[u8]) -> bool;
    /// Takes `member` out.
    fn take_out(&mut self, member: &[u8]);
    /// Lets `member` end at `at`.
    fn end_at(&mut self, member: &[u8], at: Millis);
}

impl Members for Set {
    const REMOVAL: &[u8] = b"SREM";
    const REMOVED: Event = Event::SetRemove;

    fn has(set: Self::Ref<'_>, member: &[u8]) -> bool {
        set.contains(member)
    }

    fn take_out(&mut self, member: &[u8]) {
        self.remove(member);
    }

    fn end_at(&mut self, member: &[u8], at: Millis) {
        self.set_expire_at(member, Some(at));
    }
}

impl Members for SortedSet {
    const REMOVAL: &[u8] = b"ZREM";
    const REMOVED: Event = Event::SortedSetRemove;

    fn has(set: Self::Ref<'_>, member: &[u8]) -> bool {
        set.score(member).is_some()
    }

    fn take_out(&mut self, member: &[u8]) {
        self.remove(member);
    }

    fn end_at(&mut self, member: &[u8], at: Millis) {
        self.set_expire_at(member, Some(at));
    }
}

/// Lets a member of a set or sorted set end at `instant`. False if there is none.
fn expire_in<C: Members>(
    cx: &mut Context<'_>,
    key: &[u8],
    member: &[u8],
    instant: i64,
) -> Result<bool, CommandError> {
    let set = cx.keys.peek_at::<C>(key)?;
    if !set.is_some_and(|set| C::has(set, member)) {
        return Ok(false);
    }
    let (db, at) = (cx.keys.db, millis(instant));
    if at <= cx.now && cx.node.originates() {
        let edited = cx.keys.edit::<C, _>(key, |set| {
            set.take_out(member);
            Ok(())
        })?;
        cx.changed(key, C::REMOVED, 1, edited.is_some_and(|edited| edited.removed));
        cx.effects.log_instead(db, &[C::REMOVAL, key, member]);
        return Ok(true);
    }
    cx.keys.edit::<C, _>(key, |set| {
        set.end_at(member, at);
        Ok(())
    })?;
    cx.effects.changed_silently();
    let mut room = itoa::Buffer::new();
    let words: [&[u8]; 4] = [b"PEXPIREMEMBERAT", key, member, room.format(at.0).as_bytes()];
    cx.effects.log_instead(db, &words);
    Ok(true)
}

#[cfg(test)]
mod tests;
