//! Running one command.

use super::Prepared;
use crate::args::{Args, OwnedRequest, Request};
use crate::blocking::{DbKey, Waiting};
use crate::command::{Registered, Scope};
use crate::commandlog::{self, Reason};
use crate::context::{Context, Outcome};
use crate::effects::Effects;
use crate::error::CommandError;
use crate::evict::{Evictor, Room};
use crate::gates::{self, Verdict};
use crate::keys::{EndedMembers, Keys, Leftover, Noted, Place};
use crate::node::Node;
use crate::session::{Blocked, ReplyMode, Session};
use crate::stats::{LoopStats, add};
use crate::{tracking, transaction};
use base::Millis;
use keyspace::{Exclusive, LockSet, Seat};
use resp::reply::Writer;
use spec::Flag;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of an unknown command's name and arguments that its error quotes.
const QUOTED_BYTES_MAX: usize = 128;

/// What a command holds while it runs.
pub(super) struct Held<'a, 'n> {
    pub(super) locks: &'a mut LockSet<'n>,
    pub(super) alone: Option<&'a Exclusive<'a>>,
    /// The first key and its place, if they are known already.
    pub(super) first: Option<(&'a [u8], Place)>,
}

/// One thread's way into the engine.
#[derive(Debug)]
pub struct Worker<'n> {
    pub(super) node: &'n Node,
    seat: Seat<'n>,
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
    read: (Millis, u64),
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

    /// Runs `request` for `session`, adding its reply to `out`. Inside a window.
    ///
    /// A panic on the way is a bug: it is caught here, answered as an error, and makes the node
    /// incomplete.
    pub fn execute(
        &mut self,
        session: &mut Session,
        prepared: &Prepared,
        request: Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let start = out.len();
        if session.reply_mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::SkipThis;
        }
        let ran = catch_unwind(AssertUnwindSafe(|| self.dispatch(session, prepared, request, out)));
        let outcome = ran.unwrap_or_else(|_| {
            self.node.incomplete.store(true, Ordering::Release);
            tracing::error!("a command panicked; this node no longer vouches for its data");
            self.recover(session);
            out.truncate(start);
            Writer::new(out, session.protocol).error(CommandError::Internal.wire());
            Outcome::Done
        });
        if !self.deferred.is_empty() {
            self.serve_deferred();
        }
        if matches!(outcome, Outcome::Blocked)
            && let Some(migration) = session.leaving.take()
        {
            self.hand_off(migration);
        }
        if session.reply_mode != ReplyMode::On {
            withhold(session, prepared, &outcome, start, out);
        }
        outcome
    }

    #[inline]
    fn dispatch(
        &mut self,
        session: &mut Session,
        prepared: &Prepared,
        request: Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let command = match admissible(prepared, request) {
            Ok(command) => command,
            // Told to strangers as well, as in stock.
            Err(CommandError::UnknownCommand { name, .. }) if is_foreign_protocol(&name) => {
                tracing::warn!(
                    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or \
                     Host: commands to Redoubt. This is likely due to an attacker attempting to use \
                     Cross Protocol Scripting to compromise your instance. Connection from {} \
                     aborted.",
                    session.info.address
                );
                return Outcome::Abort;
            }
            Err(error) => return self.refuse(session, prepared.command, &error, out),
        };
        self.own_gates = 0;
        if self.node.shut_gates() & gates::LIMITED != 0 && self.make_room() == Room::None {
            self.own_gates = gates::MEMORY;
        }
        if command.gates.0 & gates::FULL != 0 && self.node.is_full() {
            self.own_gates |= gates::FULL;
        }
        let verdict = gates::ask(self.node, session, command, self.own_gates);
        if matches!(verdict, Verdict::Wait) != session.postponed {
            session.postponed = !session.postponed;
            session.info.blocked.store(session.postponed, Ordering::Relaxed);
        }
        match verdict {
            Verdict::Pass => {}
            Verdict::Wait => return Outcome::Parked,
            Verdict::Refuse(error) => return self.refuse(session, Some(command), &error, out),
        }
        session.info.last_command.store(command.index, Ordering::Relaxed);
        if session.queue.is_some() {
            if command.command.spec.name == "exec" {
                return self.exec(session, command, out);
            }
            if !command.never_queued {
                return match transaction::enqueue(session, command, request) {
                    Ok(()) => {
                        Writer::new(out, session.protocol).simple("QUEUED");
                        Outcome::Done
                    }
                    Err(error) => self.refuse(session, Some(command), &error, out),
                };
            }
        }
        self.lock_and_run(session, command, prepared, request, out)
    }

    #[inline]
    fn lock_and_run(
        &mut self,
        session: &mut Session,
        command: &'static Registered,
        prepared: &Prepared,
        request: Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let keyspace = &self.node.keyspace;
        let scope = command.scope_of(request);
        if scope == Scope::All {
            return self.alone(|worker, alone| {
                // While it waited outside, rules may have changed.
                match gates::ask(worker.node, session, command, worker.own_gates) {
                    Verdict::Pass => {}
                    Verdict::Wait => return Outcome::Parked,
                    Verdict::Refuse(error) => {
                        return worker.refuse(session, Some(command), &error, out);
                    }
                }
                if command.flags.has(Flag::Write) && worker.node.moves.any() {
                    return Worker::postpone(session);
                }
                let mut locks = LockSet::all(keyspace);
                let held = Held { locks: &mut locks, alone: Some(alone), first: None };
                worker.mark_mail(session);
                let outcome = worker.run(session, command, request, held, out);
                worker.finish(session, &mut locks, Some(alone));
                outcome
            });
        }
        let mut first = None;
        let locks = if scope == Scope::Keys {
            if prepared.key_word > 0 {
                first = Some((request.word(prepared.key_word as usize), prepared.place));
            }
            if command.is_one_key {
                LockSet::one(keyspace, prepared.place.shard)
            } else {
                let keys = command.keys(request);
                LockSet::keys(keyspace, &mut keys.map(|(_, key)| Place::of(key).shard).collect())
            }
        } else {
            Some(LockSet::none(keyspace))
        };
        let Some(mut locks) = locks else { return Outcome::Parked };
        if self.node.moves.any() && self.names_moving(command, request) {
            return Worker::postpone(session);
        }
        let held = Held { locks: &mut locks, alone: None, first };
        self.mark_mail(session);
        let outcome = self.run(session, command, request, held, out);
        self.finish(session, &mut locks, None);
        outcome
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

    /// Runs a handler under `locks`.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        command: &'static Registered,
        request: Request<'_>,
        held: Held<'_, 'n>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let start = out.len();
        let Held { locks, alone, first } = held;
        if self.node.monitors.any() && !session.served {
            self.node.monitors.feed(self.node, session, command, request);
        }
        self.effects.begin(self.node);
        let mut keys = Keys::new(self.node, locks, session.db, self.now, first);
        if session.no_touch {
            keys.without_touching();
        }
        if session.info.primary {
            keys.showing_expired();
        }
        let db = session.db;
        let protocol = session.protocol;
        let mut outcome = Outcome::Done;
        let mut cx = Context {
            node: self.node,
            session,
            keys,
            alone,
            effects: &mut self.effects,
            reply: Writer::new(out, protocol),
            now: self.now,
            command,
            outcome: &mut outcome,
        };
        let mut args = Args::new(request, command.name_words);
        let result = (command.command.run)(&mut cx, &mut args);
        let left = cx.keys.finish();
        self.settle(left, db, request, session.info.id);
        if session.info.tracks(tracking::flag::ON) {
            self.track(session, command, request, &outcome);
        }
        let failed = result.is_err();
        if let Err(error) = result {
            out.truncate(start);
            let text = error.wire();
            self.node.stats.count_error(&text);
            add(&self.stats.errors, 1);
            Writer::new(out, session.protocol).error(text);
        }
        // Who waits for a key is counted when that is over.
        let keys = matches!(session.blocked, Some(Blocked::Keys(_)));
        if !(matches!(outcome, Outcome::Blocked) && (keys || session.served)) {
            let reply_bytes = out.len().saturating_sub(start);
            self.account(session, command, request, (failed, reply_bytes));
        }
        outcome
    }

    /// Remembers what a connection that caches keys has read.
    #[cold]
    fn track(
        &self,
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        outcome: &Outcome,
    ) {
        if command.flags.has(Flag::ReadOnly) && !matches!(outcome, Outcome::Blocked) {
            let keys = command.keys(request).map(|(_, key)| key);
            tracking::note_reads(self.node, &session.info, keys);
        }
        // CLIENT CACHING counts for the next command, or the transaction.
        let ends = session.queue.is_none() && !session.executing;
        if ends && !command.full_name.starts_with("client|") {
            session.info.tracking.fetch_and(!tracking::flag::CACHING, Ordering::Relaxed);
        }
    }

    /// Notes how far the mailbox has come, for a connection that caches keys. Under the locks of its
    /// command, before anything is remembered.
    #[inline]
    pub(super) fn mark_mail(&self, session: &mut Session) {
        if session.info.tracks(tracking::flag::ON)
            && let Some(mailbox) = self.node.mailboxes().get(session.info.loop_index)
        {
            session.mail_mark = mailbox.sent();
        }
    }

    #[inline]
    fn settle(&mut self, left: Leftover, db: u32, request: Request<'_>, client: u64) {
        if left.hits > 0 {
            add(&self.stats.hits, left.hits);
        }
        if left.misses > 0 {
            add(&self.stats.misses, left.misses);
        }
        if let Some(noted) = left.noted {
            self.settle_noted(*noted, client);
        }
        self.effects.end(self.node, db, request);
    }

    #[cold]
    fn settle_noted(&mut self, noted: Noted, client: u64) {
        if !noted.events.is_empty() {
            self.effects.noted(noted.events);
        }
        for (db, key) in &noted.expired {
            self.effects.expired(self.node, *db, key);
        }
        for EndedMembers { db, key, kind, members, emptied } in &noted.ended {
            let place = (*db, &**key, *kind);
            self.effects.fields_expired(self.node, place, members, *emptied);
        }
        for key in noted.changed {
            self.effects.changed_cached(self.node, key, client);
        }
    }

    /// Carries the effects out, while the locks are still held, and serves those who waited for them.
    #[inline]
    pub(super) fn finish(
        &mut self,
        session: &mut Session,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
    ) {
        if let Some(end) = self.effects.perform_command(self.node) {
            session.last_write = end;
        }
        if self.effects.has_ready() {
            self.serve(locks, alone);
        }
    }

    #[inline]
    pub(super) fn account(
        &mut self,
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        (failed, reply_bytes): (bool, usize),
    ) {
        let before = self.clock_us;
        self.clock_us = base::clock::monotonic_us();
        let spent = self.clock_us.saturating_sub(before);
        if !session.executing {
            // For the next command; those of a transaction share one time.
            let (time, at_us) = self.read;
            self.now = time + Millis(self.clock_us.saturating_sub(at_us) / 1000);
        }
        if let Some(stat) = self.stats.commands.get(command.index) {
            add(&stat.calls, 1);
            add(&stat.usec, spent);
            if failed {
                add(&stat.failed, 1);
            }
            if self.node.settings.latency_tracking.get() {
                stat.latency.record(spent);
            }
        }
        let monitored = self.node.settings.latency_monitor_threshold.get();
        if monitored > 0 {
            let fast = command.flags.has(Flag::Fast);
            let event = if fast { "fast-command" } else { "command" };
            self.node.latency.note(monitored, event, spent);
        }
        add(&self.stats.processed, 1);
        add(&self.stats.command_us, spent);
        add(&session.info.commands, 1);
        if self.node.hotkeys.is_active() {
            let bytes = (request.span_bytes() + reply_bytes) as u64;
            self.node.hotkeys.note(command, request, spent, bytes);
        }
        if command.flags.has(Flag::SkipSlowlog) {
            return;
        }
        let settings = &self.node.settings;
        let remember = |threshold: i64, amount: u64, reason: Reason| {
            if threshold >= 0 && amount >= threshold.unsigned_abs() {
                self.remember(session, command, request, (reason, amount));
            }
        };
        let (asked, answered) = (request.span_bytes() as u64, reply_bytes as u64);
        remember(settings.slowlog_log_slower_than.get(), spent, Reason::Slow);
        remember(settings.commandlog_request_larger_than.get(), asked, Reason::LargeRequest);
        remember(settings.commandlog_reply_larger_than.get(), answered, Reason::LargeReply);
    }

    #[cold]
    fn remember(
        &self,
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        (reason, amount): (Reason, u64),
    ) {
        let settings = &self.node.settings;
        let len_max = match reason {
            Reason::Slow => settings.slowlog_max_len.size(),
            Reason::LargeRequest => settings.commandlog_large_request_max_len.size(),
            Reason::LargeReply => settings.commandlog_large_reply_max_len.size(),
        };
        if len_max == 0 {
            return;
        }
        let name = session.info.names.lock().name.clone();
        let redacted = commandlog::redacted(&command.full_name, request);
        let request = redacted.as_ref().map_or(request, OwnedRequest::request);
        let log = self.node.commandlogs.of(reason);
        log.add(len_max, amount, request, &session.info.address, name);
    }

    /// Tells monitors of an EXEC, behind what it has run.
    #[cold]
    pub(super) fn feed_exec(&self, session: &Session) {
        let owned = OwnedRequest::from_words([&b"exec"[..]]);
        if let Some(command) = self.node.table.find(b"exec") {
            self.node.monitors.feed(self.node, session, command, owned.request());
        }
    }

    /// Answers an error for a command that does not run.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        session: &mut Session,
        command: Option<&'static Registered>,
        error: &CommandError,
        out: &mut Vec<u8>,
    ) -> Outcome {
        if let Some(stat) = command.and_then(|command| self.stats.commands.get(command.index)) {
            add(&stat.rejected, 1);
        }
        self.answer_refusal(session, command, error, out)
    }

    /// As [`Worker::refuse`], for a command that counts as one that has run.
    #[cold]
    pub(super) fn answer_refusal(
        &mut self,
        session: &mut Session,
        command: Option<&'static Registered>,
        error: &CommandError,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let mut text = error.wire();
        let is_exec = command.is_some_and(|command| command.command.spec.name == "exec");
        if let Some(queue) = &mut session.queue {
            queue.broken = true;
            if is_exec {
                transaction::take_queue(session);
                transaction::unwatch(self.node, session);
            }
        }
        if is_exec && self.node.monitors.any() {
            self.feed_exec(session);
        }
        if is_exec && !text.starts_with("EXECABORT") {
            let reason = text.strip_prefix("ERR ").unwrap_or(&text);
            text = format!("EXECABORT Transaction discarded because of: {reason}");
        }
        self.node.stats.count_error(&text);
        add(&self.stats.errors, 1);
        Writer::new(out, session.protocol).error(text);
        Outcome::Done
    }
}

/// Takes the reply that begins at `start` back, if CLIENT REPLY says so.
#[cold]
fn withhold(
    session: &mut Session,
    prepared: &Prepared,
    outcome: &Outcome,
    start: usize,
    out: &mut Vec<u8>,
) {
    // Subscriptions are confirmed by pushes, which are no replies.
    let pushes = prepared.command.is_some_and(|command| {
        command.flags.has(Flag::PubSub) && command.command.spec.name.ends_with("subscribe")
    });
    let start = if pushes && session.queue.is_none() { out.len() } else { start };
    match session.reply_mode {
        ReplyMode::On => {}
        // SKIP itself, which has just run, is not answered either.
        ReplyMode::Off | ReplyMode::SkipNext => out.truncate(start),
        // Its reply is skipped when it comes.
        ReplyMode::SkipThis if matches!(session.blocked, Some(Blocked::Keys(_))) => {}
        ReplyMode::SkipThis if !matches!(outcome, Outcome::Parked) => {
            out.truncate(start);
            session.reply_mode = ReplyMode::On;
        }
        ReplyMode::SkipThis => session.reply_mode = ReplyMode::SkipNext,
    }
}

/// Whether a word is one that only a browser which was lured here would send.
fn is_foreign_protocol(name: &str) -> bool {
    name.eq_ignore_ascii_case("host:") || name.eq_ignore_ascii_case("post")
}

/// The command a request names, if its words are of the right number.
#[inline]
pub(super) fn admissible(
    prepared: &Prepared,
    request: Request<'_>,
) -> Result<&'static Registered, CommandError> {
    let Some(command) = prepared.command else { return Err(unknown(request)) };
    if !command.subcommands.is_empty() && request.len() >= 2 {
        let word: Vec<u8> = request.word(1).iter().copied().take(QUOTED_BYTES_MAX).collect();
        return Err(CommandError::UnknownSubcommand(
            String::from_utf8_lossy(&word).into_owned(),
            command.full_name.to_ascii_uppercase(),
        ));
    }
    if !command.fits(request.len()) {
        return Err(CommandError::Arity(command.full_name.clone()));
    }
    Ok(command)
}

fn unknown(request: Request<'_>) -> CommandError {
    let shown = |word: &[u8]| {
        String::from_utf8_lossy(&word[..word.len().min(QUOTED_BYTES_MAX)]).into_owned()
    };
    let mut args = String::new();
    for at in 1..request.len() {
        if args.len() >= QUOTED_BYTES_MAX {
            break;
        }
        args.push('\'');
        args.push_str(&shown(request.word(at)));
        args.push_str("' ");
    }
    CommandError::UnknownCommand { name: shown(request.word(0)), args }
}
