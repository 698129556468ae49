//! What this sentinel knows about one instance: a primary, a replica or another sentinel.
//!
//! Facts that only one kind has live in its variant of [`Kind`]. Every time is the machine's `now`;
//! an [`Option`] means "never". A primary and a replica have two links (commands, and the hello
//! channel), a sentinel has one.

use crate::action::LinkId;
use crate::address::Address;
use base::{Millis, RunId};
use std::collections::VecDeque;

/// Commands that may wait for their replies on one link before pings and INFO are held back.
pub const PENDING_MAX: usize = 100;
/// The longest INFO reply kept, in bytes.
pub const INFO_BYTES_MAX: usize = 256 * 1024;

/// Names an instance inside the machine. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstanceId(pub u64);

/// The role an instance last reported in INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica,
}

impl Role {
    /// As the wire and the events write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Primary => "master",
            Role::Replica => "slave",
        }
    }
}

/// What a reply on a command link answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Ping,
    Info,
    Publish,
    AskDown,
    /// AUTH, CLIENT, MULTI, SLAVEOF ...: the effect is observed by INFO instead.
    Ignored,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The connection, being opened or open.
    pub(crate) id: Option<LinkId>,
    /// True once it is open.
    pub(crate) up: bool,
    /// What the coming replies answer, oldest first.
    pub(crate) pending: VecDeque<Purpose>,
    /// Our own host as the other end sees it, told in hellos.
    pub(crate) local_host: String,
    pub(crate) connected_at: Millis,
    pub(crate) last_activity: Millis,
}

impl Link {
    /// Forgets the connection; what was pending will not be answered.
    pub(crate) fn clear(&mut self) -> Option<LinkId> {
        self.up = false;
        self.pending.clear();
        self.id.take()
    }
}

/// How far a replica has been moved to the promoted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reconf {
    #[default]
    None,
    Sent(Millis),
    InProgress,
    Done,
}

/// What only replicas have.
#[derive(Debug)]
pub(crate) struct ReplicaFacts {
    pub(crate) priority: u64,
    pub(crate) offset: u64,
    /// The `master_host` and `master_port` it reports.
    pub(crate) follows: Option<Address>,
    pub(crate) link_up: bool,
    /// Milliseconds the link to its primary has been down; `None` if it never was up.
    pub(crate) link_down_for: Option<Millis>,
    /// `replica_announced`: false hides it from clients.
    pub(crate) announced: bool,
    pub(crate) reconf: Reconf,
    /// When what it follows, or its role, last changed.
    pub(crate) conf_changed_at: Millis,
}

/// What only sentinels have.
#[derive(Debug, Default)]
pub(crate) struct SentinelFacts {
    /// It told us that the primary is down for it too.
    pub(crate) says_down: bool,
    pub(crate) last_answer: Option<Millis>,
    pub(crate) last_asked: Option<Millis>,
    /// Whom it voted for, and in which epoch.
    pub(crate) leader: Option<RunId>,
    pub(crate) leader_epoch: u64,
}

/// The kind of an instance with what only that kind has.
#[derive(Debug)]
pub(crate) enum Kind {
    Primary,
    Replica(ReplicaFacts),
    Sentinel(SentinelFacts),
}

/// One instance.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) kind: Kind,
    /// The name of its group.
    pub(crate) group: String,
    pub(crate) address: Address,
    pub(crate) run_id: Option<RunId>,
    pub(crate) command: Link,
    pub(crate) subscription: Link,
    pub(crate) last_reconnect: Option<Millis>,
    /// When an open link was last closed by the other end.
    pub(crate) closed_at: Millis,
    /// True after an attempt to connect failed, until one succeeds: nobody is there.
    pub(crate) refused: bool,
    /// The oldest ping that has no valid answer.
    pub(crate) unanswered_ping: Option<Millis>,
    pub(crate) last_ping: Millis,
    /// Last valid answer to a ping: the instance can serve, or will soon.
    pub(crate) last_available: Millis,
    /// Last answer of any kind to a ping.
    pub(crate) last_pong: Millis,
    pub(crate) last_publish: Option<Millis>,
    pub(crate) last_hello: Millis,
    pub(crate) down_since: Option<Millis>,
    /// When it last stopped being down.
    pub(crate) up_since: Option<Millis>,
    pub(crate) script_kill_sent: bool,
    pub(crate) info_at: Option<Millis>,
    pub(crate) info_sent: Option<Millis>,
    pub(crate) info: Vec<u8>,
    /// The histories it holds, the present one first, as INFO last gave them.
    pub(crate) replids: Vec<RunId>,
    /// Sum of the keys of all databases, and the stream offset, as INFO last gave them.
    pub(crate) keys: u64,
    pub(crate) stream_offset: u64,
    pub(crate) loading: bool,
    pub(crate) role: Role,
    pub(crate) role_since: Millis,
}

impl Instance {
    /// An instance seen at `now` for the first time; it counts as available until proven down.
    pub(crate) fn new(kind: Kind, group: &str, address: Address, now: Millis) -> Instance {
        let role = if matches!(kind, Kind::Primary) { Role::Primary } else { Role::Replica };
        Instance {
            kind,
            group: group.to_owned(),
            address,
            run_id: None,
            command: Link::default(),
            subscription: Link::default(),
            last_reconnect: None,
            closed_at: now,
            refused: false,
            unanswered_ping: None,
            last_ping: now,
            last_available: now,
            last_pong: now,
            last_publish: None,
            last_hello: now,
            down_since: None,
            up_since: None,
            script_kill_sent: false,
            info_at: None,
            info_sent: None,
            info: Vec::new(),
            replids: Vec::new(),
            keys: 0,
            stream_offset: 0,
            loading: false,
            role,
            role_since: now,
        }
    }

    /// True for another sentinel.
    pub(crate) fn is_sentinel(&self) -> bool {
        matches!(self.kind, Kind::Sentinel(_))
    }

    /// True for the primary of its group.
    pub(crate) fn is_primary(&self) -> bool {
        matches!(self.kind, Kind::Primary)
    }

    /// Since when the instance has given no sign of life; `None` if it is not silent. A ping without
    /// answer counts from when it was sent. A lost connection counts from the last answer if nobody
    /// is there to connect to, otherwise from the loss: an instance that merely dropped its clients
    /// answers again within milliseconds.
    pub(crate) fn silent_since(&self) -> Option<Millis> {
        let lost = if self.refused {
            self.last_available
        } else {
            self.last_available.max(self.closed_at)
        };
        self.unanswered_ping.or_else(|| self.disconnected().then_some(lost))
    }

    /// True if a link that this kind needs is missing.
    pub(crate) fn disconnected(&self) -> bool {
        !self.command.up || (!self.is_sentinel() && !self.subscription.up)
    }

    /// The facts of a replica.
    pub(crate) fn replica(&self) -> Option<&ReplicaFacts> {
        match &self.kind {
            Kind::Replica(facts) => Some(facts),
            _ => None,
        }
    }

    /// The facts of a replica, to change.
    pub(crate) fn replica_mut(&mut self) -> Option<&mut ReplicaFacts> {
        match &mut self.kind {
            Kind::Replica(facts) => Some(facts),
            _ => None,
        }
    }

    /// The facts of a sentinel.
    pub(crate) fn peer(&self) -> Option<&SentinelFacts> {
        match &self.kind {
            Kind::Sentinel(facts) => Some(facts),
            _ => None,
        }
    }

    /// The facts of a sentinel, to change.
    pub(crate) fn peer_mut(&mut self) -> Option<&mut SentinelFacts> {
        match &mut self.kind {
            Kind::Sentinel(facts) => Some(facts),
            _ => None,
        }
    }
}

impl ReplicaFacts {
    /// A replica that has reported nothing yet.
    pub(crate) fn new(now: Millis) -> ReplicaFacts {
        ReplicaFacts {
            priority: 100,
            offset: 0,
            follows: None,
            link_up: false,
            link_down_for: Some(Millis(0)),
            announced: true,
            reconf: Reconf::None,
            conf_changed_at: now,
        }
    }
}
