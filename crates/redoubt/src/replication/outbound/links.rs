//! The connections of all replicas, and handing the log to them.
//!
//! Whoever has written hands it over at once, before it answers: with little to be sent, that costs a
//! loop less than waking the replicas thread and being woken by it (decision 0020). What is more, or what
//! a socket does not take, is left to that thread, as is everything while somebody else is at it.
//!
//! Invariant: what was taken from the log is sent only after it was seen, behind the taking, that the
//! history is still the one the replicas were told.

use super::link::ReplicaLink;
use crate::replication::{Shared, settings};
use base::lock::{Mutex, MutexGuard, Rank};
use base::{Millis, Offset};
use conf::ClassLimit;
use engine::Node;
use engine::barrier::Watermark;
use oplog::ReadError;
use psync::history::History;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// The most of the log that a loop hands over itself: one send of some microseconds for each replica.
const AT_ONCE_BYTES: u64 = 16 << 10;

/// What the replicas thread shares with those who hand the log over.
pub(in crate::replication) struct Replicas {
    links: Mutex<Links>,
    /// There are links.
    any: AtomicBool,
    /// The log's end when it was last handed over; written with the links locked.
    seen: AtomicU64,
    /// The replicas thread has been asked to hand the log over, and has not begun.
    asked: AtomicBool,
}

/// The connections.
pub(super) struct Links {
    /// By client id.
    pub(super) by_client: BTreeMap<u64, ReplicaLink>,
    /// The history the replicas were told; the machine's, once it has told them.
    pub(super) told: History,
}

/// What came of moving the log to the sockets.
pub(super) enum Pumped {
    /// The replicas must be told of another history first; nothing was sent.
    HistoryChanged,
    /// What the sockets take was sent. Links that are over, and whether for falling too far behind.
    Sent(Vec<(u64, bool)>),
}

impl Replicas {
    pub(in crate::replication) fn new(told: History) -> Replicas {
        Replicas {
            links: Mutex::new(Rank::Replicas, Links { by_client: BTreeMap::new(), told }),
            any: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            asked: AtomicBool::new(false),
        }
    }

    /// The connections.
    pub(super) fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock()
    }

    /// Adds a connection.
    pub(super) fn insert(&self, client: u64, link: ReplicaLink) {
        self.links().by_client.insert(client, link);
        self.any.store(true, Ordering::Relaxed);
        // Whoever has not seen that has written before, and who reads the log from here on sees it:
        // they fence between writing and looking.
        fence(Ordering::SeqCst);
    }

    /// Takes a connection out. No reply waits for it any more.
    pub(super) fn remove(&self, client: u64, node: &Node) -> Option<ReplicaLink> {
        let mut links = self.links();
        let link = links.by_client.remove(&client);
        self.any.store(!links.by_client.is_empty(), Ordering::Relaxed);
        links.publish(node, &[]);
        link
    }

    /// Closes all connections.
    pub(super) fn end(&self, node: &Node) {
        let mut links = self.links();
        links.by_client.clear();
        self.any.store(false, Ordering::Relaxed);
        links.publish(node, &[]);
    }

    /// Whether the replicas thread was asked since this was last called.
    pub(super) fn take_asked(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }

    /// Moves the log to the sockets.
    pub(super) fn pump(&self, links: &mut Links, node: &Node, now: Millis) -> Pumped {
        self.seen.store(node.log.end().0, Ordering::Relaxed);
        let mut ended = links.fill(node);
        // What was read may belong to a history that the replicas have not been told of.
        if node.replication.state().history != links.told {
            return Pumped::HistoryChanged;
        }
        links.send(node, now, &mut ended);
        links.publish(node, &ended);
        Pumped::Sent(ended)
    }

    /// Whether a link has room for more of what was in the log when it was last handed over.
    pub(super) fn is_behind(&self, links: &Links) -> bool {
        let seen = Offset(self.seen.load(Ordering::Relaxed));
        links.by_client.values().any(|link| link.lacks(seen))
    }
}

impl Shared {
    /// Hands what was written to the replicas, or sees to it that the replicas thread does. Called with a
    /// fence behind the writing. A few loads without a replica, or if nothing was written.
    pub(in crate::replication) fn hand_over(&self) {
        let (node, replicas) = (&*self.node, &self.replicas);
        let any = replicas.any.load(Ordering::Relaxed);
        if !any || node.log.end().0 == replicas.seen.load(Ordering::Relaxed) {
            return;
        }
        if let Some(mut links) = replicas.links.try_lock()
            && links.by_client.values().all(|link| link.owed_bytes() <= AT_ONCE_BYTES)
            && let Pumped::Sent(ended) = replicas.pump(&mut links, node, base::clock::monotonic())
            && ended.is_empty()
            && !links.by_client.values().any(ReplicaLink::needs_watch)
        {
            return;
        }
        if !replicas.asked.swap(true, Ordering::AcqRel) {
            self.outbound.wake.wake();
        }
    }
}

impl Links {
    /// Takes from the log what there is room for; gives the links that cannot go on.
    fn fill(&mut self, node: &Node) -> Vec<(u64, bool)> {
        // Before they grow, or a key might be evicted for them.
        let buffers = self.by_client.values().map(ReplicaLink::output_buffer_bytes).sum();
        node.replication.set_output_buffer_bytes(buffers);
        let failed = |(&client, link): (&u64, &mut ReplicaLink)| {
            let error = link.fill().err()?;
            Some((client, error == ReadError::Lagged))
        };
        self.by_client.iter_mut().filter_map(failed).collect()
    }

    /// Sends what the sockets take; adds the links that are over to `ended`.
    fn send(&mut self, node: &Node, now: Millis, ended: &mut Vec<(u64, bool)>) {
        let (hard, limits) = limits(node);
        let mut sent_bytes = 0;
        for (&client, link) in &mut self.by_client {
            let Ok(sent) = link.write() else {
                ended.push((client, false));
                continue;
            };
            sent_bytes += sent;
            if link.closing && link.lent.is_none() && link.unsent() == 0 {
                ended.push((client, false));
            } else if link.exceeds(now, hard, &limits) {
                ended.push((client, true));
            }
        }
        node.stats.repl_bytes_out.fetch_add(sent_bytes, Ordering::Relaxed);
    }

    /// Tells the barrier how far the log has been handed to those who keep up and are not over.
    fn publish(&self, node: &Node, ended: &[(u64, bool)]) {
        let lives = |client: &u64| !ended.iter().any(|(ended, _)| ended == client);
        let living = self.by_client.iter().filter(|(client, _)| lives(client));
        let handed = living.filter_map(|(_, link)| link.handed()).max();
        if node.barrier.publish(Watermark::Handed, handed) {
            node.wake_loops();
        }
    }

    /// Whether a snapshot is on its way.
    pub(super) fn any_lent(&self) -> bool {
        self.by_client.values().any(|link| link.lent.is_some())
    }

    /// Whether a replica lacks bytes that are in the log.
    pub(super) fn owe(&self) -> bool {
        self.by_client.values().any(|link| link.owed_bytes() > 0)
    }
}

/// The output limits of replicas. The hard one, in bytes, is never below the backlog, as in stock.
pub(super) fn limits(node: &Node) -> (u64, ClassLimit) {
    let limits = node.settings.client_output_buffer_limit.get()[1];
    let hard = match limits.hard_bytes {
        0 => u64::MAX,
        hard => hard.max(settings::backlog_bytes(node)),
    };
    (hard, limits)
}

#[cfg(test)]
mod tests;
