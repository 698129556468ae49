//! GETBIT and SETBIT: one bit.

use super::offset::bit_offset;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::bitmap;

/// GETBIT.
pub const GETBIT: Command = Command {
    spec: CommandSpec {
        name: "getbit",
        since: "2.2.0",
        group: Group::Bitmap,
        summary: "Answers one bit of the string at a key; 0 behind its end.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::integer("offset")],
        reply: &[ReplyShape::Integer("The bit.")],
        ..CommandSpec::EMPTY
    },
    run: getbit,
    subcommands: &[],
};

/// SETBIT.
pub const SETBIT: Command = Command {
    spec: CommandSpec {
        name: "setbit",
        since: "2.2.0",
        group: Group::Bitmap,
        summary: "Sets one bit of the string at a key, which grows as far as needed.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::integer("offset"), Arg::integer("value")],
        reply: &[ReplyShape::Integer("The bit before.")],
        ..CommandSpec::EMPTY
    },
    run: setbit,
    subcommands: &[],
};

fn getbit(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let offset = bit_offset(cx, args.bytes()?, None)?;
    let text = cx.keys.string(key)?;
    let mut room = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room));
    cx.reply.integer(i64::from(bitmap::bit(bytes, offset)));
    Ok(())
}

fn setbit(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let offset = bit_offset(cx, args.bytes()?, None)?;
    let on = match values::string::parse_i64(args.bytes()?) {
        Some(bit @ 0..=1) => bit == 1,
        _ => return Err(CommandError::text("ERR bit is not an integer or out of range")),
    };
    let text = cx.keys.peek_string(key)?;
    let mut room = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room));
    let before = bitmap::bit(bytes, offset);
    if before != on || bytes.len() <= offset / 8 {
        let byte = offset / 8;
        let mut string = cx.keys.write_string(key)?;
        bitmap::set_bit(string.at_least(byte + 1, byte..byte + 1)?, offset, on);
        drop(string);
        cx.effects.changed(cx.keys.db, key, Event::SetBit);
    }
    cx.reply.integer(i64::from(before));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const BAD_OFFSET: &str = "-ERR bit offset is not an integer or out of range\r\n";
    const BAD_BIT: &str = "-ERR bit is not an integer or out of range\r\n";

    #[test]
    fn one_bit() {
        let mut server = Server::new();
        for (line, expected) in [
            ("getbit k 5", ":0\r\n"),
            ("setbit k 1 1", ":0\r\n"),
            ("get k", "$1\r\n@\r\n"),
            ("setbit k 7 1", ":0\r\n"),
            ("setbit k 1 1", ":1\r\n"),
            ("getbit k 1", ":1\r\n"),
            ("getbit k 7", ":1\r\n"),
            ("getbit k 800", ":0\r\n"),
            ("setbit k 23 0", ":0\r\n"),
            ("strlen k", ":3\r\n"),
            ("object encoding k", "$3\r\nraw\r\n"),
            ("set n 1 ex 100", "+OK\r\n"),
            ("setbit n 6 1", ":0\r\n"),
            ("get n", "$1\r\n3\r\n"),
            ("ttl n", ":100\r\n"),
            ("setbit k -1 1", BAD_OFFSET),
            ("setbit k x 1", BAD_OFFSET),
            ("setbit k #1 1", BAD_OFFSET),
            ("setbit k 4294967296 1", BAD_OFFSET),
            ("getbit k 4294967296", BAD_OFFSET),
            ("setbit k 1 2", BAD_BIT),
            ("setbit k 1 x", BAD_BIT),
            ("setbit k 1 -1", BAD_BIT),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn only_changes_are_logged() {
        let mut server = Server::new();
        server.check_log("setbit k 9 0", &["setbit k 9 0"]);
        server.check_log("setbit k 9 0", &[]);
        server.check_log("setbit k 9 1", &["setbit k 9 1"]);
        server.check_log("setbit k 17 0", &["setbit k 17 0"]);
    }
}
