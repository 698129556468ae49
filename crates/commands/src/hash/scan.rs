//! HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES].

use crate::elements::{Scan, cursor, nothing_scanned};
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Hash;

/// HSCAN.
pub const HSCAN: Command = Command {
    spec: CommandSpec {
        name: "hscan",
        since: "2.8.0",
        group: Group::Hash,
        summary: "Goes through the fields of a hash, some at each call.",
        complexity: "O(1) for each call, O(N) in the fields for all of them.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("novalues", "NOVALUES").optional(),
        ],
        reply: &[ReplyShape::Array("The next cursor, 0 at the end, and fields with their values.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: hscan,
    subcommands: &[],
};

fn hscan(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, cursor, now) = (args.key()?, cursor(args)?, cx.keys.fields_now());
    let Some(hash) = cx.keys.read::<Hash>(key)? else {
        nothing_scanned(cx);
        return Ok(());
    };
    let scan = Scan::parse(args, Some("NOVALUES"))?;
    let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
    scan.run(&mut cx.reply, cursor, |cursor, out| {
        let (mut looked, mut written) = (0, 0);
        let next = hash.scan(cursor, now, |field, value| {
            looked += 1;
            let field = field.bytes(&mut name);
            if scan.wants(field) {
                out.bulk(field);
                written += 1;
                if !scan.only_names {
                    out.bulk(value.bytes(&mut text));
                    written += 1;
                }
            }
        });
        (looked, written, next)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn fields_are_gone_through() {
        let mut server = Server::new();
        for (line, expected) in [
            ("hscan none 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
            ("hset h a 1 b x", ":2\r\n"),
            ("hscan h 0", "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("hscan h 0 match b", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("hscan h 0 novalues", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
