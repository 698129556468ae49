//! LINSERT key BEFORE | AFTER pivot element.

use super::limits;
use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{List, ListRef};

/// LINSERT.
pub const LINSERT: Command = Command {
    spec: CommandSpec {
        name: "linsert",
        since: "2.2.0",
        group: Group::List,
        summary: "Adds an element before or behind the first that is equal to one.",
        complexity: "O(N) in the elements before it.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[
            Arg::key("key"),
            Arg::one_of("where", &[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")]),
            Arg::bytes("pivot"),
            Arg::bytes("element"),
        ],
        reply: &[ReplyShape::Integer(
            "The length of the list afterwards; 0 without such a key, -1 without such an element.",
        )],
        ..CommandSpec::EMPTY
    },
    run: linsert,
    subcommands: &[],
};

fn linsert(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let is_after = args.take_token("AFTER");
    if !is_after && !args.take_token("BEFORE") {
        return Err(CommandError::Syntax);
    }
    let (pivot, element) = (args.bytes()?, args.bytes()?);
    let Some(list) = cx.keys.peek_at::<List>(key)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let Some(index) = find(list, pivot) else {
        cx.reply.integer(-1);
        return Ok(());
    };
    let (len, limits) = (list.len() + 1, limits(cx));
    cx.keys.edit::<List, ()>(key, |list| {
        list.insert(index + usize::from(is_after), element, limits);
        Ok(())
    })?;
    cx.changed(key, Event::ListInsert, 1, false);
    cx.reply.integer(count(len));
    Ok(())
}

/// The number of the first element that is equal to `wanted`.
fn find(list: ListRef<'_>, wanted: &[u8]) -> Option<usize> {
    let (mut at, mut is_found) = (0, false);
    list.walk(0, |item| {
        is_found = item.is(wanted);
        at += usize::from(!is_found);
        !is_found
    });
    is_found.then_some(at)
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn beside_the_first_that_is_equal() {
        let mut server = Server::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a b a", ":3\r\n"),
            ("linsert l before a 1", ":4\r\n"),
            ("linsert l AFTER a 2", ":5\r\n"),
            ("lrange l 0 -1", "*5\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nb\r\n$1\r\na\r\n"),
            ("linsert l after zz x", ":-1\r\n"),
            ("linsert nope after a x", ":0\r\n"),
            ("linsert nope beside a x", "-ERR syntax error\r\n"),
            ("linsert s before a x", wrong),
        ] {
            server.check(line, expected);
        }
        server.check_log("linsert l after b 9", &["linsert l after b 9"]);
        server.check_log("linsert l after zz 9", &[]);
    }
}
