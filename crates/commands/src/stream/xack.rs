//! XACK key group id [id ...]: entries are done with.

use super::ids;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::Stream;

/// XACK.
pub const XACK: Command = Command {
    spec: CommandSpec {
        name: "xack",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Acknowledges entries: nobody in the group holds them any longer.",
        complexity: "O(log N) for each id, in the entries that the group's consumers hold.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[Arg::key("key"), Arg::bytes("group"), Arg::bytes("id").multiple()],
        reply: &[ReplyShape::Integer("How many entries were held until now.")],
        ..CommandSpec::EMPTY
    },
    run: xack,
    subcommands: &[],
};

fn xack(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name) = (args.key()?, args.bytes()?);
    let group = cx.keys.peek_at::<Stream>(key)?.and_then(|stream| stream.group(name));
    let Some(group) = group else {
        cx.reply.integer(0);
        return Ok(());
    };
    let ids = ids::rest(args)?;
    if !ids.iter().any(|id| group.pending().contains_key(id)) {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx.keys.edit::<Stream, _>(key, |stream| {
        let Some(group) = stream.group_mut(name) else { return Ok(0) };
        Ok(ids.iter().filter(|&&id| group.acknowledge(id)).count())
    })?;
    cx.effects.changed_silently();
    super::reply::write_count(&mut cx.reply, edited.map_or(0, |edited| edited.value));
    Ok(())
}
