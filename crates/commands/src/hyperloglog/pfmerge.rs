//! PFMERGE destkey [sourcekey ...]: makes the destination know all that it and the sources have seen.

use super::{checked, refused, store};
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::hyperloglog::{Encoding, Union, add, become_dense, empty, encoding, set_stale};

/// PFMERGE.
pub const PFMERGE: Command = Command {
    spec: CommandSpec {
        name: "pfmerge",
        since: "2.8.9",
        group: Group::HyperLogLog,
        summary: "Merges HyperLogLogs into one, which is created if it is absent.",
        complexity: "O(N) in the HyperLogLogs, with a large constant.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Insert]),
            KeySpec::range(2, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        args: &[Arg::key("destkey"), Arg::key("sourcekey").optional().multiple()],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: pfmerge,
    subcommands: &[],
};

fn pfmerge(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let destination = args.key()?;
    let sparse_bytes_max = cx.node.settings.hll_sparse_max_bytes.get();
    let sparse_bytes_max = usize::try_from(sparse_bytes_max).unwrap_or(usize::MAX);
    let (mut union, mut any_dense, mut next) = (Union::default(), false, Some(destination));
    while let Some(key) = next {
        if let Some(text) = cx.keys.string(key)? {
            let bytes = checked(&text)?;
            any_dense |= encoding(bytes).map_err(refused)? == Encoding::Dense;
            union.add(bytes).map_err(refused)?;
        }
        next = args.next();
    }
    let mut merged = cx.keys.peek_string(destination)?.map_or_else(empty, |text| text.to_vec());
    if any_dense {
        become_dense(&mut merged).map_err(refused)?;
    }
    for seen in union.sightings() {
        add(&mut merged, seen, sparse_bytes_max).map_err(refused)?;
    }
    set_stale(&mut merged);
    store(cx, destination, merged)?;
    cx.effects.changed(cx.keys.db, destination, Event::HyperLogLogAdd);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn merges_and_creates() {
        let mut server = Server::new();
        for (line, expected) in [
            ("pfadd a 1 2 3", ":1\r\n"),
            ("pfadd b 3 4", ":1\r\n"),
            ("pfmerge d a b nope", "+OK\r\n"),
            ("pfcount d", ":4\r\n"),
            ("pfdebug encoding d", "+sparse\r\n"),
            ("pfdebug todense b", ":1\r\n"),
            ("pfmerge d b", "+OK\r\n"),
            ("pfdebug encoding d", "+dense\r\n"),
            ("pfcount d", ":4\r\n"),
            ("pfmerge new", "+OK\r\n"),
            ("pfcount new", ":0\r\n"),
            ("set s x", "+OK\r\n"),
            ("pfmerge s a", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("pfmerge n s", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("exists n", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("pfmerge d a b", &["pfmerge d a b"]);
    }
}
