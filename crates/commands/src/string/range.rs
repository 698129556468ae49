//! GETRANGE, its old name SUBSTR, and SETRANGE: parts of strings.

use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::string::{check_length, substring};

/// GETRANGE.
pub const GETRANGE: Command = Command {
    spec: CommandSpec {
        name: "getrange",
        since: "2.4.0",
        group: Group::String,
        summary: "Answers a part of the string at a key; both ends count.",
        complexity: "O(N) in the bytes answered.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("end")],
        reply: &[ReplyShape::Bulk("The bytes, none if there is no such key or part.")],
        ..CommandSpec::EMPTY
    },
    run: getrange,
    subcommands: &[],
};

/// SUBSTR.
pub const SUBSTR: Command = Command {
    spec: CommandSpec {
        name: "substr",
        since: "1.0.0",
        summary: "Answers a part of the string at a key: the old name of GETRANGE.",
        ..GETRANGE.spec
    },
    run: getrange,
    subcommands: &[],
};

/// SETRANGE.
pub const SETRANGE: Command = Command {
    spec: CommandSpec {
        name: "setrange",
        since: "2.2.0",
        group: Group::String,
        summary: "Overwrites a part of the string at a key, zeros filling a gap.",
        complexity: "O(N) in the bytes written, the gap included.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("offset"), Arg::bytes("value")],
        reply: &[ReplyShape::Integer("The length of the string afterwards.")],
        ..CommandSpec::EMPTY
    },
    run: setrange,
    subcommands: &[],
};

fn getrange(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, start, end) = (args.key()?, args.integer()?, args.integer()?);
    let text = cx.keys.string(key)?;
    let mut room = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room));
    cx.reply.bulk(bytes.get(substring(bytes.len(), start, end)).unwrap_or_default());
    Ok(())
}

fn setrange(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, offset, piece) = (args.key()?, args.integer()?, args.bytes()?);
    let offset = usize::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let before = cx.keys.peek_string(key)?.map_or(0, |text| count(text.len()));
    if piece.is_empty() {
        cx.reply.integer(before);
        return Ok(());
    }
    // Before `write_string`, which would leave an empty key behind.
    check_length(offset, piece.len(), cx.keys.string_bytes_max())?;
    let len = cx.keys.write_string(key)?.overwrite(offset, piece)?;
    cx.effects.changed(cx.keys.db, key, Event::SetRange);
    cx.reply.integer(count(len));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const WRONG_TYPE: &str =
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";

    #[test]
    fn getrange_cuts() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set s 'Hello World'", "+OK\r\n"),
            ("getrange s 0 -1", "$11\r\nHello World\r\n"),
            ("getrange s -5 100", "$5\r\nWorld\r\n"),
            ("getrange s 5 4", "$0\r\n\r\n"),
            ("getrange s abc 1", "-ERR value is not an integer or out of range\r\n"),
            ("getrange s 1 1.5", "-ERR value is not an integer or out of range\r\n"),
            ("getrange nope 0 -1", "$0\r\n\r\n"),
            ("substr s 0 4", "$5\r\nHello\r\n"),
            ("set n 12345", "+OK\r\n"),
            ("getrange n 1 -2", "$3\r\n234\r\n"),
            ("getrange n -9223372036854775808 9223372036854775807", "$5\r\n12345\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn setrange_overwrites_and_pads() {
        let mut server = Server::new();
        for (line, expected) in [
            ("set s 'Hello World'", "+OK\r\n"),
            ("setrange s 6 Redis", ":11\r\n"),
            ("get s", "$11\r\nHello Redis\r\n"),
            ("setrange s -1 x", "-ERR offset is out of range\r\n"),
            ("setrange nope -1 ''", "-ERR offset is out of range\r\n"),
            ("setrange s abc x", "-ERR value is not an integer or out of range\r\n"),
            ("setrange s 536870911 xy", TOO_LONG),
            ("setrange nope 536870912 x", TOO_LONG),
            ("setrange nope 4294967296 x", TOO_LONG),
            ("setrange nope 9223372036854775807 x", TOO_LONG),
            ("lpush l a", ":1\r\n"),
            ("setrange l 4294967296 x", WRONG_TYPE),
            ("setrange s 0 ''", ":11\r\n"),
            ("setrange s 536870913 ''", ":11\r\n"),
            ("setrange nope 0 ''", ":0\r\n"),
            ("setrange nope 5 ''", ":0\r\n"),
            ("exists nope", ":0\r\n"),
            ("setrange new 2 x", ":3\r\n"),
            ("get new", "$3\r\n\0\0x\r\n"),
            ("set n 12345 ex 100", "+OK\r\n"),
            ("setrange n 1 99", ":5\r\n"),
            ("get n", "$5\r\n19945\r\n"),
            ("ttl n", ":100\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("setrange s 0 ''", &[]);
        server.check_log("setrange s 0 J", &["setrange s 0 J"]);
        server.check_log("setrange s -1 J", &[]);
    }

    /// What the primary could hold is held.
    #[test]
    fn the_primary_is_held_to_no_limit() {
        let mut server = Server::new();
        server.node().settings.proto_max_bulk_len.set(1 << 20);
        server.follow("127.0.0.1", 1);
        let mut link = server.session_of_primary();
        for line in [
            "setrange k 1048576 x",
            "append k xy",
            "setbit b 8388608 1",
            "bitfield f set u8 8388608 1",
        ] {
            server.apply(&mut link, line);
        }
        server.check("strlen k", ":1048579\r\n");
        server.check("strlen b", ":1048577\r\n");
        server.check("strlen f", ":1048577\r\n");
    }
}
