//! INCR, DECR, INCRBY, DECRBY and INCRBYFLOAT: numbers in strings.
//!
//! The integers are changed in place and logged as they came. A floating-point sum is logged as the
//! text that was stored, for another machine may round otherwise.

use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::NewValue;
use values::string::{increment, increment_float};

/// INCR.
pub const INCR: Command = Command {
    spec: CommandSpec {
        name: "incr",
        since: "1.0.0",
        group: Group::String,
        summary: "Adds one to the integer at a key, which counts as 0 if absent.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("The integer afterwards.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| add(cx, args.key()?, 1),
    subcommands: &[],
};

/// DECR.
pub const DECR: Command = Command {
    spec: CommandSpec {
        name: "decr",
        summary: "Takes one from the integer at a key, which counts as 0 if absent.",
        ..INCR.spec
    },
    run: |cx, args| add(cx, args.key()?, -1),
    subcommands: &[],
};

/// INCRBY.
pub const INCRBY: Command = Command {
    spec: CommandSpec {
        name: "incrby",
        summary: "Adds to the integer at a key, which counts as 0 if absent.",
        args: &[Arg::key("key"), Arg::integer("increment")],
        ..INCR.spec
    },
    run: |cx, args| {
        let (key, by) = (args.key()?, args.integer()?);
        add(cx, key, by)
    },
    subcommands: &[],
};

/// DECRBY.
pub const DECRBY: Command = Command {
    spec: CommandSpec {
        name: "decrby",
        summary: "Takes from the integer at a key, which counts as 0 if absent.",
        args: &[Arg::key("key"), Arg::integer("decrement")],
        ..INCR.spec
    },
    run: |cx, args| {
        let (key, by) = (args.key()?, args.integer()?);
        let by =
            by.checked_neg().ok_or_else(|| CommandError::text("ERR decrement would overflow"))?;
        add(cx, key, by)
    },
    subcommands: &[],
};

/// INCRBYFLOAT.
pub const INCRBYFLOAT: Command = Command {
    spec: CommandSpec {
        name: "incrbyfloat",
        since: "2.6.0",
        summary: "Adds to the floating-point number at a key, which counts as 0 if absent.",
        args: &[Arg::key("key"), Arg::double("increment")],
        reply: &[ReplyShape::Bulk("The number afterwards.")],
        ..INCR.spec
    },
    run: add_float,
    subcommands: &[],
};

fn add(cx: &mut Context<'_>, key: &[u8], by: i64) -> CommandResult {
    let sum = match cx.keys.peek_string(key)? {
        Some(text) => Some(increment(text.integer().ok_or(CommandError::NotInteger)?, by)?),
        None => None,
    };
    if let Some((sum, mut change)) = sum.zip(cx.keys.change(key)) {
        change.set_value(NewValue::Int(sum));
    } else {
        cx.keys.put(key, NewValue::Int(by), None);
    }
    cx.effects.changed(cx.keys.db, key, Event::IncrementBy);
    cx.reply.integer(sum.unwrap_or(by));
    Ok(())
}

fn add_float(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, by) = (args.key()?, args.bytes()?);
    let before = cx.keys.peek_string(key)?;
    let mut room = itoa::Buffer::new();
    let number = before.as_ref().map_or(&b"0"[..], |text| text.bytes(&mut room));
    let sum = increment_float(number, by)?;
    // Never as an integer, even if it spells one: stock's OBJECT ENCODING tells.
    cx.keys.write_string(key)?.set_bytes(&sum);
    cx.effects.changed(cx.keys.db, key, Event::IncrementByFloat);
    cx.effects.log_instead(cx.keys.db, &[b"SET", key, &sum, b"KEEPTTL"]);
    cx.reply.bulk(&sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
    const OVERFLOW: &str = "-ERR increment or decrement would overflow\r\n";

    #[test]
    fn integers() {
        let mut server = Server::new();
        for (line, expected) in [
            ("incr n", ":1\r\n"),
            ("incrby n 9223372036854775807", OVERFLOW),
            ("decrby n -9223372036854775807", OVERFLOW),
            ("decrby n -9223372036854775808", "-ERR decrement would overflow\r\n"),
            ("decrby n 9223372036854775807", ":-9223372036854775806\r\n"),
            ("decr n", ":-9223372036854775807\r\n"),
            ("incrby n abc", NOT_INTEGER),
            ("incrby n 1.5", NOT_INTEGER),
            ("set n 9223372036854775807 ex 100", "+OK\r\n"),
            ("incr n", OVERFLOW),
            ("decr n", ":9223372036854775806\r\n"),
            ("ttl n", ":100\r\n"),
            ("object encoding n", "$3\r\nint\r\n"),
            ("set n ' 1'", "+OK\r\n"),
            ("incr n", NOT_INTEGER),
            ("set n ''", "+OK\r\n"),
            ("incr n", NOT_INTEGER),
            ("set n -9223372036854775808", "+OK\r\n"),
            ("decr n", OVERFLOW),
            ("decr fresh", ":-1\r\n"),
            ("object encoding fresh", "$3\r\nint\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn floats() {
        let mut server = Server::new();
        for (line, expected) in [
            ("incrbyfloat f 1.5", "$3\r\n1.5\r\n"),
            ("incrbyfloat f 1.5e3", "$6\r\n1501.5\r\n"),
            ("incrbyfloat f 0.5", "$4\r\n1502\r\n"),
            ("incrbyfloat f abc", "-ERR value is not a valid float\r\n"),
            ("incrbyfloat f nan", "-ERR value is not a valid float\r\n"),
            ("incrbyfloat f inf", "-ERR increment would produce NaN or Infinity\r\n"),
            ("set s text", "+OK\r\n"),
            ("incrbyfloat s 1", "-ERR value is not a valid float\r\n"),
            ("set f 3.0e3 ex 100", "+OK\r\n"),
            ("incrbyfloat f 200", "$4\r\n3200\r\n"),
            ("ttl f", ":100\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn the_log() {
        let mut server = Server::new();
        server.check_log("incr n", &["incr n"]);
        server.check_log("decrby n 5", &["decrby n 5"]);
        server.check_log("incrby n x", &[]);
        server.check_log("incrbyfloat n 5", &["SET n 1 KEEPTTL"]);
        server.check_log("incrbyfloat n x", &[]);
        server.line("set n 5 pxat 1");
        server.check_log("incrbyfloat n 0.5", &["MULTI", "DEL n", "SET n 0.5 KEEPTTL", "EXEC"]);
        server.line("set n 5 pxat 1");
        server.check_log("incr n", &["MULTI", "DEL n", "incr n", "EXEC"]);
    }

    #[test]
    fn a_failed_increment_does_not_disturb_watchers() {
        let mut server = Server::new();
        server.line("set n text");
        let flag = keyspace::WatchFlag::default();
        let shard = keyspace::Keyspace::shard_of(b"n");
        server.node().keyspace.lock(shard).watch(0, b"n", &flag, base::Millis(0));
        server.line("incr n");
        server.line("incrbyfloat n 1");
        assert!(!flag.is_dirty());
        server.line("append n x");
        assert!(flag.is_dirty());
    }
}
