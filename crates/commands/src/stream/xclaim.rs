//! XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-ms]
//! [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]: a consumer takes over what others hold.
//!
//! An entry that is gone from the stream is let go instead; both are logged as the XCLAIM that does
//! just this.

use super::ids;
use super::log::GroupLog;
use super::reply::{write_entry, write_id};
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Pending, Stream, StreamId};

/// XCLAIM.
pub const XCLAIM: Command = Command {
    spec: CommandSpec {
        name: "xclaim",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Gives entries that other consumers hold to a consumer, as if newly delivered.",
        complexity: "O(log N) for each id, in the entries that the group's consumers hold.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::bytes("group"),
            Arg::bytes("consumer"),
            Arg::bytes("min-idle-time"),
            Arg::bytes("id").multiple(),
            Arg::integer("ms").token("IDLE").optional(),
            Arg::unix_time("unix-time-milliseconds").token("TIME").optional(),
            Arg::integer("count").token("RETRYCOUNT").optional(),
            Arg::word("force", "FORCE").optional(),
            Arg::word("justid", "JUSTID").optional(),
            Arg::bytes("id").token("LASTID").optional(),
        ],
        reply: &[ReplyShape::Array("The entries that were claimed, or their ids with JUSTID.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: xclaim,
    subcommands: &[],
};

/// An entry that was claimed, or let go because it is gone.
#[derive(Debug)]
pub(super) struct Claimed {
    pub id: StreamId,
    pub pending: Pending,
    pub is_gone: bool,
}

#[derive(Debug)]
struct Options {
    min_idle_ms: u64,
    ids: Vec<StreamId>,
    delivered_at_ms: u64,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl Options {
    fn parse(args: &mut Args<'_>, now_ms: u64) -> Result<Options, CommandError> {
        let idle = ids::number(args, "ERR Invalid min-idle-time argument for XCLAIM")?;
        let mut options = Options {
            min_idle_ms: u64::try_from(idle).unwrap_or(0),
            ids: Vec::new(),
            delivered_at_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
            last_id: StreamId::MIN,
        };
        while let Some(id) = args.peek().and_then(|word| StreamId::parse(word, 0)) {
            options.ids.push(id);
            args.next();
        }
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let mut delivered_at = None;
        while args.left() > 0 {
            let more = args.left() >= 2;
            if args.take_token("FORCE") {
                options.force = true;
            } else if args.take_token("JUSTID") {
                options.just_id = true;
            } else if more && args.take_token("IDLE") {
                let idle = ids::number(args, "ERR Invalid IDLE option argument for XCLAIM")?;
                delivered_at = Some(now.saturating_sub(idle));
            } else if more && args.take_token("TIME") {
                let text = "ERR Invalid TIME option argument for XCLAIM";
                delivered_at = Some(ids::number(args, text)?);
            } else if more && args.take_token("RETRYCOUNT") {
                let text = "ERR Invalid RETRYCOUNT option argument for XCLAIM";
                options.deliveries = u64::try_from(ids::number(args, text)?).ok();
            } else if more && args.take_token("LASTID") {
                options.last_id = ids::strict(args.bytes()?, 0)?;
            } else {
                let word = String::from_utf8_lossy(args.bytes()?);
                return Err(CommandError::Text(format!("ERR Unrecognized XCLAIM option '{word}'")));
            }
        }
        // A time that cannot be is taken for now.
        let possible = delivered_at.filter(|&at| at <= now);
        if let Some(at) = possible.and_then(|at| u64::try_from(at).ok()) {
            options.delivered_at_ms = at;
        }
        Ok(options)
    }

    /// Claims what can be claimed for `consumer`, which is there.
    fn claim(
        &self,
        stream: &mut Stream,
        name: &[u8],
        consumer: &[u8],
        now_ms: u64,
    ) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        for &id in &self.ids {
            let exists = stream.get(id).is_some();
            let Some(group) = stream.group_mut(name) else { break };
            let old = group.pending().get(&id).cloned();
            if !exists {
                if let Some(pending) = old {
                    group.acknowledge(id);
                    claimed.push(Claimed { id, pending, is_gone: true });
                }
                continue;
            }
            let idle_ms = |old: &Pending| now_ms.saturating_sub(old.delivered_at_ms);
            let before = match &old {
                Some(old) if idle_ms(old) >= self.min_idle_ms => old.deliveries,
                None if self.force => 1,
                Some(_) | None => continue,
            };
            let counted = before.saturating_add(u64::from(!self.just_id));
            let deliveries = self.deliveries.unwrap_or(counted);
            group.assign(id, consumer, self.delivered_at_ms, deliveries);
            group.set_active(consumer, Some(now_ms));
            if let Some(pending) = group.pending().get(&id).cloned() {
                claimed.push(Claimed { id, pending, is_gone: false });
            }
        }
        claimed
    }

    /// Whether it changes anything at all.
    fn changes(&self, stream: &Stream, group: &values::stream::Group) -> bool {
        let concerns = |id: &StreamId| {
            group.pending().contains_key(id) || (self.force && stream.get(*id).is_some())
        };
        self.last_id > group.last_id || self.ids.iter().any(concerns)
    }
}

/// What a command that claims has done, to be logged and answered.
#[derive(Debug)]
pub(super) struct Done<'a> {
    pub log: GroupLog<'a>,
    pub consumer: &'a [u8],
    pub created: bool,
    pub claimed: Vec<Claimed>,
}

impl Done<'_> {
    /// Declares the effects. True if an XCLAIM says how far the group has read.
    pub(super) fn declare(&self, cx: &mut Context<'_>, last_id: StreamId) -> bool {
        if self.created {
            let GroupLog { db, key, .. } = self.log;
            cx.effects.changed(db, key, Event::StreamGroupCreateConsumer);
            if self.claimed.iter().all(|one| one.is_gone) {
                self.log.consumer(cx.effects, self.consumer);
            }
        }
        for one in &self.claimed {
            cx.effects.changed_silently();
            self.log.claim(cx.effects, one.id, &one.pending, last_id);
        }
        !self.claimed.is_empty()
    }

    /// Writes what was claimed.
    pub(super) fn write(&self, cx: &mut Context<'_>, just_id: bool) -> CommandResult {
        let place = cx.reply.deferred();
        let stream = cx.keys.peek_at::<Stream>(self.log.key)?;
        let mut written = 0;
        for one in self.claimed.iter().filter(|one| !one.is_gone) {
            if just_id {
                write_id(&mut cx.reply, one.id);
            } else if let Some(entry) = stream.and_then(|stream| stream.get(one.id)) {
                write_entry(&mut cx.reply, &entry);
            } else {
                continue;
            }
            written += 1;
        }
        cx.reply.finish_array(place, written);
        Ok(())
    }
}

fn xclaim(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let now_ms = cx.now.0;
    let group = cx.keys.peek_at::<Stream>(key)?.and_then(|stream| stream.group(name));
    group.ok_or_else(|| super::no_group(key, name))?;
    let options = Options::parse(args, now_ms)?;
    cx.effects.log_nothing();
    let log = GroupLog { db: cx.keys.db, key, group: name };
    let mut done = Done { log, consumer, created: false, claimed: Vec::new() };
    let stream = cx.keys.peek_at::<Stream>(key)?;
    let Some((stream, group)) = stream.and_then(|one| Some((one, one.group(name)?))) else {
        return Err(super::no_group(key, name));
    };
    let known = group.consumer(consumer);
    if let Some(known) = known {
        known.saw(now_ms);
    }
    let mut last_id = group.last_id;
    let moves = options.last_id > last_id;
    if known.is_none() || options.changes(stream, group) {
        let edited = cx.keys.edit::<Stream, _>(key, |stream| {
            let Some(group) = stream.group_mut(name) else { return Ok((false, Vec::new())) };
            group.last_id = group.last_id.max(options.last_id);
            let created = group.create_consumer(consumer, now_ms);
            Ok((created, options.claim(stream, name, consumer, now_ms)))
        })?;
        if let Some(edited) = edited {
            (done.created, done.claimed) = edited.value;
        }
        last_id = last_id.max(options.last_id);
    }
    let told = done.declare(cx, last_id);
    if options.delivered_at_ms < now_ms {
        // It may have been held long enough for somebody who waits to claim it.
        cx.effects.waited_for(log.db, key);
    }
    if moves && !told {
        cx.effects.changed_silently();
        if let Some(group) = cx.keys.peek_at::<Stream>(key)?.and_then(|one| one.group(name)) {
            log.position(cx.effects, group);
        }
    }
    done.write(cx, options.just_id)
}
