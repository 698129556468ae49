//! The node: everything that its threads share, as one value that is passed to whoever needs it.

use crate::access::{self, AccessClock, Lfu};
use crate::append_only::AppendOnly;
use crate::barrier::Barrier;
use crate::blocking::{Waiters, Waiting};
use crate::client::{ClientInfo, Clients};
use crate::command::{Command, CommandTable};
use crate::commandlog::CommandLogs;
use crate::defrag::Defrag;
use crate::functions::Functions;
use crate::gates;
use crate::hotkeys::HotKeys;
use crate::keys;
use crate::latency::Latency;
use crate::lazyfree::LazyFree;
use crate::loading::Loading;
use crate::mailbox::{Answer, Mailbox, Message};
use crate::memory::Memory;
use crate::migration::{Migration, Moves};
use crate::monitor::Monitors;
use crate::pause::{Extent, Pause};
use crate::placement::Slices;
use crate::pubsub::PubSub;
use crate::replication::{Address, Replication};
use crate::session::ReplicaFacts;
use crate::snapshot::{Saves, WalkQueues};
use crate::stats::Stats;
use crate::tracking::Tracking;
use base::disk::{Disk, SystemDisk};
use base::lock::{Mutex, Rank};
use base::random::Random;
use base::{Millis, Offset, RunId};
use conf::{Endpoint, RewriteContext, Settings};
use keyspace::{Exclusive, Keyspace};
use oplog::{Log, Mode};
use rdb::ModuleData;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::{fmt, io};

/// Threads that touch the keyspace besides the loops: the replication link, walks, the saver.
const THREADS_BESIDE_LOOPS: usize = 16;

/// How SHUTDOWN is to be done.
#[derive(Clone, Debug, Default)]
pub struct ShutdownRequest {
    /// SAVE or NOSAVE; neither means "if there are save rules".
    pub save: Option<bool>,
    /// Do not wait for replicas.
    pub now: bool,
    /// Go on even if saving fails.
    pub force: bool,
    /// The client that asked, and its loop, to be told if it fails.
    pub asked_by: Option<(u64, usize)>,
}

/// A setting whose new value cannot be had, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub name: &'static str,
    /// The text of why.
    pub text: String,
}

/// What the engine wants of the program around it.
pub trait Services: Send + Sync {
    /// The role has changed: follow `primary`, or nobody.
    fn follow(&self, primary: Option<Address>);
    /// Hands what was written to the log to replicas, or sees to it that another thread does. Does not wait.
    fn hand_over(&self);
    /// A connection asks to be a replica: it leaves its loop. `unread` was read but not parsed.
    fn adopt_replica(&self, client: u64, facts: ReplicaFacts, socket: OwnedFd, unread: Vec<u8>);
    /// Closes replica connections by client id; CLIENT KILL of a replica or of the primary's link.
    fn kill_link(&self, client: u64);
    /// Stops the server; comes back to a session only if it fails.
    fn shut_down(&self, request: ShutdownRequest);
    /// Ends a SHUTDOWN that waits; false if there is none.
    fn abort_shutdown(&self) -> bool;
    /// Settings have changed at run time; does what must be done beyond storing them.
    ///
    /// # Errors
    /// The first that cannot be had.
    fn settings_changed(&self, names: &[&str]) -> Result<(), Refused>;
    /// Has the calling thread run in such slices, where the kernel grants them.
    fn take_slices(&self, _slices: Slices) {}
    /// Sends keys to another server, then calls [`crate::pipeline::Worker::finish_migration`]; does not wait.
    ///
    /// # Errors
    /// The migration, if nobody can take it.
    fn migrate(&self, migration: Box<Migration>) -> Result<(), Box<Migration>> {
        Err(migration)
    }
    /// CONFIG REWRITE. The program may be the file's one writer (it is if a sentinel keeps its state
    /// there); `None` if the command is to write the file itself.
    fn rewrite_settings(&self, _context: &RewriteContext) -> Option<io::Result<()>> {
        None
    }
}

/// One Redoubt server.
pub struct Node {
    /// Where data is kept.
    pub disk: Arc<dyn Disk>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// Where they were read from.
    pub config_path: Option<PathBuf>,
    /// Commands.
    pub table: CommandTable,
    /// Keys.
    pub keyspace: Keyspace,
    /// What modules that are not there keep outside the keyspace, as it came with the data.
    pub module_data: Mutex<Arc<[ModuleData]>>,
    /// Function libraries, as they came with the data.
    pub functions: Functions,
    /// The ordered log.
    pub log: Arc<Log>,
    /// Replication.
    pub replication: Replication,
    /// Which replies must wait.
    pub barrier: Barrier,
    /// Connections.
    pub clients: Clients,
    /// Connections that wait for keys.
    pub waiters: Waiters,
    /// Keys on their way to another server.
    pub moves: Moves,
    /// Channels.
    pub pubsub: PubSub,
    /// Connections that are told of every command.
    pub monitors: Monitors,
    /// Keys that clients cache.
    pub tracking: Tracking,
    /// Counters.
    pub stats: Stats,
    /// Memory in use.
    pub memory: Memory,
    /// Freeing behind commands.
    pub lazyfree: LazyFree,
    /// Moving what fragments memory.
    pub defrag: Defrag,
    /// Keys that are used much.
    pub hotkeys: HotKeys,
    /// Delays.
    pub latency: Latency,
    /// Commands that were slow or large.
    pub commandlogs: CommandLogs,
    /// CLIENT PAUSE, and the pause of a stop.
    pub pause: Pause,
    /// Saving.
    pub saves: Saves,
    /// What snapshots have queued.
    pub walk_queues: Arc<WalkQueues>,
    /// The append-only file.
    pub append_only: AppendOnly,
    /// Changes since the start; `saves` knows how many are on disk.
    pub changes: AtomicU64,
    /// The identity of this run.
    pub run_id: RunId,
    /// The identity of the node for life.
    pub node_id: RunId,
    /// Monotonic time of the start.
    pub started: Millis,
    /// The data set is being loaded.
    pub loading: AtomicBool,
    /// How far that has come.
    pub load: Loading,
    /// Monotonic milliseconds at which a stop that waits for replicas goes on without them, 0 if none
    /// waits.
    pub stops_at_ms: AtomicU64,
    /// A bug was caught; the node no longer vouches for its data.
    pub incomplete: AtomicBool,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: AtomicBool,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: AtomicBool,
    /// Bytes from which an element of a list has a node to itself; 0 if the settings say it.
    pub list_long_bytes_min: AtomicUsize,
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    pub skip_checksums: AtomicBool,
    /// The gates that are shut, below a count of the times they were worked out.
    shut: AtomicU64,
    clock_s: AtomicU32,
    notifies: AtomicBool,
    noted: AtomicU8,
    mailboxes: OnceLock<Vec<Arc<Mailbox>>>,
    this: OnceLock<Weak<Node>>,
    services: OnceLock<Box<dyn Services>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("run_id", &self.run_id).finish_non_exhaustive()
    }
}

impl Node {
    /// A primary without data.
    pub fn new(
        settings: Arc<Settings>,
        config_path: Option<PathBuf>,
        commands: &[&'static Command],
        renamed: &[(Vec<u8>, Vec<u8>)],
        loops: usize,
        node_id: Option<RunId>,
    ) -> Node {
        let table = CommandTable::new(commands, renamed);
        Node::with_table(settings, config_path, table, loops, node_id)
    }

    /// A node without data, of the same commands.
    pub fn another(&self, settings: Arc<Settings>, disk: Arc<dyn Disk>, loops: usize) -> Node {
        let mut node = Node::with_table(settings, None, self.table.clone(), loops, None);
        node.disk = disk;
        node
    }

    /// A node in which data can be built aside: it follows somebody, so that nothing in it happens by
    /// itself.
    pub(crate) fn aside(&self) -> Node {
        let node = self.another(Arc::clone(&self.settings), Arc::clone(&self.disk), 1);
        node.log.set_mode(Mode::Proxy);
        node.replication.set_primary(Some(Address { host: String::new(), port: 0 }));
        node
    }

    fn with_table(
        settings: Arc<Settings>,
        config_path: Option<PathBuf>,
        table: CommandTable,
        loops: usize,
        node_id: Option<RunId>,
    ) -> Node {
        let mut random = Random::from_system();
        let node = Node {
            disk: Arc::new(SystemDisk),
            config_path,
            table,
            keyspace: Keyspace::new(loops + THREADS_BESIDE_LOOPS),
            module_data: Mutex::new(Rank::Leaf, Arc::default()),
            functions: Functions::default(),
            log: Log::new(Offset(0)),
            replication: Replication::new(RunId::generate(&mut random)),
            barrier: Barrier::default(),
            clients: Clients::default(),
            waiters: Waiters::default(),
            moves: Moves::default(),
            pubsub: PubSub::default(),
            monitors: Monitors::default(),
            tracking: Tracking::default(),
            stats: Stats::default(),
            memory: Memory::default(),
            lazyfree: LazyFree::new(&settings),
            defrag: Defrag::default(),
            hotkeys: HotKeys::default(),
            latency: Latency::default(),
            commandlogs: CommandLogs::default(),
            pause: Pause::default(),
            saves: Saves::new(),
            walk_queues: Arc::default(),
            append_only: AppendOnly::default(),
            changes: AtomicU64::new(0),
            run_id: RunId::generate(&mut random),
            node_id: node_id.unwrap_or_else(|| RunId::generate(&mut random)),
            started: base::clock::monotonic(),
            loading: AtomicBool::new(false),
            load: Loading::default(),
            stops_at_ms: AtomicU64::new(0),
            incomplete: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            cron_paused: AtomicBool::new(false),
            list_long_bytes_min: AtomicUsize::new(0),
            skip_checksums: AtomicBool::new(false),
            shut: AtomicU64::new(0),
            clock_s: AtomicU32::new(0),
            notifies: AtomicBool::new(false),
            noted: AtomicU8::new(0),
            mailboxes: OnceLock::new(),
            this: OnceLock::new(),
            services: OnceLock::new(),
            settings,
        };
        node.refresh();
        node
    }

    /// Gives the node its loops. Once, at start.
    pub fn set_mailboxes(self: &Arc<Node>, mailboxes: Vec<Arc<Mailbox>>) {
        let _first_wins = self.this.set(Arc::downgrade(self));
        let _first_wins = self.mailboxes.set(mailboxes);
    }

    /// Gives the node its surroundings. Once, at start.
    pub fn set_services(&self, services: Box<dyn Services>) {
        let _first_wins = self.services.set(services);
    }

    /// The node as threads share it; `None` before it has its loops.
    pub fn shared(&self) -> Option<Arc<Node>> {
        self.this.get()?.upgrade()
    }

    /// The loops' mailboxes.
    pub fn mailboxes(&self) -> &[Arc<Mailbox>] {
        self.mailboxes.get().map_or(&[], Vec::as_slice)
    }

    /// The surroundings, if they are there.
    pub fn services(&self) -> Option<&dyn Services> {
        self.services.get().map(Box::as_ref)
    }

    /// Who this node says it is to other Redoubt nodes.
    pub fn identity(&self) -> psync::Identity {
        let state = self.replication.state();
        psync::Identity { group: state.group, node: self.node_id, epoch: state.epoch }
    }

    /// Whether handlers emit effects: at a primary, not at a replica. One load.
    #[inline]
    pub fn originates(&self) -> bool {
        !self.replication.is_replica()
    }

    /// Whether expired keys are taken out: at a primary, and not while writes are paused or data is
    /// loaded, since then the log must stand still.
    #[inline]
    pub fn expires(&self) -> bool {
        let still = gates::PAUSED | gates::PAUSED_WRITES | gates::LOADING;
        self.originates() && self.shut_gates() & still == 0
    }

    /// Whether a reply of `tag` must wait at the monotonic time `now`. A replica promises nothing.
    #[inline]
    pub fn must_hold(&self, tag: Offset, now: Millis) -> bool {
        self.barrier.must_hold(tag, now) && !self.replication.is_replica()
    }

    /// Whether keyspace events are wanted.
    #[inline]
    pub fn notifies(&self) -> bool {
        self.notifies.load(Ordering::Relaxed)
    }

    /// What lookups and changes of keys note (`keys::NOTES_*`). One load.
    #[inline]
    pub(crate) fn noted(&self) -> u8 {
        self.noted.load(Ordering::Relaxed)
    }

    /// Notes the things of `which` from now on, or no more.
    pub(crate) fn set_noted(&self, which: u8, notes: bool) {
        if notes {
            self.noted.fetch_or(which, Ordering::Relaxed);
        } else {
            self.noted.fetch_and(!which, Ordering::Relaxed);
        }
    }

    /// The gates that are shut. One load.
    #[inline]
    pub fn shut_gates(&self) -> u32 {
        let word = self.shut.load(Ordering::Acquire) & u64::from(u32::MAX);
        u32::try_from(word).unwrap_or(u32::MAX)
    }

    /// The access clock.
    #[inline]
    pub fn access_clock(&self) -> AccessClock {
        let word = self.clock_s.load(Ordering::Relaxed);
        let number = |value: i64| u32::try_from(value).unwrap_or(0);
        let lfu = (word >> 31 != 0).then(|| Lfu {
            log_factor: number(self.settings.lfu_log_factor.get()),
            decay_minutes: number(self.settings.lfu_decay_time.get()),
        });
        AccessClock::new(word & 0x7fff_ffff, lfu)
    }

    /// The access clock, if the eviction policy goes by it: then snapshots tell of the use of keys.
    pub(crate) fn told_clock(&self) -> Option<AccessClock> {
        let policy = self.settings.maxmemory_policy.get().as_str();
        (policy.ends_with("lru") || policy.ends_with("lfu")).then(|| self.access_clock())
    }

    /// Works out anew what is derived from settings, role and time: gates, clocks, limits. Cheap;
    /// called ten times a second and whenever something of it has changed.
    ///
    /// Several threads may do so at once: what was worked out from older facts never stays.
    pub fn refresh(&self) {
        let settings = &self.settings;
        let now_s = access::seconds(base::clock::unix());
        let lfu = settings.maxmemory_policy.get().as_str().ends_with("lfu");
        self.clock_s.store(now_s | u32::from(lfu) << 31, Ordering::Relaxed);
        if settings.maxmemory.get() > 0 {
            self.memory.confirm();
        }
        let events = settings.notify_keyspace_events.get();
        let has = |class: u8| events.contains(&class);
        let notifies = has(b'K') || has(b'E');
        self.notifies.store(notifies, Ordering::Relaxed);
        self.set_noted(keys::NOTES_MISSES, notifies && has(b'm'));
        self.set_noted(keys::NOTES_NEW, notifies && has(b'n'));
        self.tracking.limit(self);
        let mut before = self.shut.load(Ordering::Acquire);
        loop {
            let count = (before >> 32).wrapping_add(1) << 32;
            let after = count | u64::from(self.work_out_gates());
            match self.shut.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(newer) => before = newer,
            }
        }
    }

    fn work_out_gates(&self) -> u32 {
        let settings = &self.settings;
        let replica = self.replication.is_replica();
        let mut shut = 0;
        let mut set = |gate, is_shut: bool| shut |= if is_shut { gate } else { 0 };
        set(gates::LIMITED, settings.maxmemory.get() > 0 && !replica);
        set(gates::CLIENTS, self.clients_limit().is_some());
        set(
            gates::DISK,
            self.saves.last_failed()
                && settings.stop_writes_on_bgsave_error.get()
                && !settings.save.get().is_empty()
                && !replica,
        );
        let wanted = settings.min_replicas_to_write.get();
        let counts = wanted > 0 && settings.min_replicas_max_lag.get() > 0 && !replica;
        let good = if counts { self.replication.state().good_replicas } else { 0 };
        set(gates::FILE, self.append_only.refuses() && !replica);
        set(gates::FEW_REPLICAS, counts && (good as u64) < wanted.unsigned_abs());
        set(gates::READ_ONLY, replica && settings.replica_read_only.get());
        let stale = replica && !self.replication.is_link_up();
        set(gates::STALE, stale && !settings.replica_serve_stale_data.get());
        set(gates::LOADING, self.loading.load(Ordering::Acquire));
        let paused = self.pause.current(base::clock::monotonic());
        set(gates::PAUSED_WRITES, paused == Some(Extent::Writes));
        set(gates::PAUSED, paused == Some(Extent::All));
        shut
    }

    /// How many bytes all clients together may hold, if that is limited.
    pub fn clients_limit(&self) -> Option<usize> {
        let limit = self.settings.maxmemory_clients.get();
        let bytes = if limit < 0 {
            let whole = u128::from(self.settings.maxmemory.get().unsigned_abs());
            whole * u128::from(limit.unsigned_abs()) / 100
        } else {
            u128::from(limit.unsigned_abs())
        };
        Some(usize::try_from(bytes).unwrap_or(usize::MAX)).filter(|&bytes| bytes > 0)
    }

    /// Whether nothing may be written until a file has caught up: the append-only file, or that of a
    /// snapshot's surplus. One or two loads.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.log.is_full() || self.walk_queues.are_crowded()
    }

    /// Hands what was written to the log to whom it is for: the writer of the append-only file, and
    /// replicas. Called once per turn by those who write, not per write, holding no lock.
    pub fn hand_over(&self) {
        let has_woken = self.log.wake_readers();
        if let Some(services) = self.services() {
            services.hand_over();
        }
        if has_woken {
            // On one core the writer is done when this comes back, and replies leave in the same turn.
            std::thread::yield_now();
        }
    }

    /// Wakes every loop to look at parked and blocked sessions again.
    pub fn wake_loops(&self) {
        self.mailboxes().iter().for_each(|mailbox| mailbox.send(Message::Recheck));
    }

    /// Answers everybody who waits for a key that this is a replica now.
    fn end_waits(&self) {
        for waiting in self.waiters.all() {
            if waiting.claim() {
                self.waiters.remove(&waiting);
                self.answer(waiting, Answer::RoleChanged, Offset(0));
            }
        }
    }

    /// Sends the answer of a wait that the caller has claimed to the waiter's loop.
    pub fn answer(&self, waiting: Arc<Waiting>, answer: Answer, tag: Offset) {
        let client = Arc::clone(&waiting.client);
        self.tell_loop(&client, Message::Answer(waiting, answer, tag));
    }

    /// Sends `message` to the loop of `client`.
    pub fn tell_loop(&self, client: &ClientInfo, message: Message) {
        if let Some(mailbox) = self.mailboxes().get(client.loop_index) {
            mailbox.send(message);
        }
    }

    /// Changes the role, with the whole keyspace alone: follow `primary`, or become one.
    pub fn change_role(&self, _alone: &Exclusive<'_>, primary: Option<Address>) {
        let was_replica = self.replication.is_replica();
        if primary.is_none() && was_replica {
            let fresh = RunId::generate(&mut Random::from_system());
            let mut state = self.replication.state();
            state.history.shift(self.log.end(), fresh);
            state.epoch += 1;
            drop(state);
            self.log.force_select();
        }
        self.log.set_mode(if primary.is_some() { Mode::Proxy } else { Mode::Originate });
        let endpoint = |at: &Address| Endpoint { host: at.host.clone(), port: at.port };
        self.settings.replicaof.set(primary.as_ref().map(endpoint).map(Arc::new));
        self.replication.set_primary(primary.clone());
        self.refresh();
        if self.replication.is_replica() && !was_replica {
            self.end_waits();
        }
        if let Some(services) = self.services() {
            services.follow(primary);
        }
        self.wake_loops();
    }
}
