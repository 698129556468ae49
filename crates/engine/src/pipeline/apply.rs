//! Applying a primary's stream: commands run without gates and append the primary's own bytes.
//!
//! What a replica's log holds is exactly what its data holds, at every instant at which somebody can
//! have the whole keyspace alone: a command's bytes are appended while its shards are still locked, a
//! transaction's bytes all at once behind its last command. So a promotion or a cut in the middle of a
//! stream finds a border between commands and outside of MULTI.
//!
//! An error here means that the data is not the primary's any more. It is never passed over: the
//! caller gives the link up and asks for a full sync.

use super::prepare;
use super::refusal::admissible;
use super::run::Held;
use super::worker::Worker;
use crate::args::{OwnedRequest, Request};
use crate::command::Scope;
use crate::keys::Place;
use crate::session::Session;
use crate::transaction;
use keyspace::{Exclusive, LockSet};
use smallvec::SmallVec;
use spec::Flag;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// Bytes of an error or a request that a log line shows.
const SHOWN_BYTES_MAX: usize = 256;

/// What became of a command of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It ran and its bytes are in the log.
    Done,
    /// It is part of a transaction that is not complete: its bytes must come again with EXEC.
    Queued,
    /// The stream is not this node's any more (`current` answered false); nothing was done.
    Overtaken,
    /// It could not be applied: the data is no longer the primary's.
    Failed(String),
}

/// Words of the stream that touch no key.
enum Native {
    /// There is nothing to do any more.
    Done,
    Select(u32),
}

impl<'n> Worker<'n> {
    /// Applies one command of the primary's stream, inside a window. `raw` are the bytes of it that
    /// the log lacks; with EXEC those from MULTI on. `current` tells whether the stream is still the
    /// one this node follows; it is asked whenever the thread was outside for an instant.
    ///
    /// Waits for shards that others hold, since order does not allow anything else.
    pub fn apply(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        raw: &[u8],
        current: &dyn Fn() -> bool,
    ) -> Applied {
        let ran = catch_unwind(AssertUnwindSafe(|| self.step(session, request, raw, current)));
        let result = ran.unwrap_or_else(|_| {
            self.node.incomplete.store(true, Ordering::Release);
            self.recover(session);
            Err("the command panicked; this node no longer vouches for its data".to_owned())
        });
        if !self.deferred.is_empty() {
            self.serve_deferred();
        }
        result.unwrap_or_else(|error| {
            let name = String::from_utf8_lossy(request.word(0)).into_owned();
            let shown: String = format!("{name}: {error}").chars().take(SHOWN_BYTES_MAX).collect();
            Applied::Failed(shown)
        })
    }

    fn step(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        raw: &[u8],
        current: &dyn Fn() -> bool,
    ) -> Result<Applied, String> {
        if !current() {
            return Ok(Applied::Overtaken);
        }
        if is(request, b"multi") {
            if session.queue.is_some() {
                return Err("MULTI inside of MULTI".to_owned());
            }
            transaction::begin(session);
            return Ok(Applied::Queued);
        }
        if is(request, b"exec") {
            let queue = transaction::take_queue(session).ok_or("EXEC without MULTI")?;
            let requests: Vec<_> = queue.requests.iter().map(OwnedRequest::request).collect();
            return self.apply_all(session, &requests, raw, current);
        }
        if let Some(queue) = &mut session.queue {
            let owned = OwnedRequest::copy_of(request);
            queue.len_bytes += owned.len_bytes();
            if queue.len_bytes > transaction::QUEUE_BYTES_MAX {
                return Err("the transaction is larger than may be queued".to_owned());
            }
            queue.requests.push(owned);
            return Ok(Applied::Queued);
        }
        if let Some(native) = self.native(request)? {
            if let Native::Select(db) = native {
                session.db = db;
                self.node.replication.set_stream_db(db);
            }
            self.node.log.append_raw(raw);
            return Ok(Applied::Done);
        }
        self.apply_all(session, &[request], raw, current)
    }

    /// Runs commands under one lock set and appends their bytes.
    fn apply_all(
        &mut self,
        session: &mut Session,
        requests: &[Request<'_>],
        raw: &[u8],
        current: &dyn Fn() -> bool,
    ) -> Result<Applied, String> {
        let keyspace = &self.node.keyspace;
        let (all, mut shards) = self.shards_of(requests);
        if all {
            return self.alone(|worker, alone| {
                if !current() {
                    return Ok(Applied::Overtaken);
                }
                let mut locks = LockSet::all(keyspace);
                worker.apply_under(session, requests, raw, &mut locks, Some(alone))
            });
        }
        loop {
            if let Some(mut locks) = LockSet::keys(keyspace, &mut shards) {
                return self.apply_under(session, requests, raw, &mut locks, None);
            }
            self.leave();
            std::thread::yield_now();
            self.enter();
            if !current() {
                return Ok(Applied::Overtaken);
            }
        }
    }

    fn shards_of(&self, requests: &[Request<'_>]) -> (bool, SmallVec<[u16; 8]>) {
        let (mut all, mut shards) = (false, SmallVec::new());
        for &request in requests {
            let Some(command) = self.node.table.resolve(request) else { continue };
            all |= command.scope_of(request) == Scope::All;
            shards.extend(command.keys(request).map(|(_, key)| Place::of(key).shard));
        }
        (all, shards)
    }

    fn apply_under(
        &mut self,
        session: &mut Session,
        requests: &[Request<'_>],
        raw: &[u8],
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
    ) -> Result<Applied, String> {
        let mut reply = Vec::new();
        for &request in requests {
            // With everything alone: what the last command took is free for the next to take.
            locks.release();
            self.apply_one(session, request, locks, alone, &mut reply)?;
        }
        self.finish(session, locks, alone);
        self.node.replication.set_stream_db(session.db);
        self.node.log.append_raw(raw);
        Ok(Applied::Done)
    }

    fn apply_one(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        locks: &mut LockSet<'n>,
        alone: Option<&Exclusive<'_>>,
        reply: &mut Vec<u8>,
    ) -> Result<(), String> {
        match self.native(request)? {
            Some(Native::Select(db)) => {
                session.db = db;
                return Ok(());
            }
            Some(Native::Done) => return Ok(()),
            None => {}
        }
        let prepared = prepare(&self.node.table, request);
        let command = admissible(&prepared, request).map_err(|error| error.wire())?;
        if !command.flags.has(Flag::Write) && !command.flags.has(Flag::MayReplicate) {
            return Err("not a command that a primary's stream may hold".to_owned());
        }
        let first = (prepared.key_word > 0)
            .then(|| (request.word(prepared.key_word as usize), prepared.place));
        reply.clear();
        self.run(session, command, request, Held { locks, alone, first }, reply);
        match reply.first() {
            Some(b'-') => Err(String::from_utf8_lossy(reply).trim_end().to_owned()),
            _ => Ok(()),
        }
    }

    /// Does what `request` says if it is no command of the table, or one that a stream means otherwise.
    fn native(&self, request: Request<'_>) -> Result<Option<Native>, String> {
        if is(request, b"ping") || is(request, b"replconf") {
            return Ok(Some(Native::Done));
        }
        if is(request, b"function") {
            self.node.functions.apply(request).map_err(|error| error.to_string())?;
            return Ok(Some(Native::Done));
        }
        if !is(request, b"select") {
            return Ok(None);
        }
        let db = values::string::parse_i64(request.word(1)).and_then(|db| u32::try_from(db).ok());
        let databases = self.node.settings.databases.get().unsigned_abs();
        match db.filter(|&db| u64::from(db) < databases) {
            Some(db) => Ok(Some(Native::Select(db))),
            None => Err(format!("no such database; {databases} are configured")),
        }
    }
}

fn is(request: Request<'_>, name: &[u8]) -> bool {
    request.word(0).eq_ignore_ascii_case(name)
}
