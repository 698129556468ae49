//! XREADGROUP GROUP group consumer [COUNT count] [BLOCK ms] [NOACK] [CLAIM min-idle-time]
//! STREAMS key [key ...] id [id ...]: a consumer is given its share of the entries.
//!
//! With the id `>` that is what nobody in the group was given yet, and with CLAIM before it what
//! others have held for too long; any other id asks for what the consumer holds itself. Who waits with
//! CLAIM is looked after again when the first entry has been held for that long.

use super::ids;
use super::log::GroupLog;
use super::reply::{write_count, write_entry, write_fields, write_id};
use super::xread::{Reading, STREAMS, begin, streams};
use base::Millis;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use values::stream::{Group as Consumers, Pending, Stream, StreamId};

/// XREADGROUP.
pub const XREADGROUP: Command = Command {
    spec: CommandSpec {
        name: "xreadgroup",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Gives a consumer of a group entries that nobody else in the group is given.",
        complexity: "O(N) in the entries that are given.",
        flags: &[Flag::Blocking, Flag::Write, Flag::MovableKeys],
        keys: &[streams(4)],
        args: &[
            Arg::block("group_consumer", &[Arg::bytes("group"), Arg::bytes("consumer")])
                .token("GROUP"),
            Arg::integer("count").token("COUNT").optional(),
            Arg::integer("milliseconds").token("BLOCK").optional(),
            Arg::word("noack", "NOACK").optional(),
            STREAMS,
        ],
        reply: &[
            ReplyShape::Map("For each stream that has some: its key and the entries."),
            ReplyShape::Null("There is nothing to read, or the time is up."),
        ],
        ..CommandSpec::EMPTY
    },
    run: xreadgroup,
    subcommands: &[],
};

/// Which entries are wanted: those that are new, or the own ones behind an id.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    New,
    Own(StreamId),
}

/// One stream that is read.
#[derive(Clone, Copy, Debug)]
struct Turn<'a> {
    log: GroupLog<'a>,
    consumer: &'a [u8],
    limit: usize,
    no_ack: bool,
    claim_ms: Option<u64>,
}

fn wanted(word: &[u8]) -> Result<Wanted, CommandError> {
    let meaningless = |mark: &str| {
        CommandError::Text(format!(
            "ERR The {mark} ID is meaningless in the context of XREADGROUP: you want to read the \
             history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The {mark} ID would just return an empty result set."
        ))
    };
    match word {
        b"$" => Err(meaningless("$")),
        b"+" => Err(meaningless("+")),
        b">" => Ok(Wanted::New),
        _ => Ok(match ids::strict(word, 0)?.next() {
            Some(from) => Wanted::Own(from),
            None => Wanted::New,
        }),
    }
}

fn xreadgroup(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let reading = Reading::parse(args, cx.now, true)?;
    let missing = || CommandError::text("ERR Missing GROUP option for XREADGROUP");
    let (group, consumer) = reading.group.ok_or_else(missing)?;
    let mut turns = Vec::with_capacity(reading.keys.len());
    for (&key, word) in reading.keys.iter().zip(&reading.ids) {
        let stream = cx.keys.read::<Stream>(key)?;
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            let error = super::no_group(key, group);
            return Err(CommandError::Text(format!("{error} in XREADGROUP with GROUP option")));
        }
        turns.push((key, wanted(word)?));
    }
    cx.effects.log_nothing();
    let (place, db) = (cx.reply.deferred(), cx.keys.db);
    let (mut written, mut again_in) = (0, None);
    for (key, wanted) in turns {
        let turn = Turn {
            log: GroupLog { db, key, group },
            consumer,
            limit: reading.limit(),
            no_ack: reading.no_ack,
            claim_ms: reading.claim_ms,
        };
        written += usize::from(turn.read(cx, wanted)?);
        if written == 0 && matches!(wanted, Wanted::New) {
            again_in = again_in.into_iter().chain(turn.claimable_in(cx)?).min();
        }
    }
    if written == 0 {
        let ids: Vec<Vec<u8>> = reading.ids.iter().map(|word| word.to_vec()).collect();
        reading.wait(cx, args, &ids, again_in);
    } else if cx.reply.is_resp3() {
        cx.reply.finish_map(place, written);
    } else {
        cx.reply.finish_array(place, written);
    }
    Ok(())
}

impl Turn<'_> {
    /// The stream and its group, which were looked for before.
    fn find<'c>(
        &self,
        cx: &'c mut Context<'_>,
    ) -> Result<(&'c Stream, &'c Consumers), CommandError> {
        let found = cx.keys.peek_at::<Stream>(self.log.key)?;
        let found = found.and_then(|stream| Some((stream, stream.group(self.log.group)?)));
        found.ok_or_else(|| super::no_group(self.log.key, self.log.group))
    }

    /// Reads one stream and writes what it gives. False if that is nothing.
    fn read(&self, cx: &mut Context<'_>, wanted: Wanted) -> Result<bool, CommandError> {
        let now_ms = cx.now.0;
        let (stream, group) = self.find(cx)?;
        let known = group.consumer(self.consumer);
        if let Some(consumer) = known {
            consumer.saw(now_ms);
        }
        let is_new = known.is_none();
        let (claimed, fresh) = match wanted {
            Wanted::New => self.choose(stream, group, now_ms),
            Wanted::Own(_) => (Vec::new(), Vec::new()),
        };
        if is_new {
            self.create(cx, (claimed.is_empty() && fresh.is_empty()) || self.no_ack)?;
        }
        if let Wanted::Own(from) = wanted {
            self.give_own(cx, from)?;
            return Ok(true);
        }
        if claimed.is_empty() && fresh.is_empty() {
            return Ok(false);
        }
        self.take(cx, &claimed, &fresh)?;
        self.log_taken(cx, &claimed, &fresh)?;
        self.give(cx, &claimed, &fresh)?;
        Ok(true)
    }

    /// What is to be claimed, the longest held first, and what is new.
    fn choose(
        &self,
        stream: &Stream,
        group: &Consumers,
        now_ms: u64,
    ) -> (Vec<(StreamId, Pending)>, Vec<StreamId>) {
        let mut claimed = Vec::new();
        if let Some(min_idle_ms) = self.claim_ms {
            let idle = |pending: &Pending| now_ms.saturating_sub(pending.delivered_at_ms);
            let held = group.pending().iter().filter(|(_, one)| idle(one) >= min_idle_ms);
            let held = held.filter(|(id, _)| stream.get(**id).is_some());
            claimed.extend(held.map(|(&id, pending)| (id, pending.clone())));
            claimed.sort_by_key(|(id, pending)| (pending.delivered_at_ms, *id));
            claimed.truncate(self.limit);
        }
        let left = self.limit - claimed.len();
        let mut fresh = Vec::new();
        let from = group.last_id.next();
        if let Some(from) = from.filter(|&from| stream.last().is_some_and(|last| last.id >= from)) {
            let entries = stream.range(from, StreamId::MAX).take(left);
            fresh.extend(entries.map(|entry| entry.id));
        }
        (claimed, fresh)
    }

    /// After how long something may be claimed at the earliest: what is held now, or what is given out
    /// from now on. O(entries that are held).
    fn claimable_in(&self, cx: &mut Context<'_>) -> Result<Option<Millis>, CommandError> {
        let Some(min_idle_ms) = self.claim_ms else { return Ok(None) };
        let now_ms = cx.now.0;
        let (stream, group) = self.find(cx)?;
        let mut least = min_idle_ms;
        for (&id, pending) in group.pending() {
            let left = min_idle_ms.saturating_sub(now_ms.saturating_sub(pending.delivered_at_ms));
            if left < least && stream.get(id).is_some() {
                least = left;
            }
        }
        Ok(Some(Millis(least.max(1))))
    }

    /// Makes the consumer. The log says so unless what the consumer is given says it.
    fn create(&self, cx: &mut Context<'_>, logged: bool) -> CommandResult {
        let now_ms = cx.now.0;
        cx.keys.edit::<Stream, _>(self.log.key, |stream| {
            let group = stream.group_mut(self.log.group);
            Ok(group.is_some_and(|group| group.create_consumer(self.consumer, now_ms)))
        })?;
        cx.effects.changed(self.log.db, self.log.key, Event::StreamGroupCreateConsumer);
        if logged {
            self.log.consumer(cx.effects, self.consumer);
        }
        Ok(())
    }

    fn take(
        &self,
        cx: &mut Context<'_>,
        claimed: &[(StreamId, Pending)],
        fresh: &[StreamId],
    ) -> CommandResult {
        let now_ms = cx.now.0;
        cx.keys.edit::<Stream, _>(self.log.key, |stream| {
            for &id in fresh {
                stream.advance(self.log.group, id);
            }
            let Some(group) = stream.group_mut(self.log.group) else { return Ok(()) };
            for (id, pending) in claimed {
                let deliveries = pending.deliveries.saturating_add(1);
                group.assign(*id, self.consumer, now_ms, deliveries);
            }
            if !self.no_ack {
                for &id in fresh {
                    group.assign(id, self.consumer, now_ms, 1);
                }
            }
            if !self.no_ack || !claimed.is_empty() {
                group.set_active(self.consumer, Some(now_ms));
            }
            Ok(())
        })?;
        cx.effects.changed_silently();
        Ok(())
    }

    fn log_taken(
        &self,
        cx: &mut Context<'_>,
        claimed: &[(StreamId, Pending)],
        fresh: &[StreamId],
    ) -> CommandResult {
        let found = cx.keys.peek_at::<Stream>(self.log.key)?;
        let Some(group) = found.and_then(|stream| stream.group(self.log.group)) else {
            return Ok(());
        };
        // A claim may not tell replicas of entries that come only behind it.
        let before = fresh.first().and_then(|id| id.previous()).unwrap_or(group.last_id);
        let fresh_ids = fresh.iter().filter(|_| !self.no_ack).map(|&id| (id, id));
        let ids = claimed.iter().map(|&(id, _)| (id, before)).chain(fresh_ids);
        for (id, last_id) in ids {
            if let Some(pending) = group.pending().get(&id) {
                self.log.claim(cx.effects, id, pending, last_id);
            }
        }
        if !fresh.is_empty() {
            self.log.position(cx.effects, group);
        }
        Ok(())
    }

    fn give(
        &self,
        cx: &mut Context<'_>,
        claimed: &[(StreamId, Pending)],
        fresh: &[StreamId],
    ) -> CommandResult {
        begin(cx, self.log.key);
        let now_ms = cx.now.0;
        let stream = cx.keys.peek_at::<Stream>(self.log.key)?;
        let get = |id: StreamId| stream.and_then(|stream| stream.get(id));
        let reply = &mut cx.reply;
        reply.array(claimed.len() + fresh.len());
        for (id, old) in claimed {
            reply.array(4);
            write_id(reply, *id);
            match get(*id) {
                Some(entry) => write_fields(reply, &entry),
                None => reply.null_array(),
            }
            write_count(reply, now_ms.saturating_sub(old.delivered_at_ms));
            write_count(reply, old.deliveries);
        }
        let (Some(&first), Some(&last)) = (fresh.first(), fresh.last()) else { return Ok(()) };
        let entries = stream.into_iter().flat_map(|stream| stream.range(first, last));
        for entry in entries.take(fresh.len()) {
            if self.claim_ms.is_none() {
                write_entry(reply, &entry);
                continue;
            }
            reply.array(4);
            write_id(reply, entry.id);
            write_fields(reply, &entry);
            reply.integer(0);
            reply.integer(0);
        }
        Ok(())
    }

    /// Gives what the consumer holds, from an id on; that counts as delivered once more.
    fn give_own(&self, cx: &mut Context<'_>, from: StreamId) -> CommandResult {
        let now_ms = cx.now.0;
        begin(cx, self.log.key);
        let (stream, group) = self.find(cx)?;
        let consumer = group.consumer(self.consumer);
        let held = consumer.into_iter().flat_map(|one| one.pending().range(from..));
        let held: Vec<(StreamId, bool)> =
            held.take(self.limit).map(|&id| (id, stream.get(id).is_some())).collect();
        if held.iter().any(|&(_, exists)| exists) {
            cx.keys.edit::<Stream, _>(self.log.key, |stream| {
                let Some(group) = stream.group_mut(self.log.group) else { return Ok(()) };
                for &(id, _) in held.iter().filter(|(_, exists)| *exists) {
                    let before = group.pending().get(&id).map_or(0, |pending| pending.deliveries);
                    group.assign(id, self.consumer, now_ms, before.saturating_add(1));
                }
                Ok(())
            })?;
            cx.effects.changed_silently();
        }
        let stream = cx.keys.peek_at::<Stream>(self.log.key)?;
        cx.reply.array(held.len());
        for (id, _) in held {
            if let Some(entry) = stream.and_then(|stream| stream.get(id)) {
                write_entry(&mut cx.reply, &entry);
                continue;
            }
            cx.reply.array(2);
            write_id(&mut cx.reply, id);
            cx.reply.null_array();
        }
        Ok(())
    }
}
