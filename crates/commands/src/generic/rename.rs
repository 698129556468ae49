//! RENAME and RENAMENX: move a value, with its expiry, to another key, perhaps in another shard.

use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// RENAME.
pub const RENAME: Command = Command {
    spec: CommandSpec {
        name: "rename",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Renames a key; what was at the new name goes.",
        flags: &[Flag::Write],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]),
            KeySpec::one(2, &[KeyFlag::Overwrite, KeyFlag::Update]),
        ],
        args: &[Arg::key("key"), Arg::key("newkey")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: rename,
    subcommands: &[],
};

/// RENAMENX.
pub const RENAMENX: Command = Command {
    spec: CommandSpec {
        name: "renamenx",
        summary: "Renames a key if there is none of the new name.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]),
            KeySpec::one(2, &[KeyFlag::Overwrite, KeyFlag::Insert]),
        ],
        reply: &[ReplyShape::Integer("1 if it was renamed, 0 if the new name was taken.")],
        history: &[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )],
        ..RENAME.spec
    },
    run: renamenx,
    subcommands: &[],
};

fn move_value(cx: &mut Context<'_>, from: &[u8], to: &[u8]) -> CommandResult {
    let entry = cx.keys.remove(from).ok_or(CommandError::NoSuchKey)?;
    let db = cx.keys.db;
    cx.keys.put_entry(db, entry.renamed(to));
    cx.effects.changed(db, from, Event::RenameFrom);
    cx.effects.notify(db, to, Event::RenameTo);
    Ok(())
}

fn rename(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (from, to) = (args.key()?, args.key()?);
    if from != to {
        move_value(cx, from, to)?;
    } else if cx.keys.peek(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    cx.reply.ok();
    Ok(())
}

fn renamenx(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (from, to) = (args.key()?, args.key()?);
    if cx.keys.peek(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    let free = from != to && cx.keys.peek(to).is_none();
    if free {
        move_value(cx, from, to)?;
    }
    cx.reply.integer(i64::from(free));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn rename_moves_value_and_expiry() {
        let mut server = Server::new();
        for (line, expected) in [
            ("rename nope x", "-ERR no such key\r\n"),
            ("rename nope nope", "-ERR no such key\r\n"),
            ("renamenx nope x", "-ERR no such key\r\n"),
            ("renamenx nope nope", "-ERR no such key\r\n"),
            ("set a 1 ex 100", "+OK\r\n"),
            ("rename a a", "+OK\r\n"),
            ("renamenx a a", ":0\r\n"),
            ("set b 2", "+OK\r\n"),
            ("renamenx a b", ":0\r\n"),
            ("rename a b", "+OK\r\n"),
            ("get b", "$1\r\n1\r\n"),
            ("ttl b", ":100\r\n"),
            ("get a", "$-1\r\n"),
            ("renamenx b c", ":1\r\n"),
            ("set d v pxat 1", "+OK\r\n"),
            ("renamenx c d", ":1\r\n"),
            ("ttl d", ":100\r\n"),
            ("set e 5", "+OK\r\n"),
            ("rename e d", "+OK\r\n"),
            ("ttl d", ":-1\r\n"),
            ("rename a", "-ERR wrong number of arguments for 'rename' command\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn the_log() {
        let mut server = Server::new();
        server.line("mset a 1 b 2");
        server.check_log("rename a a", &[]);
        server.check_log("renamenx a b", &[]);
        server.check_log("rename a b", &["rename a b"]);
        server.check_log("rename a b", &[]);
        server.check_log("renamenx b c", &["renamenx b c"]);
    }
}
