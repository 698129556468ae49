//! GET key: the string at a key.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GET.
pub const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        since: "1.0.0",
        group: Group::String,
        summary: "Answers the string at a key.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Bulk("The string."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: get,
    subcommands: &[],
};

fn get(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    match cx.keys.string(key)? {
        Some(text) => cx.reply.bulk(text.bytes(&mut itoa::Buffer::new())),
        None => cx.reply.null(),
    }
    Ok(())
}
