//! Commands of sorted sets.

mod add;
mod algebra;
mod bounds;
mod chance;
mod member;
mod pop;
mod range;
mod remove;
#[cfg(test)]
mod tests;

use crate::count::count;
use engine::effects::Event;
use engine::image::Limits;
use engine::{Command, CommandResult, Context};
use resp::reply::Writer;
use std::ops::Range;
use structures::listpack::Item;
use values::{SortedSet, SortedSetLimits};

pub(crate) use add::add;

/// The group.
pub const COMMANDS: &[&Command] = &[
    &pop::BZMPOP,
    &pop::BZPOPMAX,
    &pop::BZPOPMIN,
    &add::ZADD,
    &member::ZCARD,
    &range::ZCOUNT,
    &algebra::ZDIFF,
    &algebra::ZDIFFSTORE,
    &add::ZINCRBY,
    &algebra::ZINTER,
    &algebra::ZINTERCARD,
    &algebra::ZINTERSTORE,
    &range::ZLEXCOUNT,
    &pop::ZMPOP,
    &member::ZMSCORE,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &chance::ZRANDMEMBER,
    &range::ZRANGE,
    &range::ZRANGEBYLEX,
    &range::ZRANGEBYSCORE,
    &range::ZRANGESTORE,
    &member::ZRANK,
    &member::ZREM,
    &remove::ZREMRANGEBYLEX,
    &remove::ZREMRANGEBYRANK,
    &remove::ZREMRANGEBYSCORE,
    &range::ZREVRANGE,
    &range::ZREVRANGEBYLEX,
    &range::ZREVRANGEBYSCORE,
    &member::ZREVRANK,
    &chance::ZSCAN,
    &member::ZSCORE,
    &algebra::ZUNION,
    &algebra::ZUNIONSTORE,
];

/// How large packed sorted sets may be.
pub(crate) fn limits(cx: &Context<'_>) -> SortedSetLimits {
    Limits::of(&cx.node.settings).sorted_set
}

/// Answers members, with their scores if asked for: flat in RESP2, in pairs in RESP3.
fn write_scored<'a>(
    reply: &mut Writer<'_>,
    members: impl ExactSizeIterator<Item = (Item<'a>, f64)>,
    with_scores: bool,
) {
    let nested = with_scores && reply.is_resp3();
    let flat = with_scores && !nested;
    reply.array(if flat { 2 * members.len() } else { members.len() });
    let mut room = itoa::Buffer::new();
    for (member, score) in members {
        if nested {
            reply.array(2);
        }
        reply.bulk(member.bytes(&mut room));
        if with_scores {
            reply.double(score);
        }
    }
}

/// Takes members out of the sorted set at `key`; some, or all.
fn take(cx: &mut Context<'_>, key: &[u8], ranks: Range<usize>, event: Event) -> CommandResult {
    let removed = ranks.len();
    let edited = cx.keys.edit::<SortedSet, _>(key, |set| {
        set.remove_ranks(ranks);
        Ok(())
    })?;
    cx.changed(key, event, removed, edited.is_some_and(|edited| edited.removed));
    Ok(())
}

/// Stores members at `key` and answers how many; without any the key goes.
fn store(cx: &mut Context<'_>, key: &[u8], members: &[(Vec<u8>, f64)], event: Event) {
    if members.is_empty() {
        cx.delete(key);
    } else {
        let scored = members.iter().map(|(member, score)| (member.as_slice(), *score));
        let set = SortedSet::of_members(scored, limits(cx));
        cx.keys.put_collection(key, set, None);
        cx.changed(key, event, 1, false);
    }
    cx.reply.integer(count(members.len()));
}
