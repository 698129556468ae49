//! All commands: a folder per group, a file per command or small kin.
//!
//! A command is a row and a function ([`engine::Command`]). To add one, copy the nearest file, change
//! row and function, and name it in the group's list; everything else (arity, documentation, routing,
//! categories) is read from the row.

#[cfg(test)]
mod harness;
pub mod replication;
pub mod string;
pub mod transactions;

use engine::Command;

/// Every command, group by group.
pub fn all() -> Vec<&'static Command> {
    [replication::COMMANDS, string::COMMANDS, transactions::COMMANDS].concat()
}
