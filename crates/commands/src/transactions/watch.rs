//! WATCH key ..., UNWATCH: EXEC runs only if no watched key has changed in between.
//!
//! The connection's flag is registered under the lock of each key's shard, so that no change slips
//! by. A key that expires while it is watched counts as changed; one that had expired before does not,
//! and may go.

use engine::error::CommandError;
use engine::keys::Place;
use engine::session::{Watched, name_bytes};
use engine::{Args, Command, CommandResult, Context, transaction};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::sync::atomic::Ordering;

/// WATCH.
pub const WATCH: Command = Command {
    spec: CommandSpec {
        name: "watch",
        since: "2.2.0",
        group: Group::Transactions,
        summary: "Lets EXEC run only if these keys do not change.",
        complexity: "O(1) for each key.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: watch,
    subcommands: &[],
};

/// UNWATCH.
pub const UNWATCH: Command = Command {
    spec: CommandSpec {
        name: "unwatch",
        since: "2.2.0",
        group: Group::Transactions,
        summary: "Ends all watching.",
        complexity: "O(N) in the keys watched.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: unwatch,
    subcommands: &[],
};

fn watch(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if cx.session.queue.is_some() {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    let (db, now) = (cx.session.db, cx.now);
    let watched: &mut Watched = cx.session.watched.get_or_insert_default();
    while let Some(key) = args.next() {
        if watched.keys.iter().any(|(place, known)| *place == db && **known == *key) {
            continue;
        }
        let shard = cx.keys.shard_at(Place::of(key).shard).ok_or(CommandError::Internal)?;
        shard.watch(db, key, &watched.flag, now);
        watched.len_bytes += name_bytes(key.len());
        watched.keys.push((db, key.into()));
    }
    let count = u32::try_from(watched.keys.len()).unwrap_or(u32::MAX);
    cx.session.info.watching.store(count, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

fn unwatch(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    transaction::unwatch(cx.node, cx.session);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    fn exec_after(first: &str, between: &str, expected: &str) {
        let mut server = Server::new();
        server.check("append k a", ":1\r\n");
        server.check(first, "+OK\r\n");
        let mut other = server.other_session();
        std::mem::swap(&mut server.session, &mut other);
        if !between.is_empty() {
            server.line(between);
        }
        std::mem::swap(&mut server.session, &mut other);
        server.check("multi", "+OK\r\n");
        server.check("get k", "+QUEUED\r\n");
        server.check("exec", expected);
    }

    #[test]
    fn a_change_stops_exec() {
        exec_after("watch k other k", "", "*1\r\n$1\r\na\r\n");
        exec_after("watch k", "append other x", "*1\r\n$1\r\na\r\n");
        exec_after("watch k", "append k x", "*-1\r\n");
        exec_after("watch other k", "append other x", "*-1\r\n");
        exec_after("unwatch", "append k x", "*1\r\n$2\r\nax\r\n");
    }

    /// Whether EXEC runs if `k` is watched after `before`, and `between` comes between.
    fn runs_after(before: &[&str], between: &[&str]) -> bool {
        let mut server = Server::new();
        for line in before {
            server.line(line);
        }
        let written = base::clock::unix();
        while base::clock::unix() <= written + base::Millis(1) {
            std::hint::spin_loop();
        }
        server.check("select 0", "+OK\r\n");
        server.check("watch k", "+OK\r\n");
        let mut other = server.other_session();
        std::mem::swap(&mut server.session, &mut other);
        for line in between {
            server.line(line);
        }
        std::mem::swap(&mut server.session, &mut other);
        server.check("multi", "+OK\r\n");
        match server.line("exec").as_str() {
            "*0\r\n" => true,
            "*-1\r\n" => false,
            other => panic!("{other}"),
        }
    }

    /// As stock 7.0.15 does without its active expiry.
    #[test]
    fn a_key_that_had_expired_may_go() {
        let expired = "set k v px 1";
        let (there, both) = (["select 1", expired], [expired, "select 1", expired]);
        for (before, between, runs) in [
            (&[expired][..], &[][..], true),
            (&[expired], &["del k"], true),
            (&[expired], &["get k"], true),
            (&[expired], &["persist k"], true),
            (&[expired], &["randomkey"], true),
            (&[expired], &["set k w"], false),
            (&[expired], &["append k x"], false),
            (&[expired, "set j x"], &["rename j k"], false),
            (&[expired], &["del k", "set k v", "del k"], false),
            (&[expired], &["flushdb"], true),
            (&[expired], &["flushall"], true),
            (&[expired], &["flushdb", "set k v"], false),
            (&[expired], &["swapdb 0 1"], true),
            (&[expired], &["swapdb 0 1", "swapdb 0 1"], true),
            (&there, &["swapdb 0 1"], true),
            (&there, &["swapdb 0 1", "get k"], true),
            (&there, &["swapdb 0 1", "swapdb 0 1"], true),
            (&there, &["swapdb 0 1", "set k v"], false),
            (&both, &["swapdb 0 1"], true),
            (&[expired, "select 1", "set k v"], &["swapdb 0 1"], false),
            (&["set k v", "select 1", expired], &["swapdb 0 1"], false),
        ] {
            assert_eq!(runs_after(before, between), runs, "{before:?} {between:?}");
        }
    }

    #[test]
    fn watching_ends_with_unwatch_exec_and_discard() {
        for end in ["unwatch", "discard", "exec"] {
            let mut server = Server::new();
            server.check("watch k", "+OK\r\n");
            if end != "unwatch" {
                server.check("multi", "+OK\r\n");
                server.check("watch k", "-ERR WATCH inside MULTI is not allowed\r\n");
            }
            server.line(end);
            assert!(server.session.watched.is_none(), "{end}");
            server.check("append k x", ":1\r\n");
            server.check("multi", "+OK\r\n");
            server.check("exec", "*0\r\n");
        }
    }
}
