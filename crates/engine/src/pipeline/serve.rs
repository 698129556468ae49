//! Serving those who wait for a key that has just changed, under the locks of whoever changed it.

use super::run::Held;
use super::worker::Worker;
use crate::blocking::{DbKey, Waiting};
use crate::context::Outcome;
use crate::gates::{self, Verdict};
use crate::keys::{Place, kind_of};
use crate::mailbox::Answer;
use crate::session::Session;
use crate::stats::add;
use base::{Millis, Offset};
use keyspace::{Exclusive, LockSet};
use smallvec::SmallVec;
use std::sync::Arc;

/// When to try again what a gate holds back: a pause, say.
const HELD_BACK: Millis = Millis(100);

impl<'n> Worker<'n> {
    /// Runs the requests of those who wait for keys that were declared changed, and of those whom that
    /// feeds in turn.
    pub(super) fn serve(&mut self, locks: &mut LockSet<'n>, alone: Option<&Exclusive<'_>>) {
        // The command may have taken long.
        self.now = base::clock::unix();
        while let Some(key) = self.effects.next_ready(self.node) {
            let mut is_deferred = false;
            for waiting in self.node.waiters.of_key(&key) {
                // Behind one who is served later, everybody is.
                if is_deferred || !self.serve_one(&key, &waiting, locks, alone) {
                    is_deferred = true;
                    self.deferred.push_back((key.clone(), waiting));
                }
            }
        }
    }

    /// Serves those who wait for keys that have gone by themselves, expired or evicted. Without locks.
    #[inline]
    pub(crate) fn serve_those_who_mind(&mut self) {
        while self.effects.has_ready()
            && let Some(key) = self.effects.next_ready(self.node)
        {
            let waiting = self.node.waiters.of_key(&key);
            self.deferred.extend(waiting.into_iter().map(|waiting| (key.clone(), waiting)));
        }
        if !self.deferred.is_empty() {
            self.serve_deferred();
        }
    }

    /// Serves those for whom not all shards were free. Without locks; waits for shards, whose holders
    /// need nothing of this thread.
    #[cold]
    pub(super) fn serve_deferred(&mut self) {
        while let Some((key, waiting)) = self.deferred.pop_front() {
            let request = waiting.request.request();
            let mut shards: SmallVec<[u16; 8]> =
                waiting.command.keys(request).map(|(_, key)| Place::of(key).shard).collect();
            shards.push(Place::of(&key.1).shard);
            let mut locks = loop {
                match LockSet::keys(&self.node.keyspace, &mut shards) {
                    Some(locks) => break locks,
                    None => std::thread::yield_now(),
                }
            };
            self.serve_one(&key, &waiting, &mut locks, None);
            self.serve(&mut locks, None);
        }
    }

    /// Runs the request of one who waits for time to pass (XREADGROUP CLAIM) and whose time has come.
    /// Without locks. What a gate holds back is tried again later.
    pub fn serve_again(&mut self, waiting: &Arc<Waiting>) {
        let session = Session::new(Arc::clone(&waiting.client), true);
        let verdict = gates::ask(self.node, &session, waiting.command, 0);
        let Some(key) = waiting.keys.first().filter(|_| matches!(verdict, Verdict::Pass)) else {
            waiting.run_again_in(Some(HELD_BACK));
            return;
        };
        self.enter();
        self.effects.begin(self.node);
        self.deferred.push_back(((waiting.db, key.clone()), Arc::clone(waiting)));
        self.serve_deferred();
        self.leave();
    }

    /// Counts a command whose wait is over without its having been served; `error` is its answer if that
    /// is one.
    pub fn count_unserved(&mut self, session: &Session, waiting: &Waiting, error: Option<&str>) {
        if let Some(text) = error {
            self.node.stats.count_error(text);
            add(&self.stats.errors, 1);
        }
        self.clock_us = base::clock::monotonic_us();
        let request = waiting.request.request();
        self.account(session, waiting.command, request, (error.is_some(), 0));
    }

    /// Serves one waiter if its key has what it waits for. False if somebody holds what it needs besides.
    fn serve_one(
        &mut self,
        key: &DbKey,
        waiting: &Arc<Waiting>,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
    ) -> bool {
        let request = waiting.request.request();
        let shards: SmallVec<[u16; 8]> =
            waiting.command.keys(request).map(|(_, key)| Place::of(key).shard).collect();
        if !locks.extend(&shards) {
            return false;
        }
        if self.node.moves.any() && self.names_moving(waiting.command, request) {
            self.node.moves.pass_over();
            return true;
        }
        let (place, now) = (Place::of(&key.1), self.now);
        let shard = locks.shard(place.shard);
        let entry = shard.and_then(|shard| shard.find(key.0, place.hash, &key.1));
        let is_there = entry.is_some_and(|entry| {
            let has_expired = entry.expire_at().is_some_and(|at| at <= now);
            !has_expired && waiting.awaits(kind_of(entry))
        });
        if (!waiting.minds_absence && !is_there) || !waiting.claim() {
            return true;
        }
        // What fed it may have taken its time: a key that it gave an expiry may be gone by now.
        self.now = base::clock::unix();
        let mut session = waiting.stand_in();
        let mut reply = Vec::new();
        let held = Held { locks, alone, first: None };
        let outcome = self.run(&mut session, waiting.command, request, held, &mut reply);
        let tag = self.effects.log_and_publish(self.node, true).unwrap_or(Offset(0));
        if matches!(outcome, Outcome::Blocked) {
            waiting.run_again_in(session.again_in);
            if !waiting.unclaim() {
                self.node.waiters.remove(waiting);
            }
        } else {
            self.node.waiters.remove(waiting);
            self.node.answer(Arc::clone(waiting), Answer::Served(reply), tag);
        }
        // Behind its answer, as it is for those who did not wait.
        self.effects.tell_caches(self.node);
        true
    }
}
