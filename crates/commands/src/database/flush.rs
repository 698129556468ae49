//! FLUSHDB and FLUSHALL [ASYNC | SYNC]: empty databases at one instant.
//!
//! With the whole keyspace alone the shards' tables are only detached. They are freed on the
//! thread that frees if that was asked for or would take long, and before the reply otherwise. If there
//! are save rules, FLUSHALL saves before it replies, as stock does.

use engine::snapshot::save_now;
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::{Db, Shard};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// More keys than this are always freed behind the reply.
const FREED_INLINE_MAX: u64 = 10_000;

/// FLUSHDB.
pub const FLUSHDB: Command = Command {
    spec: CommandSpec {
        name: "flushdb",
        since: "1.0.0",
        group: Group::Server,
        summary: "Deletes all keys of the database.",
        complexity: "O(shards); the freeing is O(N) in the keys.",
        flags: &[Flag::Write, Flag::WholeKeyspace],
        categories: &[Category::Keyspace, Category::Dangerous],
        args: &[Arg::one_of("async", &[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")])
            .optional()],
        reply: &[ReplyShape::Status("OK")],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        ..CommandSpec::EMPTY
    },
    run: flushdb,
    subcommands: &[],
};

/// FLUSHALL.
pub const FLUSHALL: Command = Command {
    spec: CommandSpec {
        name: "flushall",
        summary: "Deletes all keys of all databases; a save under way is given up.",
        ..FLUSHDB.spec
    },
    run: flushall,
    subcommands: &[],
};

/// Whether freeing may go on behind the reply.
fn is_async(cx: &Context<'_>, args: &mut Args<'_>) -> Result<bool, CommandError> {
    let by_default = args.left() == 0 && cx.node.settings.lazyfree_lazy_user_flush.get();
    let asked = args.take_token("ASYNC");
    if !asked {
        args.take_token("SYNC");
    }
    args.end()?;
    Ok(asked || by_default)
}

fn flushdb(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let behind = is_async(cx, args)?;
    let db = cx.keys.db;
    empty(cx, behind, |shard, freed| freed.extend(shard.clear(db)));
    Ok(())
}

fn flushall(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let behind = is_async(cx, args)?;
    cx.node.saves.abort();
    empty(cx, behind, |shard, freed| {
        let dbs: Vec<u32> = shard.dbs().map(|(db, _)| db).collect();
        freed.extend(dbs.into_iter().filter_map(|db| shard.clear(db)));
    });
    if !cx.node.settings.save.get().is_empty() {
        save(cx);
    }
    Ok(())
}

/// Saves at once that nothing is left: what is on disk would bring the keys back at the next start. A
/// save under way, which was given up, must end first; then it is done as soon as it has. That the disk
/// fails does not undo the flush.
fn save(cx: &mut Context<'_>) {
    let is_running = cx.node.saves.state().running.is_some();
    match cx.alone.filter(|_| !is_running) {
        Some(alone) => {
            if save_now(cx.node, alone).is_ok() {
                // The flush itself, which is counted when the command ends.
                cx.node.saves.state().saved_changes += cx.effects.dirty();
            }
        }
        None => cx.node.saves.state().scheduled = true,
    }
}

fn empty(cx: &mut Context<'_>, behind: bool, mut clear: impl FnMut(&mut Shard, &mut Vec<Db>)) {
    let mut freed = Vec::new();
    cx.keys.release();
    cx.node.keyspace.each_shard(|_, shard| clear(shard, &mut freed));
    freed.retain(|db| !db.is_empty());
    let keys: u64 = freed.iter().map(|db| db.len() as u64).sum();
    cx.effects.changed_database(keys);
    if keys > 0 && (behind || keys > FREED_INLINE_MAX) {
        cx.node.lazyfree.databases(freed);
    }
    cx.reply.ok();
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn flushing_empties_one_or_all() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k v", "+OK\r\n"),
            ("select 3", "+OK\r\n"),
            ("set k w", "+OK\r\n"),
            ("flushdb foo", "-ERR syntax error\r\n"),
            ("flushdb async sync", "-ERR syntax error\r\n"),
            ("flushall foo", "-ERR syntax error\r\n"),
            ("flushall async foo", "-ERR syntax error\r\n"),
            ("flushdb", "+OK\r\n"),
            ("get k", "$-1\r\n"),
            ("flushdb sync", "+OK\r\n"),
            ("flushdb ASYNC", "+OK\r\n"),
            ("select 0", "+OK\r\n"),
            ("get k", "$1\r\nv\r\n"),
            ("flushall", "+OK\r\n"),
            ("get k", "$-1\r\n"),
            ("dbsize", ":0\r\n"),
            ("set k v", "+OK\r\n"),
            ("flushall async", "+OK\r\n"),
            ("dbsize", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn what_takes_long_is_freed_elsewhere() {
        let mut server = Server::new();
        for number in 0..=super::FREED_INLINE_MAX {
            server.line(&format!("set key{number} v"));
        }
        server.check("flushall sync", "+OK\r\n");
        server.check("dbsize", ":0\r\n");
        server.check("set k v", "+OK\r\n");
    }

    #[test]
    fn the_log_and_the_watchers() {
        let mut server = Server::new();
        server.line("set k v");
        let flag = keyspace::WatchFlag::default();
        let shard = keyspace::Keyspace::shard_of(b"k");
        server.node().keyspace.lock(shard).watch(0, b"k", &flag, base::Millis(0));
        server.logged();
        server.line("select 3");
        server.check_log("flushdb", &["SELECT 3", "flushdb"]);
        server.check_log("flushdb foo", &[]);
        assert!(!flag.is_dirty());
        server.check_log("flushall async", &["flushall async"]);
        assert!(flag.is_dirty());
        server.check_log("flushall", &["flushall"]);
    }

    #[test]
    fn flushall_saves_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let path = dir.path().to_string_lossy().into_owned();
        server.node().settings.dir.set(path.as_bytes().into());
        let file = dir.path().join("dump.rdb");
        let changes = |server: &mut Server| {
            let info = server.line("info persistence");
            let line = info.lines().find(|line| line.starts_with("rdb_changes_since_last_save:"));
            line.and_then(|line| line.split(':').nth(1)).map(str::to_owned).expect("a number")
        };
        server.line("set k v");
        server.check("flushall", "+OK\r\n");
        assert!(!file.exists());
        assert_eq!(changes(&mut server), "2");
        server.check("config set save \"900 1\"", "+OK\r\n");
        server.line("set k v");
        server.check("flushdb", "+OK\r\n");
        assert!(!file.exists());
        server.line("set k v");
        server.check("flushall", "+OK\r\n");
        assert!(file.exists());
        assert_eq!(changes(&mut server), "0");
        for line in ["multi", "set k v", "flushall", "set j w"] {
            server.line(line);
        }
        server.check("exec", "*3\r\n+OK\r\n+OK\r\n+OK\r\n");
        assert_eq!(changes(&mut server), "1");
        server.node().settings.dir.set(b"/nonexistent"[..].into());
        server.check("flushall", "+OK\r\n");
        server.check("dbsize", ":0\r\n");
    }
}
