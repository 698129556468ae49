//! GETSET and GETDEL: read a string while replacing or deleting it.
//!
//! They are logged as SET and DEL, since what they answer matters to nobody else.

use super::get::answer;
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GETSET.
pub const GETSET: Command = Command {
    spec: CommandSpec {
        name: "getset",
        since: "1.0.0",
        group: Group::String,
        summary: "Sets the string at a key and answers the one before.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::bytes("value")],
        reply: &[
            ReplyShape::Bulk("The string before."),
            ReplyShape::Null("There was no such key."),
        ],
        ..CommandSpec::EMPTY
    },
    run: getset,
    subcommands: &[],
};

/// GETDEL.
pub const GETDEL: Command = Command {
    spec: CommandSpec {
        name: "getdel",
        since: "6.2.0",
        group: Group::String,
        summary: "Answers the string at a key and deletes the key.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Bulk("The string."), ReplyShape::Null("There was no such key.")],
        ..CommandSpec::EMPTY
    },
    run: getdel,
    subcommands: &[],
};

fn getset(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, value) = (args.key()?, args.bytes()?);
    answer(cx, key)?;
    cx.keys.put_string(key, value, None);
    cx.effects.changed(cx.keys.db, key, Event::Set);
    cx.effects.log_instead(cx.keys.db, &[b"SET", key, value]);
    Ok(())
}

fn getdel(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    if answer(cx, key)? {
        cx.keys.remove(key);
        cx.effects.changed(cx.keys.db, key, Event::Delete);
        cx.effects.log_instead(cx.keys.db, &[b"DEL", key]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn getset_replaces_and_clears_the_expiry() {
        let mut server = Server::new();
        server.check("getset k 5", "$-1\r\n");
        server.check("expire k 100", ":1\r\n");
        server.check("getset k 6", "$1\r\n5\r\n");
        server.check("ttl k", ":-1\r\n");
        server.check_log("getset k 7", &["SET k 7"]);
    }

    #[test]
    fn getdel_deletes() {
        let mut server = Server::new();
        server.check("set k v", "+OK\r\n");
        server.check("getdel k", "$1\r\nv\r\n");
        server.check("getdel k", "$-1\r\n");
        server.line("set k v");
        server.check_log("getdel k", &["DEL k"]);
        server.check_log("getdel k", &[]);
        server.line("set k v pxat 1");
        server.check_log("getdel k", &["DEL k"]);
    }
}
