//! Commands of hashes.

mod fields;
mod random;
mod scan;

use engine::image::Limits;
use engine::{Command, Context};
use values::HashLimits;

/// The group.
pub const COMMANDS: &[&Command] = &[
    &fields::HDEL,
    &fields::HEXISTS,
    &fields::HGET,
    &fields::HGETALL,
    &fields::HINCRBY,
    &fields::HINCRBYFLOAT,
    &fields::HKEYS,
    &fields::HLEN,
    &fields::HMGET,
    &fields::HMSET,
    &random::HRANDFIELD,
    &scan::HSCAN,
    &fields::HSET,
    &fields::HSETNX,
    &fields::HSTRLEN,
    &fields::HVALS,
];

/// How large a packed hash may be.
fn limits(cx: &Context<'_>) -> HashLimits {
    Limits::of(&cx.node.settings).hash
}
