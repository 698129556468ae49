//! MULTI, EXEC and WATCH: how a transaction is queued, and how it runs under one lock set.
//!
//! EXEC locks the shards of all queued and watched keys together (or has everything alone if a queued
//! command wants that), tests the watch flag under the locks, runs the commands, and logs their
//! effects as one batch framed by MULTI and EXEC.

use crate::args::{OwnedRequest, Request};
use crate::command::{Registered, Scope};
use crate::error::CommandError;
use crate::keys::Place;
use crate::node::Node;
use crate::session::{Queue, Session, Watched};
use smallvec::SmallVec;
use spec::{Flag, Group};
use std::sync::atomic::Ordering;

/// Bytes that one transaction may queue.
pub const QUEUE_BYTES_MAX: usize = 1 << 30;

/// Queues `request`.
pub(crate) fn enqueue(
    session: &mut Session,
    command: &Registered,
    request: Request<'_>,
) -> Result<(), CommandError> {
    let Some(queue) = &mut session.queue else { return Ok(()) };
    let owned = OwnedRequest::copy_of(request);
    if queue.len_bytes + owned.len_bytes() > QUEUE_BYTES_MAX {
        queue.broken = true;
        return Err(CommandError::text("ERR transaction queue limit reached"));
    }
    queue.len_bytes += owned.len_bytes();
    queue.writes |= command.flags.has(Flag::Write) || command.flags.has(Flag::MayReplicate);
    queue.requests.push(owned);
    let len = u32::try_from(queue.requests.len()).unwrap_or(u32::MAX - 1);
    session.info.queued.store(len, Ordering::Relaxed);
    session.info.queued_bytes.store(queue.len_bytes, Ordering::Relaxed);
    Ok(())
}

/// Begins a transaction.
pub fn begin(session: &mut Session) {
    session.queue = Some(Box::default());
    session.info.queued.store(0, Ordering::Relaxed);
}

/// Ends a transaction without running it; watched keys stay.
pub fn take_queue(session: &mut Session) -> Option<Box<Queue>> {
    session.info.queued.store(u32::MAX, Ordering::Relaxed);
    session.info.queued_bytes.store(0, Ordering::Relaxed);
    session.queue.take()
}

/// Ends watching. Waits for each key's shard in turn.
pub fn unwatch(node: &Node, session: &mut Session) {
    let Some(watched) = session.watched.take() else { return };
    for (db, key) in &watched.keys {
        let shard = Place::of(key).shard;
        node.keyspace.lock(shard).unwatch(*db, key, &watched.flag);
    }
    session.info.watching.store(0, Ordering::Relaxed);
}

/// What EXEC must lock: everything, or these shards. A keyless command that looks at keys (SCAN,
/// DBSIZE, INFO) takes shards by itself, one after the other, which it may not do while EXEC holds
/// some: with such a command EXEC has everything alone.
pub(crate) fn shards(
    node: &Node,
    queue: &Queue,
    watched: Option<&Watched>,
) -> (bool, SmallVec<[u16; 8]>) {
    let mut shards = SmallVec::new();
    let mut all = false;
    for owned in &queue.requests {
        let request = owned.request();
        let Some(command) = node.table.resolve(request) else { continue };
        let row = &command.command.spec;
        let looks_at_keys = command.flags.has(Flag::ReadOnly) || row.group == Group::Server;
        all |= command.scope_of(request) == Scope::All || (row.keys.is_empty() && looks_at_keys);
        shards.extend(command.keys(request).map(|(_, key)| Place::of(key).shard));
    }
    for (_, key) in watched.iter().flat_map(|watched| &watched.keys) {
        shards.push(Place::of(key).shard);
    }
    (all, shards)
}
