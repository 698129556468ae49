//! LLEN and LINDEX: questions about one list.

use super::place;
use crate::count::count;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{List, ListRef};

/// LLEN.
pub const LLEN: Command = Command {
    spec: CommandSpec {
        name: "llen",
        since: "1.0.0",
        group: Group::List,
        summary: "Answers the number of elements.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("The number, 0 without such a key.")],
        ..CommandSpec::EMPTY
    },
    run: llen,
    subcommands: &[],
};

/// LINDEX.
pub const LINDEX: Command = Command {
    spec: CommandSpec {
        name: "lindex",
        summary: "Answers an element; negative numbers count from the end.",
        complexity: "O(N) in the nodes of the list between the element and the nearer end.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::integer("index")],
        reply: &[
            ReplyShape::Bulk("The element."),
            ReplyShape::Null("There is no such key or element."),
        ],
        ..LLEN.spec
    },
    run: lindex,
    subcommands: &[],
};

fn llen(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let len = cx.keys.read::<List>(args.key()?)?.map_or(0, ListRef::len);
    cx.reply.integer(count(len));
    Ok(())
}

fn lindex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let Some(list) = cx.keys.read::<List>(key)? else {
        cx.reply.null();
        return Ok(());
    };
    // Looked at behind the key, as in stock.
    let Some(index) = place(args.integer()?, list.len()) else {
        cx.reply.null();
        return Ok(());
    };
    list.walk(index, |item| {
        cx.reply.bulk(item.bytes(&mut itoa::Buffer::new()));
        false
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn lengths_and_elements() {
        let mut server = Server::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a 12 c", ":3\r\n"),
            ("llen l", ":3\r\n"),
            ("llen nope", ":0\r\n"),
            ("llen s", wrong),
            ("lindex l 0", "$1\r\na\r\n"),
            ("lindex l 1", "$2\r\n12\r\n"),
            ("lindex l -1", "$1\r\nc\r\n"),
            ("lindex l 3", "$-1\r\n"),
            ("lindex l -4", "$-1\r\n"),
            ("lindex l -9223372036854775808", "$-1\r\n"),
            ("lindex l x", "-ERR value is not an integer or out of range\r\n"),
            ("lindex nope x", "$-1\r\n"),
            ("lindex s x", wrong),
        ] {
            server.check(line, expected);
        }
    }
}
