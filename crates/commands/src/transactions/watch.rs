//! WATCH key ..., UNWATCH: EXEC runs only if no watched key has changed in between.
//!
//! The connection's flag is registered under the lock of each key's shard, so that no change slips
//! by. A key that expires while it is watched counts as changed; one that had expired before does not.

use engine::error::CommandError;
use engine::keys::Place;
use engine::session::{Watched, name_bytes};
use engine::{Args, Command, CommandResult, Context, transaction};
use keyspace::Entry;
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
        if watched.keys.iter().any(|(place, known, _)| *place == db && **known == *key) {
            continue;
        }
        // Looking takes an expired key out at a primary: that it goes later is then no change.
        let _expired_is_gone = cx.keys.peek(key).is_none();
        let Place { hash, shard } = Place::of(key);
        let shard = cx.keys.shard_at(shard).ok_or(CommandError::Internal)?;
        let expire_at = shard.find(db, hash, key).and_then(Entry::expire_at);
        shard.watch(db, key, &watched.flag);
        watched.len_bytes += name_bytes(key.len());
        watched.keys.push((db, key.into(), expire_at.is_some_and(|at| at <= now)));
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

    #[test]
    fn a_key_that_had_expired_may_go() {
        for between in ["del k", "flushdb", "swapdb 0 9", ""] {
            let mut server = Server::new();
            server.check("set k a px 1", "+OK\r\n");
            let written = base::clock::unix();
            while base::clock::unix() <= written + base::Millis(1) {
                std::hint::spin_loop();
            }
            server.check("watch k", "+OK\r\n");
            if !between.is_empty() {
                server.line(between);
            }
            server.check("multi", "+OK\r\n");
            server.check("exec", "*0\r\n");
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
