//! The node's place in replication, as commands and gates see it.
//!
//! The machines that speak PSYNC run in the program's driver; it publishes what they know here after
//! every step. Role changes happen under the gate, with the whole keyspace alone, so that no command
//! that passed the gates as a primary's runs as a replica's.

use crate::nudge::Nudge;
use base::lock::{Mutex, MutexGuard, Rank};
use base::{Millis, Offset, RunId};
use psync::history::History;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// The primary that a replica follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The state of the link to the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected, will try.
    #[default]
    Connect,
    /// The connection is being made, or the handshake is under way.
    Connecting,
    /// A snapshot is coming in.
    Sync,
    /// Following.
    Connected,
}

/// What a replica knows of its link.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The state.
    pub state: LinkState,
    /// Monotonic time of the last bytes.
    pub last_io: Option<Millis>,
    /// Monotonic time since when the link is down.
    pub down_since: Option<Millis>,
    /// Received up to here.
    pub read_offset: Offset,
    /// Snapshot bytes announced (zero if the length is not known), and read.
    pub sync_bytes: (u64, u64),
    /// Monotonic time of the last snapshot byte.
    pub sync_last_io: Option<Millis>,
    /// A first full sync has once been completed, or the data was loaded from disk.
    pub ever_synced: bool,
}

/// One replica of this node.
#[derive(Clone, Debug)]
pub struct ReplicaRow {
    /// Its address as it announced it.
    pub host: String,
    /// Its listening port.
    pub port: u16,
    /// `wait_bgsave`, `send_bulk` or `online`.
    pub state: &'static str,
    /// Acknowledged up to here.
    pub offset: Offset,
    /// Since its last acknowledgement.
    pub lag_ms: u64,
    /// Bytes it has not acknowledged.
    pub lag_bytes: u64,
}

/// What is guarded.
#[derive(Debug)]
pub struct State {
    /// The primary that is followed; `None` at a primary.
    pub primary: Option<Address>,
    /// Replication ids.
    pub history: History,
    /// The link to the primary.
    pub link: Link,
    /// Replicas of this node.
    pub replicas: Vec<ReplicaRow>,
    /// Acknowledged offsets of online replicas, highest first.
    pub acked: Vec<Offset>,
    /// Offsets up to which the files of online replicas are durable that tell it, highest first.
    pub durable: Vec<Offset>,
    /// Replicas within `min-replicas-max-lag`.
    pub good_replicas: usize,
    /// Epoch of the primary this history belongs to (see the handshake between Redoubt nodes).
    pub epoch: u64,
    /// The replica group this node belongs to; zeros while it has none.
    pub group: RunId,
}

/// The node's place in replication.
#[derive(Debug)]
pub struct Replication {
    state: Mutex<State>,
    is_replica: AtomicBool,
    link_up: AtomicBool,
    waiting: AtomicUsize,
    acks_wanted: AtomicBool,
    stream_db: AtomicU32,
    output_buffer_bytes: AtomicUsize,
    nudge: Nudge,
}

impl Replication {
    /// A primary with a fresh history.
    pub fn new(replid: RunId) -> Replication {
        let state = State {
            primary: None,
            history: History::new(replid),
            link: Link::default(),
            replicas: Vec::new(),
            acked: Vec::new(),
            durable: Vec::new(),
            good_replicas: 0,
            epoch: 0,
            group: RunId::zero(),
        };
        Replication {
            state: Mutex::new(Rank::Replication, state),
            is_replica: AtomicBool::new(false),
            link_up: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            acks_wanted: AtomicBool::new(false),
            stream_db: AtomicU32::new(0),
            output_buffer_bytes: AtomicUsize::new(0),
            nudge: Nudge::default(),
        }
    }

    /// The state. Not to be asked for while a shard is locked.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether this node follows another. One load.
    #[inline]
    pub fn is_replica(&self) -> bool {
        self.is_replica.load(Ordering::Acquire)
    }

    /// Whether a replica's link is up.
    pub fn is_link_up(&self) -> bool {
        self.link_up.load(Ordering::Acquire)
    }

    /// Sets the role. Only with the whole keyspace alone.
    pub fn set_primary(&self, primary: Option<Address>) {
        self.is_replica.store(primary.is_some(), Ordering::Release);
        self.link_up.store(false, Ordering::Release);
        self.state.lock().primary = primary;
    }

    /// Publishes the link's state.
    pub fn publish_link(&self, link: Link) {
        self.link_up.store(link.state == LinkState::Connected, Ordering::Release);
        self.state.lock().link = link;
    }

    /// Publishes the replicas.
    pub fn publish_replicas(
        &self,
        rows: Vec<ReplicaRow>,
        acked: Vec<Offset>,
        durable: Vec<Offset>,
        good: usize,
    ) {
        let mut state = self.state.lock();
        state.replicas = rows;
        state.acked = acked;
        state.durable = durable;
        state.good_replicas = good;
    }

    /// How many replicas have acknowledged `offset`.
    pub fn acknowledged(&self, offset: Offset) -> usize {
        self.state.lock().acked.iter().take_while(|&&acked| acked >= offset).count()
    }

    /// At how many replicas the log is durable up to `offset`.
    pub fn durable(&self, offset: Offset) -> usize {
        self.state.lock().durable.iter().take_while(|&&durable| durable >= offset).count()
    }

    /// The database in which the primary's stream stands, at the log's end. It says so only when it
    /// changes, so whoever goes on reading there must know it.
    pub fn stream_db(&self) -> u32 {
        self.stream_db.load(Ordering::Acquire)
    }

    /// Sets the database in which the primary's stream stands.
    pub fn set_stream_db(&self, db: u32) {
        self.stream_db.store(db, Ordering::Release);
    }

    /// Says whom to wake when a session begins to wait: the driver, which asks replicas for
    /// acknowledgements. Once, at start; `nudge` must be quick and take no lock.
    pub fn set_nudge(&self, nudge: Box<dyn Fn() + Send + Sync>) {
        self.nudge.set(nudge);
    }

    /// The memory of all replicas' output buffers, in bytes.
    pub fn output_buffer_bytes(&self) -> usize {
        self.output_buffer_bytes.load(Ordering::Relaxed)
    }

    /// Says what replicas' output buffers take, before they take it.
    pub fn set_output_buffer_bytes(&self, bytes: usize) {
        self.output_buffer_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A session begins or ends to wait for acknowledgements.
    pub fn note_waiting(&self, begins: bool) {
        if begins {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            self.acks_wanted.store(true, Ordering::Release);
            self.nudge.call();
        } else {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether any session waits for acknowledgements.
    pub fn anyone_waits(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Whether replicas should be asked to acknowledge at once; answers true once per wish.
    pub fn take_acks_wanted(&self) -> bool {
        self.acks_wanted.swap(false, Ordering::AcqRel)
    }
}
