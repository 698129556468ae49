//! KEYS pattern: all keys that match.
//!
//! It has the whole keyspace alone, so what it answers was there at one instant.

use base::glob;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// KEYS.
pub const KEYS: Command = Command {
    spec: CommandSpec {
        name: "keys",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Answers all keys that match a glob pattern.",
        complexity: "O(N) in the keys of the database.",
        flags: &[Flag::ReadOnly, Flag::WholeKeyspace],
        categories: &[Category::Dangerous],
        args: &[Arg::pattern("pattern")],
        reply: &[ReplyShape::Array("The keys, in no order.")],
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..CommandSpec::EMPTY
    },
    run: keys,
    subcommands: &[],
};

fn keys(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let pattern = args.bytes()?;
    let (db, now, reply) = (cx.keys.db, cx.now, &mut cx.reply);
    let place = reply.deferred();
    let mut found = 0;
    cx.keys.release();
    cx.node.keyspace.each_shard(|_, shard| {
        for entry in shard.db(db).into_iter().flat_map(keyspace::Db::iter) {
            let live = entry.expire_at().is_none_or(|at| at > now);
            if live && (pattern == b"*" || glob::matches(pattern, entry.key(), false)) {
                reply.bulk(entry.key());
                found += 1;
            }
        }
    });
    reply.finish_array(place, found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn keys_match_a_pattern() {
        let mut server = Server::new();
        server.check("keys *", "*0\r\n");
        server.check("mset one 1 two 2 '' 3", "+OK\r\n");
        server.check("set gone v pxat 1", "+OK\r\n");
        server.check("keys o*", "*1\r\n$3\r\none\r\n");
        server.check("keys t[wx]?", "*1\r\n$3\r\ntwo\r\n");
        server.check("keys g*", "*0\r\n");
        assert!(server.line("keys *").starts_with("*3\r\n"));
        server.check("select 1", "+OK\r\n");
        server.check("keys *", "*0\r\n");
    }
}
