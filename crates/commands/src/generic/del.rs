//! DEL and UNLINK: delete keys. Values with many elements are freed behind the reply by UNLINK, and by
//! DEL if `lazyfree-lazy-user-del` says so.

use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// DEL.
pub const DEL: Command = Command {
    spec: CommandSpec {
        name: "del",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Deletes keys.",
        complexity: "O(N) in the keys, and in the elements of those that hold collections.",
        flags: &[Flag::Write],
        keys: &[KeySpec::range(1, -1, 1, &[KeyFlag::Remove, KeyFlag::Delete])],
        args: &[Arg::key("key").multiple()],
        reply: &[ReplyShape::Integer("How many of the keys were there.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| {
        let behind = cx.node.settings.lazyfree_lazy_user_del.get();
        delete(cx, args, behind)
    },
    subcommands: &[],
};

/// UNLINK.
pub const UNLINK: Command = Command {
    spec: CommandSpec {
        name: "unlink",
        since: "4.0.0",
        summary: "Deletes keys, freeing what is large elsewhere.",
        complexity: "O(1) for each key; the freeing is O(N) in the elements, on another thread.",
        flags: &[Flag::Write, Flag::Fast],
        ..DEL.spec
    },
    run: |cx, args| delete(cx, args, true),
    subcommands: &[],
};

fn delete(cx: &mut Context<'_>, args: &mut Args<'_>, behind: bool) -> CommandResult {
    let mut deleted = 0;
    while let Some(key) = args.next() {
        if let Some(entry) = cx.keys.remove(key) {
            cx.node.lazyfree.entry(entry, behind);
            cx.effects.changed(cx.keys.db, key, Event::Delete);
            deleted += 1;
        }
    }
    cx.reply.integer(deleted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use base::Millis;
    use keyspace::Keyspace;

    #[test]
    fn del_counts_what_was_there() {
        let mut server = Server::new();
        server.check("mset a 1 b 2 c 3", "+OK\r\n");
        server.check("del a nope b a", ":2\r\n");
        server.check("exists a b c", ":1\r\n");
        server.check("unlink c c", ":1\r\n");
        server.check("unlink c", ":0\r\n");
        server.check("del", "-ERR wrong number of arguments for 'del' command\r\n");
    }

    /// Only the thread that frees behind counts what it has freed.
    #[test]
    fn large_values_are_freed_behind_whatever_deletes_them() {
        let mut server = Server::new();
        let settings = &server.node().settings;
        let (expire, overwrite) =
            (&settings.lazyfree_lazy_expire, &settings.lazyfree_lazy_server_del);
        let payload = b"\x00\x01v\x0a\x00\x91\x08\xce\xb2\x19\x38\x8a\xce";
        let restore: &[&[u8]] = &[b"restore", b"big", b"1", payload, b"replace", b"absttl"];
        let members: Vec<_> = (0..1_000).map(|number| format!(" member-{number}")).collect();
        let add = format!("sadd big{}", members.concat());
        for (setting, words) in [
            (expire, &[&b"expire"[..], b"big", b"-1"][..]),
            (expire, &[]),
            (overwrite, restore),
            (overwrite, &[b"sinterstore", b"big", b"nope"]),
            (overwrite, &[b"bitop", b"or", b"big", b"nope"]),
        ] {
            for lazy in [false, true] {
                setting.set(lazy);
                server.line(&add);
                let before = server.node().lazyfree.freed();
                if words.is_empty() {
                    let (shard, hash) = (Keyspace::shard_of(b"big"), Keyspace::hash(b"big"));
                    let mut shard = server.node().keyspace.lock(shard);
                    assert!(shard.set_expire_at(0, hash, b"big", Some(Millis(1))));
                    drop(shard);
                    server.expire();
                } else {
                    server.run(words);
                }
                server.check("exists big", ":0\r\n");
                while server.node().lazyfree.pending() > 0 {
                    std::thread::yield_now();
                }
                let freed = server.node().lazyfree.freed() - before;
                assert_eq!(freed, u64::from(lazy), "{words:?}");
            }
        }
    }

    #[test]
    fn only_what_was_deleted_is_logged() {
        let mut server = Server::new();
        server.line("mset a 1 b 2");
        server.check_log("del nope", &[]);
        server.check_log("del a nope", &["del a nope"]);
        server.check_log("unlink b", &["unlink b"]);
        server.line("set gone v pxat 1");
        server.logged();
        server.check("del gone", ":0\r\n");
        assert_eq!(server.logged(), ["DEL gone"]);
    }
}
