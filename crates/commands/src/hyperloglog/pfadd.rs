//! PFADD key [element ...]: adds elements to a `HyperLogLog`.
//!
//! A dense one is changed in place, once something new was seen; a sparse one, whose bytes may turn out
//! to be corrupt halfway, is changed beside the key.

use super::{ANYWHERE, checked, refused, store};
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::hyperloglog::{Encoding, Sighting, add, empty, encoding, is_news, set_stale};

/// PFADD.
pub const PFADD: Command = Command {
    spec: CommandSpec {
        name: "pfadd",
        since: "2.8.9",
        group: Group::HyperLogLog,
        summary: "Adds elements to a HyperLogLog; creates the key if it is absent.",
        complexity: "O(1) for each element.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("element").optional().multiple()],
        reply: &[ReplyShape::Integer("1 if the estimate may have changed or the key was created.")],
        ..CommandSpec::EMPTY
    },
    run: pfadd,
    subcommands: &[],
};

fn pfadd(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let sparse_bytes_max = cx.node.settings.hll_sparse_max_bytes.get();
    let sparse_bytes_max = usize::try_from(sparse_bytes_max).unwrap_or(usize::MAX);
    let mut seen = Vec::with_capacity(args.left());
    while let Some(element) = args.next() {
        seen.push(Sighting::of(element));
    }
    let held = cx.keys.peek_string(key)?;
    let held = held.as_ref().map(checked).transpose()?;
    let mut changed = held.is_none();
    match held {
        Some(bytes) if encoding(bytes).map_err(refused)? == Encoding::Dense => {
            for &seen in &seen {
                changed |= is_news(bytes, seen).map_err(refused)?;
            }
            if changed {
                let mut change = cx.keys.write_string(key)?;
                let bytes = change.at_least(0, ANYWHERE)?;
                for seen in seen {
                    add(bytes, seen, sparse_bytes_max).map_err(refused)?;
                }
            }
        }
        _ => {
            let mut bytes = held.map_or_else(empty, <[u8]>::to_vec);
            for seen in seen {
                changed |= add(&mut bytes, seen, sparse_bytes_max).map_err(refused)?;
            }
            if changed {
                // A new one has counted nothing yet.
                set_stale(&mut bytes);
                store(cx, key, bytes)?;
            }
        }
    }
    if changed {
        cx.effects.changed(cx.keys.db, key, Event::HyperLogLogAdd);
    }
    cx.reply.integer(i64::from(changed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// From stock: PFADD of "a", "b" and "c", then GET.
    const STOCK_ABC: &[u8] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ";

    #[test]
    fn bytes_are_stocks() {
        let mut server = Server::new();
        for (line, expected) in [
            ("pfadd k", ":1\r\n"),
            ("pfadd k", ":0\r\n"),
            ("strlen k", ":18\r\n"),
            ("getbit k 120", ":1\r\n"),
            ("object encoding k", "$3\r\nraw\r\n"),
            ("expire k 100", ":1\r\n"),
            ("pfadd k a b c", ":1\r\n"),
            ("pfadd k c b a", ":0\r\n"),
            ("ttl k", ":100\r\n"),
            ("set n 5", "+OK\r\n"),
            ("pfadd n a", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("pfadd", "-ERR wrong number of arguments for 'pfadd' command\r\n"),
        ] {
            server.check(line, expected);
        }
        let reply = [b"$27\r\n", STOCK_ABC, b"\r\n"].concat();
        assert_eq!(server.run(&[b"get", b"k"]).0, reply);
    }

    #[test]
    fn only_changes_are_logged() {
        let mut server = Server::new();
        server.check_log("pfadd k a b", &["pfadd k a b"]);
        server.check_log("pfadd k a", &[]);
        server.check_log("pfadd k", &[]);
        server.line("pfdebug todense k");
        server.check_log("pfadd k a", &[]);
        server.check_log("pfadd k a c", &["pfadd k a c"]);
        server.check("pfcount k", ":3\r\n");
    }

    #[test]
    fn corrupt_bytes_leave_the_key_alone() {
        let mut server = Server::new();
        // One register of value 1, and then nothing.
        let short = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x80";
        server.run(&[b"set", b"k", short]);
        let elements: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let mut words: Vec<&[u8]> = vec![b"pfadd", b"k"];
        words.extend(elements.iter().map(String::as_bytes));
        let refused = b"-INVALIDOBJ Corrupted HLL object detected\r\n";
        assert_eq!(server.run(&words).0, refused);
        assert_eq!(server.run(&[b"get", b"k"]).0, [b"$17\r\n", &short[..], b"\r\n"].concat());
    }

    #[test]
    fn the_setting_says_when_it_becomes_dense() {
        let mut server = Server::new();
        server.line("pfadd k a b c d e f g h i j");
        server.check("pfdebug encoding k", "+sparse\r\n");
        server.line("config set hll-sparse-max-bytes 30");
        server.line("pfadd k new");
        server.check("pfdebug encoding k", "+dense\r\n");
        server.check("strlen k", ":12304\r\n");
        server.check("pfcount k", ":11\r\n");
    }
}
