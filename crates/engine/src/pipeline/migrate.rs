//! The second half of MIGRATE, and what moving keys mean to other commands.

use super::run::Held;
use super::worker::Worker;
use crate::args::Request;
use crate::command::Registered;
use crate::context::Outcome;
use crate::error::CommandError;
use crate::gates::{PAUSED, PAUSED_WRITES};
use crate::keys::Place;
use crate::mailbox::Answer;
use crate::migration::{Delivery, Migration, Parcel};
use crate::session::Session;
use base::Offset;
use keyspace::LockSet;
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a finished migration waits before it looks again whether clients are still paused.
const PAUSED_SLEEP: Duration = Duration::from_millis(10);
/// What is answered if the node has become a replica meanwhile: the primary decides about the keys.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                            (master -> replica?)";

impl<'n> Worker<'n> {
    /// Whether `request` names a key that moves; its locks are held.
    #[cold]
    pub(super) fn names_moving(&self, command: &Registered, request: Request<'_>) -> bool {
        self.node.moves.hold_any(command.keys(request).map(|(_, key)| key))
    }

    /// Parks a command until keys have moved.
    #[cold]
    pub(super) fn postpone(session: &mut Session) -> Outcome {
        session.postponed = true;
        session.info.blocked.store(true, Ordering::Relaxed);
        Outcome::Parked
    }

    /// Gives a migration to the program. Without locks.
    #[cold]
    pub(super) fn hand_off(&mut self, migration: Box<Migration>) {
        let refused = match self.node.services() {
            Some(services) => services.migrate(migration).err(),
            None => Some(migration),
        };
        if let Some(migration) = refused {
            let text = "IOERR error or timeout connecting to the client";
            self.finish_migration(&migration, Delivery::failed(text));
        }
    }

    /// Ends a migration: deletes here what the target has taken, and answers. Inside a window, which it
    /// leaves for as long as it has to wait for shards, or for the end of a pause.
    pub fn finish_migration(&mut self, migration: &Migration, delivery: Delivery) {
        let mut session = migration.waiting.stand_in();
        let mut reply = Vec::new();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            self.conclude(migration, delivery, &mut session, &mut reply)
        }));
        let tag = ran.unwrap_or_else(|_| {
            self.node.incomplete.store(true, Ordering::Release);
            tracing::error!("a command panicked; this node no longer vouches for its data");
            self.recover(&mut session);
            self.release(migration);
            reply = format!("-{}\r\n", CommandError::Internal.wire()).into_bytes();
            Offset(0)
        });
        if !self.deferred.is_empty() {
            self.serve_deferred();
        }
        if migration.waiting.claim() {
            self.node.answer(Arc::clone(&migration.waiting), Answer::Served(reply), tag);
        }
        self.node.wake_loops();
    }

    fn conclude(
        &mut self,
        migration: &Migration,
        mut delivery: Delivery,
        session: &mut Session,
        reply: &mut Vec<u8>,
    ) -> Offset {
        let (command, request) = (migration.waiting.command, migration.waiting.request.request());
        let mut shards: SmallVec<[u16; 8]> =
            command.keys(request).map(|(_, key)| Place::of(key).shard).collect();
        let mut locks = self.lock_unpaused(&mut shards);
        if migration.originated && !self.node.originates() {
            delivery = Delivery::failed(ROLE_CHANGED);
        }
        session.delivered = Some(Box::new(delivery));
        self.clock_us = migration.began_us;
        let held = Held { locks: &mut locks, alone: None, first: None };
        self.run(session, command, request, held, reply);
        let end = self.effects.perform(self.node);
        self.release(migration);
        if self.node.moves.take_passed_over() {
            self.effects.everything_ready();
        }
        if self.effects.has_ready() {
            self.serve(&mut locks, None);
        }
        end.unwrap_or(Offset(0))
    }

    /// Takes the marks off what has moved. A copy has set none; those that are there are another's.
    fn release(&self, migration: &Migration) {
        if !migration.target.copy {
            self.node.moves.end(names(&migration.parcels));
        }
    }

    /// The locks of `shards` at an instant at which writes are not paused.
    fn lock_unpaused(&mut self, shards: &mut SmallVec<[u16; 8]>) -> LockSet<'n> {
        let node = self.node;
        loop {
            let paused = node.shut_gates() & (PAUSED | PAUSED_WRITES) != 0;
            if !paused && let Some(locks) = LockSet::keys(&node.keyspace, shards) {
                return locks;
            }
            self.leave();
            if paused {
                std::thread::park_timeout(PAUSED_SLEEP);
            } else {
                std::thread::yield_now();
            }
            self.enter();
        }
    }
}

fn names(parcels: &[Parcel]) -> impl Iterator<Item = &[u8]> {
    parcels.iter().map(|parcel| &*parcel.key)
}
