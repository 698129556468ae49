//! CLIENT PAUSE and UNPAUSE: clients wait for a while, all of them or those that write.

use super::{OTHERS, OTHERS_ALONE};
use base::Millis;
use engine::pause::Extent;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};

pub(super) const PAUSE: Command = Command {
    spec: CommandSpec {
        name: "pause",
        since: "2.9.50",
        group: Group::Connection,
        summary: "Lets clients wait for so many milliseconds, all or those that write.",
        // Alone: what has passed the gates before the pause has run when it is told.
        flags: OTHERS_ALONE,
        args: &[
            Arg::integer("timeout"),
            Arg::one_of("mode", &[Arg::word("write", "WRITE"), Arg::word("all", "ALL")]).optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        history: &[("6.2.0", "Takes WRITE and ALL.")],
        ..CommandSpec::EMPTY
    },
    run: pause,
    subcommands: &[],
};

pub(super) const UNPAUSE: Command = Command {
    spec: CommandSpec {
        name: "unpause",
        since: "6.2.0",
        group: Group::Connection,
        summary: "Ends the pause.",
        complexity: "O(N) in the clients that wait.",
        flags: OTHERS,
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: unpause,
    subcommands: &[],
};

fn pause(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let timeout = args.bytes()?;
    let extent = match args.next() {
        None => Extent::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => Extent::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => Extent::Writes,
        Some(_) => {
            return Err(CommandError::text("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
    };
    if args.left() > 0 {
        return Err(crate::help::wrong_words(args));
    }
    let span = values::string::parse_i64(timeout)
        .ok_or_else(|| CommandError::text("ERR timeout is not an integer or out of range"))?;
    let span = u64::try_from(span).map_err(|_| CommandError::text("ERR timeout is negative"))?;
    cx.node.pause.begin(base::clock::monotonic() + Millis(span), extent);
    cx.node.refresh();
    cx.reply.ok();
    Ok(())
}

fn unpause(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    cx.node.pause.end();
    cx.node.refresh();
    cx.node.wake_loops();
    cx.reply.ok();
    Ok(())
}
