//! Streams: entries by rising id, and groups of consumers that share them out.
//!
//! What a reader of a group is given depends on what others were given before, so the log says it
//! outright: each entry that a consumer now holds as an XCLAIM, and how far the group has read as an
//! XGROUP SETID.

mod extras;
mod ids;
mod log;
mod options;
mod reply;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

use engine::{Command, CommandError, Context};
use values::stream::Limits;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &xack::XACK,
    &extras::XACKDEL,
    &xadd::XADD,
    &xautoclaim::XAUTOCLAIM,
    &xclaim::XCLAIM,
    &xdel::XDEL,
    &extras::XDELEX,
    &xgroup::XGROUP,
    &xinfo::XINFO,
    &xlen::XLEN,
    &xpending::XPENDING,
    &xrange::XRANGE,
    &xread::XREAD,
    &xreadgroup::XREADGROUP,
    &xrange::XREVRANGE,
    &xsetid::XSETID,
    &xtrim::XTRIM,
];

/// How large blocks may become.
fn limits(cx: &Context<'_>) -> Limits {
    let settings = &cx.node.settings;
    Limits {
        block_bytes: settings.stream_node_max_bytes.size(),
        block_entries: settings.stream_node_max_entries.size(),
    }
}

/// The error of most commands that name a group.
fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    CommandError::Text(format!(
        "NOGROUP No such key '{}' or consumer group '{}'",
        String::from_utf8_lossy(key),
        String::from_utf8_lossy(group)
    ))
}

/// The error of XGROUP and XINFO where the key is there.
fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    CommandError::Text(format!(
        "NOGROUP No such consumer group '{}' for key name '{}'",
        String::from_utf8_lossy(group),
        String::from_utf8_lossy(key)
    ))
}

#[cfg(test)]
mod tests;
