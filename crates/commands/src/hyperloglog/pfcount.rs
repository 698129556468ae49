//! PFCOUNT key [key ...]: how many different elements were added.
//!
//! Counted for one key, the number is remembered in the value's header, which is a change of its bytes
//! and logged as such: this command only reads by what it means. At a replica nothing is remembered
//! but what the primary's stream says, so that both keep the same bytes.

use super::{ANYWHERE, checked, refused};
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::hyperloglog::{Union, estimate, remember, remembered};

/// PFCOUNT.
pub const PFCOUNT: Command = Command {
    spec: CommandSpec {
        name: "pfcount",
        since: "2.8.9",
        group: Group::HyperLogLog,
        summary: "Estimates how many different elements HyperLogLogs have seen together.",
        complexity: "O(1) for one key; O(N) in the keys, with a large constant, for several.",
        flags: &[Flag::ReadOnly, Flag::MayReplicate],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::ReadWrite, KeyFlag::Access])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Integer("The estimate.")],
        ..CommandSpec::EMPTY
    },
    run: pfcount,
    subcommands: &[],
};

fn pfcount(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let cardinality = if args.left() > 0 {
        let mut union = Union::default();
        let mut next = Some(key);
        while let Some(key) = next {
            if let Some(text) = cx.keys.string(key)? {
                union.add(checked(&text)?).map_err(refused)?;
            }
            next = args.next();
        }
        union.estimate()
    } else {
        count_one(cx, key)?
    };
    cx.reply.integer(i64::try_from(cardinality).unwrap_or(i64::MAX));
    Ok(())
}

fn count_one(cx: &mut Context<'_>, key: &[u8]) -> Result<u64, engine::CommandError> {
    let Some(text) = cx.keys.peek_string(key)? else { return Ok(0) };
    let bytes = checked(&text)?;
    if let Some(cardinality) = remembered(bytes) {
        return Ok(cardinality);
    }
    let cardinality = estimate(bytes).map_err(refused)?;
    if cx.node.originates() || cx.session.info.primary {
        remember(cx.keys.write_string(key)?.at_least(0, ANYWHERE)?, cardinality);
        cx.effects.changed_silently();
    }
    Ok(cardinality)
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn counts_one_and_several() {
        let mut server = Server::new();
        for (line, expected) in [
            ("pfcount nope", ":0\r\n"),
            ("pfcount nope nope2", ":0\r\n"),
            ("pfadd a 1 2 3 4 5", ":1\r\n"),
            ("pfadd b 4 5 6", ":1\r\n"),
            ("pfcount a", ":5\r\n"),
            ("pfcount a", ":5\r\n"),
            ("pfcount b a nope", ":6\r\n"),
            ("pfdebug todense b", ":1\r\n"),
            ("pfcount a b", ":6\r\n"),
            ("set s x", "+OK\r\n"),
            ("pfcount s", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("pfcount a s", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("append a hello", ":38\r\n"),
            ("pfadd a", ":0\r\n"),
            ("setbit a 120 1", ":0\r\n"),
            ("pfcount a", "-INVALIDOBJ Corrupted HLL object detected\r\n"),
            ("pfcount a b", "-INVALIDOBJ Corrupted HLL object detected\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn what_it_remembers_is_logged() {
        let mut server = Server::new();
        server.line("pfadd k a b c");
        server.check("getrange k 15 15", "$1\r\n\u{fffd}\r\n");
        server.check_log("pfcount k", &["pfcount k"]);
        server.check("getrange k 8 15", "$8\r\n\x03\0\0\0\0\0\0\0\r\n");
        server.check_log("pfcount k", &[]);
        server.check_log("pfcount k k", &[]);
        server.line("pfadd k d");
        server.follow("127.0.0.1", 1);
        server.check("pfcount k", ":4\r\n");
        server.check("getrange k 15 15", "$1\r\n\u{fffd}\r\n");
        let mut link = server.session_of_primary();
        server.apply(&mut link, "pfcount k");
        server.check("getrange k 8 15", "$8\r\n\x04\0\0\0\0\0\0\0\r\n");
    }
}
