//! How connections leave the loop: their peer goes, they are closed, or they become replicas.

use super::Running;
use crate::connection::{Connection, Hold};
use base::Millis;
use engine::session::Blocked;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

impl Running<'_> {
    /// The peer is gone. As in stock, what was read before is still run, unless clients are paused.
    pub(super) fn end(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        // A reply that the barrier holds back comes first.
        if !connection.dirty && !self.is_left_to_run(slot) {
            return self.kill(slot);
        }
        self.stop_waiting(slot);
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if !connection.ended {
            connection.ended = true;
            self.driver.ignore(slot, connection.socket.as_fd());
        }
    }

    /// Whether what a connection whose peer has gone has sent is still to be run.
    pub(super) fn is_left_to_run(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(|connection| match connection.hold {
            Hold::None => connection.queued && !connection.closing,
            Hold::Parked => !self.node.pause.is_running(self.now),
            Hold::Blocked | Hold::Draining => false,
        })
    }

    /// A connection that waits for keys takes nothing more.
    fn stop_waiting(&mut self, slot: usize) {
        if let Some(connection) = self.slots[slot].as_ref()
            && let Some(Blocked::Keys(waiting)) = &connection.session.blocked
            && waiting.abandon()
        {
            self.node.waiters.remove(waiting);
        }
    }

    /// Ends a connection at the end of the turn.
    pub(super) fn kill(&mut self, slot: usize) {
        if let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut)
            && !connection.dead
        {
            connection.dead = true;
            self.node.clients.set_memory(&connection.session.info, 0);
            self.dead.push(slot);
            self.stop_waiting(slot);
        }
    }

    /// Closes a connection as CLIENT KILL asks.
    pub(super) fn close_on_demand(&mut self, slot: usize, gently: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if gently {
            connection.closing = true;
            self.mark_dirty(slot);
        } else {
            self.kill(slot);
        }
    }

    pub(super) fn close_idle(&mut self) {
        let timeout_ms = self.node.settings.timeout.get().unsigned_abs() * 1000;
        for slot in 0..self.slots.len() {
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            connection.tidy(&mut self.pool, self.now);
            connection.publish(&self.node.clients);
            let session = &connection.session;
            let last = Millis(session.info.last_interaction.load(Ordering::Relaxed));
            let exempt = session.blocked.is_some()
                || session.postponed
                || session.monitors
                || !session.subscriptions.is_empty();
            let idle = timeout_ms > 0 && !exempt && self.now.since(last).0 > timeout_ms;
            if idle {
                tracing::debug!("Closing idle client");
            }
            let over = connection.exceeds_output_limit(&self.node.settings, self.now);
            if over {
                self.close_for_output(slot);
            } else if idle {
                self.kill(slot);
            }
        }
    }

    pub(super) fn free_dead(&mut self) {
        for slot in std::mem::take(&mut self.dead) {
            if let Some(connection) = self.take_out(slot) {
                self.driver.forget(slot, connection.socket.as_fd());
                self.end_session(connection);
            }
        }
    }

    /// Takes a connection out of the loop, its socket still open and known to the driver.
    fn take_out(&mut self, slot: usize) -> Option<Box<Connection>> {
        let connection = self.slots.get_mut(slot)?.take()?;
        self.by_id.remove(&connection.session.info.id);
        self.waits.forget(slot, connection.look_at);
        self.ready.retain(|&ready| ready != slot);
        self.dirty.retain(|&dirty| dirty != slot);
        self.free.push(slot);
        self.forget_connection();
        Some(connection)
    }

    fn end_session(&mut self, mut connection: Box<Connection>) {
        let session = &mut connection.session;
        match session.blocked.take() {
            Some(Blocked::Keys(waiting)) if waiting.abandon() => self.node.waiters.remove(&waiting),
            Some(Blocked::Replicas { .. } | Blocked::Shutdown) => {
                self.node.replication.note_waiting(false);
            }
            Some(Blocked::Keys(_)) | None => {}
        }
        self.node.pubsub.forget(session);
        self.node.monitors.remove(session);
        self.node.tracking.end(self.node, session);
        engine::transaction::unwatch(self.node, session);
        self.node.clients.set_memory(&session.info, 0);
        self.node.clients.remove(session.info.id);
        self.pool.give(&mut connection.input);
        self.pool.give(&mut connection.output);
    }

    pub(super) fn close_all(&mut self) {
        // What the driver has begun comes first; what fails now is lost either way.
        let _ = self.driver.wait(0);
        self.take_sent();
        let now = base::clock::monotonic();
        for slot in 0..self.slots.len() {
            if let Some(mut connection) = self.slots[slot].take() {
                // What is left is sent as far as the socket takes it, and the barrier lets it.
                let tag = Self::tag_of(&mut connection, self.node);
                if connection.in_flight == 0 && !self.node.must_hold(tag, now) {
                    let _ = connection.write();
                }
                self.end_session(connection);
            }
        }
    }

    /// Gives connections that have become replicas to the replication driver.
    pub(super) fn detach_all(&mut self) {
        for slot in std::mem::take(&mut self.detaching) {
            let wanted = self.slots[slot].as_ref().is_some_and(|connection| {
                connection.hold == Hold::Blocked
                    && connection.session.blocked.is_none()
                    && connection.session.replica.as_ref().is_some_and(|r| !r.request.is_empty())
            });
            if !wanted {
                continue;
            }
            let Some(mut connection) = self.take_out(slot) else { continue };
            self.driver.release(slot, &mut connection);
            // What was answered before PSYNC is small; the socket takes it.
            let _ = connection.write();
            let unread = connection.input.get(connection.consumed..).unwrap_or_default().to_vec();
            self.node.pubsub.forget(&mut connection.session);
            self.node.monitors.remove(&mut connection.session);
            self.node.tracking.end(self.node, &mut connection.session);
            engine::transaction::unwatch(self.node, &mut connection.session);
            let id = connection.session.info.id;
            connection.session.info.replica.store(true, Ordering::Relaxed);
            connection.session.info.blocked.store(false, Ordering::Relaxed);
            self.node.clients.set_memory(&connection.session.info, 0);
            let facts = connection.session.replica.take().map(|facts| *facts).unwrap_or_default();
            let Connection { socket, .. } = *connection;
            match self.node.services() {
                Some(services) => services.adopt_replica(id, facts, socket, unread),
                None => self.node.clients.remove(id),
            }
        }
    }
}
