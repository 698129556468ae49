//! Connections that do not go on by themselves: parked ones, those that wait for keys, replicas or the file,
//! and those whose output must drain first.

use super::Running;
use crate::connection::Hold;
use base::{Millis, Offset};
use engine::blocking::Waiting;
use engine::copies::NO_FILE;
use engine::mailbox::Answer;
use engine::session::Blocked;
use resp::reply::Writer;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What CLIENT UNBLOCK with ERROR answers to whom it unblocks.
const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
/// What those who wait are told when their server becomes a replica.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                            (master -> replica?)";
/// Milliseconds a loop sleeps while clients are paused, who are told when the pause is lifted.
const PAUSED_SLEEP_MS: u64 = 10;

/// Connections that do not go on by themselves, in the places where they are looked for: a turn costs
/// nothing for those that merely wait. A connection whose output must drain is in none of them.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Parked because somebody held what they need for a moment: tried again in the next turn.
    parked: Vec<usize>,
    /// Parked by a pause, a full log, or a key that moves away: tried again now and then.
    postponed: Vec<usize>,
    /// Those that wait for replicas or the file.
    for_copies: BTreeSet<usize>,
    /// Blocked connections by the monotonic time at which they are to be looked at.
    by_time: BTreeSet<(Millis, usize)>,
    /// Postponed sessions are not tried again before this.
    retry_at: Millis,
}

impl Waits {
    /// Whether sessions wait for what is held only for a moment.
    pub(super) fn any_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// When there is something to be looked at.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        let postponed = (!self.postponed.is_empty()).then_some(self.retry_at);
        self.by_time.first().map(|(at, _)| *at).into_iter().chain(postponed).min()
    }

    /// Tries postponed sessions again in this turn, at `now`.
    pub(super) fn retry_now(&mut self, now: Millis) {
        self.retry_at = now;
    }

    /// The connection at `slot`, which was to be looked at at `at`, does not wait any more, or otherwise.
    fn leave(&mut self, slot: usize, at: Option<Millis>) {
        self.for_copies.remove(&slot);
        if let Some(at) = at {
            self.by_time.remove(&(at, slot));
        }
    }

    /// As [`Waits::leave`]; it leaves the loop as well.
    pub(super) fn forget(&mut self, slot: usize, at: Option<Millis>) {
        self.leave(slot, at);
        self.parked.retain(|&parked| parked != slot);
        self.postponed.retain(|&postponed| postponed != slot);
    }
}

impl Running<'_> {
    /// Stops a connection; what it has sent beyond the last request that ran stays unparsed.
    pub(super) fn hold(&mut self, slot: usize, hold: Hold) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.hold = hold;
        connection.rewind();
        let session = &connection.session;
        let for_copies = matches!(session.blocked, Some(Blocked::Replicas { .. }));
        session.info.blocked.store(hold == Hold::Blocked || session.postponed, Ordering::Relaxed);
        session.info.waits_for_copies.store(for_copies, Ordering::Relaxed);
        match hold {
            Hold::Parked if session.postponed => self.waits.postponed.push(slot),
            Hold::Parked => self.waits.parked.push(slot),
            Hold::Blocked => {
                if for_copies {
                    self.waits.for_copies.insert(slot);
                }
                self.look_in_time(slot);
            }
            Hold::Draining | Hold::None => {}
        }
    }

    /// Lets a connection go on.
    pub(super) fn go_on(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.hold = Hold::None;
        connection.session.info.blocked.store(false, Ordering::Relaxed);
        connection.session.info.waits_for_copies.store(false, Ordering::Relaxed);
        self.waits.leave(slot, connection.look_at.take());
        if !connection.queued {
            connection.queued = true;
            self.ready.push(slot);
        }
    }

    /// Tries parked connections again, and looks at blocked ones whose time has come.
    pub(super) fn retry_held(&mut self) {
        let mut again = std::mem::take(&mut self.waits.parked);
        if self.now >= self.waits.retry_at && !self.waits.postponed.is_empty() {
            again.append(&mut self.waits.postponed);
            let is_pausing = self.node.pause.is_running(self.now)
                || self.node.is_full()
                || self.node.moves.any();
            if is_pausing {
                self.waits.retry_at = self.now + Millis(PAUSED_SLEEP_MS);
            }
        }
        for slot in again {
            if self.slots[slot].as_ref().is_some_and(|connection| connection.hold == Hold::Parked) {
                self.go_on(slot);
            }
        }
        while let Some(&(at, slot)) = self.waits.by_time.first()
            && at <= self.now
        {
            self.waits.by_time.pop_first();
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            connection.look_at = None;
            if self.deadline_of(slot).is_some_and(|at| at <= self.now) {
                self.time_out(slot);
            } else {
                self.run_again(slot);
            }
            // Unless it goes on: somebody serves it at this moment, perhaps in vain, or its time was set anew.
            self.look_in_time(slot);
        }
    }

    /// Notes when a blocked connection is to be looked at although nothing has happened; not in this turn.
    pub(super) fn look_in_time(&mut self, slot: usize) {
        let again_at = self.again_at(slot).into_iter().chain(self.deadline_of(slot)).min();
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if let Some(at) = connection.look_at.take() {
            self.waits.by_time.remove(&(at, slot));
        }
        if connection.hold == Hold::Blocked
            && let Some(at) = again_at
        {
            let at = at.max(self.now + Millis(1));
            connection.look_at = Some(at);
            self.waits.by_time.insert((at, slot));
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

    /// When the request of a blocked connection is to be run although nothing has happened.
    fn again_at(&self, slot: usize) -> Option<Millis> {
        match self.slots[slot].as_ref()?.session.blocked.as_ref()? {
            Blocked::Keys(waiting) => waiting.again_at(),
            Blocked::Replicas { .. } | Blocked::Shutdown => None,
        }
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
        for slot in self.waits.for_copies.clone() {
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
        if session.wants_late_reply() {
            connection.output.extend_from_slice(&reply);
        }
        session.last_write = session.last_write.max(tag);
        // What is held back already waits for the answer's write as well.
        connection.tag = connection.tag.map(|held| held.max(tag));
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
        self.answer_late(slot, |reply| reply.error(text));
    }

    fn answer_wait(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let Some(Blocked::Replicas { copies, offset, .. }) = connection.session.blocked.take()
        else {
            return;
        };
        let node = self.node;
        self.answer_late(slot, |reply| copies.reply(node, offset, reply));
    }

    /// Answers a connection that waited for something other than keys, and lets it go on.
    fn answer_late(&mut self, slot: usize, write: impl FnOnce(&mut Writer<'_>)) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        self.node.replication.note_waiting(false);
        if connection.session.wants_late_reply() {
            write(&mut Writer::new(&mut connection.output, connection.session.protocol));
        }
        self.mark_dirty(slot);
        self.go_on(slot);
    }

    /// Answers a SHUTDOWN that did not come about.
    pub(super) fn shutdown_failed(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if connection.session.blocked.take().is_some() {
            self.answer_late(slot, |reply| {
                reply.error("ERR Errors trying to SHUTDOWN. Check logs.");
            });
        }
    }
}
