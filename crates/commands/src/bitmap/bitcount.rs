//! BITCOUNT key [start [end [BYTE | BIT]]]: how many bits are set.

use super::offset::Stated;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::bitmap;

/// BITCOUNT.
pub const BITCOUNT: Command = Command {
    spec: CommandSpec {
        name: "bitcount",
        since: "2.6.0",
        group: Group::Bitmap,
        summary: "Counts the bits set in the string at a key or in a range of it.",
        complexity: "O(N) in the bytes looked at.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::block(
                "index",
                &[
                    Arg::integer("start"),
                    Arg::integer("end"),
                    Arg::one_of(
                        "index_unit",
                        &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ],
        reply: &[ReplyShape::Integer("How many bits are set.")],
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..CommandSpec::EMPTY
    },
    run: bitcount,
    subcommands: &[],
};

fn bitcount(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let range = Stated::parse(args)?;
    let text = cx.keys.string(key)?;
    let mut room = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room));
    let ones = match range {
        None => bitmap::ones(bytes),
        Some(range) if range.is_reversed() => 0,
        Some(range) => range
            .bits(bytes.len())
            .map_or(0, |(first, last)| bitmap::ones_between(bytes, first, last)),
    };
    cx.reply.integer(i64::try_from(ones).unwrap_or(i64::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn ranges() {
        let mut server = Server::new();
        let not_integer = "-ERR value is not an integer or out of range\r\n";
        for (line, expected) in [
            ("bitcount k", ":0\r\n"),
            ("set k foobar", "+OK\r\n"),
            ("bitcount k", ":26\r\n"),
            ("bitcount k 0 0", ":4\r\n"),
            ("bitcount k 1 1", ":6\r\n"),
            ("bitcount k 1 1 byte", ":6\r\n"),
            ("bitcount k 5 30 BIT", ":17\r\n"),
            ("bitcount k -2 1", ":0\r\n"),
            ("bitcount k -1 -2", ":0\r\n"),
            ("bitcount k 1", ":22\r\n"),
            ("bitcount k -1000 1000", ":26\r\n"),
            ("bitcount k 1000 2000", ":0\r\n"),
            ("bitcount k 0 1 hello", "-ERR syntax error\r\n"),
            ("bitcount nope 0 1 bit more", "-ERR syntax error\r\n"),
            ("bitcount nope a b", not_integer),
            ("bitcount nope 0 -1", ":0\r\n"),
            ("set n 12", "+OK\r\n"),
            ("bitcount n", ":6\r\n"),
            ("bitcount n -9223372036854775808 9223372036854775807 bit", ":6\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
