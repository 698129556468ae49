//! Phase 4 of a turn: one write per connection, of what the barrier lets pass; and connections whose output
//! has grown beyond its limits.

use super::Running;
use crate::connection::{Connection, Hold};
use base::Offset;
use engine::Node;
use engine::gates::CLIENTS;
use engine::mailbox::Message;
use engine::stats::add;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

impl Running<'_> {
    /// Says that a connection has output to be written in this turn.
    pub(super) fn mark_dirty(&mut self, slot: usize) {
        if let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Phase 4: one write per connection. Replies that the barrier does not let pass yet are held back;
    /// whoever moves it wakes the loop.
    pub(super) fn write_all(&mut self) {
        self.node.hand_over();
        while let Some(tag) = self.write_passing() {
            if !self.node.barrier.hold(tag, base::clock::monotonic()) {
                break;
            }
        }
    }

    /// The offset that the barrier must have passed before what `slot` has to say may leave. Where
    /// reads wait too, it stays the same, and the connection stands still, until then.
    pub(super) fn tag_of(connection: &mut Connection, node: &Node) -> Offset {
        if node.barrier.orders_reads() {
            *connection.tag.get_or_insert_with(|| node.log.end())
        } else {
            connection.session.last_write
        }
    }

    /// Writes what may go; gives the least tag that was held back.
    fn write_passing(&mut self) -> Option<Offset> {
        let mut least = None;
        for slot in std::mem::take(&mut self.dirty) {
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            let tag = Self::tag_of(connection, self.node);
            if tag != connection.passed && !connection.dead {
                if self.node.must_hold(tag, self.now) {
                    least = Some(least.map_or(tag, |least: Offset| least.min(tag)));
                    self.dirty.push(slot);
                    continue;
                }
                connection.passed = tag;
            }
            connection.dirty = false;
            if connection.goes_on_once_passed() {
                connection.queued = true;
                self.ready.push(slot);
            }
            if connection.dead {
                continue;
            }
            let result = if connection.output.is_empty() {
                Ok(0)
            } else {
                self.driver.send(slot, connection)
            };
            let Ok(count) = result else {
                // Nobody will read it.
                connection.output.clear();
                connection.sent = 0;
                self.end(slot);
                continue;
            };
            if count > 0 {
                let stats = self.worker.stats();
                add(&stats.writes, 1);
                add(&stats.bytes_out, count as u64);
                connection.session.info.total_out.fetch_add(count as u64, Ordering::Relaxed);
            }
            let blocked = connection.unsent() > 0;
            // Nothing more is tried for a peer that has gone, but for what is under way.
            let ended = connection.ended && connection.in_flight == 0;
            if connection.closing && (!blocked || ended) {
                self.kill(slot);
                continue;
            }
            if connection.hold == Hold::Draining && !blocked {
                self.go_on(slot);
            } else if ended && connection.hold != Hold::None && !self.is_left_to_run(slot) {
                self.kill(slot);
                continue;
            }
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            if blocked && connection.exceeds_output_limit(&self.node.settings, self.now) {
                self.close_for_output(slot);
                continue;
            }
            connection.rest(&mut self.pool);
            connection.session.info.last_interaction.store(self.now.0, Ordering::Relaxed);
            connection.publish(&self.node.clients);
            self.watch(slot, blocked);
        }
        least
    }

    /// Asks the driver to tell of what the connection waits for: of input unless its output must drain
    /// first, and of room in its socket if `wants_write`.
    fn watch(&mut self, slot: usize, wants_write: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let interest = (connection.hold != Hold::Draining, wants_write);
        if connection.interest == interest || connection.ended {
            return;
        }
        connection.interest = interest;
        let fd = connection.socket.as_fd();
        if self.driver.watch(slot, fd, interest.0, interest.1).is_err() {
            self.kill(slot);
        }
    }

    /// Closes a connection whose output has grown beyond its limits.
    pub(super) fn close_for_output(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_ref() else { return };
        let info = &connection.session.info;
        tracing::warn!(
            "Client id={} addr={} closed for overcoming of output buffer limits.",
            info.id,
            info.address
        );
        let limits = &self.node.stats.output_buffer_limit_disconnections;
        limits.fetch_add(1, Ordering::Relaxed);
        // Nobody should see it any more.
        self.node.clients.remove(info.id);
        self.kill(slot);
    }

    /// Closes connections, the largest first, if all together hold more than they may.
    pub(super) fn limit_clients(&mut self) {
        if self.node.shut_gates() & CLIENTS == 0 {
            return;
        }
        let Some(limit) = self.node.clients_limit() else { return };
        if self.node.clients.memory() <= limit {
            return;
        }
        for client in self.node.clients.evict(limit) {
            tracing::info!("Evicting client: id={} addr={}", client.id, client.address);
            match self.slot_of(client.id) {
                Some(slot) => {
                    self.kill(slot);
                    self.drop_output(slot);
                }
                None => {
                    if let Some(mailbox) = self.node.mailboxes().get(client.loop_index) {
                        mailbox.send(Message::Close(client.id, false));
                    }
                }
            }
        }
    }

    /// Frees what a dead connection would have sent, but for what is under way.
    fn drop_output(&mut self, slot: usize) {
        if let Some(connection) = self.slots[slot].as_mut()
            && connection.in_flight == 0
        {
            connection.output = Vec::new();
            connection.sent = 0;
        }
    }
}
