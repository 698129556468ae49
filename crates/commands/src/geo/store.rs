//! What searches want of sorted sets.

use engine::Context;
use std::ops::Range;
use values::{SortedSet, SortedSetRef};

/// Goes through the members with these scores, in their order, until `visit` answers false.
#[allow(clippy::cast_precision_loss, reason = "the scores that are kept were rounded likewise")]
pub(super) fn each_in(
    set: SortedSetRef<'_>,
    scores: Range<u64>,
    mut visit: impl FnMut(&[u8], f64) -> bool,
) {
    let (start, end) = (scores.start as f64, scores.end as f64);
    let first = set.partition(|_, score| score < start);
    let mut digits = itoa::Buffer::new();
    for (member, score) in set.iter(first..set.len()) {
        if score >= end || !visit(member.bytes(&mut digits), score) {
            return;
        }
    }
}

/// Puts a sorted set of these members at `key`, whatever was there.
pub(super) fn put<'a>(
    cx: &mut Context<'_>,
    key: &[u8],
    members: impl Iterator<Item = (&'a [u8], f64)> + Clone,
) {
    let limits = crate::sorted_set::limits(cx);
    let set = SortedSet::of_members(members, limits);
    cx.keys.put_collection(key, set, None);
}
