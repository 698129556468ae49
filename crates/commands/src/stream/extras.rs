//! XDELEX and XACKDEL (Redis 8.2): entries are deleted with regard to who holds them.
//!
//! KEEPREF, the default, deletes an entry and leaves it with its holders; DELREF takes it from all of
//! them, also if it is in the stream no longer; ACKED deletes only what every group has read and
//! acknowledged. Logged as XDEL and XACK.
//!
//! Source: Redis documentation, "XDELEX", "XACKDEL" (8.2).

use super::ids;
use super::log::GroupLog;
use super::options::{CONDITION, Condition};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Stream, StreamId};

const ROW: CommandSpec = CommandSpec {
    since: "8.2.0",
    group: Group::Stream,
    complexity: "O(1) for each id; O(G) in the groups with DELREF and ACKED.",
    flags: &[Flag::Write, Flag::Fast],
    keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
    ..CommandSpec::EMPTY
};

const IDS: Arg =
    Arg::block("ids", &[Arg::integer("numids"), Arg::bytes("id").multiple()]).token("IDS");

/// XDELEX.
pub const XDELEX: Command = Command {
    spec: CommandSpec {
        name: "xdelex",
        summary: "Deletes entries of a stream with regard to groups that hold them.",
        args: &[Arg::key("key"), CONDITION, IDS],
        reply: &[ReplyShape::Array(
            "For each id: -1 there is no such entry, 1 it was deleted, 2 it is still referred to.",
        )],
        ..ROW
    },
    run: xdelex,
    subcommands: &[],
};

/// XACKDEL.
pub const XACKDEL: Command = Command {
    spec: CommandSpec {
        name: "xackdel",
        summary: "Acknowledges entries for a group and deletes them.",
        args: &[Arg::key("key"), Arg::bytes("group"), CONDITION, IDS],
        reply: &[ReplyShape::Array(
            "For each id: -1 nobody in the group holds it, 1 it was acknowledged and deleted, 2 it \
             was acknowledged but is still referred to.",
        )],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update, KeyFlag::Delete])],
        ..ROW
    },
    run: xackdel,
    subcommands: &[],
};

const ABSENT: i64 = -1;
const DELETED: i64 = 1;
const REFERRED: i64 = 2;

/// A condition and the ids, each at most once and in any order.
fn parse(args: &mut Args<'_>) -> Result<(Condition, Vec<StreamId>), CommandError> {
    let (mut condition, mut ids) = (None, None);
    while args.left() > 0 {
        let said_before = if args.take_token("IDS") {
            ids.replace(listed(args)?).is_some()
        } else {
            let found = Condition::take(args).ok_or(CommandError::Syntax)?;
            condition.replace(found).is_some()
        };
        if said_before {
            return Err(CommandError::Syntax);
        }
    }
    Ok((condition.unwrap_or_default(), ids.ok_or(CommandError::Syntax)?))
}

/// `numids id [id ...]`.
fn listed(args: &mut Args<'_>) -> Result<Vec<StreamId>, CommandError> {
    let positive = || CommandError::text("ERR Number of IDs must be a positive integer");
    let count = args.integer().ok().filter(|&count| count > 0).ok_or_else(positive)?;
    let count = usize::try_from(count).ok().filter(|&count| count <= args.left());
    let count = count.ok_or_else(|| {
        CommandError::text("ERR The `numids` parameter must match the number of arguments")
    })?;
    (0..count).map(|_| ids::strict(args.bytes()?, 0)).collect()
}

/// What was done, in order.
#[derive(Debug, Default)]
struct Done {
    answers: Vec<i64>,
    deleted: Vec<StreamId>,
    /// Acknowledged: in which group, which entry.
    acknowledged: Vec<(Box<[u8]>, StreamId)>,
}

impl Done {
    fn delete(&mut self, stream: &mut Stream, id: StreamId, condition: Condition) {
        if condition == Condition::Acknowledged && stream.is_referenced(id) {
            self.answers.push(REFERRED);
            return;
        }
        if condition == Condition::DeleteReferences {
            self.release(stream, id);
        }
        if stream.delete(id) {
            self.deleted.push(id);
        }
        self.answers.push(DELETED);
    }

    /// Takes an entry from whoever holds it.
    fn release(&mut self, stream: &mut Stream, id: StreamId) {
        let groups = stream.acknowledge_everywhere(id);
        self.acknowledged.extend(groups.into_iter().map(|group| (group, id)));
    }

    fn finish(self, cx: &mut Context<'_>, key: &[u8]) {
        let db = cx.keys.db;
        cx.effects.log_nothing();
        for (group, id) in &self.acknowledged {
            cx.effects.changed_silently();
            let log = GroupLog { db, key, group };
            cx.effects.log_instead(log.db, &[b"XACK", key, log.group, &id.to_bytes()]);
        }
        if !self.deleted.is_empty() {
            cx.effects.changed(db, key, Event::StreamDelete);
            let ids: Vec<Vec<u8>> = self.deleted.iter().map(|id| id.to_bytes()).collect();
            let mut words: Vec<&[u8]> = vec![b"XDEL", key];
            words.extend(ids.iter().map(Vec::as_slice));
            cx.effects.log_instead(db, &words);
        }
        cx.reply.array(self.answers.len());
        for answer in self.answers {
            cx.reply.integer(answer);
        }
    }
}

fn xdelex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let (condition, ids) = parse(args)?;
    let releases = condition == Condition::DeleteReferences;
    let concerns = |stream: &Stream, id: StreamId| {
        stream.get(id).is_some()
            || releases && stream.groups().values().any(|group| group.pending().contains_key(&id))
    };
    let stream = cx.keys.peek_at::<Stream>(key)?;
    let mut done = Done::default();
    if stream.is_some_and(|stream| ids.iter().any(|&id| concerns(stream, id))) {
        cx.keys.edit::<Stream, _>(key, |stream| {
            for &id in &ids {
                if stream.get(id).is_some() {
                    done.delete(stream, id, condition);
                } else {
                    if releases {
                        done.release(stream, id);
                    }
                    done.answers.push(ABSENT);
                }
            }
            Ok(())
        })?;
    }
    done.answers.resize(ids.len(), ABSENT);
    done.finish(cx, key);
    Ok(())
}

fn xackdel(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name) = (args.key()?, args.bytes()?);
    let (condition, ids) = parse(args)?;
    let group = cx.keys.peek_at::<Stream>(key)?.and_then(|stream| stream.group(name));
    let mut done = Done::default();
    if group.is_some_and(|group| ids.iter().any(|id| group.pending().contains_key(id))) {
        cx.keys.edit::<Stream, _>(key, |stream| {
            for &id in &ids {
                if stream.group_mut(name).is_some_and(|group| group.acknowledge(id)) {
                    done.acknowledged.push((name.into(), id));
                    done.delete(stream, id, condition);
                } else {
                    done.answers.push(ABSENT);
                }
            }
            Ok(())
        })?;
    }
    done.answers.resize(ids.len(), ABSENT);
    done.finish(cx, key);
    Ok(())
}
