//! COPY and MOVE: a key into another key or database. A key's shard is the same in every database,
//! so the keys that the rows name are all that must be locked.

use crate::database::db_index;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::Entry;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::{NewValue, ValueRef};

/// COPY.
pub const COPY: Command = Command {
    spec: CommandSpec {
        name: "copy",
        since: "6.2.0",
        group: Group::Generic,
        summary: "Copies a value, with its expiry, to another key.",
        complexity: "O(N) in the size of the value.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
            KeySpec::one(2, &[KeyFlag::Overwrite, KeyFlag::Update]),
        ],
        args: &[
            Arg::key("source"),
            Arg::key("destination"),
            Arg::integer("destination-db").token("DB").optional(),
            Arg::word("replace", "REPLACE").optional(),
        ],
        reply: &[ReplyShape::Integer(
            "1 if it was copied; 0 if there is no such key or the destination was taken.",
        )],
        ..CommandSpec::EMPTY
    },
    run: copy,
    subcommands: &[],
};

/// MOVE.
pub const MOVE: Command = Command {
    spec: CommandSpec {
        name: "move",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Moves a key to another database.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("db")],
        reply: &[ReplyShape::Integer(
            "1 if it was moved; 0 if there is no such key or it is there already.",
        )],
        ..CommandSpec::EMPTY
    },
    run: move_key,
    subcommands: &[],
};

fn same_place() -> CommandError {
    CommandError::text("ERR source and destination objects are the same")
}

/// The same value and expiry under another key.
fn duplicate(entry: &Entry, key: &[u8]) -> Entry {
    let value = match entry.value() {
        ValueRef::Int(number) => NewValue::Int(number),
        ValueRef::Bytes(bytes) => NewValue::Bytes(bytes),
        ValueRef::Boxed(object) => NewValue::Boxed(object.clone()),
    };
    let mut copy = Entry::new(key, value, entry.expire_at());
    copy.set_tag(entry.tag());
    copy
}

fn copy(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (from, to) = (args.key()?, args.key()?);
    let (mut db, mut replace) = (cx.keys.db, false);
    while args.left() > 0 {
        if args.take_token("REPLACE") {
            replace = true;
        } else if args.take_token("DB") {
            db = db_index(cx, args.bytes()?)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if db == cx.keys.db && from == to {
        return Err(same_place());
    }
    let copied = cx.keys.find(from).map(|entry| duplicate(entry, to));
    let free = replace || cx.keys.peek_in(db, to).is_none();
    let done = match copied.filter(|_| free) {
        Some(entry) => {
            cx.keys.put_entry(db, entry);
            cx.effects.changed(db, to, Event::CopyTo);
            true
        }
        None => false,
    };
    cx.reply.integer(i64::from(done));
    Ok(())
}

fn move_key(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, to) = (args.key()?, args.bytes()?);
    let (from, to) = (cx.keys.db, db_index(cx, to)?);
    if from == to {
        return Err(same_place());
    }
    let is_free = cx.keys.peek(key).is_some() && cx.keys.peek_in(to, key).is_none();
    let done = match is_free.then(|| cx.keys.remove(key)).flatten() {
        Some(entry) => {
            cx.keys.put_entry(to, entry);
            cx.effects.changed(from, key, Event::MoveFrom);
            cx.effects.notify(to, key, Event::MoveTo);
            true
        }
        None => false,
    };
    cx.reply.integer(i64::from(done));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const SAME: &str = "-ERR source and destination objects are the same\r\n";
    const NO_SUCH_DB: &str = "-ERR DB index is out of range\r\n";
    const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

    #[test]
    fn copy_leaves_the_source() {
        let mut server = Server::new();
        let long = "x".repeat(10_000);
        for (line, expected) in [
            ("set k v ex 100", "+OK\r\n"),
            ("copy k k", SAME),
            ("copy nope nope", SAME),
            ("copy k k2 db 99", NO_SUCH_DB),
            ("copy k k2 db -1", NO_SUCH_DB),
            ("copy k k2 db abc", NOT_INTEGER),
            ("copy k k2 db", "-ERR syntax error\r\n"),
            ("copy k k2 foo", "-ERR syntax error\r\n"),
            ("copy nope k2", ":0\r\n"),
            ("copy k k2", ":1\r\n"),
            ("copy k k2", ":0\r\n"),
            ("ttl k2", ":100\r\n"),
            ("set k 7", "+OK\r\n"),
            ("copy k k2 replace replace", ":1\r\n"),
            ("get k2", "$1\r\n7\r\n"),
            ("ttl k2", ":-1\r\n"),
            ("copy k k db 1", ":1\r\n"),
            ("copy k k db 1", ":0\r\n"),
            (&format!("set k {long}"), "+OK\r\n"),
            ("copy k k db 1 replace", ":1\r\n"),
            ("append k y", ":10001\r\n"),
            ("select 1", "+OK\r\n"),
            ("strlen k", ":10000\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn move_takes_the_key_along() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set k v ex 100", "+OK\r\n"),
            ("move k 0", SAME),
            ("move k 99", NO_SUCH_DB),
            ("move k -1", NO_SUCH_DB),
            ("move k abc", NOT_INTEGER),
            ("move nope 1", ":0\r\n"),
            ("move k 1", ":1\r\n"),
            ("exists k", ":0\r\n"),
            ("set k w", "+OK\r\n"),
            ("move k 1", ":0\r\n"),
            ("get k", "$1\r\nw\r\n"),
            ("select 1", "+OK\r\n"),
            ("get k", "$1\r\nv\r\n"),
            ("ttl k", ":100\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn the_log() {
        let mut server = Server::new();
        server.line("set k v");
        server.check_log("copy k c", &["copy k c"]);
        server.check_log("copy k c", &[]);
        server.check_log("copy k k db 3 replace", &["copy k k db 3 replace"]);
        server.check_log("move k 3", &[]);
        server.check_log("move k 4", &["move k 4"]);
        server.line("select 4");
        server.check_log("set x y", &["SELECT 4", "set x y"]);
    }
}
