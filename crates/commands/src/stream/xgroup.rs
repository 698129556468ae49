//! XGROUP: groups of consumers are made, moved and removed.

use super::{ids, no_group_of_key};
use crate::help::{self, wrong_words};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Group as Consumers, Stream};

/// XGROUP.
pub const XGROUP: Command = Command {
    spec: CommandSpec {
        name: "xgroup",
        summary: "A container of commands about groups of consumers.",
        complexity: "Depends on the subcommand.",
        ungrouped: true,
        ..ROW
    },
    run: help::no_subcommand,
    subcommands: &[&CREATE, &CREATECONSUMER, &DELCONSUMER, &DESTROY, &HELP, &SETID],
};

const ROW: CommandSpec = CommandSpec { since: "5.0.0", group: Group::Stream, ..CommandSpec::EMPTY };

const HELP: Command =
    help::help(CommandSpec { group: Group::Stream, ungrouped: false, ..help::ROW });

const ID: Arg = Arg::one_of("id", &[Arg::bytes("id"), Arg::word("new_id", "$")]);

const CREATE: Command = Command {
    spec: CommandSpec {
        name: "create",
        summary: "Makes a group of consumers that reads the entries behind an id.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: &[
            Arg::key("key"),
            Arg::bytes("groupname"),
            ID,
            Arg::word("mkstream", "MKSTREAM").optional(),
            Arg::integer("entries_read").token("ENTRIESREAD").optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        history: &[("7.0.0", "Added the `entries_read` named argument.")],
        ..ROW
    },
    run: create,
    subcommands: &[],
};

const SETID: Command = Command {
    spec: CommandSpec {
        name: "setid",
        summary: "Sets the last id that a group has read.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::bytes("groupname"),
            ID,
            Arg::integer("entries_read").token("ENTRIESREAD").optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        history: &[("7.0.0", "Added the optional `entries_read` argument.")],
        ..ROW
    },
    run: setid,
    subcommands: &[],
};

const DESTROY: Command = Command {
    spec: CommandSpec {
        name: "destroy",
        summary: "Removes a group of consumers with all that they hold.",
        complexity: "O(N) in the entries that the group's consumers hold.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::bytes("groupname")],
        reply: &[ReplyShape::Integer("1 if there was such a group, else 0.")],
        ..ROW
    },
    run: destroy,
    subcommands: &[],
};

const CONSUMER: &[Arg] = &[Arg::key("key"), Arg::bytes("groupname"), Arg::bytes("consumername")];

const CREATECONSUMER: Command = Command {
    spec: CommandSpec {
        name: "createconsumer",
        since: "6.2.0",
        summary: "Makes a consumer in a group.",
        flags: &[Flag::Write, Flag::DenyOom],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Insert])],
        args: CONSUMER,
        reply: &[ReplyShape::Integer("1 if the consumer is new, else 0.")],
        ..ROW
    },
    run: create_consumer,
    subcommands: &[],
};

const DELCONSUMER: Command = Command {
    spec: CommandSpec {
        name: "delconsumer",
        summary: "Removes a consumer from a group with all that it holds.",
        flags: &[Flag::Write],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: CONSUMER,
        reply: &[ReplyShape::Integer("How many entries the consumer held.")],
        ..ROW
    },
    run: delete_consumer,
    subcommands: &[],
};

#[derive(Debug, Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: &mut Args<'_>, creates: bool) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while args.left() > 0 {
            if creates && args.take_token("MKSTREAM") {
                options.make_stream = true;
            } else if args.left() >= 2 && args.take_token("ENTRIESREAD") {
                let read = args.integer()?;
                if read < -1 {
                    return Err(CommandError::text(
                        "ERR value for ENTRIESREAD must be positive or -1",
                    ));
                }
                options.entries_read = u64::try_from(read).ok();
            } else {
                return Err(wrong_words(args));
            }
        }
        Ok(options)
    }
}

/// The stream at `key`.
fn stream<'a>(cx: &'a mut Context<'_>, key: &[u8]) -> Result<&'a Stream, CommandError> {
    cx.keys.peek_at::<Stream>(key)?.ok_or_else(|| {
        CommandError::text(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want \
             to use the MKSTREAM option to create an empty stream automatically.",
        )
    })
}

/// The group `name` of the stream at `key`.
fn group<'a>(
    cx: &'a mut Context<'_>,
    key: &[u8],
    name: &[u8],
) -> Result<&'a Consumers, CommandError> {
    stream(cx, key)?.group(name).ok_or_else(|| no_group_of_key(key, name))
}

fn create(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, word) = (args.key()?, args.bytes()?, args.bytes()?);
    let options = Options::parse(args, true)?;
    let found = match cx.keys.peek_at::<Stream>(key)? {
        None if options.make_stream => None,
        _ => Some(stream(cx, key)?),
    };
    let id = match word {
        b"$" => found.map_or_else(Default::default, |stream| stream.last_id),
        _ => ids::strict(word, 0)?,
    };
    if found.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(CommandError::text("BUSYGROUP Consumer Group name already exists"));
    }
    cx.keys.edit_or_create::<Stream, _>(key, |stream| {
        Ok(stream.add_group(name, Consumers::new(id, options.entries_read)))
    })?;
    cx.effects.changed(cx.keys.db, key, Event::StreamGroupCreate);
    cx.reply.ok();
    Ok(())
}

fn setid(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, word) = (args.key()?, args.bytes()?, args.bytes()?);
    let options = Options::parse(args, false)?;
    group(cx, key, name)?;
    let id = match word {
        b"$" => stream(cx, key)?.last_id,
        _ => ids::loose(word, 0)?,
    };
    cx.keys.edit::<Stream, _>(key, |stream| {
        if let Some(group) = stream.group_mut(name) {
            (group.last_id, group.entries_read) = (id, options.entries_read);
        }
        Ok(())
    })?;
    cx.effects.changed(cx.keys.db, key, Event::StreamGroupSetId);
    cx.reply.ok();
    Ok(())
}

fn destroy(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name) = (args.key()?, args.bytes()?);
    if stream(cx, key)?.group(name).is_none() {
        cx.reply.integer(0);
        return Ok(());
    }
    cx.keys.edit::<Stream, _>(key, |stream| Ok(stream.remove_group(name)))?;
    cx.effects.changed(cx.keys.db, key, Event::StreamGroupDestroy);
    cx.reply.integer(1);
    Ok(())
}

fn create_consumer(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    if group(cx, key, name)?.consumer(consumer).is_some() {
        cx.reply.integer(0);
        return Ok(());
    }
    let now_ms = cx.now.0;
    cx.keys.edit::<Stream, _>(key, |stream| {
        Ok(stream.group_mut(name).is_some_and(|group| group.create_consumer(consumer, now_ms)))
    })?;
    cx.effects.changed(cx.keys.db, key, Event::StreamGroupCreateConsumer);
    cx.reply.integer(1);
    Ok(())
}

fn delete_consumer(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    if group(cx, key, name)?.consumer(consumer).is_none() {
        cx.reply.integer(0);
        return Ok(());
    }
    let edited = cx.keys.edit::<Stream, _>(key, |stream| {
        Ok(stream.group_mut(name).and_then(|group| group.remove_consumer(consumer)))
    })?;
    cx.effects.changed(cx.keys.db, key, Event::StreamGroupDeleteConsumer);
    let held = edited.and_then(|edited| edited.value).unwrap_or(0);
    super::reply::write_count(&mut cx.reply, held);
    Ok(())
}
