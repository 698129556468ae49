//! Serving those who wait for a key that has just changed, under the locks of whoever changed it.

use super::run::{Held, Worker};
use crate::blocking::{DbKey, Waiting};
use crate::context::Outcome;
use crate::keys::Place;
use crate::mailbox::Answer;
use crate::session::Session;
use base::Offset;
use keyspace::{Exclusive, LockSet};
use smallvec::SmallVec;
use std::sync::Arc;

impl<'n> Worker<'n> {
    /// Runs the requests of those who wait for keys that were declared changed, and of those whom that
    /// feeds in turn.
    pub(super) fn serve(&mut self, locks: &mut LockSet<'n>, alone: Option<&Exclusive<'_>>) {
        while let Some(key) = self.effects.next_ready(self.node) {
            for waiting in self.node.waiters.of_key(&key) {
                self.serve_one(&key, &waiting, locks, alone);
            }
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

    fn serve_one(
        &mut self,
        key: &DbKey,
        waiting: &Arc<Waiting>,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
    ) {
        let request = waiting.request.request();
        let shards: SmallVec<[u16; 8]> =
            waiting.command.keys(request).map(|(_, key)| Place::of(key).shard).collect();
        let has_locks = locks.extend(&shards);
        let place = Place::of(&key.1);
        let mut exists = || {
            let shard = locks.shard(place.shard);
            shard.is_some_and(|shard| shard.find(key.0, place.hash, &key.1).is_some())
        };
        if !has_locks {
            // Somebody holds what it needs besides.
            self.deferred.push_back((key.clone(), Arc::clone(waiting)));
            return;
        }
        if (!waiting.minds_absence && !exists()) || !waiting.claim() {
            return;
        }
        // What fed it may have taken its time: a key that it gave an expiry may be gone by now.
        self.now = base::clock::unix();
        let mut session = Session::new(Arc::clone(&waiting.client), true);
        session.db = waiting.db;
        session.protocol = waiting.protocol;
        session.served = true;
        let mut reply = Vec::new();
        let held = Held { locks, alone, first: None };
        let outcome = self.run(&mut session, waiting.command, request, held, &mut reply);
        let tag = self.effects.log_and_publish(self.node).unwrap_or(Offset(0));
        let wrong_type = !waiting.minds_absence && reply.starts_with(b"-WRONGTYPE");
        if matches!(outcome, Outcome::Blocked) || wrong_type {
            waiting.unclaim();
        } else {
            self.node.waiters.remove(waiting);
            self.node.answer(Arc::clone(waiting), Answer::Served(reply), tag);
        }
        // Behind its answer, as it is for those who did not wait.
        self.effects.tell_caches(self.node);
    }
}
