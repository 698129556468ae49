//! Whole databases: choosing, counting, exchanging and emptying them.

mod dbsize;
mod flush;
mod select;
mod swapdb;

pub(crate) use select::db_index;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] =
    &[&dbsize::DBSIZE, &flush::FLUSHALL, &flush::FLUSHDB, &select::SELECT, &swapdb::SWAPDB];
