//! LPOP and RPOP key [count]: takes elements at an end.

use super::{take, write_from};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::List;
use values::list::End;

/// LPOP.
pub const LPOP: Command = Command {
    spec: CommandSpec {
        name: "lpop",
        since: "1.0.0",
        group: Group::List,
        summary: "Takes the first elements of a list; the key goes with the last one.",
        complexity: "O(N) in the elements taken.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::integer("count").optional()],
        reply: &[
            ReplyShape::Bulk("The element."),
            ReplyShape::Array("The elements, with a count."),
            ReplyShape::Null("There is no such key."),
        ],
        history: &[("6.2.0", "Added the `count` argument.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| pop(cx, args, End::Left),
    subcommands: &[],
};

/// RPOP.
pub const RPOP: Command = Command {
    spec: CommandSpec {
        name: "rpop",
        summary: "Takes the last elements of a list; the key goes with the last one.",
        ..LPOP.spec
    },
    run: |cx, args| pop(cx, args, End::Right),
    subcommands: &[],
};

fn pop(cx: &mut Context<'_>, args: &mut Args<'_>, end: End) -> CommandResult {
    let (key, wanted) = (args.key()?, args.next());
    if args.left() > 0 {
        return Err(CommandError::Arity(cx.command.full_name.clone()));
    }
    let wanted = match wanted.map(values::string::parse_i64) {
        None => None,
        Some(number) => {
            let number = number.and_then(|number| usize::try_from(number).ok());
            Some(number.ok_or(CommandError::NotPositive)?)
        }
    };
    let Some(list) = cx.keys.peek_at::<List>(key)? else {
        match wanted {
            Some(_) => cx.reply.null_array(),
            None => cx.reply.null(),
        }
        return Ok(());
    };
    let taken = wanted.unwrap_or(1).min(list.len());
    if wanted.is_some() {
        cx.reply.array(taken);
    }
    write_from(&mut cx.reply, list, end, taken);
    if taken > 0 {
        take(cx, key, end, taken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn elements_go_at_either_end() {
        let mut server = Server::new();
        let positive = "-ERR value is out of range, must be positive\r\n";
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (line, expected) in [
            ("set s v", "+OK\r\n"),
            ("rpush l a b c d e", ":5\r\n"),
            ("lpop l", "$1\r\na\r\n"),
            ("rpop l", "$1\r\ne\r\n"),
            ("lpop l 0", "*0\r\n"),
            ("lpop l x", positive),
            ("lpop l -1", positive),
            ("lpop s x", positive),
            ("lpop s", wrong),
            ("rpop s 1", wrong),
            ("lpop l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
            ("rpop l 2", "*2\r\n$1\r\nd\r\n$1\r\nc\r\n"),
            ("lpop l 9", "*1\r\n$1\r\nb\r\n"),
            ("exists l", ":0\r\n"),
            ("lpop l", "$-1\r\n"),
            ("lpop l 1", "*-1\r\n"),
            ("lpop l 0", "*-1\r\n"),
        ] {
            server.check(line, expected);
        }
        server.line("rpush l a b c");
        server.check_log("lpop l 0", &[]);
        server.check_log("lpop l 2", &["lpop l 2"]);
        server.check_log("rpop l", &["rpop l"]);
        server.check_log("rpop l", &[]);
        server.session.protocol = resp::reply::Protocol::Resp3;
        server.check("lpop l", "_\r\n");
        server.check("lpop l 1", "_\r\n");
    }
}
