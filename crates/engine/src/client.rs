//! What the node knows of each connection: the registry behind CLIENT LIST, INFO and KILL.
//!
//! The loop that owns a connection writes these facts with relaxed stores; everybody may read them.

use base::Millis;
use base::lock::{Mutex, Rank};
use conf::ClassLimit;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The class of a connection, for output limits, CLIENT LIST TYPE and CLIENT KILL TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A client.
    Normal,
    /// One that subscribes.
    PubSub,
    /// A replica of this node.
    Replica,
    /// The link to this node's primary.
    Primary,
}

/// Names a client gives itself.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub library: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Vec<u8>,
}

/// Facts of one connection.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are those of CLIENT LIST")]
pub struct ClientInfo {
    pub id: u64,
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    /// The loop that owns it.
    pub loop_index: usize,
    /// Monotonic.
    pub created: Millis,
    pub last_interaction: AtomicU64,
    pub db: AtomicU32,
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub shard_channels: AtomicU32,
    /// Queued commands, or `u32::MAX` outside MULTI.
    pub queued: AtomicU32,
    pub queued_bytes: AtomicUsize,
    pub watching: AtomicU32,
    pub query_buffer: AtomicUsize,
    pub query_buffer_free: AtomicUsize,
    pub output_bytes: AtomicUsize,
    /// Room of the output buffer.
    pub output_room: AtomicUsize,
    pub total_in: AtomicU64,
    pub total_out: AtomicU64,
    /// Commands it has run.
    pub commands: AtomicU64,
    /// Bytes it holds in all, as last counted.
    pub memory: AtomicUsize,
    /// Statistics place of the last command, `usize::MAX` before the first.
    pub last_command: AtomicUsize,
    pub resp3: AtomicBool,
    pub blocked: AtomicBool,
    pub waits_for_copies: AtomicBool,
    pub closing: AtomicBool,
    pub no_evict: AtomicBool,
    pub no_touch: AtomicBool,
    pub monitors: AtomicBool,
    /// Client side caching (`tracking::flag`).
    pub tracking: AtomicU32,
    /// Who is told instead, if not 0.
    pub redirect: AtomicU64,
    pub unix_socket: bool,
    /// A link that has been handed to the replication driver as a replica.
    pub replica: AtomicBool,
    /// The link to this node's primary.
    pub primary: bool,
    pub names: Mutex<Names>,
}

impl ClientInfo {
    /// The class.
    pub fn class(&self) -> Class {
        if self.primary {
            Class::Primary
        } else if self.replica.load(Ordering::Relaxed) {
            Class::Replica
        } else if self.subscribes() {
            Class::PubSub
        } else {
            Class::Normal
        }
    }

    /// The limit of its output, by class.
    pub fn output_limit(&self, limits: &[ClassLimit; 3]) -> ClassLimit {
        limits[match self.class() {
            Class::Normal => 0,
            Class::Replica | Class::Primary => 1,
            Class::PubSub => 2,
        }]
    }

    /// Whether a bit of `tracking::flag` is set.
    #[inline]
    pub fn tracks(&self, flag: u32) -> bool {
        self.tracking.load(Ordering::Relaxed) & flag != 0
    }

    /// Whether it subscribes to anything.
    pub fn subscribes(&self) -> bool {
        let counts = [&self.channels, &self.patterns, &self.shard_channels];
        counts.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }
}

/// Where a new connection comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `ip:port`, or the socket's path and `:0`.
    pub address: String,
    /// Our end, in the same form.
    pub local_address: String,
    /// The file descriptor's number.
    pub fd: i32,
    /// The owning loop.
    pub loop_index: usize,
    /// Over a unix socket.
    pub unix_socket: bool,
    /// The link to this node's primary.
    pub primary: bool,
}

/// All connections.
#[derive(Debug)]
pub struct Clients {
    by_id: Mutex<BTreeMap<u64, Arc<ClientInfo>>>,
    next_id: AtomicU64,
    count: AtomicUsize,
    /// Bytes that all hold.
    memory: AtomicUsize,
    /// Connections ever accepted.
    pub accepted: AtomicU64,
    /// Connections refused for `maxclients`.
    pub rejected: AtomicU64,
    /// Connections closed because all together held too much.
    pub evicted: AtomicU64,
}

impl Default for Clients {
    fn default() -> Clients {
        Clients {
            by_id: Mutex::new(Rank::Clients, BTreeMap::new()),
            next_id: AtomicU64::new(1),
            count: AtomicUsize::new(0),
            memory: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Clients {
    /// Registers a connection.
    pub fn add(&self, origin: Origin) -> Arc<ClientInfo> {
        let now = base::clock::monotonic();
        let info = Arc::new(ClientInfo {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            address: origin.address,
            local_address: origin.local_address,
            fd: origin.fd,
            loop_index: origin.loop_index,
            created: now,
            last_interaction: AtomicU64::new(now.0),
            db: AtomicU32::new(0),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            shard_channels: AtomicU32::new(0),
            queued: AtomicU32::new(u32::MAX),
            queued_bytes: AtomicUsize::new(0),
            watching: AtomicU32::new(0),
            query_buffer: AtomicUsize::new(0),
            query_buffer_free: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            output_room: AtomicUsize::new(0),
            total_in: AtomicU64::new(0),
            total_out: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            memory: AtomicUsize::new(0),
            last_command: AtomicUsize::new(usize::MAX),
            resp3: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            waits_for_copies: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            monitors: AtomicBool::new(false),
            tracking: AtomicU32::new(0),
            redirect: AtomicU64::new(0),
            unix_socket: origin.unix_socket,
            replica: AtomicBool::new(false),
            primary: origin.primary,
            names: Mutex::new(Rank::Leaf, Names::default()),
        });
        self.by_id.lock().insert(info.id, Arc::clone(&info));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(u64::from(!info.primary), Ordering::Relaxed);
        info
    }

    /// Says how many bytes a connection holds now.
    pub fn set_memory(&self, client: &ClientInfo, bytes: usize) {
        let before = client.memory.swap(bytes, Ordering::Relaxed);
        if before != bytes {
            self.memory.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// Bytes that all connections hold.
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// Takes connections out, the largest first, until the rest holds no more than `limit` bytes.
    /// Their loops have to close them. Not one that asked to be spared, nor a link of replication.
    pub fn evict(&self, limit: usize) -> Vec<Arc<ClientInfo>> {
        // One thread at a time, or each would take out what is enough.
        let mut by_id = self.by_id.lock();
        let mut all: Vec<Arc<ClientInfo>> = by_id.values().cloned().collect();
        all.retain(|client| {
            let spared = client.no_evict.load(Ordering::Relaxed);
            let closing = client.closing.load(Ordering::Relaxed);
            !spared && !closing && matches!(client.class(), Class::Normal | Class::PubSub)
        });
        all.sort_by_key(|client| std::cmp::Reverse(client.memory.load(Ordering::Relaxed)));
        let mut evicted = Vec::new();
        for client in all {
            if self.memory() <= limit {
                break;
            }
            client.closing.store(true, Ordering::Relaxed);
            self.set_memory(&client, 0);
            by_id.remove(&client.id);
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.evicted.fetch_add(1, Ordering::Relaxed);
            evicted.push(client);
        }
        evicted
    }

    /// Forgets a connection.
    pub fn remove(&self, id: u64) {
        if self.by_id.lock().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The connection of that id.
    pub fn get(&self, id: u64) -> Option<Arc<ClientInfo>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// All connections, by id.
    pub fn all(&self) -> Vec<Arc<ClientInfo>> {
        self.by_id.lock().values().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}
