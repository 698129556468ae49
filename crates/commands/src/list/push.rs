//! LPUSH, RPUSH, LPUSHX and RPUSHX: adding elements at an end.

use super::{limits, pushed};
use crate::count::count;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::List;
use values::list::End;

/// LPUSH.
pub const LPUSH: Command = Command {
    spec: CommandSpec {
        name: "lpush",
        since: "1.0.0",
        group: Group::List,
        summary: "Adds elements at the beginning of a list, each before the one before.",
        complexity: "O(N) in the elements added.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("element").multiple()],
        reply: &[ReplyShape::Integer("The length of the list afterwards.")],
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| push(cx, args, End::Left, true),
    subcommands: &[],
};

/// RPUSH.
pub const RPUSH: Command = Command {
    spec: CommandSpec {
        name: "rpush",
        summary: "Adds elements at the end of a list.",
        ..LPUSH.spec
    },
    run: |cx, args| push(cx, args, End::Right, true),
    subcommands: &[],
};

/// LPUSHX.
pub const LPUSHX: Command = Command {
    spec: CommandSpec {
        name: "lpushx",
        since: "2.2.0",
        summary: "Adds elements at the beginning of a list if there is one.",
        reply: &[ReplyShape::Integer("The length of the list afterwards, 0 without one.")],
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..LPUSH.spec
    },
    run: |cx, args| push(cx, args, End::Left, false),
    subcommands: &[],
};

/// RPUSHX.
pub const RPUSHX: Command = Command {
    spec: CommandSpec {
        name: "rpushx",
        summary: "Adds elements at the end of a list if there is one.",
        ..LPUSHX.spec
    },
    run: |cx, args| push(cx, args, End::Right, false),
    subcommands: &[],
};

fn push(cx: &mut Context<'_>, args: &mut Args<'_>, end: End, creates: bool) -> CommandResult {
    let key = args.key()?;
    if cx.keys.peek_at::<List>(key)?.is_none() && !creates {
        cx.reply.integer(0);
        return Ok(());
    }
    let limits = limits(cx);
    let bytes = args.words().map(<[u8]>::len).sum();
    let edited = cx.keys.edit_or_create::<List, usize>(key, |list| {
        list.grow(bytes, args.left(), limits);
        for element in args.words() {
            list.push(end, element, limits);
        }
        Ok(values::Collection::as_ref(list).len())
    })?;
    cx.changed(key, pushed(end), args.left(), false);
    cx.reply.integer(count(edited.value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn elements_join_at_either_end() {
        let mut server = Server::new();
        for (line, expected) in [
            ("lpush l", "-ERR wrong number of arguments for 'lpush' command\r\n"),
            ("lpushx l a", ":0\r\n"),
            ("rpushx l a", ":0\r\n"),
            ("exists l", ":0\r\n"),
            ("lpush l b a", ":2\r\n"),
            ("rpush l c d", ":4\r\n"),
            ("lpushx l y x", ":6\r\n"),
            ("rpushx l 1 2", ":8\r\n"),
            (
                "lrange l 0 -1",
                "*8\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\n1\r\n$1\r\n2\r\n",
            ),
            ("object encoding l", "$8\r\nlistpack\r\n"),
            ("type l", "+list\r\n"),
            ("set s v", "+OK\r\n"),
            ("rpush s a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            (
                "lpushx s a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ] {
            server.check(line, expected);
        }
        let long = "x".repeat(9_000);
        server.check(&format!("rpush l {long}"), ":9\r\n");
        server.check("object encoding l", "$9\r\nquicklist\r\n");
        server.check("lindex l 8", &format!("$9000\r\n{long}\r\n"));
        server.check("lindex l 7", "$1\r\n2\r\n");
        server.check_log("rpush l a b", &["rpush l a b"]);
        server.check_log("lpushx none a b", &[]);
    }
}
