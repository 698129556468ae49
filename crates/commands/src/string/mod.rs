//! Strings.

mod append;
mod get;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[&append::APPEND, &get::GET];
