//! Members of one set: SADD, SREM, SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SMOVE.

use super::limits;
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Set;

/// SADD.
pub const SADD: Command = Command {
    spec: CommandSpec {
        name: "sadd",
        since: "1.0.0",
        group: Group::Set,
        summary: "Adds members to a set.",
        complexity: "O(N) in the members.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("member").multiple()],
        reply: &[ReplyShape::Integer("How many.")],
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: sadd,
    subcommands: &[],
};

/// SREM.
pub const SREM: Command = Command {
    spec: CommandSpec {
        name: "srem",
        since: "1.0.0",
        group: Group::Set,
        summary: "Removes members from a set.",
        complexity: "O(N) in the members.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("member").multiple()],
        reply: &[ReplyShape::Integer("How many.")],
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: srem,
    subcommands: &[],
};

/// SCARD.
pub const SCARD: Command = Command {
    spec: CommandSpec {
        name: "scard",
        since: "1.0.0",
        group: Group::Set,
        summary: "Answers the number of members.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: scard,
    subcommands: &[],
};

/// SISMEMBER.
pub const SISMEMBER: Command = Command {
    spec: CommandSpec {
        name: "sismember",
        since: "1.0.0",
        group: Group::Set,
        summary: "Tells whether a set has a member.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key"), Arg::bytes("member")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: sismember,
    subcommands: &[],
};

/// SMISMEMBER.
pub const SMISMEMBER: Command = Command {
    spec: CommandSpec {
        name: "smismember",
        since: "6.2.0",
        group: Group::Set,
        summary: "Tells of each of some whether a set has it.",
        complexity: "O(N) in the members.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::bytes("member").multiple()],
        reply: &[ReplyShape::Array("The elements.")],

        ..CommandSpec::EMPTY
    },
    run: smismember,
    subcommands: &[],
};

/// SMEMBERS.
pub const SMEMBERS: Command = Command {
    spec: CommandSpec {
        name: "smembers",
        since: "1.0.0",
        group: Group::Set,
        summary: "Answers all members.",
        complexity: "O(N) in the members.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Array("The elements.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: smembers,
    subcommands: &[],
};

/// SMOVE.
pub const SMOVE: Command = Command {
    spec: CommandSpec {
        name: "smove",
        since: "1.0.0",
        group: Group::Set,
        summary: "Moves a member from one set to another.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]),
            KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Insert]),
        ],
        args: &[Arg::key("source"), Arg::key("destination"), Arg::bytes("member")],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: smove,
    subcommands: &[],
};

fn sadd(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, limits) = (args.key()?, limits(cx));
    let set = cx.keys.peek_at::<Set>(key)?;
    let mut added = 0;
    if set.is_none_or(|set| args.words().any(|member| !set.contains(member))) {
        let edited = cx.keys.edit_or_create::<Set, _>(key, |set| {
            set.reserve(args.left(), limits);
            Ok(args.words().filter(|member| set.add(member, limits)).count())
        })?;
        added = edited.value;
        cx.changed(key, Event::SetAdd, added, false);
    }
    cx.reply.integer(count(added));
    Ok(())
}

fn srem(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let set = cx.keys.peek_at::<Set>(key)?;
    if !set.is_some_and(|set| args.words().any(|member| set.contains(member))) {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx
        .keys
        .edit::<Set, _>(key, |set| Ok(args.words().filter(|member| set.remove(member)).count()))?;
    let (removed, has_gone) = edited.map_or((0, false), |edited| (edited.value, edited.removed));
    cx.changed(key, Event::SetRemove, removed, has_gone);
    cx.reply.integer(count(removed));
    Ok(())
}

fn scard(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let len = cx.keys.read::<Set>(args.key()?)?.map_or(0, values::SetRef::len);
    cx.reply.integer(count(len));
    Ok(())
}

fn sismember(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, member) = (args.key()?, args.bytes()?);
    let found = cx.keys.read::<Set>(key)?.is_some_and(|set| set.contains(member));
    cx.reply.integer(i64::from(found));
    Ok(())
}

fn smismember(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let set = cx.keys.read::<Set>(args.key()?)?;
    cx.reply.array(args.left());
    while let Some(member) = args.next() {
        cx.reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

fn smembers(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let set = cx.keys.read::<Set>(args.key()?)?;
    cx.reply.set(set.map_or(0, values::SetRef::len));
    let mut room = itoa::Buffer::new();
    for member in set.into_iter().flat_map(values::SetRef::iter) {
        cx.reply.bulk(member.bytes(&mut room));
    }
    Ok(())
}

fn smove(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (source, destination, member) = (args.key()?, args.key()?, args.bytes()?);
    let limits = limits(cx);
    let Some(found) = cx.keys.read::<Set>(source)?.map(|set| set.contains(member)) else {
        cx.reply.integer(0);
        return Ok(());
    };
    let present = cx.keys.peek_at::<Set>(destination)?.is_some_and(|set| set.contains(member));
    if found && source != destination {
        let edited = cx.keys.edit::<Set, _>(source, |set| Ok(set.remove(member)))?;
        cx.changed(source, Event::SetRemove, 1, edited.is_some_and(|edited| edited.removed));
        if !present {
            cx.keys.edit_or_create::<Set, _>(destination, |set| Ok(set.add(member, limits)))?;
            cx.effects.changed(cx.keys.db, destination, Event::SetAdd);
        }
    }
    cx.reply.integer(i64::from(found));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn members_come_and_go() {
        let mut server = Server::new();
        for (line, expected) in [
            ("sadd s 1 2 1", ":2\r\n"),
            ("object encoding s", "$6\r\nintset\r\n"),
            ("sadd s 1", ":0\r\n"),
            ("sadd s a", ":1\r\n"),
            ("object encoding s", "$8\r\nlistpack\r\n"),
            ("scard s", ":3\r\n"),
            ("sismember s a", ":1\r\n"),
            ("smismember s a x", "*2\r\n:1\r\n:0\r\n"),
            ("smembers s", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\na\r\n"),
            ("smove s t a", ":1\r\n"),
            ("smove s t x", ":0\r\n"),
            ("smove none t x", ":0\r\n"),
            ("srem s 1 2 3", ":2\r\n"),
            ("exists s", ":0\r\n"),
            ("smembers s", "*0\r\n"),
            ("set k v", "+OK\r\n"),
            ("sadd k a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("sadd t a", &[]);
        server.check_log("sadd t b", &["sadd t b"]);
    }
}
