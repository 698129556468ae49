//! XDEL key id [id ...]: deletes entries.

use super::ids;
use engine::effects::Event;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::Stream;

/// XDEL.
pub const XDEL: Command = Command {
    spec: CommandSpec {
        name: "xdel",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Deletes entries of a stream by their ids.",
        complexity: "O(1) for each id.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("id").multiple()],
        reply: &[ReplyShape::Integer("How many entries were deleted.")],
        ..CommandSpec::EMPTY
    },
    run: xdel,
    subcommands: &[],
};

fn xdel(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let Some(stream) = cx.keys.peek_at::<Stream>(key)? else {
        cx.reply.integer(0);
        return Ok(());
    };
    let ids = ids::rest(args)?;
    if !ids.iter().any(|&id| stream.get(id).is_some()) {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx
        .keys
        .edit::<Stream, _>(key, |stream| Ok(ids.iter().filter(|&&id| stream.delete(id)).count()))?;
    cx.effects.changed(cx.keys.db, key, Event::StreamDelete);
    super::reply::write_count(&mut cx.reply, edited.map_or(0, |edited| edited.value));
    Ok(())
}
