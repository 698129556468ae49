//! What INFO and ROLE say about the link to the primary.

use super::{Phase, Replica, State};
use crate::PeerIdentity;
use base::{Millis, Offset};

/// The state of the link in ROLE's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Following nobody.
    None,
    /// Waiting for the next attempt.
    Connect,
    /// A connection is being opened, or PING is not yet answered.
    Connecting,
    /// The handshake is under way.
    Handshake,
    /// A snapshot is received or loaded.
    Sync,
    /// The stream is followed.
    Connected,
}

impl LinkState {
    /// The word in ROLE's answer.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkState::None => "none",
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Handshake => "handshake",
            LinkState::Sync => "sync",
            LinkState::Connected => "connected",
        }
    }
}

/// The fields of INFO replication that only a replica has. Seconds and bytes, -1 for "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFacts {
    /// ROLE's state; `master_link_status` is `up` exactly if it is `Connected`.
    pub state: LinkState,
    /// `master_last_io_seconds_ago`.
    pub last_io_seconds_ago: i64,
    /// `master_sync_in_progress`.
    pub sync_in_progress: bool,
    /// `master_sync_total_bytes`; 0 while a snapshot of unknown length is received.
    pub sync_total_bytes: i64,
    /// `master_sync_read_bytes`.
    pub sync_read_bytes: i64,
    /// `master_sync_left_bytes`.
    pub sync_left_bytes: i64,
    /// `master_sync_last_io_seconds_ago`.
    pub sync_last_io_seconds_ago: i64,
    /// `master_link_down_since_seconds`; -1 if the link was never up.
    pub link_down_since_seconds: i64,
    /// `slave_read_repl_offset`.
    pub read_offset: Offset,
    /// `slave_repl_offset`.
    pub applied_offset: Offset,
}

impl Replica {
    /// What INFO and ROLE say at `now`.
    pub fn facts(&self, now: Millis) -> LinkFacts {
        let state = self.link_state();
        let (total, read) = self.sync_progress();
        let up = state == LinkState::Connected;
        let silent = seconds(now.since(self.last_io));
        // As stock, which says 1 when it follows but has never had a primary.
        let applied = self.resume.map_or(Offset(1), |resume| resume.applied);
        let read_offset = if up { self.received } else { applied };
        LinkFacts {
            state,
            last_io_seconds_ago: if up { silent } else { -1 },
            sync_in_progress: state == LinkState::Sync,
            sync_total_bytes: total,
            sync_read_bytes: read,
            sync_left_bytes: total - read,
            sync_last_io_seconds_ago: silent,
            link_down_since_seconds: self.down_since.map_or(-1, |since| seconds(now.since(since))),
            read_offset,
            applied_offset: applied,
        }
    }

    /// When the primary was last heard of, monotonic.
    pub fn last_io(&self) -> Millis {
        self.last_io
    }

    /// Since when the link is down, monotonic; `None` while it is up and before it was ever up.
    pub fn down_since(&self) -> Option<Millis> {
        self.down_since
    }

    /// How many full syncs were refused because the primary knows only older epochs.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What the primary of the full sync under way told of itself.
    pub fn syncing_with(&self) -> Option<PeerIdentity> {
        match &self.state {
            State::Transfer { sync, .. } | State::Loading { sync, .. } => sync.peer,
            _ => None,
        }
    }

    /// True while the stream is followed.
    pub fn is_link_up(&self) -> bool {
        matches!(self.state, State::Online { .. })
    }

    /// The address of the primary that is followed.
    pub fn target(&self) -> Option<(&str, u16)> {
        self.target.as_ref().map(|target| (target.host.as_str(), target.port))
    }

    fn link_state(&self) -> LinkState {
        match &self.state {
            State::Idle => LinkState::None,
            State::Waiting { .. } => LinkState::Connect,
            State::Handshake(handshake) if handshake.is_past_ping() => LinkState::Handshake,
            State::Connecting | State::Handshake(_) => LinkState::Connecting,
            State::Transfer { .. } | State::Loading { .. } => LinkState::Sync,
            State::Online { .. } => LinkState::Connected,
        }
    }

    fn sync_progress(&self) -> (i64, i64) {
        match &self.state {
            State::Transfer { phase: Phase::Payload { total, read, .. }, .. } => {
                (signed(total.unwrap_or(0)), signed(*read))
            }
            State::Loading { total, .. } => (signed(*total), signed(*total)),
            _ => (-1, 0),
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn seconds(span: Millis) -> i64 {
    signed(span.0 / 1000)
}
