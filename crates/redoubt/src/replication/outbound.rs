//! The replicas thread: serves those who follow this node.
//!
//! It owns the machine of a primary and decides about the replicas' connections, which loops use as well
//! to hand the log over (`links`). A turn takes messages, lets the machine do what is due, performs its
//! actions, moves the log to the sockets, publishes what is known of the replicas, and waits for sockets
//! or for whoever wakes it: with a message, or because there is more to hand over than a loop does.
//! Sockets never block; what a replica has not taken stays in the log and counts against its output
//! limit.
//!
//! While a snapshot is sent, the thread that sends it writes to the replica's socket and this one does
//! not (`lent`), but goes on reading from it.

mod cut;
mod fan;
mod link;
mod links;

use super::wake::{self, Watch};
use super::{Shared, log_line, settings};
use base::disk::Scratch;
use base::lock::MutexGuard;
use base::{Millis, Offset, RunId};
use cut::RunningCut;
use engine::Node;
use engine::replication::ReplicaRow;
use engine::session::ReplicaFacts;
use keyspace::Seat;
use link::ReplicaLink;
pub(super) use links::Replicas;
use links::{Links, Pumped, limits};
use oplog::{Batch, Framing};
use psync::primary::{Action, CutId, PsyncAnswer, ReplicaId, ReplicaState, SyncCounts};
use psync::{Primary, Window};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The longest sleep.
const SLEEP_MAX: Millis = Millis(1000);
/// The longest sleep while a snapshot is on its way, so that its progress is seen.
const SENDING_SLEEP_MAX: Millis = Millis(200);
/// How long the end of the server waits for replicas to take what is in the log.
const STOP_MAX: Millis = Millis(500);
/// How much further than its output limit a replica's cursor may fall behind, so that it is this
/// thread that ends it and says why.
const LAG_MARGIN_BYTES: u64 = 64 << 20;

/// What the thread is told.
pub(super) enum Message {
    /// A connection asks to be a replica.
    Adopt { client: u64, facts: ReplicaFacts, socket: OwnedFd, unread: Vec<u8> },
    /// Close the link of this client id.
    Kill(u64),
    /// Read settings anew.
    Settings,
    /// A snapshot was written to a file of so many bytes.
    Written(CutId, Box<dyn Scratch>, u64),
    /// A replica was sent a snapshot.
    Sent(u64),
    /// A replica could not be sent a snapshot.
    SendFailed(u64, String),
    /// A snapshot could not be made.
    CutFailed(CutId, String),
}

struct Outbound<'n> {
    shared: &'n Arc<Shared>,
    node: &'n Node,
    machine: Primary,
    seat: Seat<'n>,
    cuts: BTreeMap<CutId, RunningCut>,
    counted: SyncCounts,
    /// Something of what is published has changed.
    changed: bool,
    published: Millis,
    good: usize,
    acked: Vec<Offset>,
    durable: Vec<Offset>,
}

/// The thread's body.
pub(super) fn run(shared: &Arc<Shared>) {
    let node = &*shared.node;
    let Some(seat) = node.keyspace.gate.seat() else {
        tracing::error!("no seat is left for serving replicas");
        return;
    };
    let _end = End(shared);
    // Should it have changed since, the first turn follows it.
    let history = shared.replicas.links().told;
    let mut outbound = Outbound {
        shared,
        node,
        machine: Primary::new(settings::of_primary(node), history),
        seat,
        cuts: BTreeMap::new(),
        counted: SyncCounts::default(),
        changed: true,
        published: Millis(0),
        good: 0,
        acked: Vec::new(),
        durable: Vec::new(),
    };
    outbound.read_settings();
    while !shared.stopping.load(Ordering::Acquire) {
        outbound.turn();
        outbound.wait(SLEEP_MAX);
    }
    let deadline = base::clock::monotonic() + STOP_MAX;
    while outbound.links().owe() && base::clock::monotonic() < deadline {
        outbound.turn();
        outbound.wait(Millis(10));
    }
    outbound.cuts.values().for_each(RunningCut::cancel);
}

/// Ends the connections with the thread, even if it panics.
struct End<'a>(&'a Shared);

/// When this thread stops adding to the log in a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    /// At once.
    Any,
    /// When nobody waits for replicas any more.
    BehindReplicas,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.replicas.end(&self.0.node);
    }
}

impl<'n> Outbound<'n> {
    /// The connections. Nothing that asks for them is called while they are locked.
    fn links(&self) -> MutexGuard<'n, Links> {
        self.shared.replicas.links()
    }

    fn turn(&mut self) {
        // Who asks from here on is heard in the next turn.
        self.shared.replicas.take_asked();
        self.take_messages();
        self.follow_history();
        let now = base::clock::monotonic();
        if self.node.replication.anyone_waits() && self.node.replication.take_acks_wanted() {
            self.machine.request_acks();
        }
        self.note_progress(now);
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.machine.handle_timeout(now);
        }
        self.perform();
        self.pump(now);
        self.perform();
        self.publish(now);
    }

    fn take_messages(&mut self) {
        for message in self.shared.outbound.take() {
            let now = base::clock::monotonic();
            self.changed = true;
            match message {
                Message::Adopt { client, facts, socket, unread } => {
                    self.follow_history();
                    self.adopt(now, client, &facts, socket, unread);
                }
                Message::Kill(client) => {
                    self.machine.handle_closed(now, ReplicaId(client));
                    self.close(client);
                }
                Message::Settings => self.read_settings(),
                Message::Written(cut, file, length) => {
                    if let Some(running) = self.cuts.get_mut(&cut) {
                        running.file = Some(file);
                        self.machine.handle_snapshot_length(now, cut, length);
                    }
                }
                Message::Sent(client) => {
                    let lent = self.links().by_client.get_mut(&client).map(|link| link.lent.take());
                    if lent.is_some() {
                        self.machine.handle_snapshot_sent(now, ReplicaId(client));
                    }
                }
                Message::SendFailed(client, error) => {
                    let is_there = self.links().by_client.contains_key(&client);
                    if is_there {
                        tracing::warn!("Cannot send the snapshot to a replica: {error}");
                        self.machine.handle_closed(now, ReplicaId(client));
                        self.close(client);
                    }
                }
                Message::CutFailed(cut, error) => {
                    // One that nobody needs any more may end as it likes.
                    if self.cuts.remove(&cut).is_some() {
                        self.machine.handle_snapshot_failed(now, cut, &error);
                    }
                }
            }
            self.perform();
        }
    }

    fn read_settings(&mut self) {
        self.machine.set_settings(settings::of_primary(self.node));
        let backlog = settings::backlog_bytes(self.node);
        self.node.log.resize(backlog);
        let (hard, _) = limits(self.node);
        self.node.log.set_reader_lag_bytes_max(hard.saturating_add(LAG_MARGIN_BYTES));
    }

    /// Takes over the node's history. Replicas must learn of a new name.
    fn follow_history(&mut self) {
        let now = base::clock::monotonic();
        let history = self.node.replication.state().history;
        let (is_replica, is_up) =
            (self.node.replication.is_replica(), self.node.replication.is_link_up());
        self.machine.set_chained(now, is_replica, is_up);
        if history != *self.machine.history() {
            let renamed = history.replid != self.machine.history().replid;
            self.machine.set_history(history);
            self.machine.set_settings(settings::of_primary(self.node));
            if renamed {
                self.machine.disconnect_all(now, "the replication id has changed");
                self.perform();
            }
            self.links().told = history;
        }
    }

    fn adopt(
        &mut self,
        now: Millis,
        client: u64,
        facts: &ReplicaFacts,
        socket: OwnedFd,
        unread: Vec<u8>,
    ) {
        let Some(info) = self.node.clients.get(client) else { return };
        let link = match ReplicaLink::new(self.node, info, socket, unread) {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!("Cannot take a replica's connection: {error}");
                self.node.clients.remove(client);
                return;
            }
        };
        let (id, end, ip) = (ReplicaId(client), self.node.log.end(), link.ip.clone());
        self.shared.replicas.insert(client, link);
        for (option, value) in &facts.options {
            // An option that was refused was so when it came.
            let _ = self.machine.handle_replconf(now, id, &ip, &[option, value], end);
        }
        let words: Vec<&[u8]> = facts.request.iter().map(Vec::as_slice).collect();
        let answer = match words.split_first() {
            Some((name, words)) if name.eq_ignore_ascii_case(b"psync") => {
                let window = self.node.log.backlog();
                let window = window.map(|held| Window { first: held.first, end: held.end });
                self.machine.handle_psync(now, id, &ip, words, window)
            }
            _ => self.machine.handle_sync(now, id, &ip),
        };
        if let PsyncAnswer::Error(text) = answer {
            self.machine.handle_closed(now, id);
            if let Some(link) = self.links().by_client.get_mut(&client) {
                link.queue(format!("-{text}\r\n").as_bytes());
                link.closing = true;
            }
        }
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            let now = base::clock::monotonic();
            self.changed = true;
            match action {
                Action::Log(level, text) => log_line(level, &text),
                Action::Send(id, bytes) => {
                    if let Some(link) = self.links().by_client.get_mut(&id.0) {
                        link.queue(&bytes);
                    }
                }
                Action::StartStream { id, from } => self.start_stream(now, id, from),
                Action::Cut { cut, replicas, format } => self.cut(now, cut, &replicas, format),
                Action::SendSnapshot { cut, replicas, mark } => {
                    self.send_snapshot(now, cut, &replicas, mark);
                }
                Action::CancelCut(cut) => {
                    if let Some(running) = self.cuts.remove(&cut) {
                        running.cancel();
                        running.discard(self.node);
                    }
                }
                Action::RetainBacklog(bytes) => self.node.log.retain(bytes),
                Action::ReleaseBacklog => self.node.log.release(),
                Action::AppendPing => self.append(&[b"PING"], Halt::Any),
                Action::AppendGetAck => {
                    self.append(&[b"REPLCONF", b"GETACK", b"*"], Halt::BehindReplicas);
                }
                Action::Disconnect { id, flush, reason } => {
                    tracing::debug!("Closing the link to a replica: {reason}");
                    if flush {
                        if let Some(link) = self.links().by_client.get_mut(&id.0) {
                            link.closing = true;
                        }
                    } else {
                        self.close(id.0);
                    }
                }
            }
        }
    }

    /// Appends a command that means the same in every database, if this node is a primary, and not in the
    /// middle of a stop: what the last snapshot lacks, replicas must not have.
    fn append(&self, words: &[&[u8]], halt: Halt) {
        let mut batch = Batch::new();
        batch.keyless(words);
        batch.finish(Framing::Plain);
        self.seat.enter();
        // Whoever begins a stop waits until every seat is empty.
        let is_asking = self.node.stops_at_ms.load(Ordering::Acquire) > 0;
        let stands_still =
            self.node.pause.is_stopping() && !(halt == Halt::BehindReplicas && is_asking);
        if self.node.originates() && !stands_still {
            self.node.log.append(&batch);
        }
        self.seat.leave();
        self.node.hand_over();
    }

    fn start_stream(&mut self, now: Millis, id: ReplicaId, from: Offset) {
        let mut links = self.links();
        let Some(link) = links.by_client.get_mut(&id.0) else { return };
        let held = link.held.take().filter(|reader| reader.position() == from);
        let reader = held.or_else(|| {
            let state = self.node.replication.state();
            let same = state.history.replid == self.machine.history().replid;
            self.node.log.reader(from).ok().filter(|_| same)
        });
        link.stream = reader;
        let is_lost = link.stream.is_none();
        drop(links);
        if is_lost {
            tracing::warn!("The log no longer holds what a replica was promised");
            self.machine.handle_closed(now, id);
            self.close(id.0);
        }
    }

    fn close(&mut self, client: u64) {
        if let Some(link) = self.shared.replicas.remove(client, self.node) {
            link.end();
            self.node.clients.remove(client);
            self.changed = true;
        }
    }

    /// Tells the machine how far snapshots came.
    fn note_progress(&mut self, now: Millis) {
        for (&client, link) in &mut self.links().by_client {
            if link.has_progressed() {
                self.machine.handle_progress(now, ReplicaId(client));
            }
        }
    }

    /// Moves the log to the sockets.
    fn pump(&mut self, now: Millis) {
        let ended = loop {
            let pumped = self.shared.replicas.pump(&mut self.links(), self.node, now);
            match pumped {
                Pumped::HistoryChanged => self.follow_history(),
                Pumped::Sent(ended) => break ended,
            }
        };
        for (client, overcame) in ended {
            let info = self.links().by_client.get(&client).map(|link| Arc::clone(&link.info));
            let Some(info) = info else { continue };
            if overcame {
                tracing::warn!(
                    "Client id={client} addr={} scheduled to be closed ASAP for overcoming of \
                     output buffer limits.",
                    info.address
                );
                let limits = &self.node.stats.output_buffer_limit_disconnections;
                limits.fetch_add(1, Ordering::Relaxed);
            }
            self.machine.handle_closed(now, ReplicaId(client));
            self.close(client);
        }
    }

    /// Tells the node what is known of the replicas.
    fn publish(&mut self, now: Millis) {
        if !self.changed && now.since(self.published) < SLEEP_MAX {
            return;
        }
        (self.changed, self.published) = (false, now);
        let end = self.node.log.end();
        let (mut acked, mut durable) = (Vec::new(), Vec::new());
        let rows = self.machine.rows(now).into_iter().map(|row| {
            let state = match row.state {
                ReplicaState::WaitBgsave => "wait_bgsave",
                ReplicaState::SendBulk => "send_bulk",
                ReplicaState::Online => {
                    acked.push(row.offset);
                    durable.extend(row.durable);
                    "online"
                }
            };
            ReplicaRow {
                host: row.ip,
                port: row.port,
                state,
                offset: row.offset,
                lag_ms: row.lag.0,
                lag_bytes: end.0.saturating_sub(row.offset.0),
            }
        });
        let rows: Vec<_> = rows.collect();
        for offsets in [&mut acked, &mut durable] {
            offsets.sort_unstable_by(|a, b| b.cmp(a));
        }
        let max_lag = self.node.settings.min_replicas_max_lag.get().unsigned_abs() * 1000;
        let good = self.machine.good_replicas(now, Millis(max_lag));
        let heard = acked != self.acked || durable != self.durable;
        self.acked.clone_from(&acked);
        self.durable.clone_from(&durable);
        self.node.replication.publish_replicas(rows, acked, durable, good);
        self.count();
        if good != self.good {
            self.good = good;
            self.node.refresh();
        }
        if heard && self.node.replication.anyone_waits() {
            self.node.wake_loops();
        }
    }

    fn count(&mut self) {
        let (now, before) = (self.machine.counts(), self.counted);
        let stats = &self.node.stats;
        stats.sync_full.fetch_add(now.full - before.full, Ordering::Relaxed);
        stats.sync_partial_ok.fetch_add(now.partial_ok - before.partial_ok, Ordering::Relaxed);
        stats.sync_partial_err.fetch_add(now.partial_err - before.partial_err, Ordering::Relaxed);
        self.counted = now;
    }

    fn wait(&mut self, sleep: Millis) {
        let now = base::clock::monotonic();
        let mut timeout = self.machine.poll_timeout().map_or(sleep, |at| at.since(now)).min(sleep);
        let mut links = self.links();
        if links.any_lent() {
            timeout = timeout.min(SENDING_SLEEP_MAX);
        }
        // What was written since is handed over by whoever wrote it.
        if self.shared.replicas.is_behind(&links) {
            timeout = Millis(0);
        }
        let sockets: Vec<_> =
            links.by_client.iter_mut().map(|(&client, link)| (client, link.watch())).collect();
        drop(links);
        let watches: Vec<_> = sockets
            .iter()
            .map(|(_, (socket, write))| Watch { fd: socket.as_fd(), read: true, write: *write })
            .collect();
        let ready = wake::wait(Some(&self.shared.outbound.wake), &watches, timeout);
        let now = base::clock::monotonic();
        for ((client, _), ready) in sockets.into_iter().zip(ready) {
            if ready.readable {
                self.read(now, client);
            }
        }
    }

    fn read(&mut self, now: Millis, client: u64) {
        let mut links = self.links();
        let Some(link) = links.by_client.get_mut(&client) else { return };
        let (machine, end) = (&mut self.machine, self.node.log.end());
        let id = ReplicaId(client);
        let ip = link.ip.clone();
        let result = link.read(now, |words| {
            if let Some((name, words)) = words.split_first()
                && name.eq_ignore_ascii_case(b"replconf")
            {
                // A replica that follows the stream is told nothing but the stream.
                let _ = machine.handle_replconf(now, id, &ip, words, end);
            }
        });
        drop(links);
        self.changed = true;
        if let Err(error) = result {
            tracing::debug!("A replica's connection has ended: {error}");
            self.machine.handle_closed(now, id);
            self.close(client);
        }
    }

    fn fresh_mark() -> RunId {
        RunId::generate(&mut base::random::Random::from_system())
    }
}
