//! Serving those who wait for a key that has just changed, under the locks of whoever changed it.

use super::run::Held;
use super::worker::Worker;
use crate::blocking::{DbKey, Waiting};
use crate::context::Outcome;
use crate::gates::{self, Verdict};
use crate::keys::{Place, kind_of};
use crate::mailbox::{Answer, Message};
use crate::session::Session;
use crate::stats::add;
use base::{Millis, Offset};
use keyspace::{Exclusive, LockSet};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// When to try again what a gate holds back: a pause, say.
const HELD_BACK: Millis = Millis(100);

/// What has become of a waiter's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It was served, or is not to be.
    Over,
    /// There is no such key.
    Nothing,
    /// Somebody holds what it needs besides: its turn comes later.
    Later,
}

impl<'n> Worker<'n> {
    /// Runs the requests of those who wait for keys that were declared changed, and of those whom that
    /// feeds in turn.
    pub(super) fn serve(&mut self, locks: &mut LockSet<'n>, alone: Option<&Exclusive<'_>>) {
        // The command may have taken long.
        self.now = base::clock::unix();
        while let Some(key) = self.effects.next_ready(self.node) {
            let (mut last, mut is_deferred) = (0, false);
            while let Some((ticket, waiting)) = self.node.waiters.next_of_key(&key, last) {
                last = ticket;
                // Behind one who is served later, everybody is.
                let turn = if is_deferred {
                    Turn::Later
                } else {
                    self.serve_one(&key, &waiting, locks, alone)
                };
                match turn {
                    Turn::Over => {}
                    Turn::Nothing if self.node.waiters.anyone_minds(&key) => {}
                    Turn::Nothing => break,
                    Turn::Later => {
                        is_deferred = true;
                        self.deferred.push_back((key.clone(), waiting));
                    }
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

    /// Serves one waiter if its key has what it waits for.
    fn serve_one(
        &mut self,
        key: &DbKey,
        waiting: &Arc<Waiting>,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
    ) -> Turn {
        let request = waiting.request.request();
        let shards: SmallVec<[u16; 8]> =
            waiting.command.keys(request).map(|(_, key)| Place::of(key).shard).collect();
        if !locks.extend(&shards) {
            return Turn::Later;
        }
        if self.node.moves.any() && self.names_moving(waiting.command, request) {
            self.node.moves.pass_over();
            return Turn::Over;
        }
        let (place, now) = (Place::of(&key.1), self.now);
        let shard = locks.shard(place.shard);
        let entry = shard.and_then(|shard| shard.find(key.0, place.hash, &key.1));
        let entry = entry.filter(|entry| entry.expire_at().is_none_or(|at| at > now));
        if !waiting.minds_absence {
            match entry {
                None => return Turn::Nothing,
                Some(entry) if !waiting.awaits(kind_of(entry)) => return Turn::Over,
                Some(_) => {}
            }
        }
        // Whoever has been killed takes nothing with him.
        if waiting.client.closing.load(Ordering::Relaxed) || !waiting.claim() {
            return Turn::Over;
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
            } else if session.again_in.is_some() {
                self.node.tell_loop(&waiting.client, Message::Timed(waiting.client.id));
            }
        } else {
            self.node.waiters.remove(waiting);
            self.node.answer(Arc::clone(waiting), Answer::Served(reply), tag);
        }
        // Behind its answer, as it is for those who did not wait.
        self.effects.tell_caches(self.node);
        Turn::Over
    }
}
