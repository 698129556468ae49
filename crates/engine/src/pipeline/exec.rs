//! EXEC: the queued commands under one lock set.

use super::prepare;
use super::run::Held;
use super::worker::Worker;
use crate::args::{OwnedRequest, Request};
use crate::command::{Registered, Scope};
use crate::context::Outcome;
use crate::error::CommandError;
use crate::gates::{self, Verdict};
use crate::keys::Place;
use crate::session::{Session, Watched};
use crate::{tracking, transaction};
use keyspace::{Exclusive, LockSet};
use resp::reply::Writer;
use spec::Flag;
use std::sync::atomic::Ordering;

impl<'n> Worker<'n> {
    pub(super) fn exec(
        &mut self,
        session: &mut Session,
        command: &'static Registered,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let Some(queue) = &session.queue else { return Outcome::Done };
        if queue.broken {
            self.account(session, command, Request { bytes: &[], ranges: &[] }, (true, 0));
            return self.answer_refusal(session, Some(command), &CommandError::ExecAbort, out);
        }
        if let Some(error) = self.exec_refusal(session) {
            return self.refuse(session, Some(command), &error, out);
        }
        let Some(queue) = &session.queue else { return Outcome::Done };
        let keyspace = &self.node.keyspace;
        let (all, mut shards) = transaction::shards(self.node, queue, session.watched.as_deref());
        if all {
            return self.alone(|worker, alone| {
                // While it waited outside, rules may have changed.
                let refusal = match gates::ask(worker.node, session, command, worker.own_gates) {
                    Verdict::Pass => worker.exec_refusal(session),
                    Verdict::Wait => return Outcome::Parked,
                    Verdict::Refuse(error) => Some(error),
                };
                if let Some(error) = refusal {
                    return worker.refuse(session, Some(command), &error, out);
                }
                if worker.moves_touch(session) {
                    return Worker::postpone(session);
                }
                let mut locks = LockSet::all(keyspace);
                worker.exec_under(session, command, &mut locks, Some(alone), out)
            });
        }
        match LockSet::keys(keyspace, &mut shards) {
            Some(_) if self.moves_touch(session) => Worker::postpone(session),
            Some(mut locks) => self.exec_under(session, command, &mut locks, None, out),
            None => Outcome::Parked,
        }
    }

    /// Why the queued commands may not run: rules may have changed since they were queued. Asked once
    /// for all, so that a transaction runs whole or not at all.
    fn exec_refusal(&self, session: &mut Session) -> Option<CommandError> {
        let queue = session.queue.take()?;
        session.executing = true;
        let refusal = queue.requests.iter().find_map(|owned| {
            let queued = self.node.table.resolve(owned.request())?;
            match gates::ask(self.node, session, queued, self.own_gates) {
                Verdict::Refuse(error) => Some(error),
                Verdict::Pass | Verdict::Wait => None,
            }
        });
        session.executing = false;
        session.queue = Some(queue);
        refusal
    }

    /// Whether a queued command names a key that moves to another server, or may change any.
    #[inline]
    fn moves_touch(&self, session: &Session) -> bool {
        self.node.moves.any()
            && session.queue.as_ref().is_some_and(|queue| {
                queue.requests.iter().any(|owned| {
                    let request = owned.request();
                    self.node.table.resolve(request).is_some_and(|command| {
                        let everything = command.scope_of(request) == Scope::All;
                        (everything && command.flags.has(Flag::Write))
                            || self.names_moving(command, request)
                    })
                })
            })
    }

    fn exec_under(
        &mut self,
        session: &mut Session,
        command: &'static Registered,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let queue = transaction::take_queue(session).unwrap_or_default();
        let dirty = session.watched.as_deref().is_some_and(|watched| is_dirty(watched, locks));
        if let Some(watched) = session.watched.take() {
            for (db, key) in &watched.keys {
                if let Some(shard) = locks.shard(Place::of(key).shard) {
                    shard.unwatch(*db, key, &watched.flag);
                }
            }
            session.info.watching.store(0, Ordering::Relaxed);
        }
        if dirty {
            Writer::new(out, session.protocol).null_array();
            if self.node.monitors.any() {
                self.feed_exec(session);
            }
            self.account(session, command, Request { bytes: &[], ranges: &[] }, (false, 0));
            return Outcome::Done;
        }
        self.mark_mail(session);
        Writer::new(out, session.protocol).array(queue.requests.len());
        self.effects.begin_transaction();
        session.executing = true;
        let mut outcome = Outcome::Done;
        for owned in &queue.requests {
            // With everything alone: what the last command took is free for the next to take.
            locks.release();
            let one = self.exec_one(session, owned, locks, alone, out);
            if matches!(one, Outcome::Close | Outcome::Abort) {
                outcome = one;
            }
        }
        session.executing = false;
        session.info.tracking.fetch_and(!tracking::flag::CACHING, Ordering::Relaxed);
        if self.node.monitors.any() {
            self.feed_exec(session);
        }
        self.account(session, command, Request { bytes: &[], ranges: &[] }, (false, 0));
        self.finish(session, locks, alone);
        outcome
    }

    fn exec_one(
        &mut self,
        session: &mut Session,
        owned: &OwnedRequest,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let request = owned.request();
        let prepared = prepare(&self.node.table, request);
        let Some(command) = prepared.command else { return Outcome::Done };
        let first = (prepared.key_word > 0)
            .then(|| (request.word(prepared.key_word as usize), prepared.place));
        self.run(session, command, request, Held { locks, alone, first }, out)
    }
}

/// Whether a watched key has changed, or has expired since it was watched.
fn is_dirty(watched: &Watched, locks: &mut LockSet<'_>) -> bool {
    let now = base::clock::unix();
    watched.flag.is_dirty()
        || watched.keys.iter().any(|(db, key)| {
            let shard = locks.shard(Place::of(key).shard);
            shard.is_some_and(|shard| shard.has_expired_watched(*db, key, &watched.flag, now))
        })
}
