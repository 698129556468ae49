//! Commands of sorted sets.

mod add;
mod member;

use engine::image::Limits;
use engine::{Command, Context};
use values::SortedSetLimits;

pub(crate) use add::add;

/// The group.
pub const COMMANDS: &[&Command] = &[
    &add::ZADD,
    &member::ZCARD,
    &add::ZINCRBY,
    &member::ZMSCORE,
    &member::ZRANK,
    &member::ZREM,
    &member::ZREVRANK,
    &member::ZSCORE,
];

/// How large packed sorted sets may be.
pub(crate) fn limits(cx: &Context<'_>) -> SortedSetLimits {
    Limits::of(&cx.node.settings).sorted_set
}
