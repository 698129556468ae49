//! The options of XADD and XTRIM: how much is to be left, and what id an entry gets.

use super::ids;
use engine::{Args, CommandError, Context};
use smallvec::SmallVec;
use spec::Arg;
use std::borrow::Cow;
use values::stream::{Stream, StreamId, Trim, TrimTo};

/// Entries that one approximate trim removes at most, where nothing else is said.
const LIMIT_MAX: u64 = 1_000_000;
/// The same if blocks have no limit of entries.
const LIMIT_WITHOUT_NODES: u64 = 10_000;

/// How a trim is written.
pub(super) const TRIM: &[Arg] = &[
    Arg::one_of("strategy", &[Arg::word("maxlen", "MAXLEN"), Arg::word("minid", "MINID")]),
    Arg::one_of("operator", &[Arg::word("equal", "="), Arg::word("approximately", "~")]).optional(),
    Arg::bytes("threshold"),
    Arg::integer("count").token("LIMIT").optional(),
];

/// How the references of groups to entries that go are minded (Redis 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// They stay: who holds an entry holds one that is not there any more.
    #[default]
    KeepReferences,
    /// They go too.
    DeleteReferences,
    /// Only entries go that every group has read and acknowledged.
    Acknowledged,
}

/// How a condition is written.
pub(super) const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::word("keepref", "KEEPREF"), Arg::word("delref", "DELREF"), Arg::word("acked", "ACKED")],
)
.optional();

impl Condition {
    /// Takes the next word if it is a condition.
    pub(super) fn take(args: &mut Args<'_>) -> Option<Condition> {
        let words = [
            ("KEEPREF", Condition::KeepReferences),
            ("DELREF", Condition::DeleteReferences),
            ("ACKED", Condition::Acknowledged),
        ];
        words.into_iter().find_map(|(word, condition)| args.take_token(word).then_some(condition))
    }
}

/// A trim and where its words stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimming {
    pub trim: Trim,
    /// The word with the threshold; `~` stands before it if the trim is approximate.
    threshold_at: usize,
}

/// The id an entry is to get: whole, with its second part open, or wholly open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedId {
    Whole(StreamId),
    Within(u64),
    Any,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub trimming: Option<Trimming>,
    pub condition: Condition,
    /// The word with the condition, if there is one.
    pub condition_at: Option<usize>,
    pub no_create: bool,
    pub id: Option<WantedId>,
    /// The word with the id.
    pub id_at: usize,
}

fn strategy(args: &mut Args<'_>) -> Option<bool> {
    if args.left() < 2 {
        return None;
    }
    let by_len = args.take_token("MAXLEN");
    (by_len || args.take_token("MINID")).then_some(by_len)
}

fn trimming(args: &mut Args<'_>, by_len: bool) -> Result<Trimming, CommandError> {
    let has_two = args.left() >= 2;
    let approximate = has_two && args.take_token("~");
    if has_two && !approximate {
        args.take_token("=");
    }
    let threshold_at = args.request().len() - args.left();
    let to = if by_len {
        let len = args.integer()?;
        let negative = || CommandError::text("ERR The MAXLEN argument must be >= 0.");
        TrimTo::Len(u64::try_from(len).map_err(|_| negative())?)
    } else {
        TrimTo::MinId(ids::strict(args.bytes()?, 0)?)
    };
    Ok(Trimming { trim: Trim { to, approximate, limit: None }, threshold_at })
}

impl Options {
    /// The options in front of the fields of XADD (`adds`), or those of XTRIM.
    pub(super) fn parse(
        cx: &Context<'_>,
        args: &mut Args<'_>,
        adds: bool,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut limit = None;
        while let Some(word) = args.peek() {
            if adds && word == b"*" {
                options.take_id(args, WantedId::Any);
                break;
            } else if let Some(by_len) = strategy(args) {
                if options.trimming.is_some() {
                    return Err(CommandError::text(
                        "ERR syntax error, MAXLEN and MINID options at the same time are not \
                         compatible",
                    ));
                }
                options.trimming = Some(trimming(args, by_len)?);
            } else if args.left() >= 2 && args.take_token("LIMIT") {
                let negative = || CommandError::text("ERR The LIMIT argument must be >= 0.");
                limit = Some(u64::try_from(args.integer()?).map_err(|_| negative())?);
            } else if adds && args.take_token("NOMKSTREAM") {
                options.no_create = true;
            } else if let Some(condition) = Condition::take(args) {
                if options.condition_at.is_some() {
                    return Err(CommandError::Syntax);
                }
                options.condition = condition;
                options.condition_at = Some(args.request().len() - args.left() - 1);
            } else if adds {
                let (ms, seq) = StreamId::parse_open(word, 0).ok_or_else(ids::invalid)?;
                let id = seq.map(|seq| WantedId::Whole(StreamId::new(ms, seq)));
                options.take_id(args, id.unwrap_or(WantedId::Within(ms)));
                break;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        options.limit(cx, limit, adds)?;
        Ok(options)
    }

    fn take_id(&mut self, args: &mut Args<'_>, id: WantedId) {
        self.id_at = args.request().len() - args.left();
        self.id = Some(id);
        args.next();
    }

    fn limit(
        &mut self,
        cx: &Context<'_>,
        limit: Option<u64>,
        adds: bool,
    ) -> Result<(), CommandError> {
        let Some(Trimming { trim, .. }) = &mut self.trimming else {
            let text = if limit.is_some_and(|limit| limit > 0) {
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
            } else if adds {
                return Ok(());
            } else {
                "ERR syntax error, XTRIM must be called with a trimming strategy"
            };
            return Err(CommandError::text(text));
        };
        // What comes from the primary says exactly what is to go.
        if cx.session.info.primary {
            return Ok(());
        }
        if limit.is_some() && !trim.approximate {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        if trim.approximate {
            let per_node = cx.node.settings.stream_node_max_entries.size() as u64;
            let usual = match per_node.saturating_mul(100) {
                0 => LIMIT_WITHOUT_NODES,
                limit => limit.min(LIMIT_MAX),
            };
            trim.limit = Some(limit.unwrap_or(usual)).filter(|&limit| limit > 0);
        }
        Ok(())
    }
}

/// What a trim has done, for the log.
#[derive(Debug, Default)]
pub(super) struct Trimmed {
    /// How many entries went.
    pub gone: u64,
    /// Those that went out of the middle, and are to be deleted by name.
    deleted: Vec<StreamId>,
    /// Who held some of them, and which.
    released: Vec<(Box<[u8]>, Vec<StreamId>)>,
}

impl Options {
    /// Trims `stream` if it was asked for, and makes `words` say exactly what that has left.
    pub(super) fn trim(&self, stream: &mut Stream, words: &mut [Cow<'_, [u8]>]) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let Some(trimming) = self.trimming else { return trimmed };
        if self.condition == Condition::Acknowledged {
            trimmed.deleted = stream.acknowledged_to_trim(trimming.trim);
            trimmed.gone = trimmed.deleted.len() as u64;
            for &id in &trimmed.deleted {
                stream.delete(id);
            }
            return trimmed;
        }
        if self.condition == Condition::DeleteReferences {
            trimmed.release(stream, trimming.trim);
        }
        trimmed.gone = stream.trim(trimming.trim);
        trimming.rewrite(words, stream);
        trimmed
    }

    /// The words of the command as 7.0 knows it: without a condition, and without a trim that minds it.
    pub(super) fn plain<'w>(&self, words: &'w [Cow<'_, [u8]>]) -> SmallVec<[&'w [u8]; 8]> {
        let left_out = match (self.condition, self.condition_at) {
            (Condition::Acknowledged, _) => 2..self.id_at,
            (_, Some(at)) => at..at + 1,
            (_, None) => 0..0,
        };
        let kept = words.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        kept.map(|(_, word)| &**word).collect()
    }
}

impl Trimmed {
    /// Takes what a trim will remove from whoever holds it.
    fn release(&mut self, stream: &mut Stream, trim: Trim) {
        if stream.groups().is_empty() {
            return;
        }
        let mut ids = Vec::new();
        stream.each_trimmed(trim, |id| ids.push(id));
        let names: Vec<Box<[u8]>> = stream.groups().keys().cloned().collect();
        for name in names {
            let Some(group) = stream.group_mut(&name) else { continue };
            let held: Vec<StreamId> =
                ids.iter().copied().filter(|&id| group.acknowledge(id)).collect();
            if !held.is_empty() {
                self.released.push((name, held));
            }
        }
    }

    /// Logs what a trim has done besides removing the oldest entries: XACK and XDEL.
    pub(super) fn log(&self, cx: &mut Context<'_>, key: &[u8]) {
        let db = cx.keys.db;
        let mut log = |head: &[&[u8]], ids: &[StreamId]| {
            let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.to_bytes()).collect();
            let words = head.iter().copied().chain(ids.iter().map(Vec::as_slice));
            cx.effects.log_instead(db, &words.collect::<Vec<_>>());
        };
        for (group, ids) in &self.released {
            log(&[b"XACK", key, group], ids);
        }
        if !self.deleted.is_empty() {
            log(&[b"XDEL", key], &self.deleted);
        }
    }
}

impl Trimming {
    /// Makes `words` say exactly what an approximate trim has left of `stream`.
    pub(super) fn rewrite(&self, words: &mut [Cow<'_, [u8]>], stream: &Stream) {
        if !self.trim.approximate {
            return;
        }
        let left = match self.trim.to {
            TrimTo::Len(_) => stream.len().to_string().into_bytes(),
            TrimTo::MinId(_) if stream.has_no_entry() => StreamId::MAX.to_bytes(),
            TrimTo::MinId(_) => stream.first_id().to_bytes(),
        };
        let at = self.threshold_at;
        for (at, word) in [(at - 1, b"=".to_vec()), (at, left)] {
            if let Some(old) = words.get_mut(at) {
                *old = Cow::Owned(word);
            }
        }
    }
}
