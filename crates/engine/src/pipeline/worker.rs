//! The worker: one thread's way into the engine. What it owns, and its windows.
//!
//! A thread is inside between `enter` and `leave`; while it is, no rule of the node changes.

use crate::blocking::{DbKey, Waiting};
use crate::effects::Effects;
use crate::evict::Evictor;
use crate::keys::Place;
use crate::node::Node;
use crate::session::Session;
use crate::stats::LoopStats;
use base::Millis;
use keyspace::{Exclusive, Seat};
use std::collections::VecDeque;
use std::sync::Arc;

/// One thread's way into the engine.
#[derive(Debug)]
pub struct Worker<'n> {
    pub(super) node: &'n Node,
    pub(super) seat: Seat<'n>,
    pub(crate) effects: Effects,
    /// Waiters that could not be served under the locks of whoever made their key ready.
    pub(super) deferred: VecDeque<(DbKey, Arc<Waiting>)>,
    pub(super) stats: Arc<LoopStats>,
    pub(crate) evictor: Evictor,
    /// Gates that this thread has shut for the command that runs.
    pub(super) own_gates: u32,
    pub(super) now: Millis,
    pub(super) clock_us: u64,
    /// A time and the monotonic microseconds at which it was read.
    pub(super) read: (Millis, u64),
}

impl<'n> Worker<'n> {
    /// A worker of `node`; `None` if more threads want one than the node was made for.
    pub fn new(node: &'n Node) -> Option<Worker<'n>> {
        let mut effects = Effects::default();
        effects.begin(node);
        let read = (base::clock::unix(), base::clock::monotonic_us());
        Some(Worker {
            node,
            seat: node.keyspace.gate.seat()?,
            effects,
            deferred: VecDeque::new(),
            stats: node.stats.add_loop(node.table.all().len()),
            evictor: Evictor::default(),
            own_gates: 0,
            now: read.0,
            clock_us: read.1,
            read,
        })
    }

    /// The node.
    pub fn node(&self) -> &'n Node {
        self.node
    }

    /// This thread's counters.
    pub fn stats(&self) -> &LoopStats {
        &self.stats
    }

    /// Begins a window: from here to `leave` no rule of the node changes.
    #[inline]
    pub fn enter(&mut self) {
        self.seat.enter();
        self.read_clock();
        self.clock_us = self.read.1;
    }

    /// Finds out what time it is.
    #[inline]
    fn read_clock(&mut self) {
        self.read = (base::clock::unix(), base::clock::monotonic_us());
        self.now = self.read.0;
    }

    /// Ends a window.
    #[inline]
    pub fn leave(&mut self) {
        self.seat.leave();
    }

    /// Whether this thread stands in a window.
    #[cfg(test)]
    pub(super) fn is_inside(&self) -> bool {
        self.seat.is_inside()
    }

    /// Lets somebody pass who wants everything. Between two commands of a window.
    #[inline]
    pub fn give_way(&mut self) {
        if self.node.keyspace.gate.is_closed() {
            self.leave();
            self.enter();
        }
    }

    /// Runs `action` with the whole keyspace alone. In between the thread is outside for an instant:
    /// what the gates have said before does not hold any more.
    pub(super) fn alone<T>(&mut self, action: impl FnOnce(&mut Self, &Exclusive<'_>) -> T) -> T {
        self.leave();
        let exclusive = self.node.keyspace.gate.exclusive();
        // It may have waited for long.
        self.read_clock();
        let result = action(self, &exclusive);
        drop(exclusive);
        self.seat.enter();
        result
    }

    /// Hints to the processor that the key will be used: its bucket, then (`deep`) its entry.
    #[inline]
    pub fn prefetch(&self, db: u32, place: Place, deep: bool) {
        if let Some(shard) = self.node.keyspace.try_lock(place.shard) {
            if deep {
                shard.prefetch_entry(db, place.hash);
            } else {
                shard.prefetch_bucket(db, place.hash);
            }
        }
    }

    /// Puts the worker in order after a panic: inside its window, with nothing left to be logged.
    pub(super) fn recover(&mut self, session: &mut Session) {
        self.effects = Effects::default();
        self.effects.begin(self.node);
        session.executing = false;
        // It may have had everything alone, outside of its window.
        self.leave();
        self.enter();
    }
}
