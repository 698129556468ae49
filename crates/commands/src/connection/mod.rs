//! The connection itself: greeting, authentication, names, ends.

mod ping;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[&ping::ECHO, &ping::PING];
