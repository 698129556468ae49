//! RESP2 and RESP3, the two wire protocols of Redis, without I/O.
//!
//! - [`request`] finds complete client requests in a read buffer, in place (the server's hot path);
//! - [`reply`] writes replies in the protocol a session has chosen;
//! - [`value`] decodes replies into owned values (clients, sentinels, replicas);
//! - [`command()`] encodes a request; [`inline`] splits a typed line into arguments.
//!
//! Invariants: no input makes this crate panic, no count read from the wire makes it allocate more
//! than the bytes that arrived justify, and nothing here is scanned twice when input comes in pieces.
//!
//! Source: the Redis serialization protocol specification (RESP2, RESP3); limits and error texts as
//! observed with Redis 7.0.15.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod inline;
pub mod number;
pub mod reply;
pub mod request;
pub mod value;

mod command;

pub use command::{command, command_into};
pub use reply::{Protocol, Writer};
pub use request::{Arguments, Limits, Parser, Progress, ProtocolError};
pub use value::{DecodeError, Decoder, Value, decode};
