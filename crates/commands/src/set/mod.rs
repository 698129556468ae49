//! Commands of sets.

mod algebra;
mod members;
mod random;
mod scan;

use engine::image::Limits;
use engine::{Command, Context};
use values::SetLimits;

/// The group.
pub const COMMANDS: &[&Command] = &[
    &members::SADD,
    &members::SCARD,
    &algebra::SDIFF,
    &algebra::SDIFFSTORE,
    &algebra::SINTER,
    &algebra::SINTERCARD,
    &algebra::SINTERSTORE,
    &members::SISMEMBER,
    &members::SMEMBERS,
    &members::SMISMEMBER,
    &members::SMOVE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &members::SREM,
    &scan::SSCAN,
    &algebra::SUNION,
    &algebra::SUNIONSTORE,
];

/// How large packed sets may be.
fn limits(cx: &Context<'_>) -> SetLimits {
    Limits::of(&cx.node.settings).set
}
