//! Sends migrating keys to other servers, on threads of its own.
//!
//! A few threads ([`LANES_MAX`]), made when they are needed, each with its own connections, which it keeps
//! for a while, and with a worker for the second half of MIGRATE. A migration goes to the lane with the
//! fewest; so one target that hangs holds back only those that share its lane, by their timeouts.
//!
//! AUTH and SELECT are answered before any key is sent: a key must not land in another database than the
//! one that was asked for.

use base::Millis;
use base::lock::{Mutex, Rank};
use engine::Node;
use engine::migration::{Delivery, Migration, Target};
use engine::pipeline::Worker;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use wireclient::{Address, Client, ClientError};

/// Threads that send.
const LANES_MAX: usize = 4;
/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_secs(10);

const CONNECTING: &str = "IOERR error or timeout connecting to the client";
const WRITING: &str = "IOERR error or timeout writing to target instance";
const READING: &str = "IOERR error or timeout reading to target instance";

/// The lanes of a server.
#[derive(Debug)]
pub(crate) struct Migrator {
    node: Weak<Node>,
    lanes: Mutex<Vec<Lane>>,
}

#[derive(Debug)]
struct Lane {
    sender: Sender<Box<Migration>>,
    queued: Arc<AtomicUsize>,
}

impl Migrator {
    /// Without lanes, for now.
    pub(crate) fn new(node: &Arc<Node>) -> Migrator {
        Migrator { node: Arc::downgrade(node), lanes: Mutex::new(Rank::Leaf, Vec::new()) }
    }

    /// Takes a migration on.
    ///
    /// # Errors
    /// The migration, if there is no thread for it.
    pub(crate) fn begin(&self, migration: Box<Migration>) -> Result<(), Box<Migration>> {
        let mut lanes = self.lanes.lock();
        let is_idle = |lane: &Lane| lane.queued.load(Ordering::Acquire) == 0;
        if lanes.len() < LANES_MAX
            && !lanes.iter().any(is_idle)
            && let Some(node) = self.node.upgrade()
        {
            let index = lanes.len();
            lanes.extend(start(node, index));
        }
        let free = lanes.iter().min_by_key(|lane| lane.queued.load(Ordering::Acquire));
        let Some(lane) = free else { return Err(migration) };
        lane.queued.fetch_add(1, Ordering::AcqRel);
        lane.sender.send(migration).map_err(|refused| refused.0)
    }
}

fn start(node: Arc<Node>, index: usize) -> Option<Lane> {
    let (sender, jobs) = channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let lane = Lane { sender, queued: Arc::clone(&queued) };
    let body = move || {
        let Some(mut worker) = Worker::new(&node) else {
            return tracing::error!("no seat is left for a thread that migrates keys");
        };
        serve(&mut worker, &jobs, &queued);
    };
    let started = std::thread::Builder::new().name(format!("migrate-{index}")).spawn(body);
    if let Err(error) = &started {
        tracing::warn!("cannot start a thread that migrates keys: {error}");
    }
    started.is_ok().then_some(lane)
}

/// Carries migrations out until there will be no more.
fn serve(worker: &mut Worker<'_>, jobs: &Receiver<Box<Migration>>, queued: &AtomicUsize) {
    let mut kept = Connections::default();
    loop {
        match jobs.recv_timeout(KEPT) {
            Ok(migration) => {
                let delivered = catch_unwind(AssertUnwindSafe(|| kept.deliver(&migration)));
                let delivery = delivered.unwrap_or_else(|_| Delivery::failed(READING));
                kept.publish(worker.node());
                worker.enter();
                worker.finish_migration(&migration, delivery);
                worker.leave();
                queued.fetch_sub(1, Ordering::AcqRel);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        kept.forget_idle();
        kept.publish(worker.node());
    }
}

/// A connection's peer: where, and as whom.
type Peer = (String, u16, Option<(Option<Vec<u8>>, Vec<u8>)>);

#[derive(Debug)]
struct Kept {
    client: Client,
    db: i64,
    used_at: Millis,
}

/// The connections of a lane.
#[derive(Debug, Default)]
struct Connections {
    open: HashMap<Peer, Kept>,
    /// How many of them the node counts.
    published: usize,
}

/// What stops a delivery.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The connection is of no more use, for this reason; a fresh one may be.
    Lost(&'static str),
    /// Another attempt would end the same way.
    Final(String),
}

fn target_said(text: &str) -> String {
    format!("ERR Target instance replied with error: {text}")
}

fn writing(error: &ClientError) -> Failure {
    lost(error, WRITING)
}

fn reading(error: &ClientError) -> Failure {
    lost(error, READING)
}

fn lost(error: &ClientError, text: &'static str) -> Failure {
    match error {
        ClientError::TimedOut => Failure::Final(text.to_owned()),
        _ => Failure::Lost(text),
    }
}

impl Connections {
    /// Lets the node count the connections.
    fn publish(&mut self, node: &Node) {
        let before = std::mem::replace(&mut self.published, self.open.len());
        node.moves.sockets.fetch_add(self.published, Ordering::Relaxed);
        node.moves.sockets.fetch_sub(before, Ordering::Relaxed);
    }

    fn forget_idle(&mut self) {
        let now = base::clock::monotonic();
        let kept_ms = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        self.open.retain(|_, kept| now.since(kept.used_at).0 < kept_ms);
    }

    /// Sends the keys; tells which of them the target has taken.
    fn deliver(&mut self, migration: &Migration) -> Delivery {
        let mut delivery = Delivery::default();
        let target = &migration.target;
        let peer = (target.host.clone(), target.port, target.login.clone());
        let known = self.open.remove(&peer);
        let was_kept = known.is_some();
        let mut result = self.attempt(&peer, known, migration, &mut delivery);
        // A kept connection may have been closed by the target: nothing has come of it then.
        if was_kept && matches!(result, Err(Failure::Lost(_))) && delivery == Delivery::default() {
            result = self.attempt(&peer, None, migration, &mut delivery);
        }
        if let Err(failure) = result {
            delivery.error = Some(match failure {
                Failure::Lost(text) => text.to_owned(),
                Failure::Final(text) => text,
            });
        }
        delivery
    }

    fn attempt(
        &mut self,
        peer: &Peer,
        kept: Option<Kept>,
        migration: &Migration,
        delivery: &mut Delivery,
    ) -> Result<(), Failure> {
        let target = &migration.target;
        let timeout = Some(Duration::from_millis(target.timeout.0));
        let mut kept = match kept {
            Some(kept) => kept,
            None => connect(target, timeout)?,
        };
        let client = &mut kept.client;
        client.set_timeout(timeout).map_err(|error| writing(&error))?;
        // Each time anew: the password may not be the right one any more.
        match &target.login {
            Some((Some(user), password)) => ask(client, &[b"AUTH", user, password])?,
            Some((None, password)) => ask(client, &[b"AUTH", password])?,
            None => {}
        }
        if kept.db != target.db {
            ask(client, &[b"SELECT", target.db.to_string().as_bytes()])?;
            kept.db = target.db;
        }
        for parcel in &migration.parcels {
            let ttl = parcel.ttl_ms.to_string();
            let mut words = vec![b"RESTORE", &*parcel.key, ttl.as_bytes(), &parcel.payload];
            words.extend(target.replace.then_some(&b"REPLACE"[..]));
            client.send(&words).map_err(|error| writing(&error))?;
        }
        client.flush().map_err(|error| writing(&error))?;
        for parcel in &migration.parcels {
            let reply = client.receive().map_err(|error| reading(&error))?;
            match reply.as_error() {
                Some(text) if delivery.error.is_none() => {
                    delivery.error = Some(target_said(&text));
                }
                Some(_) => {}
                None => delivery.taken.push(parcel.key.clone()),
            }
        }
        kept.used_at = base::clock::monotonic();
        self.open.insert(peer.clone(), kept);
        Ok(())
    }
}

fn connect(target: &Target, timeout: Option<Duration>) -> Result<Kept, Failure> {
    let address = Address::tcp(&*target.host, target.port);
    let client = Client::connect(&address, timeout).map_err(|error| {
        // Without an error of the system, the name could not be resolved.
        let reached_for = match &error {
            ClientError::Connect { source, .. } => {
                source.raw_os_error().is_some() || source.kind() == std::io::ErrorKind::TimedOut
            }
            _ => true,
        };
        Failure::Final(if reached_for { WRITING } else { CONNECTING }.to_owned())
    })?;
    Ok(Kept { client, db: 0, used_at: base::clock::monotonic() })
}

/// A request that has to succeed before any key is sent.
fn ask(client: &mut Client, words: &[&[u8]]) -> Result<(), Failure> {
    client.send(words).and_then(|()| client.flush()).map_err(|error| writing(&error))?;
    let reply = client.receive().map_err(|error| reading(&error))?;
    match reply.as_error() {
        Some(text) => Err(Failure::Final(target_said(&text))),
        None => Ok(()),
    }
}
