//! Commands of hashes.

pub(crate) mod expire;
mod expiring;
pub(crate) mod field_expiry;
mod fields;
mod random;
mod scan;
mod ttl;

use engine::image::Limits;
use engine::{Command, Context};
use values::HashLimits;

/// The group.
pub const COMMANDS: &[&Command] = &[
    &fields::HDEL,
    &fields::HEXISTS,
    &expire::HEXPIRE,
    &expire::HEXPIREAT,
    &ttl::HEXPIRETIME,
    &fields::HGET,
    &fields::HGETALL,
    &expiring::HGETDEL,
    &expiring::HGETEX,
    &fields::HINCRBY,
    &fields::HINCRBYFLOAT,
    &fields::HKEYS,
    &fields::HLEN,
    &fields::HMGET,
    &fields::HMSET,
    &expire::HPERSIST,
    &expire::HPEXPIRE,
    &expire::HPEXPIREAT,
    &ttl::HPEXPIRETIME,
    &ttl::HPTTL,
    &random::HRANDFIELD,
    &scan::HSCAN,
    &fields::HSET,
    &expiring::HSETEX,
    &fields::HSETNX,
    &fields::HSTRLEN,
    &ttl::HTTL,
    &fields::HVALS,
];

/// How large a packed hash may be.
fn limits(cx: &Context<'_>) -> HashLimits {
    Limits::of(&cx.node.settings).hash
}
