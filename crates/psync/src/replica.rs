//! The machine of a node that follows a primary.
//!
//! ```text
//!            follow                 connected            all answered
//!    Idle ----------> Connecting ------------> Handshake ------------+-- +CONTINUE --> Online
//!     ^ unfollow          ^   ^                    | fault           |                  ^  |
//!     |                   |   +--- Waiting <-------+                 +-- +FULLRESYNC    |  | lost
//!  (any state)            |       (1 s)            ^                     v              |  |
//!                         |                        +------ fault ---- Transfer          |  |
//!                         |                        +------ fault ---- Loading ----------+  |
//!                         +----------------------------------------------------------------+
//! ```
//!
//! Invariants:
//! - The data set in service is replaced only after a snapshot is complete and loaded: the driver
//!   loads it aside and swaps when it reports [`Replica::handle_loaded`]. A transfer that breaks off
//!   leaves the old data *and* the old history, so the next attempt may still continue from it.
//! - `applied <= received`, and an ACK never tells more than `applied`.
//! - What was received and not applied when a link is lost is asked for again: the next PSYNC asks
//!   for `applied + 1`. The driver drops such bytes on [`Action::Disconnect`].
//! - A primary of our own group that knows only older epochs does not get to replace our data.
//!
//! The driver performs actions in order, and after `Disconnect` reports nothing more of the old
//! connection.

mod action;
mod facts;
mod fault;
mod handshake;

pub use action::Action;
pub use facts::{LinkFacts, LinkState};

use crate::encode::command;
use crate::identity::{Identity, PeerIdentity};
use crate::line::LineBuffer;
use crate::snapshot::Decoder;
use crate::{Level, OFFSET_MAX};
use base::{Millis, Offset, RunId};
use fault::{Fault, refused_transfer};
use handshake::Handshake;
pub(crate) use handshake::printable;
use std::collections::VecDeque;

/// The pause before a new attempt after a failed one, and between two ACKs.
pub const RETRY_PERIOD: Millis = Millis(1000);

/// The period of ACKs, and of newlines while a snapshot is loaded.
pub const ACK_PERIOD: Millis = Millis(1000);

/// The period of the first ACKs after a full sync. Stock starts the stream at the first ACK that it
/// sees after it has reaped its child, and forgets those before; seen with 7.0.15, where one ACK a
/// second delayed the stream by that second.
pub const EAGER_ACK_PERIOD: Millis = Millis(100);

/// How many ACKs follow each other that quickly, at most.
pub const EAGER_ACKS: u8 = 10;

/// The bytes of the stream that may arrive while the snapshot before them is loaded. A driver that
/// heeds [`Replica::wants_bytes`] stays far below.
pub const PENDING_BYTES_MAX: usize = 16 << 20;

/// What the node is configured to say and to tolerate.
#[derive(Clone, Debug)]
pub struct ReplicaSettings {
    /// The port we tell the primary (`replica-announce-port`, else the port we listen on).
    pub listening_port: u16,
    /// `replica-announce-ip`.
    pub announce_ip: Option<String>,
    /// `masteruser`.
    pub user: Option<Vec<u8>>,
    /// `masterauth`.
    pub password: Option<Vec<u8>>,
    /// `repl-timeout`.
    pub timeout: Millis,
    /// Who we are, if the node has an identity.
    pub identity: Option<Identity>,
    /// Whether an older primary of our own group is kept from replacing our data.
    pub guard: bool,
}

impl Default for ReplicaSettings {
    fn default() -> ReplicaSettings {
        ReplicaSettings {
            listening_port: 6379,
            announce_ip: None,
            user: None,
            password: None,
            timeout: Millis(60_000),
            identity: None,
            guard: true,
        }
    }
}

/// What the node holds and could continue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The history.
    pub replid: RunId,
    /// How many bytes of it are applied.
    pub applied: Offset,
}

/// A full sync that was announced.
#[derive(Clone, Copy, Debug)]
struct FullSync {
    replid: RunId,
    offset: Offset,
    peer: Option<PeerIdentity>,
}

#[derive(Debug)]
enum Phase {
    /// Before the line that announces the payload.
    Header(LineBuffer),
    Payload {
        decoder: Decoder,
        total: Option<u64>,
        read: u64,
    },
}

#[derive(Debug)]
enum State {
    Idle,
    Waiting { until: Millis },
    Connecting,
    Handshake(Handshake),
    Transfer { sync: FullSync, phase: Phase },
    Loading { sync: FullSync, pending: Vec<u8>, total: u64, next_newline: Millis },
    Online { next_ack: Millis, eager_acks: u8 },
}

#[derive(Debug)]
struct Target {
    host: String,
    port: u16,
}

/// A node's link to its primary.
#[derive(Debug)]
pub struct Replica {
    settings: ReplicaSettings,
    target: Option<Target>,
    state: State,
    /// What we hold, while it is under a name that a primary may know.
    resume: Option<Resume>,
    received: Offset,
    /// Our append-only file is durable up to here, if there is one.
    durable: Option<Offset>,
    /// The primary has asked for this, and was told less of the file.
    owed: Option<Offset>,
    holds_data: bool,
    /// Full syncs that the guard has refused.
    refused: u64,
    last_io: Millis,
    down_since: Option<Millis>,
    actions: VecDeque<Action>,
}

impl Replica {
    /// A machine that follows nobody yet.
    pub fn new(settings: ReplicaSettings) -> Replica {
        Replica {
            settings,
            target: None,
            state: State::Idle,
            resume: None,
            received: Offset(0),
            durable: None,
            owed: None,
            holds_data: false,
            refused: 0,
            last_io: Millis(0),
            down_since: None,
            actions: VecDeque::new(),
        }
    }

    /// Changes the settings; the handshake in progress keeps what it has sent.
    pub fn set_settings(&mut self, settings: ReplicaSettings) {
        self.settings = settings;
    }

    /// Tells whether the node holds keys, which [`ReplicaSettings::guard`] protects.
    pub fn set_holds_data(&mut self, holds_data: bool) {
        self.holds_data = holds_data;
    }

    /// Follows the primary at `host` and `port` (REPLICAOF). `resume` is what the node holds under
    /// its own id, or under the one it followed before.
    pub fn follow(&mut self, now: Millis, host: &str, port: u16, resume: Option<Resume>) {
        if matches!(self.state, State::Online { .. }) {
            // As in stock: a redirected replica has been in step, and counts from now.
            self.down_since = Some(now);
        }
        self.close("told to follow another primary");
        self.resume = resume;
        self.received = resume.map_or(Offset(0), |resume| resume.applied);
        self.target = Some(Target { host: host.to_owned(), port });
        self.notice(format!("Connecting to MASTER {host}:{port}"));
        self.connect(now);
    }

    /// Follows nobody from now on (REPLICAOF NO ONE). The driver shifts the node's history.
    pub fn unfollow(&mut self) {
        self.close("told to follow nobody");
        self.target = None;
        self.resume = None;
        self.down_since = None;
    }

    /// The connection is open.
    pub fn handle_connected(&mut self, now: Millis) {
        if matches!(self.state, State::Connecting) {
            self.notice("Non blocking connect for SYNC fired the event.".to_owned());
            self.last_io = now;
            let (handshake, hello) = Handshake::start();
            self.state = State::Handshake(handshake);
            self.actions.push_back(Action::Send(hello));
        }
    }

    /// The connection could not be opened, or was closed by the other side or by an error.
    pub fn handle_closed(&mut self, now: Millis, reason: &str) {
        let fault = match self.state {
            State::Idle | State::Waiting { .. } => return,
            State::Connecting => Fault::ConnectFailed(reason.to_owned()),
            _ => Fault::Lost,
        };
        self.fail(now, &fault);
    }

    /// Takes bytes from the primary.
    pub fn handle_bytes(&mut self, now: Millis, bytes: &[u8]) {
        let mut input = bytes;
        self.last_io = now;
        while !input.is_empty() {
            if let Err(fault) = self.step(now, &mut input) {
                self.fail(now, &fault);
                return;
            }
        }
    }

    /// False while the driver should leave bytes in the socket.
    pub fn wants_bytes(&self) -> bool {
        !matches!(self.state, State::Idle | State::Waiting { .. } | State::Loading { .. })
    }

    /// The snapshot was loaded and is in service, or could not be loaded.
    pub fn handle_loaded(&mut self, now: Millis, loaded: Result<(), String>) {
        let State::Loading { sync, pending, .. } = &mut self.state else { return };
        let (sync, pending) = (*sync, std::mem::take(pending));
        if let Err(error) = loaded {
            self.fail(now, &Fault::Load(error));
            return;
        }
        self.notice("MASTER <-> REPLICA sync: Finished with success".to_owned());
        self.resume = Some(Resume { replid: sync.replid, applied: sync.offset });
        self.received = sync.offset;
        // What our file holds is of another history until we are told anew.
        self.durable = None;
        self.holds_data = true;
        self.enter_online(now, sync.peer);
        if let State::Online { eager_acks, .. } = &mut self.state {
            *eager_acks = EAGER_ACKS;
        }
        self.send_ack(now);
        self.handle_bytes(now, &pending);
    }

    /// The stream is applied up to `offset`, at a border between commands and outside of MULTI.
    pub fn applied(&mut self, offset: Offset) {
        if let Some(resume) = &mut self.resume {
            resume.applied = offset.min(self.received).max(resume.applied);
        }
    }

    /// A command of the stream could not be applied, so the data is no longer the primary's: the next
    /// attempt asks for a full sync.
    pub fn handle_apply_failed(&mut self, now: Millis, error: &str) {
        if matches!(self.state, State::Online { .. }) {
            self.resume = None;
            self.actions
                .push_back(Action::Log(Level::Warning, Fault::Apply(error.to_owned()).to_string()));
            self.down_since = Some(now);
            self.close("a command of the stream could not be applied");
            self.state = State::Waiting { until: now + RETRY_PERIOD };
        }
    }

    /// The stream asked for an acknowledgement (`REPLCONF GETACK *`). Called before the bytes of
    /// that command are reported as applied, since stock does not count them.
    pub fn handle_getack(&mut self, now: Millis) {
        if matches!(self.state, State::Online { .. }) {
            self.owed = self.resume.map(|resume| resume.applied);
            self.send_ack(now);
        }
    }

    /// Our append-only file is durable up to `durable`; `None` without one. The primary is told with
    /// the next ACK; at once if it has asked for as much.
    pub fn handle_durable(&mut self, now: Millis, durable: Option<Offset>) {
        self.durable = durable;
        let comes = self.owed.zip(durable).is_some_and(|(owed, durable)| owed <= durable);
        if comes && matches!(self.state, State::Online { .. }) {
            self.send_ack(now);
        }
    }

    /// The offset that the primary is to be told of as soon as it is durable.
    pub fn owes_durable(&self) -> Option<Offset> {
        self.owed.filter(|_| matches!(self.state, State::Online { .. }))
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Millis) {
        let silent = now.since(self.last_io) >= self.settings.timeout;
        match &mut self.state {
            State::Waiting { until } if *until > now => {}
            State::Waiting { .. } => self.connect(now),
            State::Connecting | State::Handshake(_) if silent => {
                self.fail(now, &Fault::ConnectTimeout);
            }
            State::Transfer { .. } if silent => self.fail(now, &Fault::TransferTimeout),
            State::Online { .. } if silent => self.fail(now, &Fault::OnlineTimeout),
            State::Loading { next_newline, .. } if *next_newline <= now => {
                *next_newline = now + ACK_PERIOD;
                self.actions.push_back(Action::Send(b"\n".to_vec()));
            }
            State::Online { next_ack, .. } if *next_ack <= now => self.send_ack(now),
            _ => {}
        }
    }

    /// When [`Replica::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let silent = self.last_io + self.settings.timeout;
        match &self.state {
            State::Idle => None,
            State::Waiting { until } => Some(*until),
            State::Connecting | State::Handshake(_) | State::Transfer { .. } => Some(silent),
            State::Loading { next_newline, .. } => Some(*next_newline),
            State::Online { next_ack, .. } => Some(silent.min(*next_ack)),
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn step(&mut self, now: Millis, input: &mut &[u8]) -> Result<(), Fault> {
        match &mut self.state {
            State::Idle | State::Waiting { .. } | State::Connecting => {
                *input = &[];
                Ok(())
            }
            State::Handshake(_) => self.step_handshake(now, input),
            State::Transfer { .. } => self.step_transfer(now, input),
            State::Loading { pending, .. } => {
                if pending.len() + input.len() > PENDING_BYTES_MAX {
                    return Err(Fault::PendingOverflow);
                }
                pending.extend_from_slice(std::mem::take(input));
                Ok(())
            }
            State::Online { eager_acks, .. } => {
                // The stream flows: the primary has seen an ACK.
                *eager_acks = 0;
                let room = usize::try_from(OFFSET_MAX - self.received).unwrap_or(usize::MAX);
                if room == 0 {
                    return Err(Fault::OffsetOverflow);
                }
                let (bytes, rest) = input.split_at(room.min(input.len()));
                *input = rest;
                self.received = self.received + bytes.len() as u64;
                self.actions.push_back(Action::Stream(bytes.to_vec()));
                Ok(())
            }
        }
    }

    fn step_transfer(&mut self, now: Millis, input: &mut &[u8]) -> Result<(), Fault> {
        let State::Transfer { sync, phase } = &mut self.state else { return Ok(()) };
        let sync = *sync;
        let (total, read, ended) = match phase {
            Phase::Header(line) => {
                let line = line.take(input).map_err(|error| Fault::Protocol(error.to_string()))?;
                let Some(line) = line.filter(|line| !line.is_empty()) else { return Ok(()) };
                let decoder = Decoder::parse(&line).ok_or_else(|| refused_transfer(&line))?;
                let total = decoder.length();
                *phase = Phase::Payload { decoder, total, read: 0 };
                self.notice(match total {
                    Some(total) => {
                        format!(
                            "MASTER <-> REPLICA sync: receiving {total} bytes from master to parser"
                        )
                    }
                    None => "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF \
                             to parser"
                        .to_owned(),
                });
                let FullSync { replid, offset, .. } = sync;
                self.actions.push_back(Action::StartSnapshot { replid, offset, length: total });
                (total, 0, total == Some(0))
            }
            Phase::Payload { decoder, total, read } => {
                let (bytes, ended) = decoder.take(input);
                *read += bytes.len() as u64;
                let progress = (*total, *read, ended);
                if !bytes.is_empty() {
                    self.actions.push_back(Action::SnapshotBytes(bytes));
                }
                progress
            }
        };
        if ended {
            self.notice("MASTER <-> REPLICA sync: Loading DB in memory".to_owned());
            self.actions.push_back(Action::EndSnapshot);
            let next_newline = now + ACK_PERIOD;
            let total = total.unwrap_or(read);
            self.state = State::Loading { sync, pending: Vec::new(), total, next_newline };
        }
        Ok(())
    }

    fn enter_online(&mut self, now: Millis, peer: Option<PeerIdentity>) {
        if let (Some(ours), Some(peer)) = (&mut self.settings.identity, peer)
            && peer.group == Some(ours.group)
            && let Some(epoch) = peer.epoch
            && epoch > ours.epoch
        {
            ours.epoch = epoch;
            self.actions.push_back(Action::Persist { epoch });
        }
        self.down_since = None;
        self.owed = None;
        self.last_io = now;
        self.state = State::Online { next_ack: now + ACK_PERIOD, eager_acks: 0 };
    }

    fn connect(&mut self, now: Millis) {
        let Some(target) = &self.target else { return };
        let (host, port) = (target.host.clone(), target.port);
        self.last_io = now;
        self.state = State::Connecting;
        self.notice("MASTER <-> REPLICA sync started".to_owned());
        self.actions.push_back(Action::Connect { host, port });
    }

    /// Gives the link up and arranges for the next attempt: at once if it had worked.
    fn fail(&mut self, now: Millis, fault: &Fault) {
        self.actions.push_back(Action::Log(Level::Warning, fault.to_string()));
        self.refused += u64::from(matches!(fault, Fault::OlderPrimary { .. }));
        let worked = matches!(self.state, State::Online { .. });
        if worked {
            self.down_since = Some(now);
            self.notice("Caching the disconnected master state.".to_owned());
        }
        self.close(&fault.to_string());
        if worked && let Some(Target { host, port }) = &self.target {
            self.notice(format!("Reconnecting to MASTER {host}:{port}"));
            self.connect(now);
        } else {
            self.state = State::Waiting { until: now + RETRY_PERIOD };
        }
    }

    fn close(&mut self, reason: &str) {
        match self.state {
            State::Idle | State::Waiting { .. } => {}
            State::Transfer { phase: Phase::Payload { .. }, .. } | State::Loading { .. } => {
                self.actions.push_back(Action::AbortSnapshot);
                self.actions.push_back(Action::Disconnect { reason: reason.to_owned() });
            }
            _ => self.actions.push_back(Action::Disconnect { reason: reason.to_owned() }),
        }
        self.state = State::Idle;
    }

    fn send_ack(&mut self, now: Millis) {
        let applied = self.resume.map_or(Offset(0), |resume| resume.applied);
        let mut ack = Vec::new();
        let offset = applied.to_string();
        if let Some(durable) = self.durable {
            // Of the file, as Redis 7.2 says it; older ones stop reading behind the first offset.
            let durable = durable.min(applied);
            self.owed = self.owed.filter(|&owed| owed > durable);
            let durable = durable.to_string();
            let words: [&[u8]; 5] =
                [b"REPLCONF", b"ACK", offset.as_bytes(), b"FACK", durable.as_bytes()];
            command(&words, &mut ack);
        } else {
            command(&[b"REPLCONF", b"ACK", offset.as_bytes()], &mut ack);
        }
        self.actions.push_back(Action::Send(ack));
        if let State::Online { next_ack, eager_acks } = &mut self.state {
            *next_ack = now + if *eager_acks > 0 { EAGER_ACK_PERIOD } else { ACK_PERIOD };
            *eager_acks = eager_acks.saturating_sub(1);
        }
    }

    fn notice(&mut self, text: String) {
        self.actions.push_back(Action::Log(Level::Notice, text));
    }
}
