//! What the machine of a replica wants done.

use crate::Level;
use base::{Offset, RunId};

/// What the driver must do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a line to the log.
    Log(Level, String),
    /// Open a connection, then report `handle_connected` or `handle_closed`.
    Connect {
        /// The primary's address.
        host: String,
        /// The primary's port.
        port: u16,
    },
    /// Send bytes to the primary.
    Send(Vec<u8>),
    /// Make durable, before any later action, that we know this epoch.
    Persist {
        /// The epoch of our primary, newer than the one we knew.
        epoch: u64,
    },
    /// A snapshot of the data begins; load it aside. The old data stays in service.
    StartSnapshot {
        /// The history that the snapshot belongs to.
        replid: RunId,
        /// The offset at which it was cut.
        offset: Offset,
        /// Its length, if the primary told.
        length: Option<u64>,
    },
    /// The next bytes of the snapshot.
    SnapshotBytes(Vec<u8>),
    /// The snapshot is complete: finish loading, swap the data set, reset the log to the offset and
    /// the history to the id of `StartSnapshot` (no second id), drop our own replicas, then report
    /// `handle_loaded`. If loading fails, keep the old data and report that.
    EndSnapshot,
    /// The snapshot will not be completed: throw away what was loaded aside.
    AbortSnapshot,
    /// The primary continues our history. If `replid` is not the node's, shift the history to it at
    /// the applied offset and drop our own replicas, that they learn it too.
    Continue {
        /// The id that the history bears from now on.
        replid: RunId,
    },
    /// Bytes of the command stream: parse, apply, append to the log as they are, report `applied`.
    Stream(Vec<u8>),
    /// Close the connection; drop what was received and not applied.
    Disconnect {
        /// Why, for the log of the driver.
        reason: String,
    },
}
