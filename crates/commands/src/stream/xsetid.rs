//! XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]: sets a stream's counters.

use super::ids;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Stream, StreamId};

/// XSETID.
pub const XSETID: Command = Command {
    spec: CommandSpec {
        name: "xsetid",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Sets the last id of a stream and its counters, for replicas and log files.",
        complexity: "O(1)",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::bytes("last-id"),
            Arg::integer("entries_added").token("ENTRIESADDED").optional(),
            Arg::bytes("max_deleted_entry_id").token("MAXDELETEDID").optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
        ..CommandSpec::EMPTY
    },
    run: xsetid,
    subcommands: &[],
};

fn xsetid(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, id) = (args.key()?, ids::strict(args.bytes()?, 0)?);
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    while args.left() > 0 {
        if args.left() >= 2 && args.take_token("ENTRIESADDED") {
            let negative = || CommandError::text("ERR entries_added must be positive");
            added = Some(u64::try_from(args.integer()?).map_err(|_| negative())?);
        } else if args.left() >= 2 && args.take_token("MAXDELETEDID") {
            max_deleted = ids::strict(args.bytes()?, 0)?;
            if id < max_deleted {
                return Err(smaller("the provided max_deleted_entry_id"));
            }
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let stream = cx.keys.peek_at::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
    // A primary of version 7.0 takes it.
    if id < stream.max_deleted_id && !cx.session.info.primary {
        return Err(smaller("current max_deleted_entry_id"));
    }
    if stream.last().is_some_and(|last| id < last.id) {
        return Err(smaller("the target stream top item"));
    }
    if added.is_some_and(|added| added < stream.len()) {
        return Err(CommandError::text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    cx.keys.edit::<Stream, _>(key, |stream| {
        stream.set_last_id(id);
        stream.entries_added = added.unwrap_or(stream.entries_added);
        if max_deleted != StreamId::MIN {
            stream.max_deleted_id = max_deleted;
        }
        Ok(())
    })?;
    cx.effects.changed(cx.keys.db, key, Event::StreamSetId);
    cx.reply.ok();
    Ok(())
}

fn smaller(than: &str) -> CommandError {
    CommandError::Text(format!("ERR The ID specified in XSETID is smaller than {than}"))
}
