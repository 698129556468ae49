//! XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [MAXLEN | MINID [= | ~] threshold [LIMIT count]]
//! * | id field value ...
//!
//! Logged with the id that the entry got and with the trim that was done, in words of 7.0.

use super::options::{CONDITION, Options, TRIM, WantedId};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use smallvec::SmallVec;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use std::borrow::Cow;
use values::stream::{AddError, Stream, StreamId};

/// XADD.
pub const XADD: Command = Command {
    spec: CommandSpec {
        name: "xadd",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Adds an entry to the end of a stream; creates the key if it is absent.",
        complexity: "O(1) for the entry, O(N) in the entries that are trimmed.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::word("nomkstream", "NOMKSTREAM").optional(),
            CONDITION,
            Arg::block("trim", TRIM).optional(),
            Arg::one_of("id_or_auto", &[Arg::word("auto_id", "*"), Arg::bytes("id")]),
            Arg::block("field_value", &[Arg::bytes("field"), Arg::bytes("value")]).multiple(),
        ],
        reply: &[
            ReplyShape::Bulk("The id of the entry."),
            ReplyShape::Null("There is no such key, with NOMKSTREAM."),
        ],
        tips: &["nondeterministic_output"],
        history: &[
            (
                "6.2.0",
                "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
            ),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        ..CommandSpec::EMPTY
    },
    run: xadd,
    subcommands: &[],
};

/// The id an entry gets behind `last_id`.
fn next_id(
    cx: &Context<'_>,
    wanted: WantedId,
    last_id: StreamId,
) -> Result<StreamId, CommandError> {
    if last_id == StreamId::MAX {
        return Err(CommandError::text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = match wanted {
        WantedId::Whole(id) => Some(id),
        WantedId::Any if cx.now.0 > last_id.ms => Some(StreamId::new(cx.now.0, 0)),
        WantedId::Any => last_id.next(),
        WantedId::Within(ms) if ms == last_id.ms => {
            last_id.seq.checked_add(1).map(|seq| StreamId::new(ms, seq))
        }
        WantedId::Within(ms) => Some(StreamId::new(ms, 0)),
    };
    id.filter(|&id| id > last_id).ok_or_else(|| refused(AddError::NotAbove))
}

fn refused(error: AddError) -> CommandError {
    CommandError::text(match error {
        AddError::NotAbove => {
            "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        }
        AddError::TooLarge => "ERR Elements are too large to be stored",
    })
}

fn xadd(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let options = Options::parse(cx, args, true)?;
    let words = args.request().words();
    let fields = words.get(words.len() - args.left()..).unwrap_or_default();
    let Some(wanted) = options.id.filter(|_| fields.len() >= 2 && fields.len() % 2 == 0) else {
        return Err(CommandError::Arity("xadd".into()));
    };
    if wanted == WantedId::Whole(StreamId::MIN) {
        return Err(CommandError::text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let last_id = cx.keys.peek_at::<Stream>(key)?.map(|stream| stream.last_id);
    if last_id.is_none() && options.no_create {
        cx.reply.null();
        return Ok(());
    }
    let id = next_id(cx, wanted, last_id.unwrap_or_default())?;
    let (limits, db) = (super::limits(cx), cx.keys.db);
    let approximate = options.trimming.is_some_and(|one| one.trim.approximate);
    let text = id.to_bytes();
    let mut rewritten: SmallVec<[Cow<'_, [u8]>; 8]> = SmallVec::new();
    let as_it_came = matches!(wanted, WantedId::Whole(_)) && options.condition_at.is_none();
    if approximate || !as_it_came {
        rewritten.extend(words.iter().map(|&word| Cow::Borrowed(word)));
    }
    let edited = cx.keys.edit_or_create::<Stream, _>(key, |stream| {
        stream.add(id, fields, limits).map_err(refused)?;
        Ok(options.trim(stream, &mut rewritten))
    })?;
    cx.effects.changed(db, key, Event::StreamAdd);
    if edited.value.gone > 0 {
        cx.effects.notify(db, key, Event::StreamTrim);
    }
    if let Some(word) = rewritten.get_mut(options.id_at) {
        *word = Cow::Borrowed(&text);
        cx.effects.log_instead(db, &options.plain(&rewritten));
        edited.value.log(cx, key);
    }
    cx.reply.bulk(&text);
    Ok(())
}
