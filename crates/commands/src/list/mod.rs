//! Commands of lists.

mod blocking;
mod change;
mod length;
mod linsert;
mod lmove;
mod lmpop;
mod lpos;
mod pop;
mod push;
mod range;

use crate::count::count;
use engine::effects::Event;
use engine::image::Limits;
use engine::{Command, CommandError, CommandResult, Context};
use resp::reply::Writer;
use spec::Arg;
use std::sync::atomic::Ordering;
use values::list::End;
use values::{List, ListLimits, ListRef};

/// The group.
pub const COMMANDS: &[&Command] = &[
    &blocking::BLMOVE,
    &blocking::BLMPOP,
    &blocking::BLPOP,
    &blocking::BRPOP,
    &blocking::BRPOPLPUSH,
    &length::LINDEX,
    &linsert::LINSERT,
    &length::LLEN,
    &lmove::LMOVE,
    &lmpop::LMPOP,
    &pop::LPOP,
    &lpos::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &range::LRANGE,
    &change::LREM,
    &change::LSET,
    &range::LTRIM,
    &pop::RPOP,
    &lmove::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
];

/// The words for the ends of a list.
const ENDS: &[Arg] = &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")];

/// The end that a word names.
fn end_of(word: &[u8]) -> Result<End, CommandError> {
    if word.eq_ignore_ascii_case(b"left") {
        Ok(End::Left)
    } else if word.eq_ignore_ascii_case(b"right") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

const fn pushed(end: End) -> Event {
    match end {
        End::Left => Event::ListPushLeft,
        End::Right => Event::ListPushRight,
    }
}

const fn popped(end: End) -> Event {
    match end {
        End::Left => Event::ListPopLeft,
        End::Right => Event::ListPopRight,
    }
}

/// The command that takes elements at an end.
const fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LPOP",
        End::Right => b"RPOP",
    }
}

/// How large the parts of lists may be.
pub(crate) fn limits(cx: &Context<'_>) -> ListLimits {
    ListLimits {
        long_bytes_min: cx.node.list_long_bytes_min.load(Ordering::Relaxed),
        ..Limits::of(&cx.node.settings).list
    }
}

/// The number of the element that `index` means, negative ones counting from the end, if the list is
/// as long.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(count(len))? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The numbers of the elements from `start` to `stop`, both included and negative ones counting from
/// the end.
fn span(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let from_end = |at: i64| if at < 0 { at.saturating_add(count(len)) } else { at };
    let start = usize::try_from(from_end(start)).unwrap_or(0).min(len);
    let end = usize::try_from(from_end(stop).saturating_add(1)).unwrap_or(0).min(len);
    start..end.max(start)
}

/// Writes `wanted` elements from an end inwards, each as a reply.
fn write_from(reply: &mut Writer<'_>, list: ListRef<'_>, end: End, wanted: usize) {
    if wanted == 0 || list.is_empty() {
        return;
    }
    let (mut room, mut left) = (itoa::Buffer::new(), wanted);
    let visit = |item: structures::listpack::Item<'_>| {
        reply.bulk(item.bytes(&mut room));
        left -= 1;
        left > 0
    };
    match end {
        End::Left => list.walk(0, visit),
        End::Right => list.walk_back(list.len() - 1, visit),
    }
}

/// Takes `wanted` elements, of which there are some, at an end of the list at `key`.
fn take(cx: &mut Context<'_>, key: &[u8], end: End, wanted: usize) -> CommandResult {
    let limits = limits(cx);
    let edited = cx.keys.edit::<List, ()>(key, |list| {
        list.remove_at(end, wanted, limits);
        Ok(())
    })?;
    cx.changed(key, popped(end), wanted, edited.is_some_and(|edited| edited.removed));
    Ok(())
}
