//! APPEND key value: adds bytes to the end of a string, creating it if absent.

use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// APPEND.
pub const APPEND: Command = Command {
    spec: CommandSpec {
        name: "append",
        since: "2.0.0",
        group: Group::String,
        summary: "Adds bytes to the end of a string; creates the key if it is absent.",
        complexity: "O(N) in the bytes added, amortized.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("value")],
        reply: &[ReplyShape::Integer("The length of the string afterwards.")],
        ..CommandSpec::EMPTY
    },
    run: append,
    subcommands: &[],
};

fn append(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, tail) = (args.key()?, args.bytes()?);
    let len = cx.keys.write_string(key)?.append(tail)?;
    cx.effects.changed(cx.keys.db, key, Event::Append);
    cx.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn append_grows_and_creates() {
        let mut server = Server::new();
        server.check("append k abc", ":3\r\n");
        server.check("append k de", ":5\r\n");
        server.check("get k", "$5\r\nabcde\r\n");
        server.check("append k", "-ERR wrong number of arguments for 'append' command\r\n");
    }

    /// The limit may be lowered between MULTI and EXEC. Stock looks at it only if there is a string.
    #[test]
    fn what_is_too_long_is_refused_behind_a_string() {
        let mut server = Server::new();
        let long = "x".repeat((1 << 20) + 1);
        server.line("multi");
        server.line(&format!("append k {long}"));
        server.node().settings.proto_max_bulk_len.set(1 << 20);
        let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
        server.check("exec", "*1\r\n:1048577\r\n");
        server.check("append k x", too_long);
        server.check("append l abc", ":3\r\n");
        server.check(&format!("append l {}", &long[3..]), too_long);
        server.check(&format!("append l {}", &long[4..]), ":1048576\r\n");
    }
}
