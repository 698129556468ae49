//! The tests of `wire` with `io_uring`; where that is forbidden, the servers fall back to epoll.
#![allow(clippy::unwrap_used, reason = "tests")]

/// What moves bytes in the servers under test.
const IO_BACKEND: &str = "io_uring";

#[path = "../wire/closing.rs"]
mod closing;
#[path = "../wire/durable.rs"]
mod durable;
#[path = "../wire/limits.rs"]
mod limits;
#[path = "../wire/migrate.rs"]
mod migrate;
#[path = "../wire/process.rs"]
mod process;
#[path = "../wire/pubsub.rs"]
mod pubsub;
#[path = "../wire/requests.rs"]
mod requests;
#[path = "../wire/server.rs"]
mod server;
#[path = "../wire/settings.rs"]
mod settings;
#[path = "../wire/starts.rs"]
mod starts;
#[path = "../wire/together.rs"]
mod together;
#[path = "../wire/waits.rs"]
mod waits;
