//! LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]: takes elements of the first list there is.
//!
//! Logged as LPOP or RPOP of that list.

use super::{ENDS, end_of, pop_name, take, write_from};
use crate::numkeys::PopMany;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::List;
use values::list::End;

/// What is done to the keys.
pub(super) const KEY_FLAGS: &[KeyFlag] = &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete];

/// LMPOP.
pub const LMPOP: Command = Command {
    spec: CommandSpec {
        name: "lmpop",
        since: "7.0.0",
        group: Group::List,
        summary: "Takes elements at an end of the first of some lists that there is.",
        complexity: "O(N+M) in the keys and the elements taken.",
        flags: &[Flag::Write, Flag::MovableKeys],
        keys: &[KeySpec::counted(1, KEY_FLAGS)],
        args: &[
            Arg::integer("numkeys"),
            Arg::key("key").multiple(),
            Arg::one_of("where", ENDS),
            Arg::integer("count").token("COUNT").optional(),
        ],
        reply: &[
            ReplyShape::Array("The key and its elements."),
            ReplyShape::Null("There is none of the keys."),
        ],
        ..CommandSpec::EMPTY
    },
    run: lmpop,
    subcommands: &[],
};

fn lmpop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let wanted = PopMany::parse(args, end_of)?;
    if !pop_first(cx, &wanted)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// Takes elements of the first list there is and answers them; without any nothing happens, and the
/// answer is false.
pub(super) fn pop_first(
    cx: &mut Context<'_>,
    wanted: &PopMany<'_, End>,
) -> Result<bool, CommandError> {
    for &key in &wanted.keys {
        let Some(list) = cx.keys.peek_at::<List>(key)? else { continue };
        let taken = wanted.count.min(list.len());
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.array(taken);
        write_from(&mut cx.reply, list, wanted.end, taken);
        take(cx, key, wanted.end, taken)?;
        let mut room = itoa::Buffer::new();
        let taken = room.format(taken).as_bytes();
        cx.effects.log_instead(cx.keys.db, &[pop_name(wanted.end), key, taken]);
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn the_first_list_there_is() {
        let mut server = Server::new();
        let keys = "-ERR numkeys should be greater than 0\r\n";
        let count = "-ERR count should be greater than 0\r\n";
        let syntax = "-ERR syntax error\r\n";
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        server.line("set s v");
        server.line("rpush l a b c d");
        for (line, expected) in [
            ("lmpop 1 l", "-ERR wrong number of arguments for 'lmpop' command\r\n"),
            ("lmpop 0 l left", keys),
            ("lmpop x l left", keys),
            ("lmpop 2 l left", syntax),
            ("lmpop 9223372036854775807 l left", syntax),
            ("lmpop 1 l up", syntax),
            ("lmpop 1 l left count", syntax),
            ("lmpop 1 l left count 0", count),
            ("lmpop 1 l left count x", count),
            ("lmpop 1 l left count 1 count 2", syntax),
            ("lmpop 1 l left foo 1", syntax),
            ("lmpop 1 none left", "*-1\r\n"),
            ("lmpop 2 none s left", wrong),
            ("lmpop 2 none l left", "*2\r\n$1\r\nl\r\n*1\r\n$1\r\na\r\n"),
            ("lmpop 2 l s right count 2", "*2\r\n$1\r\nl\r\n*2\r\n$1\r\nd\r\n$1\r\nc\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("lmpop 1 l right count 9", &["RPOP l 1"]);
        server.check_log("lmpop 1 l right count 9", &[]);
        server.check("exists l", ":0\r\n");
        server.line("rpush l a b c");
        server.check_log("lmpop 1 l left count 2", &["LPOP l 2"]);
    }
}
