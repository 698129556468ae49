//! MEMORY: what keys take, and what the allocator can say and do.

use crate::help;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::ValueRef;

/// Bytes of a slot of the table, the share of a key in its bucket.
const SLOT_BYTES: usize = size_of::<usize>();

/// MEMORY.
pub const MEMORY: Command = Command {
    spec: CommandSpec {
        name: "memory",
        since: "4.0.0",
        group: Group::Server,
        summary: "Commands about memory.",
        complexity: "Depends on the subcommand.",
        ..CommandSpec::EMPTY
    },
    run: help::no_subcommand,
    subcommands: &[&HELP, &USAGE],
};

const HELP: Command = help::help(CommandSpec { since: "4.0.0", group: Group::Server, ..help::ROW });

const USAGE: Command = Command {
    spec: CommandSpec {
        name: "usage",
        since: "4.0.0",
        group: Group::Server,
        summary: "Answers how many bytes a key and its value take.",
        complexity: "O(1).",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key"), Arg::integer("count").token("SAMPLES").optional()],
        reply: &[ReplyShape::Integer("Bytes."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: usage,
    subcommands: &[],
};

fn usage(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    while args.left() > 0 {
        // Sizes are known without sampling: the count is read and checked only.
        if !args.take_token("SAMPLES") || args.left() == 0 || args.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    let bytes = cx.keys.find_untouched(key).map(|entry| {
        let boxed = match entry.value() {
            ValueRef::Boxed(object) => object.memory_bytes(),
            _ => 0,
        };
        SLOT_BYTES + entry.allocated_bytes() + boxed
    });
    match bytes {
        Some(bytes) => cx.reply.integer(i64::try_from(bytes).unwrap_or(i64::MAX)),
        None => cx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn usage_counts_key_and_value() {
        let mut server = Server::new();
        server.check("set k v", "+OK\r\n");
        server.check("memory usage k", ":40\r\n");
        server.check("memory usage k samples 0", ":40\r\n");
        server.check("memory usage k samples", "-ERR syntax error\r\n");
        server.check("memory usage k samples -1", "-ERR syntax error\r\n");
        server.check("memory usage k foo", "-ERR syntax error\r\n");
        server.check("memory usage nope", "$-1\r\n");
        server.line(&format!("set k {}", "x".repeat(100_000)));
        let reply = server.line("memory usage k");
        let bytes: usize = reply.trim_matches([':', '\r', '\n']).parse().unwrap();
        assert!((100_000..130_000).contains(&bytes), "{reply}");
    }
}
