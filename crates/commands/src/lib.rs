//! All commands: a folder per group, a file per command or small kin.
//!
//! A command is a row and a function ([`engine::Command`]). To add one, copy the nearest file, change
//! row and function, and name it in the group's list; everything else (arity, documentation, routing,
//! categories) is read from the row.

#![allow(clippy::unnecessary_wraps, reason = "all handlers have one signature")]

pub mod bitmap;
mod chance;
pub mod connection;
#[cfg(test)]
mod corpus;
mod count;
pub mod database;
mod docs;
mod elements;
mod expire_time;
pub mod generic;
pub mod geo;
#[cfg(test)]
mod harness;
pub mod hash;
mod help;
#[cfg(test)]
mod hostile;
pub mod hyperloglog;
#[cfg(test)]
mod libraries;
pub mod list;
#[cfg(test)]
mod malformed;
mod numkeys;
#[cfg(test)]
mod opaque;
pub mod pubsub;
pub mod replication;
#[cfg(test)]
mod rows;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod traces;
pub mod transactions;
mod waiting;

use engine::Command;

pub use docs::markdown;

/// Every command, group by group.
pub fn all() -> Vec<&'static Command> {
    [
        bitmap::COMMANDS,
        connection::COMMANDS,
        database::COMMANDS,
        generic::COMMANDS,
        geo::COMMANDS,
        hash::COMMANDS,
        hyperloglog::COMMANDS,
        list::COMMANDS,
        pubsub::COMMANDS,
        replication::COMMANDS,
        server::COMMANDS,
        stream::COMMANDS,
        set::COMMANDS,
        sorted_set::COMMANDS,
        string::COMMANDS,
        transactions::COMMANDS,
    ]
    .concat()
}
