//! XREAD [COUNT count] [BLOCK ms] STREAMS key [key ...] id [id ...]: what is behind the given ids.
//!
//! `$` stands for the last id a stream has given, `+` for the one before its last entry. Who has to
//! wait, waits with the ids these stood for.

use super::ids;
use super::reply::write_entries;
use base::Millis;
use engine::args::OwnedRequest;
use engine::blocking::{Nothing, Wait};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, BeginSearch, CommandSpec, FindKeys, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::stream::{Stream, StreamId};

/// XREAD.
pub const XREAD: Command = Command {
    spec: CommandSpec {
        name: "xread",
        since: "5.0.0",
        group: Group::Stream,
        summary: "Gives the entries of streams behind given ids; waits for some if there are none.",
        complexity: "O(N) in the entries that are given.",
        flags: &[Flag::Blocking, Flag::ReadOnly, Flag::MovableKeys],
        keys: &[streams(1)],
        args: &[
            Arg::integer("count").token("COUNT").optional(),
            Arg::integer("milliseconds").token("BLOCK").optional(),
            STREAMS,
        ],
        reply: &[
            ReplyShape::Map("For each stream that has some: its key and the entries."),
            ReplyShape::Null("There is nothing to read, or the time is up."),
        ],
        ..CommandSpec::EMPTY
    },
    run: xread,
    subcommands: &[],
};

/// The keys behind the word STREAMS, searched from word `from` on.
pub(super) const fn streams(from: i64) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword("STREAMS", from),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        flags: &[KeyFlag::ReadOnly, KeyFlag::Access],
    }
}

/// The words behind STREAMS.
pub(super) const STREAMS: Arg =
    Arg::block("streams", &[Arg::key("key").multiple(), Arg::bytes("id").multiple()])
        .token("STREAMS");

/// Entries that one who has waited is given if nothing else is said.
const COUNT_AFTER_WAIT: &[u8] = b"1000";

/// How long to wait, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    No,
    For(Millis),
    Ever,
}

/// What XREAD and XREADGROUP are asked for.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// How many entries of each stream.
    pub count: usize,
    pub block: Block,
    pub keys: Vec<&'a [u8]>,
    /// An id for each key, as it was written.
    pub ids: Vec<&'a [u8]>,
    /// Group and consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    pub no_ack: bool,
    /// Entries that others have held for so long are claimed first.
    pub claim_ms: Option<u64>,
}

fn block(args: &mut Args<'_>, now: Millis) -> Result<Block, CommandError> {
    let timeout = ids::number(args, "ERR timeout is not an integer or out of range")?;
    let negative = || CommandError::text("ERR timeout is negative");
    let timeout = u64::try_from(timeout).map_err(|_| negative())?;
    if timeout.checked_add(now.0).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(CommandError::text("ERR timeout is out of range"));
    }
    Ok(if timeout == 0 { Block::Ever } else { Block::For(Millis(timeout)) })
}

fn only_of_group(option: &str) -> CommandError {
    CommandError::Text(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

impl<'a> Reading<'a> {
    pub(super) fn parse(
        args: &mut Args<'a>,
        now: Millis,
        of_group: bool,
    ) -> Result<Reading<'a>, CommandError> {
        let (keys, ids, group) = (Vec::new(), Vec::new(), None);
        let (no_ack, claim_ms, block_for) = (false, None, Block::No);
        let mut reading =
            Reading { count: 0, block: block_for, keys, ids, group, no_ack, claim_ms };
        while args.left() > 0 {
            let more = args.left() >= 2;
            if more && args.take_token("BLOCK") {
                reading.block = block(args, now)?;
            } else if more && args.take_token("COUNT") {
                reading.count = ids::count(args)?;
            } else if more && args.take_token("STREAMS") {
                reading.streams(args, of_group)?;
            } else if args.left() >= 3 && args.take_token("GROUP") {
                if !of_group {
                    return Err(only_of_group("GROUP"));
                }
                reading.group = Some((args.bytes()?, args.bytes()?));
            } else if args.take_token("NOACK") {
                if !of_group {
                    return Err(only_of_group("NOACK"));
                }
                reading.no_ack = true;
            } else if more && of_group && args.take_token("CLAIM") {
                let text = "ERR min-idle-time is not an integer or out of range";
                let idle = ids::number(args, text)?;
                let negative =
                    || CommandError::text("ERR min-idle-time must be a positive integer");
                reading.claim_ms = Some(u64::try_from(idle).map_err(|_| negative())?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if reading.keys.is_empty() {
            return Err(CommandError::Syntax);
        }
        Ok(reading)
    }

    fn streams(&mut self, args: &mut Args<'a>, of_group: bool) -> CommandResult {
        if args.left() % 2 == 1 {
            let (name, mark) = if of_group { ("xreadgroup", '>') } else { ("xread", '$') };
            return Err(CommandError::Text(format!(
                "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{mark}' \
                 must be specified."
            )));
        }
        let count = args.left() / 2;
        while let Some(word) = args.next() {
            let words = if self.keys.len() < count { &mut self.keys } else { &mut self.ids };
            words.push(word);
        }
        Ok(())
    }

    /// How many entries one stream gives at most.
    pub(super) fn limit(&self) -> usize {
        if self.count == 0 { usize::MAX } else { self.count }
    }

    /// Lets the connection wait if it may, for the entries behind `ids` or for `again_in` to pass; else
    /// the answer is nothing.
    pub(super) fn wait(
        &self,
        cx: &mut Context<'_>,
        args: &Args<'_>,
        ids: &[Vec<u8>],
        again_in: Option<Millis>,
    ) {
        if self.block == Block::No || !cx.may_block() {
            cx.reply.null_array();
            return;
        }
        let count = self.count.to_string();
        let count = if self.count == 0 { COUNT_AFTER_WAIT } else { count.as_bytes() };
        let idle = self.claim_ms.map(|idle| idle.to_string());
        let mut words = vec![args.request().word(0)];
        if let Some((group, consumer)) = self.group {
            words.extend([&b"GROUP"[..], group, consumer]);
        }
        words.extend([&b"COUNT"[..], count, b"BLOCK", b"0"]);
        if self.no_ack {
            words.push(b"NOACK");
        }
        if let Some(idle) = &idle {
            words.extend([&b"CLAIM"[..], idle.as_bytes()]);
        }
        words.push(b"STREAMS");
        words.extend(&self.keys);
        words.extend(ids.iter().map(Vec::as_slice));
        let timeout = match self.block {
            Block::For(timeout) => Some(timeout),
            Block::No | Block::Ever => None,
        };
        let wait = Wait {
            keys: &self.keys,
            timeout,
            nothing: Nothing::NullArray,
            request: Some(OwnedRequest::from_words(words)),
            minds_absence: self.group.is_some(),
            again_in,
        };
        cx.block(args.request(), wait);
    }
}

/// Begins the reply about a stream.
pub(super) fn begin(cx: &mut Context<'_>, key: &[u8]) {
    if !cx.reply.is_resp3() {
        cx.reply.array(2);
    }
    cx.reply.bulk(key);
}

/// The id that `word` stands for.
fn after(stream: Option<&Stream>, word: &[u8]) -> Result<StreamId, CommandError> {
    match (word, stream) {
        (b"$", stream) => Ok(stream.map_or(StreamId::MIN, |stream| stream.last_id)),
        (b"+", None) => Ok(StreamId::MIN),
        (b"+", Some(stream)) => {
            let before = stream.last().and_then(|last| last.id.previous());
            Ok(before.unwrap_or(stream.last_id))
        }
        (b">", _) => Err(CommandError::text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        (word, _) => ids::strict(word, 0),
    }
}

fn xread(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let reading = Reading::parse(args, cx.now, false)?;
    let (mut after_ids, mut ready) = (Vec::with_capacity(reading.keys.len()), Vec::new());
    for (&key, word) in reading.keys.iter().zip(&reading.ids) {
        let stream = cx.keys.read::<Stream>(key)?;
        let id = after(stream, word)?;
        if stream.and_then(Stream::last).is_some_and(|last| last.id > id) {
            ready.push((key, id));
        }
        after_ids.push(id);
    }
    if ready.is_empty() {
        let ids: Vec<Vec<u8>> = after_ids.into_iter().map(StreamId::to_bytes).collect();
        reading.wait(cx, args, &ids, None);
        return Ok(());
    }
    if cx.reply.is_resp3() {
        cx.reply.map(ready.len());
    } else {
        cx.reply.array(ready.len());
    }
    for (key, id) in ready {
        begin(cx, key);
        let from = id.next().unwrap_or(StreamId::MAX);
        let stream = cx.keys.peek_at::<Stream>(key)?;
        let entries = stream.into_iter().flat_map(|stream| stream.range(from, StreamId::MAX));
        write_entries(&mut cx.reply, entries.take(reading.limit()));
    }
    Ok(())
}
