//! Replication: following a primary, becoming a replica's source, waiting for acknowledgements.

mod psync;
mod replconf;
mod replicaof;
mod role;
mod wait;
mod waitaof;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &psync::PSYNC,
    &psync::SYNC,
    &replconf::REPLCONF,
    &replicaof::REPLICAOF,
    &replicaof::SLAVEOF,
    &role::ROLE,
    &wait::WAIT,
    &waitaof::WAITAOF,
];
