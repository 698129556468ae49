//! Running one command.

use super::Prepared;
use super::refusal::{admissible, is_foreign_protocol};
use super::worker::Worker;
use crate::args::{Args, Request};
use crate::command::{Registered, Scope};
use crate::context::{Context, Outcome};
use crate::error::CommandError;
use crate::evict::Room;
use crate::gates::{self, Verdict};
use crate::keys::{EndedMembers, Keys, Leftover, Noted, Place};
use crate::session::{Blocked, ReplyMode, Session};
use crate::stats::add;
use crate::{tracking, transaction};
use keyspace::{Exclusive, LockSet};
use resp::reply::Writer;
use spec::Flag;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// What a command holds while it runs.
pub(super) struct Held<'a, 'n> {
    pub(super) locks: &'a mut LockSet<'n>,
    pub(super) alone: Option<&'a Exclusive<'a>>,
    /// The first key and its place, if they are known already.
    pub(super) first: Option<(&'a [u8], Place)>,
}

impl<'n> Worker<'n> {
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
        if !keys.expires() && command.flags.has(Flag::Write) {
            keys.ending_in_a_pause();
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
        ReplyMode::SkipThis if matches!(outcome, Outcome::Blocked) => {}
        ReplyMode::SkipThis if !matches!(outcome, Outcome::Parked) => {
            out.truncate(start);
            session.reply_mode = ReplyMode::On;
        }
        ReplyMode::SkipThis => session.reply_mode = ReplyMode::SkipNext,
    }
}
