//! SWAPDB index1 index2: exchanges two databases for everybody at one instant.

use super::select::existing;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// SWAPDB.
pub const SWAPDB: Command = Command {
    spec: CommandSpec {
        name: "swapdb",
        since: "4.0.0",
        group: Group::Server,
        summary: "Exchanges two databases.",
        complexity: "O(shards), and O(N) in the watched keys of both databases.",
        flags: &[Flag::Write, Flag::Fast, Flag::WholeKeyspace],
        categories: &[Category::Keyspace, Category::Dangerous],
        args: &[Arg::integer("index1"), Arg::integer("index2")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: swapdb,
    subcommands: &[],
};

fn number(word: &[u8], which: &str) -> Result<i64, CommandError> {
    values::string::parse_i64(word)
        .filter(|&number| i32::try_from(number).is_ok())
        .ok_or_else(|| CommandError::Text(format!("ERR invalid {which} DB index")))
}

fn swapdb(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (one, other) = (number(args.bytes()?, "first")?, number(args.bytes()?, "second")?);
    let (one, other) = (existing(cx, one)?, existing(cx, other)?);
    cx.keys.release();
    if one != other {
        cx.node.keyspace.each_shard(|_, shard| shard.swap(one, other, cx.now));
    }
    cx.effects.changed_database(1);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn swapdb_exchanges() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k zero ex 100", "+OK\r\n"),
            ("swapdb 0 99", "-ERR DB index is out of range\r\n"),
            ("swapdb -1 0", "-ERR DB index is out of range\r\n"),
            ("swapdb abc 1", "-ERR invalid first DB index\r\n"),
            ("swapdb 0 abc", "-ERR invalid second DB index\r\n"),
            ("swapdb 9999999999999999 0", "-ERR invalid first DB index\r\n"),
            ("swapdb 0 9999999999999999", "-ERR invalid second DB index\r\n"),
            ("swapdb 0 9", "+OK\r\n"),
            ("get k", "$-1\r\n"),
            ("select 9", "+OK\r\n"),
            ("get k", "$4\r\nzero\r\n"),
            ("ttl k", ":100\r\n"),
            ("swapdb 9 9", "+OK\r\n"),
            ("get k", "$4\r\nzero\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("swapdb 1 2", &["swapdb 1 2"]);
        server.check_log("swapdb 1 1", &["swapdb 1 1"]);
        server.check_log("swapdb 1 99", &[]);
    }

    #[test]
    fn watchers_of_both_databases_are_told() {
        let mut server = Server::new();
        server.line("set k zero");
        let flags = [keyspace::WatchFlag::default(), keyspace::WatchFlag::default()];
        let shard = keyspace::Keyspace::shard_of(b"k");
        for (db, flag) in (0..).zip(&flags) {
            server.node().keyspace.lock(shard).watch(db, b"k", flag, base::Millis(0));
        }
        server.line("swapdb 2 3");
        assert!(!flags[0].is_dirty() && !flags[1].is_dirty());
        server.line("swapdb 0 1");
        assert!(flags[0].is_dirty() && flags[1].is_dirty());
    }
}
