//! Transactions: MULTI, EXEC and WATCH.

mod multi;
mod watch;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] =
    &[&multi::DISCARD, &multi::EXEC, &multi::MULTI, &watch::UNWATCH, &watch::WATCH];
