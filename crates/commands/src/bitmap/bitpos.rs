//! BITPOS key bit [start [end [BYTE | BIT]]]: the first bit that is set or clear.
//!
//! Without an end the string goes on with zeros for ever, so a clear bit is always found.

use super::offset::Stated;
use crate::count::count;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::bitmap;

const UNIT: Arg =
    Arg::one_of("index_unit", &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")]).optional();

/// BITPOS.
pub const BITPOS: Command = Command {
    spec: CommandSpec {
        name: "bitpos",
        since: "2.8.7",
        group: Group::Bitmap,
        summary: "Finds the first bit that is set, or clear, in a string or in a range of it.",
        complexity: "O(N) in the bytes looked at.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::integer("bit"),
            Arg::block(
                "index",
                &[
                    Arg::integer("start"),
                    Arg::block("end_index", &[Arg::integer("end"), UNIT]).optional(),
                ],
            )
            .optional(),
        ],
        reply: &[ReplyShape::Integer("The bit's place, -1 if there is none.")],
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        ..CommandSpec::EMPTY
    },
    run: bitpos,
    subcommands: &[],
};

fn bitpos(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, bit) = (args.key()?, args.integer()?);
    if !(0..=1).contains(&bit) {
        return Err(CommandError::text("ERR The bit argument must be 1 or 0."));
    }
    let wanted = bit == 1;
    let range = Stated::parse(args)?;
    let Some(text) = cx.keys.string(key)? else {
        cx.reply.integer(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let mut room = itoa::Buffer::new();
    let bytes = text.bytes(&mut room);
    let within = match range {
        None => bytes.len().checked_mul(8).and_then(|bits| Some((0, bits.checked_sub(1)?))),
        Some(range) => range.bits(bytes.len()),
    };
    let found = within.and_then(|(first, last)| {
        let goes_on = !wanted && range.is_none_or(|range| range.end.is_none());
        bitmap::position(bytes, wanted, first, last).or_else(|| goes_on.then_some(bytes.len() * 8))
    });
    cx.reply.integer(found.map_or(-1, count));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn positions() {
        let mut server = Server::new();
        let not_integer = "-ERR value is not an integer or out of range\r\n";
        for (line, expected) in [
            ("bitpos k 0", ":0\r\n"),
            ("bitpos k 1", ":-1\r\n"),
            ("bitpos k 1 5 7 bit", ":-1\r\n"),
            (r#"set k "\xff\xf0\x00""#, "+OK\r\n"),
            ("bitpos k 0", ":12\r\n"),
            ("bitpos k 1 1", ":8\r\n"),
            ("bitpos k 1 2", ":-1\r\n"),
            ("bitpos k 0 0 0", ":-1\r\n"),
            ("bitpos k 0 13 20 bit", ":13\r\n"),
            ("bitpos k 1 -12 -1 bit", ":-1\r\n"),
            (r#"set k "\xff\xff""#, "+OK\r\n"),
            ("bitpos k 0", ":16\r\n"),
            ("bitpos k 0 1", ":16\r\n"),
            ("bitpos k 0 0 -1", ":-1\r\n"),
            ("bitpos k 0 5", ":-1\r\n"),
            ("set k 10.5", "+OK\r\n"),
            ("bitpos k 0 -4 -9 byte", ":0\r\n"),
            ("bitpos k 0 2 1 byte", ":-1\r\n"),
            ("set e ''", "+OK\r\n"),
            ("bitpos e 0", ":-1\r\n"),
            ("bitpos e 1", ":-1\r\n"),
            ("bitpos k 2", "-ERR The bit argument must be 1 or 0.\r\n"),
            ("bitpos k a", not_integer),
            ("bitpos nope 0 a b", not_integer),
            ("bitpos nope 0 0 1 hello", "-ERR syntax error\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
