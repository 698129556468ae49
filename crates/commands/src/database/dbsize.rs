//! DBSIZE: how many keys the database has.
//!
//! Shards are counted one lock at a time; nothing is declared, for nothing is held (see SCAN). Keys
//! that have expired and were not yet taken out count, as in stock.

use crate::count::count;
use engine::{Args, Command, CommandResult, Context};
use spec::{Category, CommandSpec, Flag, Group, ReplyShape};

/// DBSIZE.
pub const DBSIZE: Command = Command {
    spec: CommandSpec {
        name: "dbsize",
        since: "1.0.0",
        group: Group::Server,
        summary: "Answers how many keys the database has.",
        complexity: "O(1): the shards are counted, not the keys.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        categories: &[Category::Keyspace],
        reply: &[ReplyShape::Integer("The number of keys.")],
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..CommandSpec::EMPTY
    },
    run: dbsize,
    subcommands: &[],
};

fn dbsize(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.keys.release();
    let (keys, _volatile) = cx.node.keyspace.count(cx.keys.db);
    cx.reply.integer(count(keys));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn keys_of_the_database_are_counted() {
        let mut server = Server::new();
        for (line, expected) in [
            ("dbsize", ":0\r\n"),
            ("mset a 1 b 2 c 3", "+OK\r\n"),
            ("del a", ":1\r\n"),
            ("dbsize", ":2\r\n"),
            ("select 1", "+OK\r\n"),
            ("dbsize", ":0\r\n"),
            ("dbsize x", "-ERR wrong number of arguments for 'dbsize' command\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
