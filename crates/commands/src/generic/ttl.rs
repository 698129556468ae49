//! TTL, PTTL, EXPIRETIME and PEXPIRETIME: how long a key lives, or until when.

use base::Millis;
use engine::{Args, Command, CommandResult, Context};
use keyspace::Entry;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// The answer for a key that is not there.
const ABSENT: i64 = -2;
/// The answer for a key that does not expire.
const FOREVER: i64 = -1;

/// TTL.
pub const TTL: Command = Command {
    spec: CommandSpec {
        name: "ttl",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Answers how many seconds a key will live.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("The time; -1 if it does not expire, -2 if it is not there.")],
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "Added the -2 reply.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| answer(cx, args, |at, now| seconds(at.since(now))),
    subcommands: &[],
};

/// PTTL.
pub const PTTL: Command = Command {
    spec: CommandSpec {
        name: "pttl",
        since: "2.6.0",
        summary: "Answers how many milliseconds a key will live.",
        ..TTL.spec
    },
    run: |cx, args| answer(cx, args, Millis::since),
    subcommands: &[],
};

/// EXPIRETIME.
pub const EXPIRETIME: Command = Command {
    spec: CommandSpec {
        name: "expiretime",
        since: "7.0.0",
        summary: "Answers the Unix time, in seconds, at which a key expires.",
        tips: &[],
        history: &[],
        ..TTL.spec
    },
    run: |cx, args| answer(cx, args, |at, _| seconds(at)),
    subcommands: &[],
};

/// PEXPIRETIME.
pub const PEXPIRETIME: Command = Command {
    spec: CommandSpec {
        name: "pexpiretime",
        summary: "Answers the Unix time, in milliseconds, at which a key expires.",
        ..EXPIRETIME.spec
    },
    run: |cx, args| answer(cx, args, |at, _| at),
    subcommands: &[],
};

/// Seconds, rounded to the nearest as stock does.
fn seconds(time: Millis) -> Millis {
    Millis(time.0.saturating_add(500) / 1000)
}

fn answer(
    cx: &mut Context<'_>,
    args: &mut Args<'_>,
    shown: impl Fn(Millis, Millis) -> Millis,
) -> CommandResult {
    let now = cx.now;
    let time = match cx.keys.find_untouched(args.key()?).map(Entry::expire_at) {
        None => ABSENT,
        Some(None) => FOREVER,
        Some(Some(at)) => i64::try_from(shown(at, now).0).unwrap_or(i64::MAX),
    };
    cx.reply.integer(time);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn absent_forever_and_until() {
        let mut server = Server::new();
        for command in ["ttl", "pttl", "expiretime", "pexpiretime"] {
            server.check(&format!("{command} nope"), ":-2\r\n");
            server.check("set k v", "+OK\r\n");
            server.check(&format!("{command} k"), ":-1\r\n");
            server.check("set k v pxat 1", "+OK\r\n");
            server.check(&format!("{command} k"), ":-2\r\n");
        }
        server.check("set k v pxat 99999999999600", "+OK\r\n");
        server.check("expiretime k", ":100000000000\r\n");
        server.check("pexpiretime k", ":99999999999600\r\n");
        server.check("expire k 100", ":1\r\n");
        server.check("ttl k", ":100\r\n");
        let left: i64 = server.line("pttl k")[1..].trim_end().parse().unwrap();
        assert!((90_000..=100_000).contains(&left), "{left}");
    }
}
