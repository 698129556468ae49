//! The machine of a node that others replicate from.
//!
//! Each connection that spoke REPLCONF or PSYNC is a link in one of these states:
//!
//! ```text
//!                PSYNC: may continue
//!   Greeting ---------------------------------------------------------------> Online
//!       |        PSYNC: may not       cut made           all sent, by length    ^
//!       +------------> WaitSnapshot ------------> Sending ----------------------+
//!                          ^                         |  all sent, by mark       | ACK
//!                          +---- cut refused         +----> AwaitAck -----------+
//! ```
//!
//! An ACK of the cut may come while it is not yet known that all was sent; then nothing more is awaited.
//!
//! A full sync begins with a *cut*: the driver notes the log's offset and begins a walk over the
//! data, for all replicas that wait at that moment. It keeps a reader of the log at the cut for each
//! and starts it at [`Action::StartStream`].
//!
//! Invariants:
//! - a replica receives bytes of the stream from exactly one offset on: the one it asked for, or
//!   the one of its cut;
//! - an acknowledged offset never exceeds the end of our own log and never goes back;
//! - at most [`PrimarySettings::cuts_max`] walks run at once, each replica waits for at most one;
//! - whoever is silent longer than the timeout is disconnected.

mod cuts;
mod facts;
mod requests;

pub use facts::{ReplicaRow, ReplicaState, SyncCounts};
pub use requests::{PsyncAnswer, ReplconfAnswer};

use crate::identity::{Identity, PeerIdentity};
use crate::{History, Level};
use base::{Millis, Offset, RunId};
use std::collections::{BTreeMap, VecDeque};

/// The period of newlines to replicas that wait for a snapshot.
pub const NEWLINE_PERIOD: Millis = Millis(1000);

/// The pause after a refused or failed cut before the next is asked for.
pub const CUT_RETRY_PERIOD: Millis = Millis(1000);

/// The connections that may hold facts at once; a client beyond gets an error from REPLCONF.
pub const LINKS_MAX: usize = 10_000;

/// A connection, by whatever number the driver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub u64);

/// One walk over the data for full syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CutId(pub u64);

/// How the end of a snapshot is marked on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `$EOF:<mark>`: sent while it is made. All replicas of the cut understand it.
    Mark,
    /// `$<length>`: made whole, then sent.
    Length,
}

/// What the node is configured to do for its replicas.
#[derive(Clone, Debug)]
pub struct PrimarySettings {
    /// `repl-timeout`.
    pub timeout: Millis,
    /// `repl-ping-replica-period`.
    pub ping_period: Millis,
    /// `repl-diskless-sync`.
    pub diskless: bool,
    /// `repl-diskless-sync-delay`.
    pub diskless_delay: Millis,
    /// `repl-diskless-sync-max-replicas`; zero for no such limit.
    pub diskless_max_replicas: usize,
    /// `repl-backlog-size`.
    pub backlog_bytes: u64,
    /// `repl-backlog-ttl`; zero keeps the backlog for ever.
    pub backlog_ttl: Millis,
    /// The walks that may run at once.
    pub cuts_max: usize,
    /// Who we are, if the node has an identity.
    pub identity: Option<Identity>,
}

impl Default for PrimarySettings {
    fn default() -> PrimarySettings {
        PrimarySettings {
            timeout: Millis(60_000),
            ping_period: Millis(10_000),
            diskless: true,
            diskless_delay: Millis(5_000),
            diskless_max_replicas: 0,
            backlog_bytes: 1 << 20,
            backlog_ttl: Millis(3_600_000),
            cuts_max: 1,
            identity: None,
        }
    }
}

/// What the driver must do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a line to the log.
    Log(Level, String),
    /// Send bytes to a replica.
    Send(ReplicaId, Vec<u8>),
    /// Send the stream from `from` on to a replica, behind what was sent to it before.
    StartStream {
        /// The replica.
        id: ReplicaId,
        /// The first byte of the stream that it lacks.
        from: Offset,
    },
    /// Make a cut and begin a walk, then report `handle_cut`. Force a SELECT in the log at the cut.
    Cut {
        /// The walk's number.
        cut: CutId,
        /// For whom.
        replicas: Vec<ReplicaId>,
        /// `Length`: write the snapshot whole first and report `handle_snapshot_length`.
        format: Format,
    },
    /// Send the snapshot's bytes, then `mark` if there is one, to these replicas; report
    /// `handle_progress` now and then and `handle_snapshot_sent` for each.
    SendSnapshot {
        /// The walk.
        cut: CutId,
        /// The replicas of the cut that are still there.
        replicas: Vec<ReplicaId>,
        /// What stands behind the snapshot.
        mark: Option<RunId>,
    },
    /// Nobody needs this walk any more: all its replicas were served or have gone.
    CancelCut(CutId),
    /// Activate the log's backlog with this size, if it is not.
    RetainBacklog(u64),
    /// Free the log's backlog.
    ReleaseBacklog,
    /// Append a PING to the log.
    AppendPing,
    /// Append `REPLCONF GETACK *` to the log.
    AppendGetAck,
    /// Close a connection, after what was sent to it before if `flush`.
    Disconnect {
        /// The connection.
        id: ReplicaId,
        /// Whether bytes under way should still be sent.
        flush: bool,
        /// Why, for the log of the driver.
        reason: String,
    },
}

/// What a connection told of itself.
#[derive(Clone, Debug, Default)]
struct Facts {
    ip: String,
    announced_ip: Option<String>,
    port: u16,
    eof: bool,
    rdb_only: bool,
    psync2: bool,
    peer: PeerIdentity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    WaitSnapshot {
        since: Millis,
        next_newline: Millis,
    },
    /// The cut is asked for or its file is being written.
    Cutting {
        cut: CutId,
        next_newline: Millis,
    },
    Sending {
        cut: CutId,
        offset: Offset,
        progress: Millis,
        /// It has acknowledged the cut: it was sent all, which we are about to hear.
        has_acked: bool,
    },
    AwaitAck {
        offset: Offset,
        since: Millis,
    },
    Online {
        acked: Offset,
        acked_at: Millis,
    },
}

#[derive(Debug)]
struct Link {
    facts: Facts,
    state: State,
    /// It said SYNC, not PSYNC: it knows no offsets and sends no ACK.
    legacy: bool,
    /// Its append-only file is durable up to here, if it has told.
    durable: Option<Offset>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    format: Format,
    /// Known once the cut is made.
    offset: Option<Offset>,
}

/// A node's links to its replicas.
#[derive(Debug)]
pub struct Primary {
    settings: PrimarySettings,
    history: History,
    /// We follow a primary ourselves: its PINGs pass through, we append nothing.
    chained: bool,
    /// A chained node serves only while its own link is up.
    linked: bool,
    links: BTreeMap<ReplicaId, Link>,
    cuts: BTreeMap<CutId, Cut>,
    next_cut: u64,
    cut_not_before: Millis,
    next_ping: Option<Millis>,
    ack_requested: bool,
    /// When the last replica left, while a backlog is kept.
    alone_since: Option<Millis>,
    counts: SyncCounts,
    actions: VecDeque<Action>,
}

impl Primary {
    /// A machine without replicas.
    pub fn new(settings: PrimarySettings, history: History) -> Primary {
        Primary {
            settings,
            history,
            chained: false,
            linked: true,
            links: BTreeMap::new(),
            cuts: BTreeMap::new(),
            next_cut: 0,
            cut_not_before: Millis(0),
            next_ping: None,
            ack_requested: false,
            alone_since: None,
            counts: SyncCounts::default(),
            actions: VecDeque::new(),
        }
    }

    /// Changes the settings.
    pub fn set_settings(&mut self, settings: PrimarySettings) {
        self.settings = settings;
    }

    /// The history that is served.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Serves another history from now on. If replicas must learn of it, disconnect them too.
    pub fn set_history(&mut self, history: History) {
        self.history = history;
    }

    /// Whether this node follows a primary itself, and if so whether that link is up.
    pub fn set_chained(&mut self, now: Millis, chained: bool, linked: bool) {
        if self.chained && !chained {
            // The backlog of a replica has no end of life; that of a primary begins now.
            self.alone_since = self.alone_since.map(|_| now);
        }
        self.chained = chained;
        self.linked = linked;
    }

    /// Disconnects every replica, after our history changed under them.
    pub fn disconnect_all(&mut self, now: Millis, reason: &str) {
        for id in self.replica_ids() {
            self.drop_link(now, id, reason);
        }
    }

    /// A connection is closed, whether it was a replica or only a client that spoke REPLCONF.
    pub fn handle_closed(&mut self, now: Millis, id: ReplicaId) {
        let Some(link) = self.links.remove(&id) else { return };
        if link.state == State::Greeting {
            return;
        }
        let text = format!("Connection with replica {} lost.", link.name());
        self.actions.push_back(Action::Log(Level::Warning, text));
        self.cancel_cuts_without_replicas();
        if self.replica_ids().is_empty() {
            self.alone_since = Some(now);
            self.next_ping = None;
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.drop_silent(now);
        self.send_newlines(now);
        self.start_due_cut(now);
        if self.next_ping.is_some_and(|at| at <= now) {
            self.next_ping = Some(now + self.settings.ping_period);
            if !self.chained {
                self.actions.push_back(Action::AppendPing);
            }
        }
        if self.backlog_expires().is_some_and(|at| at <= now) {
            self.alone_since = None;
            let seconds = self.settings.backlog_ttl.0 / 1000;
            self.notice(format!(
                "Replication backlog freed after {seconds} seconds without connected replicas."
            ));
            self.actions.push_back(Action::ReleaseBacklog);
        }
    }

    /// When [`Primary::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let links = self.links.values().filter_map(|link| self.link_timeout(link));
        let due = [self.next_ping, self.backlog_expires(), self.next_cut_at()];
        links.chain(due.into_iter().flatten()).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if action == Some(Action::AppendGetAck) {
            self.ack_requested = false;
        }
        action
    }

    /// Asks the replicas for an acknowledgement (WAIT). Several requests before the driver polls are
    /// one.
    pub fn request_acks(&mut self) {
        if !self.ack_requested && !self.chained && !self.replica_ids().is_empty() {
            self.ack_requested = true;
            self.actions.push_back(Action::AppendGetAck);
        }
    }

    fn replica_ids(&self) -> Vec<ReplicaId> {
        let replicas = self.links.iter().filter(|(_, link)| link.state != State::Greeting);
        replicas.map(|(&id, _)| id).collect()
    }

    fn backlog_expires(&self) -> Option<Millis> {
        let ttl = self.settings.backlog_ttl;
        let since = self.alone_since.filter(|_| !self.chained && ttl > Millis(0))?;
        Some(since + ttl)
    }

    fn link_timeout(&self, link: &Link) -> Option<Millis> {
        let silent = self.silent_at(link);
        let newline = link.state.next_newline();
        silent.into_iter().chain(newline).min()
    }

    /// When the link counts as dead if nothing happens.
    fn silent_at(&self, link: &Link) -> Option<Millis> {
        let last = match link.state {
            State::Sending { progress, .. } => progress,
            State::AwaitAck { since, .. } => since,
            State::Online { acked_at, .. } if !link.legacy => acked_at,
            _ => return None,
        };
        // Stock disconnects when more than the timeout has passed.
        Some(last + self.settings.timeout + Millis(1))
    }

    fn drop_silent(&mut self, now: Millis) {
        let dead: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| self.silent_at(link).is_some_and(|at| at <= now))
            .map(|(&id, link)| (id, link.timed_out()))
            .collect();
        for (id, text) in dead {
            self.actions.push_back(Action::Log(Level::Warning, text.clone()));
            self.drop_link(now, id, &text);
        }
    }

    fn send_newlines(&mut self, now: Millis) {
        for (&id, link) in &mut self.links {
            let (State::WaitSnapshot { next_newline, .. } | State::Cutting { next_newline, .. }) =
                &mut link.state
            else {
                continue;
            };
            if *next_newline <= now {
                *next_newline = now + NEWLINE_PERIOD;
                self.actions.push_back(Action::Send(id, b"\n".to_vec()));
            }
        }
    }

    fn drop_link(&mut self, now: Millis, id: ReplicaId, reason: &str) {
        let reason = reason.to_owned();
        self.actions.push_back(Action::Disconnect { id, flush: false, reason });
        self.handle_closed(now, id);
    }

    /// Notes that there is a replica now: the backlog is kept and PINGs flow.
    fn gain_replica(&mut self, now: Millis) {
        self.alone_since = None;
        self.next_ping = self.next_ping.or(Some(now + self.settings.ping_period));
        self.actions.push_back(Action::RetainBacklog(self.settings.backlog_bytes));
    }

    fn notice(&mut self, text: String) {
        self.actions.push_back(Action::Log(Level::Notice, text));
    }
}

impl State {
    fn next_newline(self) -> Option<Millis> {
        match self {
            State::WaitSnapshot { next_newline, .. } | State::Cutting { next_newline, .. } => {
                Some(next_newline)
            }
            _ => None,
        }
    }

    fn cut(self) -> Option<CutId> {
        match self {
            State::Cutting { cut, .. } | State::Sending { cut, .. } => Some(cut),
            _ => None,
        }
    }
}

impl Link {
    /// The replica as log lines name it.
    fn name(&self) -> String {
        let ip = self.facts.announced_ip.as_ref().unwrap_or(&self.facts.ip);
        match self.facts.port {
            0 => format!("{ip}:<unknown-replica-port>"),
            port => format!("{ip}:{port}"),
        }
    }

    fn timed_out(&self) -> String {
        let what = match self.state {
            State::Online { .. } => "streaming sync",
            _ => "full sync",
        };
        format!("Disconnecting timedout replica ({what}): {}", self.name())
    }
}

#[cfg(test)]
mod tests;
