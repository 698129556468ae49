//! SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]: the keys, a few at a time.
//!
//! A cursor is `place in the shard * 1024 + shard`; shards are gone through in ascending order, each
//! with its table's own cursor, which survives growth and shrinking. A key never changes its shard, so
//! the table's guarantee is the whole's: what is there from the first call to the last is answered.
//!
//! SCAN declares no keys and so holds no shard when it runs; it takes them one at a time, a few
//! buckets to a lock. That is right because a holder of a shard never waits for another, and because
//! a page of keys promises nothing about one instant. Empty shards cost a look and nothing more.

use crate::elements::Scan;
use engine::expiry;
use engine::keys::{kind_of, type_name};
use engine::{Args, Command, CommandError, CommandResult, Context};
use keyspace::{Db, Entry, SHARD_COUNT};
use resp::reply::Writer;
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use values::Kind;

/// Buckets looked at before a shard is let go.
const BUCKETS_PER_LOCK: u64 = 64;

/// SCAN.
pub const SCAN: Command = Command {
    spec: CommandSpec {
        name: "scan",
        since: "2.8.0",
        group: Group::Generic,
        summary: "Goes through the keys of the database, some at each call.",
        complexity: "O(1) for each call, O(N) in the keys for all of them.",
        flags: &[Flag::ReadOnly],
        args: &[
            Arg::integer("cursor"),
            Arg::pattern("pattern").token("MATCH").optional(),
            Arg::integer("count").token("COUNT").optional(),
            Arg::bytes("type").token("TYPE").optional(),
        ],
        reply: &[ReplyShape::Array("The next cursor, 0 at the end, and an array of keys.")],
        tips: &["nondeterministic_output", "request_policy:special"],
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        ..CommandSpec::EMPTY
    },
    run: scan,
    subcommands: &[],
};

/// Which keys are answered, and about how many are looked at.
#[derive(Debug)]
struct Options<'a> {
    scan: Scan<'a>,
    kind: Option<Wanted>,
}

/// The type that a key must have.
#[derive(Debug)]
enum Wanted {
    Kind(Kind),
    /// A module's, of that name.
    Module(String),
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>, knows_modules: bool) -> Result<Options<'a>, CommandError> {
        let mut kind = None;
        let scan = Scan::parse_with(args, |args| {
            let taken = args.take_token("TYPE");
            if taken {
                kind = Some(args.bytes()?);
            }
            Ok(taken)
        })?;
        Ok(Options { scan, kind: kind.map(|name| wanted(name, knows_modules)).transpose()? })
    }

    fn wants(&self, entry: &Entry) -> bool {
        let is_of_kind = match &self.kind {
            None => true,
            Some(Wanted::Kind(kind)) => *kind == kind_of(entry),
            Some(Wanted::Module(name)) => type_name(entry) == name.as_str(),
        };
        is_of_kind && self.scan.wants(entry.key())
    }
}

/// The type of that name, in any case; a module's, whose name is not known, as it is.
fn wanted(name: &[u8], knows_modules: bool) -> Result<Wanted, CommandError> {
    let kind = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash, Kind::Stream]
        .into_iter()
        .find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name));
    let text = String::from_utf8_lossy(name);
    match kind {
        Some(kind) => Ok(Wanted::Kind(kind)),
        None if knows_modules => Ok(Wanted::Module(text.into_owned())),
        None => Err(CommandError::Text(format!("ERR unknown type name '{text}'"))),
    }
}

/// A cursor's number. As stock's, it may have a sign and may be empty, which is zero.
pub(crate) fn cursor_of(word: &[u8]) -> Result<u64, CommandError> {
    let invalid = || CommandError::text("ERR invalid cursor");
    let (negative, digits) = match word {
        [] => return Ok(0),
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    if digits.first().is_none_or(|digit| !digit.is_ascii_digit()) {
        return Err(invalid());
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    let number = number.ok_or_else(invalid)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// Where a scan stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: u16,
    inner: u64,
}

impl Place {
    fn of(cursor: u64) -> Place {
        let shards = u64::from(SHARD_COUNT);
        let shard = u16::try_from(cursor % shards).unwrap_or(0);
        Place { shard, inner: cursor / shards }
    }

    fn cursor(self) -> u64 {
        if self.is_end() { 0 } else { self.inner * u64::from(SHARD_COUNT) + u64::from(self.shard) }
    }

    fn is_end(self) -> bool {
        self.shard >= SHARD_COUNT
    }

    fn next_shard(&mut self) {
        *self = Place { shard: self.shard + 1, inner: 0 };
    }
}

fn scan(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut place = Place::of(cursor_of(args.bytes()?)?);
    let knows_modules = cx.node.settings.rdb_keep_unknown_modules.get();
    let options = Options::parse(args, knows_modules)?;
    let mut found = Vec::new();
    let answered = gather(cx, &options, &mut place, &mut found);
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(place.cursor()));
    cx.reply.array(answered);
    cx.reply.raw(&found);
    Ok(())
}

/// Moves `place` on, writing keys to `found`. How many were written.
fn gather(
    cx: &mut Context<'_>,
    options: &Options<'_>,
    place: &mut Place,
    found: &mut Vec<u8>,
) -> usize {
    let (db, now) = (cx.keys.db, cx.now);
    let mut writer = Writer::new(found, cx.reply.protocol());
    let (mut answered, mut looked, mut buckets) = (0, 0, 0);
    let (count, buckets_max) = (options.scan.count, options.scan.steps_max());
    let (expires, at_once) = (cx.node.expires(), !cx.session.executing);
    let mut lapsed: Vec<Box<[u8]>> = Vec::new();
    cx.keys.release();
    while !place.is_end() {
        let mut shard = cx.node.keyspace.lock(place.shard);
        if shard.db(db).is_none_or(Db::is_empty) {
            place.next_shard();
            continue;
        }
        if looked >= count || buckets >= buckets_max {
            break;
        }
        let pause = buckets + BUCKETS_PER_LOCK;
        while buckets < pause && looked < count && buckets < buckets_max {
            buckets += 1;
            place.inner = shard.scan(db, place.inner, |entry| {
                looked += 1;
                if !options.wants(entry) {
                    return;
                }
                if entry.expire_at().is_none_or(|at| at > now) {
                    writer.bulk(entry.key());
                    answered += 1;
                } else if expires {
                    lapsed.push(entry.key().into());
                }
            });
            expiry::take_out(cx.node, cx.effects, &mut shard, db, &lapsed, at_once);
            lapsed.clear();
            if place.inner == 0 {
                place.next_shard();
                break;
            }
        }
    }
    answered
}

#[cfg(test)]
mod tests;
