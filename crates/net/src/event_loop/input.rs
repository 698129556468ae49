//! Phase 1 of a turn: what connections have sent is read.

use super::Running;
use crate::connection::{Hold, Read};
use engine::stats::add;
use rustix::buffer::spare_capacity;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

impl Running<'_> {
    /// Takes bytes that the driver has read.
    pub(super) fn receive(&mut self, slot: usize, buffer: u16, len: usize) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.closing {
            // What a connection sends that is being closed is thrown away.
            if connection.unsent() == 0 {
                self.kill(slot);
            }
            return;
        }
        let taken = connection.take_in(self.driver.bytes(buffer, len), &mut self.pool);
        self.after_read(slot, &taken);
    }

    /// Reads from a connection; `gone` says that it can no longer be written to.
    pub(super) fn read(&mut self, slot: usize, gone: bool) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.hold == Hold::Draining && !connection.closing {
            // What is not read keeps the peer from sending more.
            if gone {
                self.kill(slot);
            }
            return;
        }
        if connection.closing {
            // Input of a connection that is being closed is thrown away so that epoll stays quiet.
            let mut trash = Vec::with_capacity(4096);
            let end = rustix::net::recv(
                connection.socket.as_fd(),
                spare_capacity(&mut trash),
                rustix::net::RecvFlags::empty(),
            );
            if connection.unsent() == 0 {
                self.kill(slot);
            } else if matches!(end, Ok((0, _))) {
                self.end(slot);
            }
            return;
        }
        let result = connection.read(&mut self.pool);
        self.after_read(slot, &result);
    }

    fn after_read(&mut self, slot: usize, result: &Read) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        let stats = self.worker.stats();
        add(&stats.reads, 1);
        match *result {
            Read::Some(count) => {
                add(&stats.bytes_in, count as u64);
                let info = &connection.session.info;
                info.total_in.fetch_add(count as u64, Ordering::Relaxed);
                info.last_interaction.store(self.now.0, Ordering::Relaxed);
                let limit = self.node.settings.client_query_buffer_limit.get().unsigned_abs();
                if (connection.input.len() - connection.consumed) as u64 > limit {
                    self.node
                        .stats
                        .query_buffer_limit_disconnections
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        "Closing client that reached max query buffer length: id={} addr={}",
                        info.id,
                        info.address
                    );
                    self.kill(slot);
                } else if connection.hold == Hold::None && !connection.queued {
                    connection.queued = true;
                    self.ready.push(slot);
                }
            }
            Read::Nothing => {}
            Read::End => self.end(slot),
        }
    }
}
