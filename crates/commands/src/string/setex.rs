//! SETEX, PSETEX and SETNX: what SET's options say, as commands of their own.

use super::set::log_expiring;
use crate::expire_time::{EX, Form, PX};
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// SETEX.
pub const SETEX: Command = Command {
    spec: CommandSpec {
        name: "setex",
        since: "2.0.0",
        group: Group::String,
        summary: "Sets the string at a key and its expiry in seconds.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("seconds"), Arg::bytes("value")],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| set_expiring(cx, args, EX),
    subcommands: &[],
};

/// PSETEX.
pub const PSETEX: Command = Command {
    spec: CommandSpec {
        name: "psetex",
        since: "2.6.0",
        summary: "Sets the string at a key and its expiry in milliseconds.",
        args: &[Arg::key("key"), Arg::integer("milliseconds"), Arg::bytes("value")],
        ..SETEX.spec
    },
    run: |cx, args| set_expiring(cx, args, PX),
    subcommands: &[],
};

/// SETNX.
pub const SETNX: Command = Command {
    spec: CommandSpec {
        name: "setnx",
        since: "1.0.0",
        group: Group::String,
        summary: "Sets the string at a key if there is no such key.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::Overwrite, KeyFlag::Insert])],
        args: &[Arg::key("key"), Arg::bytes("value")],
        reply: &[ReplyShape::Integer("1 if the string was set, 0 if the key was there.")],
        ..CommandSpec::EMPTY
    },
    run: setnx,
    subcommands: &[],
};

fn set_expiring(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let (key, number, value) = (args.key()?, args.integer()?, args.bytes()?);
    let at = form.positive(number, cx.now, cx.command.command.spec.name)?;
    cx.keys.put_string(key, value, Some(at));
    cx.effects.changed(cx.keys.db, key, Event::Set);
    cx.effects.notify(cx.keys.db, key, Event::Expire);
    log_expiring(cx, key, value, at);
    cx.reply.ok();
    Ok(())
}

fn setnx(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, value) = (args.key()?, args.bytes()?);
    let absent = cx.keys.peek(key).is_none();
    if absent {
        cx.keys.put_string(key, value, None);
        cx.effects.changed(cx.keys.db, key, Event::Set);
    }
    cx.reply.integer(i64::from(absent));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn setex_and_psetex() {
        let mut server = Server::new();
        for (line, expected) in [
            ("setex k 0 v", "-ERR invalid expire time in 'setex' command\r\n"),
            ("setex k -1 v", "-ERR invalid expire time in 'setex' command\r\n"),
            ("setex k abc v", "-ERR value is not an integer or out of range\r\n"),
            ("setex k 9223372036854775807 v", "-ERR invalid expire time in 'setex' command\r\n"),
            ("setex k 100 v", "+OK\r\n"),
            ("ttl k", ":100\r\n"),
            ("psetex k 0 v", "-ERR invalid expire time in 'psetex' command\r\n"),
            ("psetex k 9223372036854775807 v", "-ERR invalid expire time in 'psetex' command\r\n"),
            ("psetex k 50000 w", "+OK\r\n"),
            ("ttl k", ":50\r\n"),
            ("get k", "$1\r\nw\r\n"),
            ("setex k 100", "-ERR wrong number of arguments for 'setex' command\r\n"),
        ] {
            server.check(line, expected);
        }
        server.logged();
        server.line("setex k 100 v");
        assert!(server.logged()[0].starts_with("SET k v PXAT "));
        server.check_log("setex k 0 v", &[]);
    }

    #[test]
    fn setnx_sets_once() {
        let mut server = Server::new();
        server.check("setnx k 1", ":1\r\n");
        server.check("setnx k 2", ":0\r\n");
        server.check("get k", "$1\r\n1\r\n");
        server.check_log("setnx k 3", &[]);
        server.check_log("setnx other 3", &["setnx other 3"]);
        server.line("set k v pxat 1");
        server.check_log("setnx k 4", &["MULTI", "DEL k", "setnx k 4", "EXEC"]);
        // What is overwritten has expired nevertheless.
        for (line, logged) in [
            ("set k 5", "set k 5"),
            ("getset k 5", "SET k 5"),
            ("rename other k", "rename other k"),
            ("mset k 5", "mset k 5"),
        ] {
            server.line("set other 3");
            server.line("set k v pxat 1");
            server.check_log(line, &["MULTI", "DEL k", logged, "EXEC"]);
        }
    }
}
