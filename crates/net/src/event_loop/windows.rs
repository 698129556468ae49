//! Phases 2 and 3 of a turn: the requests of all ready connections are parsed into windows and run.

use super::Running;
use crate::connection::{Connection, Hold, OUTPUT_PAUSE_BYTES};
use engine::context::Outcome;
use engine::gates::CLIENTS;
use engine::mailbox::Message;
use engine::pipeline::prepare;
use engine::session::{Blocked, ReplyMode};
use engine::tracking::flag;
use resp::reply::Writer;
use resp::request::{Limits, Progress};
use std::sync::atomic::Ordering;

/// Windows run in one turn, so that writing and the other connections are not kept waiting by one
/// with a lot of input.
const WINDOWS_MAX: usize = 64;

impl Running<'_> {
    /// Phases 2 and 3: fills windows from the ready connections and runs them, until nothing is left
    /// or others have waited long enough.
    pub(super) fn run_windows(&mut self) {
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
        let waits_for_key = matches!(connection.session.blocked, Some(Blocked::Keys(_)));
        if matches!(outcome, Outcome::Blocked) && !waits_for_key {
            // Before anything ends it, which counts it out.
            self.node.replication.note_waiting(true);
        }
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
        if close {
            info.closing.store(true, Ordering::Relaxed);
            connection.closing = true;
        }
        self.mark_dirty(slot);
        match outcome {
            Outcome::Blocked => {
                if !waits_for_key {
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
}
