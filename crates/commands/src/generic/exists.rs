//! EXISTS and TOUCH: how many of some keys are there. EXISTS leaves their access clocks alone, TOUCH
//! is for nothing else.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// EXISTS.
pub const EXISTS: Command = Command {
    spec: CommandSpec {
        name: "exists",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Counts how many of the keys are there; a key named twice counts twice.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Integer("How many are there.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: exists,
    subcommands: &[],
};

/// TOUCH.
pub const TOUCH: Command = Command {
    spec: CommandSpec {
        name: "touch",
        since: "3.2.1",
        summary: "Sets the time of last access of keys and counts those that are there.",
        history: &[],
        ..EXISTS.spec
    },
    run: touch,
    subcommands: &[],
};

fn exists(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut found = 0;
    while let Some(key) = args.next() {
        found += i64::from(cx.keys.find_untouched(key).is_some());
    }
    cx.reply.integer(found);
    Ok(())
}

fn touch(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut found = 0;
    while let Some(key) = args.next() {
        found += i64::from(cx.keys.find(key).is_some());
    }
    cx.reply.integer(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn counts_repeats_and_not_the_expired() {
        let mut server = Server::new();
        server.check("set k v", "+OK\r\n");
        server.check("exists k k nope", ":2\r\n");
        server.check("touch k k nope", ":2\r\n");
        server.line("set k v pxat 1");
        server.check_log("exists k k", &["DEL k"]);
        server.check("touch k", ":0\r\n");
    }
}
