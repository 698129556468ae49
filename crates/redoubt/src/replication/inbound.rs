//! The link thread: follows the primary.
//!
//! It owns the machine of a replica, the socket to the primary, and the worker that applies the stream.
//! A turn takes messages, lets the machine do what is due, performs its actions, publishes what is known
//! of the link, and waits. Nothing here waits for anything but the gate and shards, for an instant, and
//! for a name to be resolved, as in stock.

mod connection;
mod loading;
mod stream;

use super::{Shared, log_line, resumable, settings, wake};
use crate::identity::Identity;
use base::{Millis, Offset, RunId};
use connection::Connection;
use engine::Node;
use engine::pipeline::Worker;
use engine::placement::place;
use engine::replication::{Address, Link, LinkState};
use engine::snapshot::Dataset;
use loading::Load;
use psync::Replica;
use psync::history::History;
use psync::replica::{Action, ReplicaSettings, Resume};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stream::{Fed, Stream};

/// The longest sleep, in milliseconds.
const SLEEP_MS_MAX: Millis = Millis(1000);
/// The longest sleep while the log is full.
const FULL_SLEEP_MS: Millis = Millis(10);
/// How long the order to follow a primary of an older epoch of our group must stand before it is
/// obeyed although it costs our data. An order from a sentinel that slept through a failover is taken
/// back within this time; one that stands is meant.
const GUARD_PERIOD: Millis = Millis(10_000);
/// Bytes read from the primary at once.
const READ_BYTES_MAX: usize = 256 << 10;

/// What the thread is told.
pub(super) enum Message {
    /// Follow this primary, or nobody, from that turn on.
    Follow(Option<Address>, u64),
    /// Close the link; it is opened again.
    Kill,
    /// Read settings anew.
    Settings,
    /// The snapshot of that number was read, or could not be.
    Loaded(u64, Result<Box<Dataset>, String>),
}

struct Inbound<'n> {
    shared: &'n Arc<Shared>,
    node: &'n Node,
    machine: Replica,
    identity: Identity,
    /// The turn in which the machine follows whom it follows.
    turn: u64,
    connection: Option<Connection>,
    stream: Stream<'n>,
    load: Option<Load>,
    loads: u64,
    /// What the snapshot under way will make of us.
    announced: Option<(RunId, Offset)>,
    /// The data is not that of the history: a command of the stream could not be applied.
    damaged: bool,
    /// How many full syncs were refused for the primary's age, and since when.
    refused: (u64, Option<Millis>),
    was_up: bool,
    sync_last_io: Option<Millis>,
}

/// The thread's body.
pub(super) fn run(shared: &Arc<Shared>, identity: Identity) {
    let node = &*shared.node;
    let Some(worker) = Worker::new(node) else {
        tracing::error!("no seat is left for the link to the primary");
        return;
    };
    let mut inbound = Inbound {
        shared,
        node,
        machine: Replica::new(settings::of_replica(node)),
        identity,
        turn: 0,
        connection: None,
        stream: Stream::new(worker),
        load: None,
        loads: 0,
        announced: None,
        damaged: false,
        refused: (0, None),
        was_up: false,
        sync_last_io: None,
    };
    while !shared.stopping.load(Ordering::Acquire) {
        inbound.take_messages();
        let now = base::clock::monotonic();
        if inbound.machine.poll_timeout().is_some_and(|at| at <= now) {
            inbound.machine.handle_timeout(now);
        }
        inbound.tell_durable(now);
        inbound.perform();
        inbound.weigh_refusals(now);
        inbound.publish();
        inbound.wait();
    }
    inbound.disconnect();
}

impl Inbound<'_> {
    /// Tells the machine how far our append-only file is durable.
    fn tell_durable(&mut self, now: Millis) {
        if let Some(offset) = self.machine.owes_durable() {
            // The writer wakes this thread then, unless it has come that far already.
            self.node.append_only.tell_when_durable(offset);
        }
        self.machine.handle_durable(now, self.node.append_only.durable());
    }

    fn take_messages(&mut self) {
        for message in self.shared.inbound.take() {
            let now = base::clock::monotonic();
            match message {
                Message::Follow(primary, turn) => self.follow(now, primary, turn),
                Message::Kill => {
                    if self.connection.is_some() {
                        self.machine.handle_closed(now, "killed");
                    }
                }
                Message::Settings => {
                    self.machine.set_settings(settings::of_replica(self.node));
                    self.node.log.resize(settings::backlog_bytes(self.node));
                }
                Message::Loaded(number, loaded) => self.take_loaded(now, number, loaded),
            }
            self.perform();
        }
    }

    fn follow(&mut self, now: Millis, primary: Option<Address>, turn: u64) {
        if self.shared.turn.load(Ordering::Acquire) != turn {
            // The role has changed again; that message is on its way.
            return;
        }
        self.turn = turn;
        self.refused.1 = None;
        let (history, epoch, ever_synced) = {
            let state = self.node.replication.state();
            (state.history, state.epoch, state.link.ever_synced)
        };
        if self.identity.epoch != epoch {
            self.identity.epoch = epoch;
            self.keep_identity();
        }
        self.machine.set_settings(settings::of_replica(self.node));
        let Some(primary) = primary else {
            self.machine.unfollow();
            self.damaged = false;
            return;
        };
        let end = self.node.log.end();
        let holds = !self.damaged && (end > Offset(0) || ever_synced);
        let resume = holds.then(|| Resume { replid: resumable(&history, end), applied: end });
        self.machine.set_holds_data(self.holds_keys());
        self.machine.follow(now, &primary.host, primary.port, resume);
    }

    /// Ends the guard against older primaries when the order to follow one has stood for long enough.
    fn weigh_refusals(&mut self, now: Millis) {
        let refused = self.machine.refused();
        if refused == self.refused.0 {
            return;
        }
        self.refused.0 = refused;
        let since = *self.refused.1.get_or_insert(now);
        if now.since(since) >= GUARD_PERIOD {
            tracing::warn!("The order to follow an older primary stands: our data gives way");
            self.machine
                .set_settings(ReplicaSettings { guard: false, ..settings::of_replica(self.node) });
        }
    }

    fn holds_keys(&self) -> bool {
        let mut keys = 0;
        self.node.keyspace.each_shard(|_, shard| {
            keys += shard.dbs().map(|(_, db)| db.len()).sum::<usize>();
        });
        keys > 0
    }

    fn is_current(&self) -> bool {
        self.shared.turn.load(Ordering::Acquire) == self.turn
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            let now = base::clock::monotonic();
            match action {
                Action::Log(level, text) => log_line(level, &text),
                Action::Connect { host, port } => self.connect(now, &host, port),
                Action::Send(bytes) => {
                    if let Some(connection) = &mut self.connection
                        && let Err(error) = connection.send(&bytes)
                    {
                        self.machine.handle_closed(now, &error.to_string());
                    }
                }
                Action::Persist { epoch } => {
                    self.identity.epoch = epoch;
                    self.node.replication.state().epoch = epoch;
                    self.keep_identity();
                }
                Action::StartSnapshot { replid, offset, .. } => {
                    self.announced = Some((replid, offset));
                    self.loads += 1;
                    self.load = Load::start(self.shared, self.loads);
                }
                Action::SnapshotBytes(bytes) => {
                    self.sync_last_io = Some(now);
                    if let Some(load) = &self.load {
                        load.push(bytes);
                    }
                }
                Action::EndSnapshot => match &mut self.load {
                    Some(load) => load.end(),
                    None => self.fail_load(now),
                },
                Action::AbortSnapshot => {
                    self.load = None;
                    self.announced = None;
                }
                Action::Continue { replid } => self.go_on_under(replid),
                Action::Stream(bytes) => self.feed(now, &bytes),
                Action::Disconnect { .. } => self.disconnect(),
            }
        }
    }

    fn connect(&mut self, now: Millis, host: &str, port: u16) {
        self.disconnect();
        match Connection::open(self.node, host, port) {
            Ok(connection) => {
                let client = connection.info().id;
                self.stream.begin(connection.info());
                self.connection = Some(connection);
                self.shared.link_client.store(client, Ordering::Release);
            }
            Err(error) => self.machine.handle_closed(now, &error.to_string()),
        }
    }

    fn disconnect(&mut self) {
        self.stream.end();
        if let Some(connection) = self.connection.take() {
            self.shared.link_client.store(0, Ordering::Release);
            self.node.clients.remove(connection.info().id);
        }
    }

    fn feed(&mut self, now: Millis, bytes: &[u8]) {
        self.node.stats.repl_bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let (shared, turn) = (self.shared, self.turn);
        let current = || shared.turn.load(Ordering::Acquire) == turn;
        match self.stream.feed(now, bytes, &mut self.machine, &current) {
            Fed::Applied => {}
            // The message that says so comes next; until then the bytes are nobody's.
            Fed::Overtaken => self.stream.end(),
            Fed::Failed(error) => {
                tracing::error!("The primary's stream cannot be applied: {error}");
                self.stream.end();
                self.damaged = true;
                self.machine.handle_apply_failed(now, &error);
            }
        }
        self.node.hand_over();
    }

    /// The primary continues our history, perhaps under another name from here on.
    fn go_on_under(&mut self, replid: RunId) {
        let alone = self.node.keyspace.gate.exclusive();
        if !self.is_current() {
            return;
        }
        let mut state = self.node.replication.state();
        let (end, mut history) = (self.node.log.end(), state.history);
        if history.second_offset == Some(end) && history.replid != replid {
            // We began a history of our own here and wrote nothing in it: it never was.
            history = History::new(history.replid2);
        }
        if history.replid != replid {
            history.shift(end, replid);
        }
        state.history = history;
        state.link.ever_synced = true;
        self.node.log.retain(settings::backlog_bytes(self.node));
        drop(state);
        drop(alone);
        self.shared.outbound.wake.wake();
    }

    fn fail_load(&mut self, now: Millis) {
        self.machine.handle_loaded(now, Err("cannot start the loader".to_owned()));
    }

    fn take_loaded(&mut self, now: Millis, number: u64, loaded: Result<Box<Dataset>, String>) {
        if self.load.as_ref().is_none_or(|load| load.number != number) {
            // Given up meanwhile.
            return;
        }
        let is_ended = self.load.as_ref().is_some_and(Load::is_ended);
        self.load = None;
        match loaded {
            Ok(dataset) if is_ended => self.install(now, *dataset),
            // The snapshot ended before its envelope did: the rest is not a snapshot of anything.
            Ok(_) => self.machine.handle_closed(now, "the snapshot is shorter than announced"),
            Err(error) if is_ended => self.machine.handle_loaded(now, Err(error)),
            Err(error) => {
                tracing::warn!("Failed trying to load the MASTER synchronization DB: {error}");
                self.machine.handle_closed(now, &error);
            }
        }
    }

    /// Puts what was loaded in the place of the data.
    fn install(&mut self, now: Millis, dataset: Dataset) {
        let Some((replid, offset)) = self.announced.take() else { return };
        let (keys, stream_db) = (dataset.keys, dataset.stream_db);
        let peer = self.machine.syncing_with();
        self.node.saves.abort();
        let alone = self.node.keyspace.gate.exclusive();
        if !self.is_current() {
            return;
        }
        let old = dataset.install(self.node, &alone);
        self.node.tracking.flush(self.node);
        {
            let mut state = self.node.replication.state();
            state.history = History::new(replid);
            state.link.ever_synced = true;
            self.node.log.reset(offset);
            self.node.append_only.history_replaced(self.node);
            self.node.replication.set_stream_db(stream_db);
            self.node.log.retain(settings::backlog_bytes(self.node));
            if let Some(group) = peer.and_then(|peer| peer.group)
                && group != self.identity.group
            {
                state.group = group;
                state.epoch = peer.and_then(|peer| peer.epoch).unwrap_or(0);
                (self.identity.group, self.identity.epoch) = (group, state.epoch);
            }
        }
        self.node.changes.fetch_add(keys.max(1), Ordering::AcqRel);
        drop(alone);
        // Freeing takes time that the link has not; if no thread is to be had, it takes it here.
        let shared = Arc::clone(self.shared);
        let free = move || {
            place(&[&shared.node.settings.bio_cpulist]);
            drop(old);
        };
        let _ = std::thread::Builder::new().name("freer".into()).spawn(free);
        self.keep_identity();
        self.machine.set_settings(settings::of_replica(self.node));
        self.damaged = false;
        self.refused.1 = None;
        self.stream.go_on_in(stream_db);
        self.shared.outbound.send(super::outbound::Message::Settings);
        self.machine.handle_loaded(now, Ok(()));
    }

    fn keep_identity(&self) {
        if let Err(error) = self.identity.save() {
            tracing::error!("cannot keep the node's identity: {error}");
        }
    }

    /// Tells the node what is known of the link.
    fn publish(&mut self) {
        if !self.is_current() {
            return;
        }
        let facts = self.machine.facts(base::clock::monotonic());
        let state = match facts.state {
            psync::replica::LinkState::None | psync::replica::LinkState::Connect => {
                LinkState::Connect
            }
            psync::replica::LinkState::Connecting | psync::replica::LinkState::Handshake => {
                LinkState::Connecting
            }
            psync::replica::LinkState::Sync => LinkState::Sync,
            psync::replica::LinkState::Connected => LinkState::Connected,
        };
        let ever_synced = self.node.replication.state().link.ever_synced;
        let bytes = |number: i64| u64::try_from(number).unwrap_or(0);
        self.node.replication.publish_link(Link {
            state,
            last_io: Some(self.machine.last_io()),
            down_since: self.machine.down_since(),
            read_offset: facts.read_offset,
            sync_bytes: (bytes(facts.sync_total_bytes), bytes(facts.sync_read_bytes)),
            sync_last_io: self.sync_last_io,
            ever_synced,
        });
        let up = state == LinkState::Connected;
        if up != self.was_up {
            self.was_up = up;
            self.node.refresh();
            self.node.wake_loops();
            self.shared.outbound.wake.wake();
        }
    }

    fn wait(&mut self) {
        let now = base::clock::monotonic();
        let due = self.machine.poll_timeout().map_or(SLEEP_MS_MAX, |at| at.since(now));
        // A file of ours lacks too much: the primary's bytes wait in the socket.
        let is_full = self.node.is_full();
        let timeout = due.min(if is_full { FULL_SLEEP_MS } else { SLEEP_MS_MAX });
        let has_room = !is_full && self.load.as_ref().is_none_or(Load::has_room);
        let read = self.machine.wants_bytes() && has_room;
        let Some(connection) = &mut self.connection else {
            wake::wait(Some(&self.shared.inbound.wake), &[], timeout);
            return;
        };
        let watch = connection.watch(read);
        let ready = wake::wait(Some(&self.shared.inbound.wake), &[watch], timeout);
        let Some(ready) = ready.first().copied() else { return };
        let now = base::clock::monotonic();
        if ready.writable {
            match connection.write() {
                Ok(true) => self.machine.handle_connected(now),
                Ok(false) => {}
                Err(error) => return self.machine.handle_closed(now, &error.to_string()),
            }
        }
        if ready.readable {
            match connection.read(READ_BYTES_MAX) {
                Ok(Some(bytes)) => self.machine.handle_bytes(now, &bytes),
                Ok(None) => {}
                Err(error) => self.machine.handle_closed(now, &error.to_string()),
            }
        }
    }
}
