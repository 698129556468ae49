//! LSET and LREM: changing and removing elements in a list.

use super::{limits, place};
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::List;

/// LSET.
pub const LSET: Command = Command {
    spec: CommandSpec {
        name: "lset",
        since: "1.0.0",
        group: Group::List,
        summary: "Makes an element another; negative numbers count from the end.",
        complexity: "O(N) in the nodes of the list between the element and the nearer end.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("index"), Arg::bytes("element")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: lset,
    subcommands: &[],
};

/// LREM.
pub const LREM: Command = Command {
    spec: CommandSpec {
        name: "lrem",
        summary: "Removes the first elements that are equal to one, or the last ones, or all.",
        complexity: "O(N) in the elements of the list.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::integer("count"), Arg::bytes("element")],
        reply: &[ReplyShape::Integer("How many were removed.")],
        ..LSET.spec
    },
    run: lrem,
    subcommands: &[],
};

fn lset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let Some(list) = cx.keys.peek_at::<List>(key)? else { return Err(CommandError::NoSuchKey) };
    // Looked at behind the key, as in stock.
    let index = place(args.integer()?, list.len())
        .ok_or_else(|| CommandError::text("ERR index out of range"))?;
    let (element, limits) = (args.bytes()?, limits(cx));
    cx.keys.edit::<List, bool>(key, |list| Ok(list.set(index, element, limits)))?;
    cx.changed(key, Event::ListSet, 1, false);
    cx.reply.ok();
    Ok(())
}

fn lrem(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, wanted, element) = (args.key()?, args.integer()?, args.bytes()?);
    let backwards = wanted < 0;
    let count_max = match wanted.unsigned_abs() {
        0 => usize::MAX,
        wanted => usize::try_from(wanted).unwrap_or(usize::MAX),
    };
    let mut is_there = false;
    if let Some(list) = cx.keys.peek_at::<List>(key)? {
        list.walk(0, |item| {
            is_there = item.is(element);
            !is_there
        });
    }
    if !is_there {
        cx.reply.integer(0);
        return Ok(());
    }
    let limits = limits(cx);
    let edited = cx.keys.edit::<List, usize>(key, |list| {
        Ok(list.remove_equal(element, count_max, backwards, limits))
    })?;
    let edited = edited.ok_or(CommandError::NoSuchKey)?;
    cx.changed(key, Event::ListRemove, edited.value, edited.removed);
    cx.reply.integer(count(edited.value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
    const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn lset_changes_one_element() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a b c", ":3\r\n"),
            ("lset l 1 12", "+OK\r\n"),
            ("lset l -1 z", "+OK\r\n"),
            ("lrange l 0 -1", "*3\r\n$1\r\na\r\n$2\r\n12\r\n$1\r\nz\r\n"),
            ("lset l 3 x", "-ERR index out of range\r\n"),
            ("lset l -4 x", "-ERR index out of range\r\n"),
            ("lset l x x", NOT_INTEGER),
            ("lset nope x x", "-ERR no such key\r\n"),
            ("lset s 0 x", WRONG),
        ] {
            server.check(line, expected);
        }
        server.check_log("lset l 0 a", &["lset l 0 a"]);
        server.check_log("lset l 9 a", &[]);
    }

    #[test]
    fn lrem_removes_from_either_end() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a 1 a 1 a b", ":6\r\n"),
            ("lrem l 1 a", ":1\r\n"),
            ("lrem l -1 1", ":1\r\n"),
            ("lrange l 0 -1", "*4\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("lrem l 0 a", ":2\r\n"),
            ("lrem l 0 01", ":0\r\n"),
            ("lrem l -9223372036854775808 1", ":1\r\n"),
            ("lrem l 5 b", ":1\r\n"),
            ("exists l", ":0\r\n"),
            ("lrem l 0 b", ":0\r\n"),
            ("lrem nope x b", NOT_INTEGER),
            ("lrem s 0 b", WRONG),
        ] {
            server.check(line, expected);
        }
        server.line("rpush l a b");
        server.check_log("lrem l 0 c", &[]);
        server.check_log("lrem l 0 a", &["lrem l 0 a"]);
    }
}
