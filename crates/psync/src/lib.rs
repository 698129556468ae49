//! Both ends of PSYNC, the replication protocol, as state machines that do no I/O.
//!
//! [`replica::Replica`] is a node that follows a primary; [`primary::Primary`] is the side that
//! replicas connect to, and a replica with replicas of its own runs both. A driver performs what
//! [`poll_action`](replica::Replica::poll_action) hands out and reports what happened; the
//! simulator is another such driver. The machines read no clock and draw no random number: `now`
//! and fresh ids are arguments.
//!
//! `README.md` tells the protocol, draws the states and lists the invariants. Foreign bytes never
//! panic here, and no line, queue or number that they control is without a limit.
//!
//! Source: Redis documentation, "Replication" and "Redis replication internals"; transcripts of a
//! stock 7.0.15 pair (`tests/transcripts.rs`).

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod encode;
pub mod history;
pub mod identity;
mod line;
pub mod primary;
pub mod replica;
mod snapshot;

pub use history::{Decision, FullReason, History, Request, Window};
pub use identity::{Identity, PeerIdentity};
pub use line::LINE_BYTES_MAX;
pub use primary::Primary;
pub use replica::Replica;

use base::Offset;

/// The greatest offset that stock can hold: offsets are signed 64-bit numbers there.
pub const OFFSET_MAX: Offset = Offset(i64::MAX as u64);

/// How much attention a line of the log wants, as stock's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Stock's `*`: what an operator wants to see once.
    Notice,
    /// Stock's `#`: something is wrong.
    Warning,
}
