//! LRANGE and LTRIM: a part of a list, answered or kept.

use super::{limits, span};
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{List, ListRef};

/// LRANGE.
pub const LRANGE: Command = Command {
    spec: CommandSpec {
        name: "lrange",
        since: "1.0.0",
        group: Group::List,
        summary: "Answers a part of a list.",
        complexity: "O(S+N): S nodes between the part and the nearer end, N elements in it.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop")],
        reply: &[ReplyShape::Array("The elements.")],
        ..CommandSpec::EMPTY
    },
    run: lrange,
    subcommands: &[],
};

/// LTRIM.
pub const LTRIM: Command = Command {
    spec: CommandSpec {
        name: "ltrim",
        summary: "Removes all elements but a part; without any left, the key.",
        complexity: "O(N) in the elements removed.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        reply: &[ReplyShape::Status("OK")],
        ..LRANGE.spec
    },
    run: ltrim,
    subcommands: &[],
};

fn lrange(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, start, stop) = (args.key()?, args.integer()?, args.integer()?);
    let list = cx.keys.read::<List>(key)?;
    let range = span(start, stop, list.map_or(0, ListRef::len));
    cx.reply.array(range.len());
    if let Some(list) = list.filter(|_| !range.is_empty()) {
        let (mut room, mut left) = (itoa::Buffer::new(), range.len());
        list.walk(range.start, |item| {
            cx.reply.bulk(item.bytes(&mut room));
            left -= 1;
            left > 0
        });
    }
    Ok(())
}

fn ltrim(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, start, stop) = (args.key()?, args.integer()?, args.integer()?);
    let Some(len) = cx.keys.peek_at::<List>(key)?.map(ListRef::len) else {
        cx.reply.ok();
        return Ok(());
    };
    let kept = span(start, stop, len);
    if kept.len() == len {
        cx.effects.notify(cx.keys.db, key, Event::ListTrim);
    } else {
        let limits = limits(cx);
        let edited = cx.keys.edit::<List, ()>(key, |list| {
            if kept.is_empty() {
                list.remove(0..len, limits);
            } else {
                list.remove(kept.end..len, limits);
                list.remove(0..kept.start, limits);
            }
            Ok(())
        })?;
        cx.changed(key, Event::ListTrim, 1, edited.is_some_and(|edited| edited.removed));
    }
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const ABCDE: &str = "*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n";
    const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

    #[test]
    fn parts_of_a_list() {
        let mut server = Server::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a b c d e", ":5\r\n"),
            ("lrange l 0 -1", ABCDE),
            ("lrange l -100 100", ABCDE),
            ("lrange l -9223372036854775808 9223372036854775807", ABCDE),
            ("lrange l 1 2", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
            ("lrange l -2 -1", "*2\r\n$1\r\nd\r\n$1\r\ne\r\n"),
            ("lrange l 3 1", "*0\r\n"),
            ("lrange l 5 9", "*0\r\n"),
            ("lrange l 0 -9", "*0\r\n"),
            ("lrange nope 0 -1", "*0\r\n"),
            ("lrange nope x 1", NOT_INTEGER),
            ("lrange s 0 x", NOT_INTEGER),
            ("lrange s 0 1", wrong),
            ("ltrim s 0 1", wrong),
            ("ltrim l 0 x", NOT_INTEGER),
            ("ltrim nope 0 1", "+OK\r\n"),
            ("ltrim l -100 100", "+OK\r\n"),
            ("lrange l 0 -1", ABCDE),
            ("ltrim l 1 -2", "+OK\r\n"),
            ("lrange l 0 -1", "*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
            ("ltrim l 5 9", "+OK\r\n"),
            ("exists l", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
        server.line("rpush l a b c");
        server.check_log("ltrim l 0 -1", &[]);
        server.check_log("ltrim l 1 -1", &["ltrim l 1 -1"]);
    }
}
