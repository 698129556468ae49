//! MGET, MSET and MSETNX: several keys at once, all their shards locked together.

use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// MGET.
pub const MGET: Command = Command {
    spec: CommandSpec {
        name: "mget",
        since: "1.0.0",
        group: Group::String,
        summary: "Answers the strings at several keys; null where there is none.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Array("Strings and nulls, in the order of the keys.")],
        tips: &["request_policy:multi_shard"],
        ..CommandSpec::EMPTY
    },
    run: mget,
    subcommands: &[],
};

/// MSET.
pub const MSET: Command = Command {
    spec: CommandSpec {
        name: "mset",
        since: "1.0.1",
        group: Group::String,
        summary: "Sets the strings at several keys.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::range(1, -1, 2, &[KeyFlag::Overwrite, KeyFlag::Update])],
        args: PAIRS,
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..CommandSpec::EMPTY
    },
    run: mset,
    subcommands: &[],
};

/// MSETNX.
pub const MSETNX: Command = Command {
    spec: CommandSpec {
        name: "msetnx",
        since: "1.0.1",
        group: Group::String,
        summary: "Sets the strings at several keys if none of the keys is there.",
        complexity: "O(N) in the keys.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::range(1, -1, 2, &[KeyFlag::Overwrite, KeyFlag::Insert])],
        args: PAIRS,
        reply: &[ReplyShape::Integer("1 if all were set, 0 if none was.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_min"],
        ..CommandSpec::EMPTY
    },
    run: msetnx,
    subcommands: &[],
};

const PAIRS: &[Arg] =
    &[Arg::block("key_value", &[Arg::key("key"), Arg::bytes("value")]).multiple()];

fn mget(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.reply.array(args.left());
    while let Some(key) = args.next() {
        match cx.keys.string(key) {
            Ok(Some(text)) => cx.reply.bulk(text.bytes(&mut itoa::Buffer::new())),
            Ok(None) | Err(_) => cx.reply.null(),
        }
    }
    Ok(())
}

fn set_all(cx: &mut Context<'_>, args: &mut Args<'_>) {
    while let (Some(key), Some(value)) = (args.next(), args.next()) {
        cx.keys.put_string(key, value, None);
        cx.effects.changed(cx.keys.db, key, Event::Set);
    }
}

fn check_pairs(cx: &Context<'_>, args: &Args<'_>) -> CommandResult {
    if args.left().is_multiple_of(2) {
        Ok(())
    } else {
        Err(CommandError::Arity(cx.command.full_name.clone()))
    }
}

fn mset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    check_pairs(cx, args)?;
    set_all(cx, args);
    cx.reply.ok();
    Ok(())
}

fn msetnx(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    check_pairs(cx, args)?;
    let mut pairs = *args;
    while let (Some(key), Some(_)) = (pairs.next(), pairs.next()) {
        if cx.keys.peek(key).is_some() {
            cx.reply.integer(0);
            return Ok(());
        }
    }
    set_all(cx, args);
    cx.reply.integer(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn replies_and_errors() {
        let mut server = Server::new();
        for (line, expected) in [
            ("mset a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("mset", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("mset a", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("mset a 1 a 2 b x", "+OK\r\n"),
            ("mget a nope b", "*3\r\n$1\r\n2\r\n$-1\r\n$1\r\nx\r\n"),
            ("msetnx a 1 c 3", ":0\r\n"),
            ("get c", "$-1\r\n"),
            ("msetnx a 1 c", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
            ("msetnx c 3 c 4", ":1\r\n"),
            ("get c", "$1\r\n4\r\n"),
            ("expire c 100", ":1\r\n"),
            ("mset c 5", "+OK\r\n"),
            ("ttl c", ":-1\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn msetnx_logs_only_what_it_did() {
        let mut server = Server::new();
        server.check_log("msetnx a 1 b 2", &["msetnx a 1 b 2"]);
        server.check_log("msetnx b 1 c 2", &[]);
        server.check_log("mset a 1 b", &[]);
        server.line("set gone v pxat 1");
        server.check_log("msetnx gone 1 c 2", &["MULTI", "DEL gone", "msetnx gone 1 c 2", "EXEC"]);
        server.check_log("mset a 1 b 2", &["mset a 1 b 2"]);
        server.check_log("mget a b", &[]);
    }
}
