//! SSCAN key cursor [MATCH pattern] [COUNT n].

use crate::elements::{Scan, cursor, nothing_scanned};
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::Set;

/// SSCAN.
pub const SSCAN: Command = Command {
    spec: CommandSpec {
        name: "sscan",
        since: "2.8.0",
        group: Group::Set,
        summary: "Goes through the members of a set, some at each call.",
        complexity: "O(1) for each call, O(N) in the members for all of them.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
        ],
        reply: &[ReplyShape::Array("The next cursor, 0 at the end, and an array of members.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: sscan,
    subcommands: &[],
};

fn sscan(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, cursor) = (args.key()?, cursor(args)?);
    let Some(set) = cx.keys.read::<Set>(key)? else {
        nothing_scanned(cx);
        return Ok(());
    };
    let scan = Scan::parse(args, None)?;
    let mut room = itoa::Buffer::new();
    scan.run(&mut cx.reply, cursor, |cursor, out| {
        let (mut looked, mut written) = (0, 0);
        let next = set.scan(cursor, |member| {
            looked += 1;
            let member = member.bytes(&mut room);
            if scan.wants(member) {
                out.bulk(member);
                written += 1;
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
    fn members_are_gone_through() {
        let mut server = Server::new();
        for (line, expected) in [
            ("sscan none 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
            ("sadd s a b 10", ":3\r\n"),
            ("sscan s 0", "*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\n10\r\n"),
            ("sscan s 0 match [ab] count 1", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("sscan s x", "-ERR invalid cursor\r\n"),
            ("sscan s 0 count 0", "-ERR syntax error\r\n"),
            ("sscan s 0 count x", "-ERR value is not an integer or out of range\r\n"),
            ("sscan s 0 novalues", "-ERR NOVALUES option can only be used in HSCAN\r\n"),
            ("sscan none 0 novalues", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
