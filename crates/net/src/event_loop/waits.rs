//! Connections that do not go on by themselves: parked ones, those that wait for keys, replicas or the file,
//! and those whose output must drain first.

use super::Running;
use crate::connection::Hold;
use base::{Millis, Offset};
use engine::blocking::Waiting;
use engine::copies::NO_FILE;
use engine::mailbox::Answer;
use engine::session::{Blocked, ReplyMode};
use resp::reply::Writer;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What CLIENT UNBLOCK with ERROR answers to whom it unblocks.
const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
/// What those who wait are told when their server becomes a replica.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                            (master -> replica?)";
/// Milliseconds a loop sleeps while clients are paused, who are told when the pause is lifted.
const PAUSED_SLEEP_MS: u64 = 10;

impl Running<'_> {
    /// Stops a connection; what it has sent beyond the last request that ran stays unparsed.
    pub(super) fn hold(&mut self, slot: usize, hold: Hold) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.hold = hold;
        connection.rewind();
        let waits = hold == Hold::Blocked || connection.session.postponed;
        connection.session.info.blocked.store(waits, Ordering::Relaxed);
        if !connection.in_held {
            connection.in_held = true;
            self.held.push(slot);
        }
    }

    /// Lets a connection go on. The list of those held forgets it at its next look.
    pub(super) fn go_on(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.hold = Hold::None;
        connection.session.info.blocked.store(false, Ordering::Relaxed);
        if !connection.queued {
            connection.queued = true;
            self.ready.push(slot);
        }
    }

    /// Tries parked connections again, and those whose output has drained or whose time is up.
    pub(super) fn retry_held(&mut self) {
        let tries_parked = self.now >= self.retry_at;
        let is_pausing =
            self.node.pause.is_running(self.now) || self.node.is_full() || self.node.moves.any();
        if tries_parked && is_pausing {
            self.retry_at = self.now + Millis(PAUSED_SLEEP_MS);
        }
        for slot in std::mem::take(&mut self.held) {
            let Some(connection) = self.slots[slot].as_ref() else { continue };
            match connection.hold {
                Hold::Parked if tries_parked || !connection.session.postponed => self.go_on(slot),
                Hold::Blocked if self.deadline_of(slot).is_some_and(|at| at <= self.now) => {
                    self.time_out(slot);
                }
                Hold::Blocked => self.run_again(slot),
                _ => {}
            }
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            connection.in_held = connection.hold != Hold::None;
            if connection.in_held {
                self.held.push(slot);
            }
        }
    }

    /// Runs what waits for time to pass, if it has.
    fn run_again(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_ref() else { return };
        if let Some(Blocked::Keys(waiting)) = &connection.session.blocked
            && waiting.again_at().is_some_and(|at| at <= self.now)
        {
            let waiting = Arc::clone(waiting);
            self.worker.serve_again(&waiting);
        }
    }

    /// When a blocked connection is to be looked at although nothing has happened.
    pub(super) fn wake_at(&self, slot: usize) -> Option<Millis> {
        let again_at = match self.slots[slot].as_ref()?.session.blocked.as_ref()? {
            Blocked::Keys(waiting) => waiting.again_at(),
            _ => None,
        };
        self.deadline_of(slot).into_iter().chain(again_at).min()
    }

    /// When a blocked connection is to be answered anyway.
    fn deadline_of(&self, slot: usize) -> Option<Millis> {
        match self.slots[slot].as_ref()?.session.blocked.as_ref()? {
            Blocked::Replicas { deadline, .. } => *deadline,
            Blocked::Keys(waiting) => waiting.deadline,
            Blocked::Shutdown => None,
        }
    }

    /// Looks whether what blocked connections wait for has come.
    pub(super) fn recheck_blocked(&mut self) {
        for slot in self.held.clone() {
            let Some(connection) = self.slots[slot].as_ref() else { continue };
            let Some(Blocked::Replicas { copies, offset, .. }) = connection.session.blocked else {
                continue;
            };
            if self.node.replication.is_replica() {
                self.fail_wait(slot, ROLE_CHANGED, true);
            } else if copies.are_out_of_reach(self.node) {
                self.fail_wait(slot, NO_FILE, false);
            } else if copies.are_there(self.node, offset) {
                self.answer_wait(slot);
            }
        }
    }

    /// A blocked connection's time is up.
    fn time_out(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_ref() else { return };
        let Some(Blocked::Keys(waiting)) = &connection.session.blocked else {
            return self.answer_wait(slot);
        };
        // If somebody serves it at this moment, the answer is on its way.
        if waiting.claim() {
            let waiting = Arc::clone(waiting);
            self.node.waiters.remove(&waiting);
            self.end_wait(slot, &waiting, Answer::TimedOut, Offset(0));
        }
    }

    /// Answers a connection that waited for a key; the claim of its wait has been taken.
    pub(super) fn end_wait(
        &mut self,
        slot: usize,
        waiting: &Arc<Waiting>,
        answer: Answer,
        tag: Offset,
    ) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let session = &mut connection.session;
        match session.blocked.take() {
            Some(Blocked::Keys(own)) if Arc::ptr_eq(&own, waiting) => {}
            other => {
                session.blocked = other;
                return;
            }
        }
        let close = matches!(answer, Answer::RoleChanged);
        let error = match answer {
            Answer::Unblocked => Some(UNBLOCKED),
            Answer::RoleChanged => Some(ROLE_CHANGED),
            Answer::Served(_) | Answer::TimedOut => None,
        };
        let reply = match (answer, error) {
            (Answer::Served(reply), _) => reply,
            (_, error) => {
                self.worker.count_unserved(session, waiting, error);
                let timeout_reply = || waiting.timeout_reply();
                error.map_or_else(timeout_reply, |text| format!("-{text}\r\n").into_bytes())
            }
        };
        match session.reply_mode {
            ReplyMode::Off => {}
            ReplyMode::SkipThis => session.reply_mode = ReplyMode::On,
            ReplyMode::On | ReplyMode::SkipNext => connection.output.extend_from_slice(&reply),
        }
        session.last_write = session.last_write.max(tag);
        connection.closing |= close;
        self.mark_dirty(slot);
        self.go_on(slot);
    }

    /// CLIENT UNBLOCK of a connection that waits for replicas.
    pub(super) fn unblock(&mut self, slot: usize, with_error: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if !matches!(connection.session.blocked, Some(Blocked::Replicas { .. })) {
            return;
        }
        if !with_error {
            return self.answer_wait(slot);
        }
        self.fail_wait(slot, UNBLOCKED, false);
    }

    /// Answers a connection that waits for replicas with an error.
    fn fail_wait(&mut self, slot: usize, text: &str, close: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.session.blocked = None;
        connection.closing |= close;
        self.node.replication.note_waiting(false);
        Writer::new(&mut connection.output, connection.session.protocol).error(text);
        self.mark_dirty(slot);
        self.go_on(slot);
    }

    fn answer_wait(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let Some(Blocked::Replicas { copies, offset, .. }) = connection.session.blocked.take()
        else {
            return;
        };
        self.node.replication.note_waiting(false);
        let mut reply = Writer::new(&mut connection.output, connection.session.protocol);
        copies.reply(self.node, offset, &mut reply);
        self.mark_dirty(slot);
        self.go_on(slot);
    }

    /// Answers a SHUTDOWN that did not come about.
    pub(super) fn shutdown_failed(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if connection.session.blocked.take().is_some() {
            self.node.replication.note_waiting(false);
            Writer::new(&mut connection.output, connection.session.protocol)
                .error("ERR Errors trying to SHUTDOWN. Check logs.");
            self.mark_dirty(slot);
            self.go_on(slot);
        }
    }
}
