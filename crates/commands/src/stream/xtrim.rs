//! XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]: removes the oldest entries.
//!
//! Logged as the exact trim that was done.

use super::options::{Options, TRIM};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::Stream;

/// XTRIM.
pub const XTRIM: Command = Command {
    spec: CommandSpec {
        name: "xtrim",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Removes the oldest entries of a stream until a length or a lowest id is reached.",
        complexity: "O(N) in the entries that are removed; whole blocks go at once.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::block("trim", TRIM)],
        reply: &[ReplyShape::Integer("How many entries were removed.")],
        tips: &["nondeterministic_output"],
        history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
        ..CommandSpec::EMPTY
    },
    run: xtrim,
    subcommands: &[],
};

fn xtrim(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let options = Options::parse(cx, args, false)?;
    let trimming = options.trimming.ok_or(CommandError::Syntax)?;
    let stream = cx.keys.peek_at::<Stream>(key)?;
    if !stream.is_some_and(|stream| stream.would_trim(trimming.trim)) {
        cx.reply.integer(0);
        return Ok(());
    }
    let mut words: Vec<Vec<u8>> = args.request().words().iter().map(|word| word.to_vec()).collect();
    let edited = cx.keys.edit::<Stream, _>(key, |stream| {
        let gone = stream.trim(trimming.trim);
        trimming.rewrite(&mut words, stream);
        Ok(gone)
    })?;
    let gone = edited.map_or(0, |edited| edited.value);
    if gone > 0 {
        let db = cx.keys.db;
        cx.effects.changed(db, key, Event::StreamTrim);
        if trimming.trim.approximate {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            cx.effects.log_instead(db, &words);
        }
    }
    super::reply::write_count(&mut cx.reply, gone);
    Ok(())
}
