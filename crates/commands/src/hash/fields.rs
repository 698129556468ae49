//! Fields of one hash: HSET, HSETNX, HMSET, HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS,
//! HDEL, HINCRBY.

use super::field_expiry::remove_expired;
use super::limits;
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::string::increment_float;
use values::{Collection, Hash, HashRef, StringError};

/// HSET.
pub const HSET: Command = Command {
    spec: CommandSpec {
        name: "hset",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Sets fields of a hash.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::block("field_value", &[Arg::bytes("field"), Arg::bytes("value")]).multiple(),
        ],
        reply: &[ReplyShape::Integer("How many.")],
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: hset,
    subcommands: &[],
};

/// HMSET.
pub const HMSET: Command = Command {
    spec: CommandSpec {
        name: "hmset",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Sets fields of a hash.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::block("field_value", &[Arg::bytes("field"), Arg::bytes("value")]).multiple(),
        ],
        reply: &[ReplyShape::Status("OK")],
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        ..CommandSpec::EMPTY
    },
    run: hmset,
    subcommands: &[],
};

/// HSETNX.
pub const HSETNX: Command = Command {
    spec: CommandSpec {
        name: "hsetnx",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Sets a field unless it exists.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("field"), Arg::bytes("value")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: hsetnx,
    subcommands: &[],
};

/// HGET.
pub const HGET: Command = Command {
    spec: CommandSpec {
        name: "hget",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers the value of a field.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("field")],
        reply: &[ReplyShape::Bulk("The element, or null.")],

        ..CommandSpec::EMPTY
    },
    run: hget,
    subcommands: &[],
};

/// HMGET.
pub const HMGET: Command = Command {
    spec: CommandSpec {
        name: "hmget",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers the values of fields.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("field").multiple()],
        reply: &[ReplyShape::Array("The elements.")],

        ..CommandSpec::EMPTY
    },
    run: hmget,
    subcommands: &[],
};

/// HGETALL.
pub const HGETALL: Command = Command {
    spec: CommandSpec {
        name: "hgetall",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers all fields and values.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Map("Fields and values.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: hgetall,
    subcommands: &[],
};

/// HKEYS.
pub const HKEYS: Command = Command {
    spec: CommandSpec {
        name: "hkeys",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers all fields.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Array("The elements.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: hkeys,
    subcommands: &[],
};

/// HVALS.
pub const HVALS: Command = Command {
    spec: CommandSpec {
        name: "hvals",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers all values.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Array("The elements.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: hvals,
    subcommands: &[],
};

/// HLEN.
pub const HLEN: Command = Command {
    spec: CommandSpec {
        name: "hlen",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Answers the number of fields.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: hlen,
    subcommands: &[],
};

/// HSTRLEN.
pub const HSTRLEN: Command = Command {
    spec: CommandSpec {
        name: "hstrlen",
        since: "3.2.0",
        group: Group::Hash,
        summary: "Answers the length of the value of a field.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key"), Arg::bytes("field")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: hstrlen,
    subcommands: &[],
};

/// HEXISTS.
pub const HEXISTS: Command = Command {
    spec: CommandSpec {
        name: "hexists",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Tells whether a hash has a field.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key"), Arg::bytes("field")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: hexists,
    subcommands: &[],
};

/// HDEL.
pub const HDEL: Command = Command {
    spec: CommandSpec {
        name: "hdel",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Removes fields.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("field").multiple()],
        reply: &[ReplyShape::Integer("How many.")],
        history: &[("2.4.0", "Accepts multiple `field` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: hdel,
    subcommands: &[],
};

/// HINCRBY.
pub const HINCRBY: Command = Command {
    spec: CommandSpec {
        name: "hincrby",
        since: "2.0.0",
        group: Group::Hash,
        summary: "Adds an integer to the value of a field.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::bytes("field"), Arg::integer("increment")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: hincrby,
    subcommands: &[],
};

/// HINCRBYFLOAT.
pub const HINCRBYFLOAT: Command = Command {
    spec: CommandSpec {
        name: "hincrbyfloat",
        since: "2.6.0",
        group: Group::Hash,
        summary: "Adds a number to the value of a field.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::bytes("field"), Arg::double("increment")],
        reply: &[ReplyShape::Bulk("The number afterwards.")],
        ..CommandSpec::EMPTY
    },
    run: hincrbyfloat,
    subcommands: &[],
};

fn put_pairs(cx: &mut Context<'_>, args: &mut Args<'_>) -> Result<i64, CommandError> {
    let (key, limits) = (args.key()?, limits(cx));
    if args.left() == 0 || !args.left().is_multiple_of(2) {
        return Err(CommandError::Arity(cx.command.full_name.clone()));
    }
    let now = cx.keys.fields_now();
    let edited = cx.keys.edit_or_create::<Hash, _>(key, |hash| {
        let mut added = 0;
        while let (Some(field), Some(value)) = (args.next(), args.next()) {
            let had_ended = hash.as_ref().has_ended(field, now);
            added += i64::from(hash.set(field, value, None, limits) || had_ended);
        }
        Ok(added)
    })?;
    cx.effects.changed(cx.keys.db, key, Event::HashSet);
    Ok(edited.value)
}

fn hset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let added = put_pairs(cx, args)?;
    cx.reply.integer(added);
    Ok(())
}

fn hmset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    put_pairs(cx, args)?;
    cx.reply.ok();
    Ok(())
}

fn hsetnx(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, value) = (args.key()?, args.bytes()?, args.bytes()?);
    remove_expired(cx, key, std::iter::once(field))?;
    let (limits, now) = (limits(cx), cx.keys.fields_now());
    let found = cx.keys.peek_at::<Hash>(key)?.is_some_and(|hash| hash.get(field, now).is_some());
    if !found {
        cx.keys.edit_or_create::<Hash, _>(key, |hash| Ok(hash.set(field, value, None, limits)))?;
        cx.effects.changed(cx.keys.db, key, Event::HashSet);
    }
    cx.reply.integer(i64::from(!found));
    Ok(())
}

fn hget(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, now) = (args.key()?, args.bytes()?, cx.keys.fields_now());
    let hash = cx.keys.read::<Hash>(key)?;
    if let Some(value) = hash.and_then(|hash| hash.get(field, now)) {
        cx.reply.bulk(value.bytes(&mut itoa::Buffer::new()));
    } else {
        if hash.is_some_and(|hash| hash.may_have_ended(now)) {
            remove_expired(cx, key, std::iter::once(field))?;
        }
        cx.reply.null();
    }
    Ok(())
}

fn hmget(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let now = cx.keys.fields_now();
    let key = args.key()?;
    let hash = cx.keys.read::<Hash>(key)?;
    let may_have_ended = hash.is_some_and(|hash| hash.may_have_ended(now));
    cx.reply.array(args.left());
    for field in args.words() {
        match hash.and_then(|hash| hash.get(field, now)) {
            Some(value) => cx.reply.bulk(value.bytes(&mut itoa::Buffer::new())),
            None => cx.reply.null(),
        }
    }
    if may_have_ended {
        remove_expired(cx, key, args.words())?;
    }
    Ok(())
}

fn hgetall(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let now = cx.keys.fields_now();
    let hash = cx.keys.read::<Hash>(args.key()?)?;
    let (place, mut len, mut room) = (cx.reply.deferred(), 0, itoa::Buffer::new());
    for (field, value) in hash.into_iter().flat_map(|hash| hash.iter(now)) {
        cx.reply.bulk(field.bytes(&mut room));
        cx.reply.bulk(value.bytes(&mut room));
        len += 1;
    }
    cx.reply.finish_map(place, len);
    Ok(())
}

fn list(cx: &mut Context<'_>, args: &mut Args<'_>, values: bool) -> CommandResult {
    let now = cx.keys.fields_now();
    let hash = cx.keys.read::<Hash>(args.key()?)?;
    let (place, mut len, mut room) = (cx.reply.deferred(), 0, itoa::Buffer::new());
    for (field, value) in hash.into_iter().flat_map(|hash| hash.iter(now)) {
        cx.reply.bulk(if values { value } else { field }.bytes(&mut room));
        len += 1;
    }
    cx.reply.finish_array(place, len);
    Ok(())
}

fn hkeys(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    list(cx, args, false)
}

fn hvals(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    list(cx, args, true)
}

fn hlen(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let len = cx.keys.read::<Hash>(args.key()?)?.map_or(0, HashRef::len);
    cx.reply.integer(count(len));
    Ok(())
}

fn hstrlen(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, now) = (args.key()?, args.bytes()?, cx.keys.fields_now());
    let value = cx.keys.read::<Hash>(key)?.and_then(|hash| hash.get(field, now));
    let len = value.map(structures::listpack::Item::len);
    if len.is_none() {
        remove_expired(cx, key, std::iter::once(field))?;
    }
    cx.reply.integer(count(len.unwrap_or(0)));
    Ok(())
}

fn hexists(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, now) = (args.key()?, args.bytes()?, cx.keys.fields_now());
    let found = cx.keys.read::<Hash>(key)?.is_some_and(|hash| hash.get(field, now).is_some());
    if !found {
        remove_expired(cx, key, std::iter::once(field))?;
    }
    cx.reply.integer(i64::from(found));
    Ok(())
}

fn hdel(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, now) = (args.key()?, cx.keys.fields_now());
    remove_expired(cx, key, args.words())?;
    let hash = cx.keys.peek_at::<Hash>(key)?;
    let is_there = |hash: HashRef<'_>| args.words().any(|field| hash.get(field, now).is_some());
    if !hash.is_some_and(is_there) {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx
        .keys
        .edit::<Hash, _>(key, |hash| Ok(args.words().filter(|field| hash.remove(field)).count()))?;
    let (removed, has_gone) = edited.map_or((0, false), |edited| (edited.value, edited.removed));
    cx.changed(key, Event::HashDelete, removed, has_gone);
    cx.reply.integer(count(removed));
    Ok(())
}

fn hincrby(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, by) = (args.key()?, args.bytes()?, args.integer()?);
    let (limits, now) = (limits(cx), cx.keys.fields_now());
    let (mut before, mut expiry) = (0, None);
    let hash = cx.keys.peek_at::<Hash>(key)?;
    let may_have_ended = hash.is_some_and(|hash| hash.may_have_ended(now));
    if let Some(hash) = hash
        && let Some(value) = hash.get(field, now)
    {
        before = values::string::parse_i64(value.bytes(&mut itoa::Buffer::new()))
            .ok_or_else(|| CommandError::text("ERR hash value is not an integer"))?;
        expiry = hash.expire_at(field, now).flatten();
    }
    let sum = before.checked_add(by).ok_or(CommandError::Overflow)?;
    if may_have_ended {
        remove_expired(cx, key, std::iter::once(field))?;
    }
    let mut room = itoa::Buffer::new();
    let text = room.format(sum).as_bytes();
    cx.keys.edit_or_create::<Hash, _>(key, |hash| Ok(hash.set(field, text, expiry, limits)))?;
    cx.effects.changed(cx.keys.db, key, Event::HashIncrementBy);
    cx.reply.integer(sum);
    Ok(())
}

fn hincrbyfloat(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, field, by) = (args.key()?, args.bytes()?, args.bytes()?);
    let (limits, now, db) = (limits(cx), cx.keys.fields_now(), cx.keys.db);
    // What is added must be a number, whatever the field holds.
    increment_float(b"0", by).map_err(|error| match error {
        StringError::NotFinite => CommandError::text("ERR value is NaN or Infinity"),
        other => other.into(),
    })?;
    remove_expired(cx, key, std::iter::once(field))?;
    let (mut before, mut expiry) = (b"0".to_vec(), None);
    if let Some(hash) = cx.keys.peek_at::<Hash>(key)?
        && let Some(value) = hash.get(field, now)
    {
        before = value.to_vec();
        expiry = hash.expire_at(field, now).flatten();
    }
    let sum = increment_float(&before, by).map_err(|error| match error {
        StringError::NotFloat => CommandError::text("ERR hash value is not a float"),
        other => other.into(),
    })?;
    cx.keys.edit_or_create::<Hash, _>(key, |hash| Ok(hash.set(field, &sum, expiry, limits)))?;
    cx.effects.changed(db, key, Event::HashIncrementByFloat);
    cx.effects.log_instead(db, &[b"HSET", key, field, &sum]);
    if let Some(at) = expiry {
        let mut room = itoa::Buffer::new();
        let at = room.format(at.0).as_bytes();
        cx.effects.log_instead(db, &[b"HPEXPIREAT", key, at, b"FIELDS", b"1", field]);
    }
    cx.reply.bulk(&sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn fields_come_and_go() {
        let mut server = Server::new();
        for (line, expected) in [
            ("hset h a 1 b x", ":2\r\n"),
            ("hset h a", "-ERR wrong number of arguments for 'hset' command\r\n"),
            ("hset h a 1 b", "-ERR wrong number of arguments for 'hset' command\r\n"),
            ("hmset h a 2", "+OK\r\n"),
            ("hsetnx h a 3", ":0\r\n"),
            ("hget h a", "$1\r\n2\r\n"),
            ("hget h z", "$-1\r\n"),
            ("hmget h a z", "*2\r\n$1\r\n2\r\n$-1\r\n"),
            ("hgetall h", "*4\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("hkeys h", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("hvals h", "*2\r\n$1\r\n2\r\n$1\r\nx\r\n"),
            ("hincrby h a 5", ":7\r\n"),
            ("hincrby h b 5", "-ERR hash value is not an integer\r\n"),
            ("hincrby h a 9223372036854775807", "-ERR increment or decrement would overflow\r\n"),
            ("hincrbyfloat h a 0.5", "$3\r\n7.5\r\n"),
            ("hincrbyfloat h b 1", "-ERR hash value is not a float\r\n"),
            ("hincrbyfloat h b x", "-ERR value is not a valid float\r\n"),
            ("hstrlen h b", ":1\r\n"),
            ("hexists h b", ":1\r\n"),
            ("hlen h", ":2\r\n"),
            ("object encoding h", "$8\r\nlistpack\r\n"),
            ("hdel h a b c", ":2\r\n"),
            ("exists h", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("hdel h a", &[]);
        server.check_log("hset h a 1", &["hset h a 1"]);
    }
}
