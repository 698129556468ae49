//! Commands of sorted sets.

mod add;
mod algebra;
mod bounds;
mod member;
mod pop;
mod random;
mod range;
mod remove;
mod scan;
#[cfg(test)]
mod tests;

use crate::count::count;
use engine::effects::Event;
use engine::image::Limits;
use engine::{Command, CommandResult, Context};
use std::ops::Range;
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
    &random::ZRANDMEMBER,
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
    &scan::ZSCAN,
    &member::ZSCORE,
    &algebra::ZUNION,
    &algebra::ZUNIONSTORE,
];

/// How large packed sorted sets may be.
pub(crate) fn limits(cx: &Context<'_>) -> SortedSetLimits {
    Limits::of(&cx.node.settings).sorted_set
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
