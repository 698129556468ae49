//! Administration: INFO and its kin.

mod info;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[&info::INFO];
