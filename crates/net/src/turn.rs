//! The inner phases of a turn: windows, execution, writing; and what ends or delays a connection.

use crate::connection::{Connection, Hold, OUTPUT_PAUSE_BYTES};
use crate::event_loop::{PAUSED_SLEEP_MS, Running};
use base::{Millis, Offset};
use engine::Node;
use engine::blocking::Waiting;
use engine::context::Outcome;
use engine::copies::NO_FILE;
use engine::gates::CLIENTS;
use engine::mailbox::{Answer, Message, Push, Via};
use engine::pipeline::prepare;
use engine::session::{Blocked, ReplyMode};
use engine::stats::add;
use engine::tracking::flag;
use resp::reply::{Protocol, Writer};
use resp::request::{Limits, Progress};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What CLIENT UNBLOCK with ERROR answers to whom it unblocks.
const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
/// What those who wait are told when their server becomes a replica.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                            (master -> replica?)";

/// Windows run in one turn, so that writing and the other connections are not kept waiting by one
/// with a lot of input.
const WINDOWS_MAX: usize = 64;

impl Running<'_> {
    /// Phases 2 and 3: fills windows from the ready connections and runs them, until nothing is left
    /// or others have waited long enough.
    pub(crate) fn run_windows(&mut self) {
        for _ in 0..WINDOWS_MAX {
            self.window.clear();
            let mut at = 0;
            while at < self.ready.len() && !self.window.is_full() {
                let slot = self.ready[at];
                if self.parse(slot) {
                    self.ready.swap_remove(at);
                    if let Some(connection) = self.slots[slot].as_mut() {
                        connection.queued = false;
                    }
                } else {
                    at += 1;
                }
            }
            if self.window.pending.is_empty() {
                return;
            }
            self.prefetch();
            self.run_window();
        }
        // The rest waits for the next turn, in which another begins.
        if !self.ready.is_empty() {
            self.ready.rotate_left(1);
        }
    }

    /// Parses what the window has room for. True if the connection has nothing more to be parsed in
    /// this turn.
    fn parse(&mut self, slot: usize) -> bool {
        let Some(connection) = self.slots[slot].as_mut() else { return true };
        let waits = connection.hold != Hold::None || connection.tag.is_some();
        if connection.dead || connection.closing || waits {
            return true;
        }
        let limit = self.node.settings.proto_max_bulk_len.get();
        let limits = Limits {
            authenticated: connection.session.authenticated,
            bulk_bytes_max: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        while !self.window.is_full() {
            if connection.parse_held || connection.fault.is_some() {
                // Goes on when what was parsed has run.
                return false;
            }
            let start = connection.parsed;
            let input = connection.input.get(start..).unwrap_or_default();
            match connection.parser.parse(input, &limits, &mut self.arguments) {
                Ok(Progress::Complete { consumed }) => {
                    connection.parsed = start + consumed;
                    let (table, arguments) = (&self.node.table, &self.arguments);
                    let end = connection.parsed;
                    self.window.push(slot, arguments, &connection.input, start, end, |request| {
                        prepare(table, request)
                    });
                    let last = self.window.pending.last();
                    connection.parse_held = last
                        .and_then(|pending| pending.prepared.command)
                        .is_some_and(|command| command.ends_window);
                }
                Ok(Progress::Empty { consumed }) => {
                    connection.parsed = start + consumed;
                    if !connection.skip_empty(start) {
                        self.window.extend_last(slot, connection.parsed);
                    }
                }
                Ok(Progress::Incomplete { .. }) => {
                    if !connection.ended {
                        if !input.is_empty() {
                            connection.keeps_input = true;
                            connection.publish(&self.node.clients);
                        }
                        return true;
                    }
                    if self.window.holds(slot) {
                        // What it sent runs first; then it comes by again.
                        return false;
                    }
                    connection.closing = true;
                    self.mark_dirty(slot);
                    return true;
                }
                Err(error) => {
                    connection.fault = Some(error.message());
                    if self.window.holds(slot) {
                        return false;
                    }
                    self.fail_protocol(slot);
                    return true;
                }
            }
        }
        false
    }

    fn fail_protocol(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let Some(message) = connection.fault.take().filter(|_| !connection.closing) else { return };
        let info = &connection.session.info;
        tracing::debug!(
            "Protocol error ({}) from client: id={} addr={}",
            String::from_utf8_lossy(&message),
            info.id,
            info.address
        );
        if connection.session.reply_mode != ReplyMode::Off {
            let text = [b"ERR ", &message[..]].concat();
            Writer::new(&mut connection.output, connection.session.protocol).error(text);
        }
        connection.closing = true;
        connection.consumed = connection.input.len();
        connection.parsed = connection.consumed;
        self.mark_dirty(slot);
    }

    fn prefetch(&mut self) {
        if self.window.pending.len() < 2 {
            return;
        }
        for deep in [false, true] {
            for pending in &self.window.pending {
                if pending.prepared.key_word > 0
                    && let Some(connection) = &self.slots[pending.slot]
                {
                    self.worker.prefetch(connection.session.db, pending.prepared.place, deep);
                }
            }
        }
    }

    fn run_window(&mut self) {
        self.worker.enter();
        let window = std::mem::take(&mut self.window);
        for pending in &window.pending {
            let Some(connection) = self.slots[pending.slot].as_mut() else { continue };
            // One that was held, if only until now, begins anew behind what has run.
            let is_rewound = connection.parsed < pending.end;
            if connection.hold != Hold::None || is_rewound || connection.ends() {
                continue;
            }
            if connection.output.capacity() == 0 {
                connection.output = self.pool.take(crate::connection::READ_BYTES);
            }
            let Connection { session, output, input, .. } = &mut **connection;
            let reply_at = output.len();
            let request = window.request(pending, input);
            let outcome = self.worker.execute(session, &pending.prepared, request, output);
            let caches = session.info.tracks(flag::ON);
            let subscribes = !session.subscriptions.is_empty() || caches;
            if matches!(outcome, Outcome::Parked) {
                self.hold(pending.slot, Hold::Parked);
            } else {
                connection.consumed = pending.end;
                connection.parse_held = false;
                self.after(pending.slot, &outcome);
                if subscribes && self.mailbox().has_mail() {
                    // What it has sent to itself comes before its next reply.
                    self.reply_at = caches.then_some((pending.slot, reply_at));
                    self.take_mail();
                    self.reply_at = None;
                }
            }
            self.worker.give_way();
        }
        self.worker.leave();
        let mut faulty = Vec::new();
        for pending in &window.pending {
            if let Some(connection) = self.slots[pending.slot].as_mut()
                && connection.fault.is_some()
                && connection.hold == Hold::None
            {
                faulty.push(pending.slot);
            }
        }
        for slot in faulty {
            self.fail_protocol(slot);
        }
        self.window = window;
        self.detach_all();
    }

    fn after(&mut self, slot: usize, outcome: &Outcome) {
        if matches!(outcome, Outcome::Abort) {
            self.kill(slot);
            return;
        }
        let Some(mut connection) = self.slots[slot].as_mut() else { return };
        if connection.has_much_output() {
            if connection.exceeds_output_limit(&self.node.settings, self.now) {
                return self.close_for_output(slot);
            }
            if self.node.shut_gates() & CLIENTS != 0 {
                connection.publish(&self.node.clients);
                // Clients go before the next request evicts a key.
                self.limit_clients();
                match self.slots[slot].as_mut() {
                    Some(same) if !same.dead => connection = same,
                    _ => return,
                }
            }
        }
        let info = &connection.session.info;
        let close = matches!(outcome, Outcome::Close) || info.closing.load(Ordering::Relaxed);
        let drain = connection.unsent() > OUTPUT_PAUSE_BYTES;
        let waits_for_key = matches!(connection.session.blocked, Some(Blocked::Keys(_)));
        if close {
            info.closing.store(true, Ordering::Relaxed);
            connection.closing = true;
        }
        self.mark_dirty(slot);
        match outcome {
            Outcome::Blocked => {
                if !waits_for_key {
                    self.node.replication.note_waiting(true);
                    // What it waits for may have come before anybody knew that it waits.
                    self.mailbox().send(Message::Recheck);
                }
                self.hold(slot, Hold::Blocked);
            }
            Outcome::Detach => {
                self.hold(slot, Hold::Blocked);
                self.detaching.push(slot);
            }
            _ if drain => self.hold(slot, Hold::Draining),
            _ => {}
        }
    }

    /// Stops a connection; what it has sent beyond the last request that ran stays unparsed.
    fn hold(&mut self, slot: usize, hold: Hold) {
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
    fn go_on(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.hold = Hold::None;
        connection.session.info.blocked.store(false, Ordering::Relaxed);
        if !connection.queued {
            connection.queued = true;
            self.ready.push(slot);
        }
    }

    /// Tries parked connections again, and those whose output has drained or whose time is up.
    pub(crate) fn retry_held(&mut self) {
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
    pub(crate) fn wake_at(&self, slot: usize) -> Option<Millis> {
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
    pub(crate) fn recheck_blocked(&mut self) {
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
    pub(crate) fn end_wait(
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
    pub(crate) fn unblock(&mut self, slot: usize, with_error: bool) {
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
    pub(crate) fn shutdown_failed(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if connection.session.blocked.take().is_some() {
            self.node.replication.note_waiting(false);
            Writer::new(&mut connection.output, connection.session.protocol)
                .error("ERR Errors trying to SHUTDOWN. Check logs.");
            self.mark_dirty(slot);
            self.go_on(slot);
        }
    }

    /// Adds a push, message `number` of the mailbox, to a connection's output: behind its last reply,
    /// or before it if it was sent before that was made.
    pub(crate) fn push_to(&mut self, slot: usize, push: &Push, number: u64) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let is_resp3 = connection.session.protocol == Protocol::Resp3;
        let session = &connection.session;
        let wanted = match &push.via {
            Via::Subscription(kind, name) => session.subscriptions.holds(*kind, name),
            Via::Monitor => session.monitors,
            Via::Tracking(redirected) => {
                is_resp3 || (*redirected && !session.subscriptions.is_empty())
            }
        };
        if connection.closing || connection.dead || !wanted {
            return;
        }
        let bytes = if is_resp3 { &push.resp3 } else { &push.resp2 };
        match &mut self.reply_at {
            Some((of, at))
                if *of == slot
                    && number < connection.session.mail_mark
                    && matches!(push.via, Via::Tracking(_)) =>
            {
                connection.output.splice(*at..*at, bytes.iter().copied());
                *at += bytes.len();
            }
            _ => connection.output.extend_from_slice(bytes),
        }
        if connection.exceeds_output_limit(&self.node.settings, self.now) {
            self.close_for_output(slot);
        } else {
            self.mark_dirty(slot);
        }
    }

    /// Closes a connection whose output has grown beyond its limits.
    pub(crate) fn close_for_output(&mut self, slot: usize) {
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

    /// Closes a connection as CLIENT KILL asks.
    pub(crate) fn close_on_demand(&mut self, slot: usize, gently: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if gently {
            connection.closing = true;
            self.mark_dirty(slot);
        } else {
            self.kill(slot);
        }
    }

    /// Says that a connection has output to be written in this turn.
    pub(crate) fn mark_dirty(&mut self, slot: usize) {
        if let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Closes connections, the largest first, if all together hold more than they may.
    pub(crate) fn limit_clients(&mut self) {
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

    /// Phase 4: one write per connection. Replies that the barrier does not let pass yet are held back;
    /// whoever moves it wakes the loop.
    pub(crate) fn write_all(&mut self) {
        self.node.hand_over();
        while let Some(tag) = self.write_passing() {
            if !self.node.barrier.hold(tag, base::clock::monotonic()) {
                break;
            }
        }
    }

    /// The offset that the barrier must have passed before what `slot` has to say may leave. Where
    /// reads wait too, it stays the same, and the connection stands still, until then.
    fn tag_of(connection: &mut Connection, node: &Node) -> Offset {
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
            if connection.tag.take().is_some()
                && connection.hold == Hold::None
                && !connection.queued
                && connection.parsed < connection.input.len()
            {
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
            } else if ended && matches!(connection.hold, Hold::Draining | Hold::Blocked) {
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

    /// Gives connections that have become replicas to the replication driver.
    fn detach_all(&mut self) {
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
