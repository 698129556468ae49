//! What INFO, ROLE, WAIT and min-replicas-to-write want to know about the replicas.

use super::{Primary, ReplicaId, State};
use crate::PeerIdentity;
use base::{Millis, Offset};
use std::fmt;

/// The state of a replica in INFO's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It waits for a snapshot.
    WaitBgsave,
    /// It is sent a snapshot.
    SendBulk,
    /// It is sent the stream.
    Online,
}

/// One replica as INFO and ROLE show it. `Display` writes the value of INFO's `slaveN` field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaRow {
    /// The connection.
    pub id: ReplicaId,
    /// The announced address, or the peer's.
    pub ip: String,
    /// The announced port, zero if it told none.
    pub port: u16,
    /// How far it is.
    pub state: ReplicaState,
    /// What it acknowledged.
    pub offset: Offset,
    /// Its append-only file is durable up to here, if it has told.
    pub durable: Option<Offset>,
    /// How long ago it acknowledged, zero before it is online.
    pub lag: Millis,
    /// What it told of itself, if it is a Redoubt node.
    pub peer: PeerIdentity,
}

/// INFO's `sync_full`, `sync_partial_ok` and `sync_partial_err`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Full syncs that were asked for or had to be.
    pub full: u64,
    /// Replicas that could continue.
    pub partial_ok: u64,
    /// Replicas that wanted to continue and could not.
    pub partial_err: u64,
}

impl fmt::Display for ReplicaRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            ReplicaState::WaitBgsave => "wait_bgsave",
            ReplicaState::SendBulk => "send_bulk",
            ReplicaState::Online => "online",
        };
        let (ip, port, offset, lag) = (&self.ip, self.port, self.offset, self.lag.0 / 1000);
        write!(f, "ip={ip},port={port},state={state},offset={offset},lag={lag}")
    }
}

impl Primary {
    /// The replicas in the order of their connections. ROLE shows those that are online.
    pub fn rows(&self, now: Millis) -> Vec<ReplicaRow> {
        let rows = self.links.iter().filter_map(|(&id, link)| {
            let (state, offset, lag) = match link.state {
                State::Greeting => return None,
                State::WaitSnapshot { .. } | State::Cutting { .. } => {
                    (ReplicaState::WaitBgsave, Offset(0), Millis(0))
                }
                State::Sending { .. } | State::AwaitAck { .. } => {
                    (ReplicaState::SendBulk, Offset(0), Millis(0))
                }
                State::Online { acked, acked_at } => {
                    (ReplicaState::Online, acked, now.since(acked_at))
                }
            };
            let (facts, durable) = (&link.facts, link.durable);
            let ip = facts.announced_ip.as_ref().unwrap_or(&facts.ip).clone();
            Some(ReplicaRow {
                id,
                ip,
                port: facts.port,
                state,
                offset,
                durable,
                lag,
                peer: facts.peer,
            })
        });
        rows.collect()
    }

    /// INFO's `connected_slaves`.
    pub fn replica_count(&self) -> usize {
        self.links.values().filter(|link| link.state != State::Greeting).count()
    }

    /// True if the connection is a replica's.
    pub fn is_replica(&self, id: ReplicaId) -> bool {
        self.links.get(&id).is_some_and(|link| link.state != State::Greeting)
    }

    /// INFO's counters of syncs.
    pub fn counts(&self) -> SyncCounts {
        self.counts
    }

    /// Sets the counters to zero (CONFIG RESETSTAT).
    pub fn reset_counts(&mut self) {
        self.counts = SyncCounts::default();
    }

    /// How many replicas are online and acknowledged within `max_lag`: `min-replicas-to-write`.
    pub fn good_replicas(&self, now: Millis, max_lag: Millis) -> usize {
        self.online().filter(|(_, acked_at)| now.since(*acked_at) <= max_lag).count()
    }

    /// How many replicas hold the log up to `offset`: what WAIT answers.
    pub fn count_acked(&self, offset: Offset) -> usize {
        self.online().filter(|(acked, _)| *acked >= offset).count()
    }

    /// The offset that `count` replicas have acknowledged: the `count`-th highest. `None` if fewer
    /// are online.
    pub fn acked(&self, count: usize) -> Option<Offset> {
        let mut acked: Vec<Offset> = self.online().map(|(acked, _)| acked).collect();
        acked.sort_unstable();
        acked.into_iter().rev().nth(count.checked_sub(1)?)
    }

    fn online(&self) -> impl Iterator<Item = (Offset, Millis)> {
        self.links.values().filter_map(|link| match link.state {
            State::Online { acked, acked_at } => Some((acked, acked_at)),
            _ => None,
        })
    }
}
