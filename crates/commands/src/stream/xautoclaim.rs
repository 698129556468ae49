//! XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]: a consumer takes over
//! what others have held for long, in the order of the ids.
//!
//! Logged as an XCLAIM for each entry.

use super::ids;
use super::log::GroupLog;
use super::reply::write_id;
use super::xclaim::{Claimed, Done};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Stream, StreamId};

/// XAUTOCLAIM.
pub const XAUTOCLAIM: Command = Command {
    spec: CommandSpec {
        name: "xautoclaim",
        since: "6.2.0",
        group: Group::Stream,
        summary: "Gives entries that other consumers have held for long to a consumer.",
        complexity: "O(1) if COUNT is small.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Delete])],
        args: &[
            Arg::key("key"),
            Arg::bytes("group"),
            Arg::bytes("consumer"),
            Arg::bytes("min-idle-time"),
            Arg::bytes("start"),
            Arg::integer("count").token("COUNT").optional(),
            Arg::word("justid", "JUSTID").optional(),
        ],
        reply: &[ReplyShape::Array(
            "The id to go on from, the entries that were claimed (their ids with JUSTID), and the \
             ids of entries that are gone and were let go.",
        )],
        tips: &["nondeterministic_output"],
        history: &[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared \
             from the PEL",
        )],
        ..CommandSpec::EMPTY
    },
    run: xautoclaim,
    subcommands: &[],
};

/// Entries that are claimed if nothing else is said.
const COUNT: usize = 100;
/// Entries that are looked at for each that may be claimed.
const ATTEMPTS_FACTOR: usize = 10;
/// The largest count.
const COUNT_MAX: i64 = i64::MAX / 16;

#[derive(Debug)]
struct Options {
    min_idle_ms: u64,
    start: StreamId,
    count: usize,
    just_id: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, CommandError> {
        let idle = ids::number(args, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
        let start = ids::start(args.bytes()?)?;
        let min_idle_ms = u64::try_from(idle).unwrap_or(0);
        let mut options = Options { min_idle_ms, start, count: COUNT, just_id: false };
        while args.left() > 0 {
            if args.left() >= 2 && args.take_token("COUNT") {
                let text = "ERR COUNT must be > 0";
                let count = args.integer().ok().filter(|count| (1..=COUNT_MAX).contains(count));
                let count = count.ok_or_else(|| CommandError::text(text))?;
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if args.take_token("JUSTID") {
                options.just_id = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// What is to be claimed or let go, and the id to go on from.
    fn choose(&self, stream: &Stream, name: &[u8], now_ms: u64) -> (Vec<Claimed>, StreamId) {
        let mut chosen = Vec::new();
        let Some(group) = stream.group(name) else { return (chosen, StreamId::MIN) };
        let mut attempts = self.count.saturating_mul(ATTEMPTS_FACTOR);
        for (&id, pending) in group.pending().range(self.start..) {
            if attempts == 0 || chosen.len() == self.count {
                return (chosen, id);
            }
            attempts -= 1;
            let is_gone = stream.get(id).is_none();
            let idle_ms = now_ms.saturating_sub(pending.delivered_at_ms);
            if is_gone || idle_ms >= self.min_idle_ms {
                chosen.push(Claimed { id, pending: pending.clone(), is_gone });
            }
        }
        (chosen, StreamId::MIN)
    }
}

fn xautoclaim(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.key()?, args.bytes()?, args.bytes()?);
    let options = Options::parse(args)?;
    let now_ms = cx.now.0;
    let stream = cx.keys.peek_at::<Stream>(key)?;
    let Some((stream, group)) = stream.and_then(|one| Some((one, one.group(name)?))) else {
        return Err(super::no_group(key, name));
    };
    cx.effects.log_nothing();
    let (mut claimed, next) = options.choose(stream, name, now_ms);
    let (last_id, known) = (group.last_id, group.consumer(consumer));
    if let Some(known) = known {
        known.saw(now_ms);
    }
    let mut created = false;
    if known.is_none() || !claimed.is_empty() {
        cx.keys.edit::<Stream, _>(key, |stream| {
            let Some(group) = stream.group_mut(name) else { return Ok(()) };
            created = group.create_consumer(consumer, now_ms);
            for one in &mut claimed {
                if one.is_gone {
                    group.acknowledge(one.id);
                    continue;
                }
                let deliveries = one.pending.deliveries.saturating_add(u64::from(!options.just_id));
                group.assign(one.id, consumer, now_ms, deliveries);
                group.set_active(consumer, Some(now_ms));
                if let Some(pending) = group.pending().get(&one.id) {
                    one.pending = pending.clone();
                }
            }
            Ok(())
        })?;
    }
    let log = GroupLog { db: cx.keys.db, key, group: name };
    let done = Done { log, consumer, created, claimed };
    done.declare(cx, last_id);
    cx.reply.array(3);
    write_id(&mut cx.reply, next);
    done.write(cx, options.just_id)?;
    let gone = done.claimed.iter().filter(|one| one.is_gone);
    cx.reply.array(gone.clone().count());
    for one in gone {
        write_id(&mut cx.reply, one.id);
    }
    Ok(())
}
