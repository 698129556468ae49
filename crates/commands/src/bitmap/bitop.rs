//! BITOP operation destkey key [key ...]: a bitmap out of several.
//!
//! Operations that stock 7.0 does not know are logged as the SET of their result.

use crate::count::count;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::bitmap::{Combination, Operation};

/// BITOP.
pub const BITOP: Command = Command {
    spec: CommandSpec {
        name: "bitop",
        since: "2.6.0",
        group: Group::Bitmap,
        summary: "Combines strings bit by bit and stores the result.",
        complexity: "O(N) in the bytes of all strings.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[
            KeySpec::one(2, &[KeyFlag::Overwrite, KeyFlag::Update]),
            KeySpec::range(3, -1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]),
        ],
        args: &[Arg::bytes("operation"), Arg::key("destkey"), Arg::key("key").multiple()],
        reply: &[ReplyShape::Integer("The length of the result.")],
        ..CommandSpec::EMPTY
    },
    run: bitop,
    subcommands: &[],
};

fn parse(name: &[u8], sources: usize) -> Result<Operation, CommandError> {
    let operation = Operation::named(name).ok_or(CommandError::Syntax)?;
    match operation {
        Operation::Not if sources != 1 => {
            Err(CommandError::text("ERR BITOP NOT must be called with a single source key."))
        }
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
            let name = String::from_utf8_lossy(name).to_ascii_uppercase();
            Err(CommandError::text(format!(
                "ERR BITOP {name} must be called with at least two source keys."
            )))
        }
        operation => Ok(operation),
    }
}

fn bitop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (name, destination) = (args.bytes()?, args.key()?);
    let operation = parse(name, args.left())?;
    let mut combination = Combination::new(operation);
    let mut room = itoa::Buffer::new();
    while let Some(key) = args.next() {
        let text = cx.keys.string(key)?;
        combination.add(text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room)));
    }
    let result = combination.finish();
    let db = cx.keys.db;
    let is_newer =
        matches!(operation, Operation::Diff | Operation::Diff1 | Operation::AndOr | Operation::One);
    if !result.is_empty() {
        cx.keys.put_string(destination, &result, None);
        cx.effects.changed(db, destination, Event::Set);
        if is_newer {
            cx.effects.log_instead(db, &[b"SET", destination, &result]);
        }
    } else if cx.delete(destination) && is_newer {
        cx.effects.log_instead(db, &[b"DEL", destination]);
    }
    cx.reply.integer(count(result.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn operations() {
        let mut server = Server::new();
        for (line, expected) in [
            (r#"set a "\x0f\xff""#, "+OK\r\n"),
            (r#"set b "\x3c""#, "+OK\r\n"),
            ("bitop and r a b", ":2\r\n"),
            ("bitcount r", ":2\r\n"),
            ("bitop OR r a b", ":2\r\n"),
            ("bitcount r", ":14\r\n"),
            ("bitop xor r a b nope", ":2\r\n"),
            ("bitcount r", ":12\r\n"),
            ("bitop not r b", ":1\r\n"),
            ("bitcount r", ":4\r\n"),
            ("bitop diff r a b", ":2\r\n"),
            ("bitcount r", ":10\r\n"),
            ("bitop diff1 r a b", ":2\r\n"),
            ("bitcount r", ":2\r\n"),
            ("bitop andor r a b b", ":2\r\n"),
            ("bitcount r", ":2\r\n"),
            ("bitop one r a b", ":2\r\n"),
            ("bitcount r", ":12\r\n"),
            ("bitop and r nope", ":0\r\n"),
            ("exists r", ":0\r\n"),
            ("bitop nand r a", "-ERR syntax error\r\n"),
            ("bitop not r a b", "-ERR BITOP NOT must be called with a single source key.\r\n"),
            ("bitop diff r a", "-ERR BITOP DIFF must be called with at least two source keys.\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("bitop or r a b", &["bitop or r a b"]);
        server.check_log("bitop or r nope", &["bitop or r nope"]);
        server.check_log("bitop or r nope", &[]);
        server.line("set a abc");
        server.check_log("bitop one r a", &["SET r abc"]);
        server.check_log("bitop diff r nope a", &["SET r \0\0\0"]);
        server.check_log("bitop diff r nope nope", &["DEL r"]);
    }
}
