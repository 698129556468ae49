//! Several sets: SINTER, SUNION, SDIFF and what stores their results; SINTERCARD.

use super::limits;
use crate::count::count;
use crate::numkeys::{counted_keys, limit};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Set;

/// SINTER.
pub const SINTER: Command = Command {
    spec: CommandSpec {
        name: "sinter",
        since: "1.0.0",
        group: Group::Set,
        summary: "Intersects sets.",
        complexity: "O(N*M), N being the smallest set, M their number.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Array("The elements.")],
        tips: &["nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: sinter,
    subcommands: &[],
};

/// SINTERSTORE.
pub const SINTERSTORE: Command = Command {
    spec: CommandSpec {
        name: "sinterstore",
        since: "1.0.0",
        group: Group::Set,
        summary: "Intersects sets and stores the result.",
        complexity: "O(N*M), N being the smallest set, M their number.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update]),
            KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        args: &[Arg::key("destination"), Arg::key("key").multiple()],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: sinterstore,
    subcommands: &[],
};

/// SUNION.
pub const SUNION: Command = Command {
    spec: CommandSpec {
        name: "sunion",
        summary: "Unites sets.",
        complexity: "O(N) in all members.",
        ..SINTER.spec
    },
    run: sunion,
    subcommands: &[],
};

/// SUNIONSTORE.
pub const SUNIONSTORE: Command = Command {
    spec: CommandSpec {
        name: "sunionstore",
        summary: "Unites sets and stores the result.",
        complexity: "O(N) in all members.",
        keys: &[
            KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update]),
            KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        ..SINTERSTORE.spec
    },
    run: sunionstore,
    subcommands: &[],
};

/// SDIFF.
pub const SDIFF: Command = Command {
    spec: CommandSpec { name: "sdiff", summary: "Subtracts sets from the first.", ..SUNION.spec },
    run: sdiff,
    subcommands: &[],
};

/// SDIFFSTORE.
pub const SDIFFSTORE: Command = Command {
    spec: CommandSpec {
        name: "sdiffstore",
        summary: "Subtracts sets from the first and stores the result.",
        ..SUNIONSTORE.spec
    },
    run: sdiffstore,
    subcommands: &[],
};

/// SINTERCARD.
pub const SINTERCARD: Command = Command {
    spec: CommandSpec {
        name: "sintercard",
        since: "7.0.0",
        group: Group::Set,
        summary: "Answers how many members sets have in common.",
        complexity: "O(N*M), N being the smallest set, M their number.",
        flags: &[Flag::ReadOnly, Flag::MovableKeys],
        keys: &[KeySpec::counted(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            Arg::integer("limit").token("LIMIT").optional(),
        ],
        reply: &[ReplyShape::Integer("How many.")],

        ..CommandSpec::EMPTY
    },
    run: sintercard,
    subcommands: &[],
};

type Members = Vec<Vec<u8>>;
type Operation = fn(&mut Context<'_>, &[&[u8]]) -> Result<Members, CommandError>;

fn members(cx: &mut Context<'_>, key: &[u8]) -> Result<Members, CommandError> {
    let set = cx.keys.read::<Set>(key)?;
    Ok(set
        .into_iter()
        .flat_map(values::SetRef::iter)
        .map(structures::listpack::Item::to_vec)
        .collect())
}

fn inter(cx: &mut Context<'_>, keys: &[&[u8]]) -> Result<Members, CommandError> {
    let mut sizes = Vec::with_capacity(keys.len());
    for &key in keys {
        sizes.push((cx.keys.read::<Set>(key)?.map_or(0, values::SetRef::len), key));
    }
    sizes.sort_by_key(|&(len, _)| len);
    let Some((&(len, smallest), others)) = sizes.split_first() else { return Ok(Vec::new()) };
    if len == 0 {
        return Ok(Vec::new());
    }
    let mut common = members(cx, smallest)?;
    for &(_, key) in others {
        let Some(set) = cx.keys.peek_at::<Set>(key)? else { return Ok(Vec::new()) };
        common.retain(|member| set.contains(member));
    }
    Ok(common)
}

fn union(cx: &mut Context<'_>, keys: &[&[u8]]) -> Result<Members, CommandError> {
    let mut all = Set::default();
    let mut room = itoa::Buffer::new();
    let limits = limits(cx);
    for &key in keys {
        let set = cx.keys.read::<Set>(key)?;
        for member in set.into_iter().flat_map(values::SetRef::iter) {
            all.add(member.bytes(&mut room), limits);
        }
    }
    Ok(values::Collection::as_ref(&all).iter().map(structures::listpack::Item::to_vec).collect())
}

fn diff(cx: &mut Context<'_>, keys: &[&[u8]]) -> Result<Members, CommandError> {
    let Some((&first, others)) = keys.split_first() else { return Ok(Vec::new()) };
    let mut left = members(cx, first)?;
    for &key in others {
        if let Some(set) = cx.keys.read::<Set>(key)? {
            left.retain(|member| !set.contains(member));
        }
    }
    Ok(left)
}

fn answer(cx: &mut Context<'_>, args: &mut Args<'_>, operation: Operation) -> CommandResult {
    let words = args.request().words();
    let members = operation(cx, words.get(1..).unwrap_or_default())?;
    cx.reply.set(members.len());
    for member in &members {
        cx.reply.bulk(member);
    }
    Ok(())
}

fn store(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    operation: Operation,
    event: Event,
) -> CommandResult {
    let (words, limits) = (args.request().words(), limits(cx));
    let key = args.key()?;
    let members = operation(cx, words.get(2..).unwrap_or_default())?;
    if members.is_empty() {
        cx.delete(key);
    } else {
        let set = Set::of_members(members.iter().map(Vec::as_slice), limits);
        cx.keys.put_collection(key, set, None);
        cx.effects.changed(cx.keys.db, key, event);
    }
    cx.reply.integer(count(members.len()));
    Ok(())
}

fn sinter(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    answer(cx, args, inter)
}

fn sunion(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    answer(cx, args, union)
}

fn sdiff(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    answer(cx, args, diff)
}

fn sinterstore(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    store(cx, args, inter, Event::SetInterStore)
}

fn sunionstore(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    store(cx, args, union, Event::SetUnionStore)
}

fn sdiffstore(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    store(cx, args, diff, Event::SetDiffStore)
}

fn sintercard(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let too_few = CommandError::text("ERR Number of keys can't be greater than number of args");
    let keys = counted_keys(args, too_few)?;
    let limit = limit(args)?;
    let found = inter(cx, &keys)?.len();
    cx.reply.integer(count(found.min(limit)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn sets_are_combined() {
        let mut server = Server::new();
        for (line, expected) in [
            ("sadd {t}a 1 2 3", ":3\r\n"),
            ("sadd {t}b 2 3 4", ":3\r\n"),
            ("sinter {t}a {t}b", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
            ("sdiff {t}a {t}b", "*1\r\n$1\r\n1\r\n"),
            ("sunionstore {t}c {t}a {t}b", ":4\r\n"),
            ("object encoding {t}c", "$6\r\nintset\r\n"),
            ("sinterstore {t}c {t}a {t}none", ":0\r\n"),
            ("exists {t}c", ":0\r\n"),
            ("sintercard 2 {t}a {t}b limit 1", ":1\r\n"),
            ("sintercard 0 {t}a", "-ERR numkeys should be greater than 0\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
