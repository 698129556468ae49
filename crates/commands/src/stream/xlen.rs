//! XLEN key: the number of entries.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::Stream;

/// XLEN.
pub const XLEN: Command = Command {
    spec: CommandSpec {
        name: "xlen",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Gives the number of entries of a stream.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("The number of entries; 0 if there is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: xlen,
    subcommands: &[],
};

fn xlen(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let len = cx.keys.read::<Stream>(args.key()?)?.map_or(0, Stream::len);
    super::reply::write_count(&mut cx.reply, len);
    Ok(())
}
