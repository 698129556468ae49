//! The engine: what happens between a parsed request and its reply.
//!
//! A request passes lookup, gates, key routing, shard locks, handler, effects and unlock, in this
//! order, on the thread that read it ([`pipeline`]). The node is a value ([`Node`]) that is passed,
//! never a global; what belongs to one connection is its [`Session`]. There are no sockets here:
//! loops (crate `net`) bring requests and carry replies, and what the engine wants of the program
//! around it goes through [`Services`].

pub mod access;
pub mod append_only;
pub mod args;
pub mod barrier;
pub mod blocking;
pub mod client;
pub mod command;
pub mod commandlog;
pub mod context;
pub mod copies;
pub mod cron;
pub mod defrag;
pub mod effects;
pub mod error;
pub mod evict;
pub mod expiry;
pub mod functions;
pub mod gates;
pub mod histogram;
pub mod hotkeys;
pub mod image;
pub mod keys;
pub mod latency;
pub mod lazyfree;
pub mod loading;
pub mod mailbox;
pub mod memory;
pub mod migration;
pub mod monitor;
pub mod node;
mod nudge;
pub mod pause;
pub mod pipeline;
pub mod placement;
pub mod pubsub;
pub mod replication;
pub mod session;
pub mod snapshot;
pub mod stats;
pub mod tracking;
pub mod transaction;

pub use args::{Args, Request};
pub use command::{Command, CommandTable, Registered};
pub use context::Context;
pub use error::{CommandError, CommandResult};
pub use keys::Keys;
pub use node::{Node, Services};
pub use session::Session;
