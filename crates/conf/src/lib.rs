//! Configuration in redis.conf syntax: the table of settings, reading it from files and arguments,
//! CONFIG GET, SET and REWRITE.
//!
//! Every setting is one row of the table in [`table`]; the row gives the typed field of
//! [`Settings`], the default, bounds, aliases and what CONFIG SET may do with it. Directives whose
//! part of the product does not exist yet are rows too ([`Status::NotBuilt`]): they load, with one
//! warning.
//!
//! Invariants: foreign input never panics; CONFIG SET changes all of its pairs or none; a file is
//! replaced whole or not at all ([`rewrite`]). The crate reads configuration files and rewrites
//! them, nothing else: no sockets, no change of directory, no process state.
//!
//! Source: the redis.conf of Redis 7.0, 7.2 and Valkey 8.0; behaviour observed with Redis 7.0.15.

mod access;
mod cell;
mod choice;
mod docs;
mod load;
mod plain;
pub mod rewrite;
mod row;
pub mod schedule;
mod split;
pub mod table;

pub use access::{Caller, Change, SetError};
pub use cell::{
    Address, Choice, ClassLimit, Endpoint, Flag, List, Number, OutputLimits, SaveRules, Shutdown,
    Text,
};
pub use choice::{
    AclPubsubDefault, AppendFsync, DisklessLoad, EndpointType, IoBackend, LogFormat, LogLevel,
    LogTimestampFormat, MaxmemoryPolicy, OomScoreAdj, PropagationErrorBehavior, ProtectedAction,
    SanitizeDumpPayload, ShutdownOn, Supervised, SyslogFacility, TlsAuthClients,
};
pub use docs::markdown;
pub use load::{LineError, LoadError, LoadRequest, Loaded, Origin, RawLine, SentinelLine, Warning};
pub use plain::parse::bytes as parse_bytes;
pub use plain::{Plain, ValueError};
pub use rewrite::{RewriteContext, Upstream, sentinel_file, sentinel_line};
pub use row::{Kind, Mutability, Part, Row, Status, TextCanon, Unit, WordsCanon};
pub use schedule::Schedule;
pub use table::Settings;
