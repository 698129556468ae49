//! ZSCAN key cursor [MATCH pattern] [COUNT n] [NOSCORES].

use crate::elements::{Scan, cursor, nothing_scanned};
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::SortedSet;

/// ZSCAN.
pub const ZSCAN: Command = Command {
    spec: CommandSpec {
        name: "zscan",
        since: "2.8.0",
        group: Group::SortedSet,
        summary: "Goes through the members and scores of a sorted set, some at each call.",
        complexity: "O(1) for each call, O(N) in the members for all of them.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("noscores", "NOSCORES").optional(),
        ],
        reply: &[ReplyShape::Array("The next cursor, 0 at the end, and members with scores.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: zscan,
    subcommands: &[],
};

fn zscan(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, cursor) = (args.key()?, cursor(args)?);
    let Some(set) = cx.keys.read::<SortedSet>(key)? else {
        nothing_scanned(cx);
        return Ok(());
    };
    let scan = Scan::parse(args, Some("NOSCORES"))?;
    scan.run(&mut cx.reply, cursor, |cursor, out| {
        let (mut looked, mut written) = (0, 0);
        let next = set.scan(cursor, |member, score| {
            looked += 1;
            if scan.wants(member) {
                out.bulk(member);
                written += 1;
                if !scan.only_names {
                    let mut text = Vec::with_capacity(24);
                    base::double::write(&mut text, score);
                    out.bulk(text);
                    written += 1;
                }
            }
        });
        (looked, written, next)
    });
    Ok(())
}
