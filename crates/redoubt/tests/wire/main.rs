//! The server seen through real sockets: framing, limits, ends of connections, and several loops.
//!
//! Each test starts a server of its own on a free loopback port. What is expected are the bytes that
//! Redis 7.0.15 sends, unless a test says otherwise.
#![allow(clippy::unwrap_used, reason = "tests")]

/// What moves bytes in the servers under test.
const IO_BACKEND: &str = "epoll";

mod closing;
mod durable;
mod guard;
mod limits;
mod migrate;
mod process;
mod pubsub;
mod requests;
mod server;
mod settings;
mod starts;
mod together;
mod up;
mod waits;
