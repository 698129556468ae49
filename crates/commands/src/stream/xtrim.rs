//! XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]: removes the
//! oldest entries.
//!
//! Logged as the exact trim that was done, in words of 7.0.

use super::options::{CONDITION, Condition, Options, TRIM};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::borrow::Cow;
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
        args: &[Arg::key("key"), Arg::block("trim", TRIM), CONDITION],
        reply: &[ReplyShape::Integer("How many entries were removed.")],
        tips: &["nondeterministic_output"],
        history: &[
            ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        ..CommandSpec::EMPTY
    },
    run: xtrim,
    subcommands: &[],
};

fn xtrim(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let options = Options::parse(cx, args, false)?;
    let trimming = options.trimming.ok_or(CommandError::Syntax)?;
    let spares = options.condition == Condition::Acknowledged;
    let stream = cx.keys.peek_at::<Stream>(key)?;
    let trims = stream.is_some_and(|stream| {
        if spares {
            !stream.acknowledged_to_trim(trimming.trim).is_empty()
        } else {
            stream.would_trim(trimming.trim)
        }
    });
    if !trims {
        cx.reply.integer(0);
        return Ok(());
    }
    let words = args.request().words();
    let mut words: Vec<Cow<'_, [u8]>> = words.iter().map(|&word| Cow::Borrowed(word)).collect();
    let edited = cx.keys.edit::<Stream, _>(key, |stream| Ok(options.trim(stream, &mut words)))?;
    let trimmed = edited.map(|edited| edited.value).unwrap_or_default();
    if trimmed.gone > 0 {
        let db = cx.keys.db;
        cx.effects.changed(db, key, Event::StreamTrim);
        if trimming.trim.approximate || options.condition_at.is_some() {
            cx.effects.log_nothing();
            if !spares {
                cx.effects.log_instead(db, &options.plain(&words));
            }
            trimmed.log(cx, key);
        }
    }
    super::reply::write_count(&mut cx.reply, trimmed.gone);
    Ok(())
}
