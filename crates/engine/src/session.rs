//! A session: everything that belongs to one connection and is touched by its loop alone.
//!
//! What other threads may see of it (CLIENT LIST, CLIENT KILL) is in its [`ClientInfo`].

use crate::args::OwnedRequest;
use crate::blocking::Waiting;
use crate::client::ClientInfo;
use crate::copies::Copies;
use crate::migration::{Delivery, Migration};
use crate::pubsub::Kind;
use base::{Millis, Offset};
use keyspace::WatchFlag;
use resp::reply::Protocol;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What CLIENT REPLY has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every command is answered.
    #[default]
    On,
    /// None is.
    Off,
    /// The next one is not (set by SKIP, becomes `SkipThis` when that next one begins).
    SkipNext,
    /// The one that runs is not.
    SkipThis,
}

/// Commands queued between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Queue {
    /// The commands.
    pub requests: Vec<OwnedRequest>,
    /// One of them was refused, so EXEC will abort.
    pub broken: bool,
    /// Bytes held.
    pub len_bytes: usize,
    /// One of them writes.
    pub writes: bool,
}

/// What a name or key costs besides its bytes, here and in the tables that point back here.
const NAME_BYTES: usize = 96;

/// Bytes that a name or key of `len` bytes costs a session that watches or subscribes.
pub fn name_bytes(len: usize) -> usize {
    NAME_BYTES + len
}

/// Keys that are watched until EXEC, with the flag that a change of any of them sets.
#[derive(Debug, Default)]
pub struct Watched {
    /// The flag.
    pub flag: WatchFlag,
    /// Database and key.
    pub keys: Vec<(u32, Box<[u8]>)>,
    /// Bytes held.
    pub len_bytes: usize,
}

/// Channels and patterns the connection subscribes to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: BTreeSet<Box<[u8]>>,
    /// Patterns.
    pub patterns: BTreeSet<Box<[u8]>>,
    /// Shard channels.
    pub shard_channels: BTreeSet<Box<[u8]>>,
    /// Bytes held.
    pub len_bytes: usize,
}

impl Subscriptions {
    /// Whether `name` is subscribed to.
    pub fn holds(&self, kind: Kind, name: &[u8]) -> bool {
        self.of(kind).contains(name)
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> &BTreeSet<Box<[u8]>> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: Kind) -> &mut BTreeSet<Box<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// How many a confirmation for one of `kind` counts: shard channels apart from the others.
    pub fn counted_with(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
            Kind::Shard => self.shard_channels.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }
}

/// What a connection that means to become a replica has said of itself.
#[derive(Clone, Debug, Default)]
pub struct ReplicaFacts {
    /// Every REPLCONF option and its value, as they came.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// The words of the PSYNC or SYNC that ended the session.
    pub request: Vec<Vec<u8>>,
}

/// A reply that comes later.
#[derive(Clone, Debug)]
pub enum Blocked {
    /// WAIT, WAITAOF: there are to be copies of the log up to `offset`.
    Replicas {
        /// How many, and where.
        copies: Copies,
        /// Up to where.
        offset: Offset,
        /// Monotonic time at which to answer anyway.
        deadline: Option<Millis>,
    },
    /// A key that another client is to fill.
    Keys(Arc<Waiting>),
    /// SHUTDOWN: an answer comes only if it fails.
    Shutdown,
}

/// One connection's state.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each named")]
pub struct Session {
    /// What others may see.
    pub info: Arc<ClientInfo>,
    /// The selected database.
    pub db: u32,
    /// The reply protocol.
    pub protocol: Protocol,
    /// Whether it may run commands.
    pub authenticated: bool,
    /// Whether replies are sent.
    pub reply_mode: ReplyMode,
    /// Between MULTI and EXEC.
    pub queue: Option<Box<Queue>>,
    /// Between WATCH and EXEC.
    pub watched: Option<Box<Watched>>,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
    /// Log end after its last write: what WAIT waits for.
    pub last_write: Offset,
    /// Set by REPLCONF and PSYNC.
    pub replica: Option<Box<ReplicaFacts>>,
    /// What it waits for.
    pub blocked: Option<Blocked>,
    /// A migration that its last command has begun, to be handed to the program.
    pub leaving: Option<Box<Migration>>,
    /// What has become of the migration that its command ends.
    pub delivered: Option<Box<Delivery>>,
    /// It reads without touching access clocks (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// A pause, or a key that moves to another server, holds its next command back.
    pub postponed: bool,
    /// Inside EXEC.
    pub executing: bool,
    /// It stands for a client that waited, whose request is run by whoever made a key ready.
    pub served: bool,
    /// What was served has to wait on, and is to be run again after so much time.
    pub again_in: Option<Millis>,
    /// It is told of every command (MONITOR).
    pub monitors: bool,
    /// Prefixes of the keys it is told of.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// Bytes that they hold.
    pub prefixes_bytes: usize,
    /// How far its loop's mailbox had come when its last command held its locks, if it caches keys.
    pub mail_mark: u64,
}

impl Session {
    /// A new connection's state.
    pub fn new(info: Arc<ClientInfo>, authenticated: bool) -> Session {
        Session {
            info,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            reply_mode: ReplyMode::On,
            queue: None,
            watched: None,
            subscriptions: Subscriptions::default(),
            last_write: Offset(0),
            replica: None,
            blocked: None,
            leaving: None,
            delivered: None,
            no_touch: false,
            postponed: false,
            executing: false,
            served: false,
            again_in: None,
            monitors: false,
            prefixes: BTreeSet::new(),
            prefixes_bytes: 0,
            mail_mark: 0,
        }
    }

    /// Bytes that the session holds besides its buffers.
    pub fn held_bytes(&self) -> usize {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.len_bytes);
        let watched = self.watched.as_ref().map_or(0, |watched| watched.len_bytes);
        queued + watched + self.subscriptions.len_bytes + self.prefixes_bytes
    }

    /// Whether nothing about the connection concerns any gate.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.authenticated
            && self.queue.is_none()
            && self.subscriptions.is_empty()
            && !self.monitors
    }

    /// Whether the reply to a command that has waited is sent, as CLIENT REPLY says; SKIP ends with it.
    pub fn wants_late_reply(&mut self) -> bool {
        if self.reply_mode == ReplyMode::SkipThis {
            self.reply_mode = ReplyMode::On;
            return false;
        }
        self.reply_mode != ReplyMode::Off
    }

    /// Whether it speaks RESP2 and subscribes, so that it may do little else.
    pub fn is_subscriber_only(&self) -> bool {
        self.protocol == Protocol::Resp2 && !self.subscriptions.is_empty()
    }
}
