//! BITFIELD and `BITFIELD_RO`: integers of any width inside of a string.
//!
//! All operations are looked at without changing anything first: up to the first that changes
//! something they see what they would see, and if none does the key is not disturbed.

use super::offset::bit_offset;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use smallvec::SmallVec;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::bitmap::field::{Form, Overflow};
use values::string::parse_i64;

const GET_ARGS: &[Arg] = &[Arg::bytes("encoding"), Arg::integer("offset")];

/// BITFIELD.
pub const BITFIELD: Command = Command {
    spec: CommandSpec {
        name: "bitfield",
        since: "3.2.0",
        group: Group::Bitmap,
        summary: "Reads and changes integers of any width inside of the string at a key.",
        complexity: "O(1) for each operation.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(
            1,
            &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update, KeyFlag::VariableFlags],
        )],
        args: &[
            Arg::key("key"),
            Arg::one_of(
                "operation",
                &[
                    Arg::block("encoding_offset", GET_ARGS).token("GET"),
                    Arg::block("write", &[WRAP_SAT_FAIL, WRITE_OPERATION]),
                ],
            )
            .multiple()
            .optional(),
        ],
        reply: &[ReplyShape::Array("For each operation a number, or null if it failed.")],
        ..CommandSpec::EMPTY
    },
    run: |cx, args| bitfield(cx, args, true),
    subcommands: &[],
};

const WRAP_SAT_FAIL: Arg = Arg::one_of(
    "wrap_sat_fail",
    &[Arg::word("wrap", "WRAP"), Arg::word("sat", "SAT"), Arg::word("fail", "FAIL")],
)
.token("OVERFLOW")
.optional();

const WRITE_OPERATION: Arg = Arg::one_of(
    "write_operation",
    &[
        Arg::block(
            "encoding_offset_value",
            &[Arg::bytes("encoding"), Arg::integer("offset"), Arg::integer("value")],
        )
        .token("SET"),
        Arg::block(
            "encoding_offset_increment",
            &[Arg::bytes("encoding"), Arg::integer("offset"), Arg::integer("increment")],
        )
        .token("INCRBY"),
    ],
);

/// `BITFIELD_RO`.
pub const BITFIELD_RO: Command = Command {
    spec: CommandSpec {
        name: "bitfield_ro",
        since: "6.0.0",
        summary: "Reads integers of any width inside of the string at a key.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::block("encoding_offset", GET_ARGS).token("GET").multiple().optional(),
        ],
        reply: &[ReplyShape::Array("For each operation a number.")],
        ..BITFIELD.spec
    },
    run: |cx, args| bitfield(cx, args, false),
    subcommands: &[],
};

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    action: Action,
    form: Form,
    offset: usize,
    overflow: Overflow,
}

impl Operation {
    /// What it answers, and what it would write.
    fn on(&self, bytes: &[u8]) -> (Option<i64>, Option<i64>) {
        let before = self.form.read(bytes, self.offset);
        match self.action {
            Action::Get => (Some(before), None),
            Action::Set(value) => {
                let new = self.form.add(value, 0, self.overflow);
                (new.map(|_| before), new)
            }
            Action::Increment(by) => {
                let new = self.form.add(before, by, self.overflow);
                (new, new)
            }
        }
    }

    /// The first byte that is written to.
    fn first_written(&self) -> Option<usize> {
        (!matches!(self.action, Action::Get)).then_some(self.offset / 8)
    }

    /// The bytes a string must have to be written to.
    fn bytes_needed(&self) -> usize {
        match self.action {
            Action::Get => 0,
            _ => (self.offset + self.form.bits() as usize).div_ceil(8),
        }
    }
}

fn parse_one(
    cx: &Context<'_>,
    args: &mut Args<'_>,
    overflow: Overflow,
) -> Result<Operation, CommandError> {
    let (name, left) = (args.bytes()?, args.left());
    let is = |token: &str| name.eq_ignore_ascii_case(token.as_bytes());
    let needed = if is("GET") {
        2
    } else if is("SET") || is("INCRBY") {
        3
    } else {
        return Err(CommandError::Syntax);
    };
    if left < needed {
        return Err(CommandError::Syntax);
    }
    let form = Form::parse(args.bytes()?).ok_or_else(|| {
        CommandError::text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported \
             but i64 is.",
        )
    })?;
    let offset = bit_offset(cx, args.bytes()?, Some(form.bits()))?;
    let action = if needed == 2 {
        Action::Get
    } else {
        let number = parse_i64(args.bytes()?).ok_or(CommandError::NotInteger)?;
        if is("SET") { Action::Set(number) } else { Action::Increment(number) }
    };
    Ok(Operation { action, form, offset, overflow })
}

fn parse(cx: &Context<'_>, args: &mut Args<'_>) -> Result<SmallVec<[Operation; 4]>, CommandError> {
    let mut overflow = Overflow::Wrap;
    let mut operations = SmallVec::new();
    while args.left() > 0 {
        if args.left() > 1 && args.take_token("OVERFLOW") {
            overflow = if args.take_token("WRAP") {
                Overflow::Wrap
            } else if args.take_token("SAT") {
                Overflow::Saturate
            } else if args.take_token("FAIL") {
                Overflow::Fail
            } else {
                return Err(CommandError::text("ERR Invalid OVERFLOW type specified"));
            };
        } else {
            operations.push(parse_one(cx, args, overflow)?);
        }
    }
    Ok(operations)
}

fn bitfield(cx: &mut Context<'_>, args: &mut Args<'_>, may_write: bool) -> CommandResult {
    let key = args.key()?;
    let operations = parse(cx, args)?;
    let needed = operations.iter().map(Operation::bytes_needed).max().unwrap_or(0);
    if needed > 0 && !may_write {
        return Err(CommandError::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    let text = if needed == 0 { cx.keys.string(key)? } else { cx.keys.peek_string(key)? };
    let mut room = itoa::Buffer::new();
    let bytes = text.as_ref().map_or(&b""[..], |text| text.bytes(&mut room));
    let grows = bytes.len() < needed;
    let changes = grows
        || operations.iter().any(|operation| {
            let new = operation.on(bytes).1;
            new.is_some_and(|new| new != operation.form.read(bytes, operation.offset))
        });
    let mut answers: SmallVec<[Option<i64>; 4]> = SmallVec::new();
    if changes {
        let mut string = cx.keys.write_string(key)?;
        let starts = operations.iter().filter_map(Operation::first_written);
        let bytes = string.at_least(needed, starts.min().unwrap_or(0)..needed)?;
        for operation in &operations {
            let (answer, new) = operation.on(bytes);
            answers.push(answer);
            if let Some(new) = new {
                operation.form.write(bytes, operation.offset, new);
            }
        }
        drop(string);
        cx.effects.changed(cx.keys.db, key, Event::SetBit);
    } else {
        answers.extend(operations.iter().map(|operation| operation.on(bytes).0));
    }
    cx.reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(number) => cx.reply.integer(number),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// Stock looks only at where a field begins: its last bytes may lie beyond the limit.
    #[test]
    fn a_field_may_begin_in_the_last_byte() {
        let mut server = Server::new();
        server.node().settings.proto_max_bulk_len.set(1 << 20);
        for (line, expected) in [
            (
                "bitfield k set u8 8388608 1",
                "-ERR bit offset is not an integer or out of range\r\n",
            ),
            ("exists k", ":0\r\n"),
            ("bitfield k set u8 8388607 1", "*1\r\n:0\r\n"),
            ("strlen k", ":1048577\r\n"),
            ("bitfield k incrby i64 8388607 1", "*1\r\n:72057594037927937\r\n"),
            ("strlen k", ":1048584\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn operations() {
        let mut server = Server::new();
        for (line, expected) in [
            ("bitfield k", "*0\r\n"),
            ("bitfield_ro k", "*0\r\n"),
            ("bitfield k get u8 0", "*1\r\n:0\r\n"),
            ("exists k", ":0\r\n"),
            ("bitfield k set i8 0 255 set i8 0 100 get i8 0", "*3\r\n:0\r\n:-1\r\n:100\r\n"),
            ("bitfield k set u8 #1 65 set u8 #2 66", "*2\r\n:0\r\n:0\r\n"),
            ("get k", "$3\r\ndAB\r\n"),
            ("bitfield k overflow sat incrby u8 0 1000", "*1\r\n:255\r\n"),
            ("bitfield k OVERFLOW fail incrby u8 0 1 get u8 0", "*2\r\n$-1\r\n:255\r\n"),
            ("bitfield k overflow fail set u4 0 16", "*1\r\n$-1\r\n"),
            ("bitfield k incrby i5 100 1 get u4 0", "*2\r\n:1\r\n:15\r\n"),
            ("strlen k", ":14\r\n"),
            ("bitfield_ro k get u8 0 get i8 0", "*2\r\n:255\r\n:-1\r\n"),
            ("bitfield_ro k set u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n"),
            ("bitfield k overflow foo", "-ERR Invalid OVERFLOW type specified\r\n"),
            ("bitfield k overflow", "-ERR syntax error\r\n"),
            ("bitfield k get u8", "-ERR syntax error\r\n"),
            ("bitfield k set u8 0", "-ERR syntax error\r\n"),
            ("bitfield k put u8 0 1", "-ERR syntax error\r\n"),
            (
                "bitfield k get u64 0",
                "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is.\r\n",
            ),
            ("bitfield k get u8 -1", "-ERR bit offset is not an integer or out of range\r\n"),
            ("bitfield k get u8 #-1", "-ERR bit offset is not an integer or out of range\r\n"),
            ("bitfield k set u8 0 x", "-ERR value is not an integer or out of range\r\n"),
            ("set n 1", "+OK\r\n"),
            ("bitfield n get u1 0", "*1\r\n:0\r\n"),
            ("bitfield n get u8 0", "*1\r\n:49\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn only_changes_are_logged() {
        let mut server = Server::new();
        server.check_log("bitfield k set u8 0 0", &["bitfield k set u8 0 0"]);
        server.check_log("bitfield k set u8 0 0 get u8 0", &[]);
        server.check_log("bitfield k incrby u8 0 1", &["bitfield k incrby u8 0 1"]);
        server.check_log("bitfield k overflow fail incrby u8 0 255", &[]);
    }
}
