//! The driver of replication: runs the PSYNC machines of `psync` against sockets for a node.
//!
//! Two threads, each the only owner of its machine. The *link* thread follows the primary: it connects,
//! has snapshots loaded aside, and applies the stream. The *replicas* thread serves this node's replicas:
//! it takes acknowledgements, makes the cuts of full syncs, and streams the log, if whoever has written
//! has not done so at once ([`Handle::hand_over`]). Loading a snapshot and walking the data for one are
//! threads of their own, which report back. Everybody else speaks to the two through mailboxes
//! ([`Shared`]), which never make the caller wait.
//!
//! Invariants:
//! - The link thread changes data only inside a window or with the keyspace alone, and only after it
//!   has seen there that its *turn* is still the newest: [`Handle::follow`] is called with the keyspace
//!   alone and begins the next turn, so that nothing of an old primary arrives after a promotion.
//! - While the node is a replica, the log's end is what is applied; both move together.
//! - Log and history are replaced together under the lock of `node.replication`. No byte of the log
//!   leaves for a replica before it was seen that the history is still the one the replica was told.
//! - No thread waits for a replica: what a replica has not taken stands in the log, up to the limit of
//!   class `replica`.

mod inbound;
mod outbound;
mod settings;
#[cfg(test)]
mod tests;
mod wake;

use crate::identity::Identity;
use base::lock::{Mutex, Rank};
use engine::Node;
use engine::placement::{Slices, place};
use engine::replication::Address;
use engine::session::ReplicaFacts;
use psync::Level;
use psync::history::History;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::{fmt, io, thread};
use wake::Wake;

/// A thread's mailbox. Its messages are bounded by their causes: connections, role changes, snapshots
/// under way.
struct Inbox<T> {
    messages: Mutex<VecDeque<T>>,
    wake: Wake,
}

impl<T> Inbox<T> {
    fn new() -> io::Result<Inbox<T>> {
        Ok(Inbox { messages: Mutex::new(Rank::Mailbox, VecDeque::new()), wake: Wake::new()? })
    }

    fn send(&self, message: T) {
        self.messages.lock().push_back(message);
        self.wake.wake();
    }

    fn take(&self) -> VecDeque<T> {
        std::mem::take(&mut *self.messages.lock())
    }
}

/// What the threads of the driver share.
struct Shared {
    node: Arc<Node>,
    /// Counts role changes; see the head of this file.
    turn: AtomicU64,
    stopping: AtomicBool,
    inbound: Inbox<inbound::Message>,
    outbound: Inbox<outbound::Message>,
    replicas: outbound::Replicas,
    /// The client id of the link to the primary, 0 while there is none.
    link_client: AtomicU64,
}

impl Shared {
    fn new(node: Arc<Node>) -> io::Result<Shared> {
        let told = node.replication.state().history;
        Ok(Shared {
            node,
            turn: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            inbound: Inbox::new()?,
            outbound: Inbox::new()?,
            replicas: outbound::Replicas::new(told),
            link_client: AtomicU64::new(0),
        })
    }
}

/// The driver, as the server holds it.
pub(crate) struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Starts the driver of `node`, which has loaded its data and follows nobody yet.
///
/// # Errors
/// Those of starting threads.
pub(crate) fn start(node: Arc<Node>, identity: Identity) -> io::Result<Handle> {
    prepare_history(&node, &identity);
    let shared = Arc::new(Shared::new(node)?);
    let by_wait = Arc::clone(&shared);
    shared.node.replication.set_nudge(Box::new(move || by_wait.outbound.wake.wake()));
    let by_file = Arc::clone(&shared);
    shared.node.append_only.set_nudge(Box::new(move || by_file.inbound.wake.wake()));
    let link = spawn("repl-link", &shared, move |shared| inbound::run(shared, identity))?;
    let replicas = spawn("repl-replicas", &shared, outbound::run)?;
    let threads = Mutex::new(Rank::Leaf, vec![link, replicas]);
    Ok(Handle { shared, threads })
}

/// The data that was loaded at the start belongs to a history. A primary may not go on in it, for it
/// may have forgotten the end of it, and begins a new one there. A replica may: as long as nothing is
/// written in the new one, it is the old that it asks to continue ([`resumable`]).
fn prepare_history(node: &Node, identity: &Identity) {
    let mut state = node.replication.state();
    state.epoch = state.epoch.max(identity.epoch);
    state.group = identity.group;
    if state.link.ever_synced {
        let mut random = base::random::Random::from_system();
        state.history.shift(node.log.end(), base::RunId::generate(&mut random));
        node.log.retain(settings::backlog_bytes(node));
    }
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    body: impl FnOnce(&Arc<Shared>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        net::take_slices(Slices::Short);
        place(&[&shared.node.settings.server_cpulist]);
        if catch_unwind(AssertUnwindSafe(|| body(&shared))).is_err() {
            shared.node.incomplete.store(true, Ordering::Release);
            tracing::error!("a replication thread panicked; this node no longer replicates");
        }
    })
}

impl Handle {
    /// Follows `primary`, or nobody. Called with the keyspace alone; never waits.
    pub(crate) fn follow(&self, primary: Option<Address>) {
        let turn = self.shared.turn.fetch_add(1, Ordering::AcqRel) + 1;
        self.shared.inbound.send(inbound::Message::Follow(primary, turn));
        self.shared.outbound.wake.wake();
    }

    /// Hands what was written to the replicas.
    pub(crate) fn hand_over(&self) {
        self.shared.hand_over();
    }

    /// Takes a connection that asks to be a replica.
    pub(crate) fn adopt_replica(
        &self,
        client: u64,
        facts: ReplicaFacts,
        socket: OwnedFd,
        unread: Vec<u8>,
    ) {
        self.shared.outbound.send(outbound::Message::Adopt { client, facts, socket, unread });
    }

    /// Closes the link of that client id.
    pub(crate) fn kill_link(&self, client: u64) {
        if self.shared.link_client.load(Ordering::Acquire) == client {
            self.shared.inbound.send(inbound::Message::Kill);
        } else {
            self.shared.outbound.send(outbound::Message::Kill(client));
        }
    }

    /// Reads settings anew.
    pub(crate) fn settings_changed(&self) {
        self.shared.inbound.send(inbound::Message::Settings);
        self.shared.outbound.send(outbound::Message::Settings);
    }

    /// Ends the driver's threads, after replicas were sent what is in the log already.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.inbound.wake.wake();
        self.shared.outbound.wake.wake();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn log_line(level: Level, text: &str) {
    match level {
        Level::Notice => tracing::info!("{text}"),
        Level::Warning => tracing::warn!("{text}"),
    }
}

/// The history whose name tells most about what this node holds, of those a primary may know: one that
/// began exactly at our end says nothing that the one before does not say.
fn resumable(history: &History, end: base::Offset) -> base::RunId {
    if history.second_offset == Some(end) { history.replid2 } else { history.replid }
}
