//! Building entries out of a snapshot's records, on any number of threads.
//!
//! The thread that reads cuts the snapshot into batches of keys ([`rdb::Piece`]) and hands them to the
//! workers' queues; when all of those are full it builds a batch itself, so that whoever is idle works.
//! A builder collects what it has made by shard, and puts it in when there are enough for a lock and
//! for their buckets to be fetched together.
//!
//! Invariants: the result does not depend on who built what; of several faults the one that comes first
//! in the snapshot is told, which is the one that a single thread would have met.

use super::LoadOptions;
use crate::image::{self, BadValue};
use crate::keys::Place;
use base::lock::{Mutex, Rank};
use keyspace::{Entry, SHARD_COUNT, Shard};
use rdb::{Item, LoadError, LoadedKey, MemberExpiry, RawKeys};
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder as Threads, Scope, ScopedJoinHandle};

/// Batches that may wait for one worker.
const QUEUE_LEN: usize = 4;

/// Entries of one shard that a builder collects before it puts them in.
const GATHERED_MAX: usize = 32;

/// Modules that a warning names.
const MODULES_NAMED_MAX: usize = 8;

/// Keys of one database, as they are in the snapshot.
pub(super) struct Batch {
    pub(super) db: u32,
    pub(super) keys: RawKeys,
    /// Reading failed within: that the keys end early is not their fault.
    pub(super) is_cut_off: bool,
}

/// What was made of the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) keys: u64,
    pub(super) expired: u64,
    /// Those among the keys that had expired and were kept.
    pub(super) kept: u64,
    pub(super) empty: u64,
    pub(super) passed_over: PassedOver,
}

/// Values and data of modules that are not there.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedOver {
    pub(super) keys: u64,
    /// The names of some of the modules' types.
    pub(super) modules: BTreeSet<String>,
}

impl PassedOver {
    pub(super) fn note(&mut self, module: String, is_key: bool) {
        self.keys += u64::from(is_key);
        if self.modules.len() < MODULES_NAMED_MAX {
            self.modules.insert(module);
        }
    }

    fn add(&mut self, other: PassedOver) {
        self.keys += other.keys;
        for module in other.modules {
            self.note(module, false);
        }
    }
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.keys += other.keys;
        self.expired += other.expired;
        self.kept += other.kept;
        self.empty += other.empty;
        self.passed_over.add(other.passed_over);
    }
}

/// What all builders share.
pub(super) struct Site<'o> {
    shards: Vec<Mutex<Shard>>,
    options: LoadOptions<'o>,
    /// The fault that comes first, and its offset.
    fault: Mutex<Option<(u64, LoadError)>>,
    has_fault: AtomicBool,
}

impl<'o> Site<'o> {
    pub(super) fn new(options: LoadOptions<'o>) -> Site<'o> {
        Site {
            shards: (0..SHARD_COUNT).map(|_| Mutex::new(Rank::Shard, Shard::default())).collect(),
            options,
            fault: Mutex::new(Rank::Leaf, None),
            has_fault: AtomicBool::new(false),
        }
    }

    pub(super) fn options(&self) -> LoadOptions<'o> {
        self.options
    }

    /// Whether something was found wrong, so that reading on is in vain.
    pub(super) fn has_fault(&self) -> bool {
        self.has_fault.load(Ordering::Acquire)
    }

    /// Notes what is wrong at `offset`.
    pub(super) fn blame(&self, offset: u64, error: LoadError) {
        let mut fault = self.fault.lock();
        if fault.as_ref().is_none_or(|(first, _)| offset < *first) {
            *fault = Some((offset, error));
        }
        self.has_fault.store(true, Ordering::Release);
    }

    /// The shards, or what is wrong.
    pub(super) fn finish(self) -> Result<Vec<Shard>, LoadError> {
        match self.fault.into_inner() {
            Some((_, error)) => Err(error),
            None => Ok(self.shards.into_iter().map(Mutex::into_inner).collect()),
        }
    }
}

/// An entry that is not in its shard yet.
struct Made {
    hash: u64,
    offset: u64,
    entry: Entry,
}

/// One thread's part.
pub(super) struct Builder<'a> {
    site: &'a Site<'a>,
    db: u32,
    gathered: Vec<Vec<Made>>,
    counts: Counts,
    /// The key that was made last, while what is said behind it can follow.
    key: Option<Vec<u8>>,
    /// What is said of its members.
    expiry: MemberExpiry,
}

impl<'a> Builder<'a> {
    pub(super) fn new(site: &'a Site<'a>) -> Builder<'a> {
        let gathered = (0..SHARD_COUNT).map(|_| Vec::new()).collect();
        let (counts, expiry) = (Counts::default(), MemberExpiry::default());
        Builder { site, db: 0, gathered, counts, key: None, expiry }
    }

    /// Builds the keys of `batch`, up to the first fault.
    pub(super) fn build(&mut self, batch: Batch) {
        self.build_all(batch);
        // Whatever comes next is said of another key.
        self.key = None;
    }

    fn build_all(&mut self, batch: Batch) {
        let mut loader = batch.keys.into_loader();
        loop {
            match loader.next_item() {
                Ok(None) => return,
                Ok(Some(Item::Key(key))) => {
                    if !self.add(batch.db, key, loader.offset()) {
                        return;
                    }
                }
                Ok(Some(Item::Aux { key, value })) => self.note(&key, value),
                Ok(Some(Item::ModuleSkipped { module, .. })) => {
                    self.counts.passed_over.note(module, true);
                }
                Ok(Some(_)) => {}
                Err(LoadError::UnexpectedEnd { .. }) if batch.is_cut_off => return,
                Err(error) => {
                    self.site.blame(loader.offset(), error);
                    return;
                }
            }
        }
    }

    /// Makes an entry of a key that ends at `offset`. False if that cannot be.
    pub(super) fn add(&mut self, db: u32, loaded: LoadedKey, offset: u64) -> bool {
        (self.key, self.expiry) = (None, MemberExpiry::default());
        let LoadedKey { key, value, attributes } = loaded;
        let at = attributes.expire_at;
        let has_expired =
            at.zip(self.site.options.expired_before).is_some_and(|(at, now)| at <= now);
        if has_expired && !self.site.options.keeps_expired {
            self.counts.expired += 1;
            return true;
        }
        let entry = match image::entry(&key, value, at, &self.site.options.limits) {
            Ok(entry) => entry,
            Err(BadValue::Empty) => {
                let name = key.escape_ascii();
                tracing::info!("rdbLoadObject read: skipping empty key: {name}");
                self.counts.empty += 1;
                return true;
            }
            Err(error) => {
                self.site.blame(offset, invalid(offset, error));
                return false;
            }
        };
        self.counts.kept += u64::from(has_expired);
        let clock = self.site.options.clock;
        entry.set_access(clock.restored(&attributes).unwrap_or_else(|| clock.fresh()));
        if db != self.db {
            self.put_all();
            self.db = db;
        }
        let Place { hash, shard } = Place::of(&key);
        if let Some(gathered) = self.gathered.get_mut(usize::from(shard)) {
            gathered.push(Made { hash, offset, entry });
            if gathered.len() >= GATHERED_MAX {
                self.put(usize::from(shard));
            }
        }
        self.key = Some(key);
        true
    }

    /// Takes note of a field behind a key: which of its members expires, and when.
    pub(super) fn note(&mut self, name: &[u8], value: Vec<u8>) {
        let Some((member, at)) = self.expiry.take(name, value) else { return };
        let Some(key) = self.key.take() else { return };
        let Place { hash, shard: index } = Place::of(&key);
        self.put(usize::from(index));
        if let Some(shard) = self.site.shards.get(usize::from(index)) {
            let mut shard = shard.lock();
            if let Some(change) = shard.change(self.db, hash, &key) {
                image::expire_member(change, &member, at);
            }
        }
        self.key = Some(key);
    }

    /// Puts in what is left, and gives what was made.
    pub(super) fn finish(mut self) -> Counts {
        self.put_all();
        self.counts
    }

    fn put_all(&mut self) {
        (0..self.gathered.len()).for_each(|shard| self.put(shard));
    }

    fn put(&mut self, shard: usize) {
        let (Some(made), Some(shard)) = (self.gathered.get_mut(shard), self.site.shards.get(shard))
        else {
            return;
        };
        if made.is_empty() {
            return;
        }
        let mut shard = shard.lock();
        for Made { hash, .. } in made.iter() {
            shard.prefetch_bucket(self.db, *hash);
        }
        for Made { hash, offset, entry } in made.drain(..) {
            self.counts.keys += 1;
            if let Some(old) = shard.insert(self.db, hash, entry) {
                let error =
                    format!("the key {:?} is there twice", old.key().escape_ascii().to_string());
                self.site.blame(offset, invalid(offset, error));
            }
        }
    }
}

fn invalid(offset: u64, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Io { offset, source: io::Error::new(io::ErrorKind::InvalidData, error) }
}

/// The reading thread's builder, and the workers.
pub(super) struct Crew<'scope, 'site> {
    own: Builder<'site>,
    workers: Vec<(SyncSender<Batch>, ScopedJoinHandle<'scope, Counts>)>,
    next: usize,
}

impl<'scope, 'site: 'scope> Crew<'scope, 'site> {
    /// Starts `workers` threads, or as many as can be had.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        site: &'site Site<'site>,
        workers: usize,
    ) -> Crew<'scope, 'site> {
        let start = |_| {
            let (sender, batches) = sync_channel(QUEUE_LEN);
            let work = move || work(site, &batches);
            let thread = Threads::new().name("load".into()).spawn_scoped(scope, work);
            thread.ok().map(|thread| (sender, thread))
        };
        let workers = (0..workers).map_while(start).collect();
        Crew { own: Builder::new(site), workers, next: 0 }
    }
}

impl Crew<'_, '_> {
    /// Has `batch` built by whoever has time.
    pub(super) fn build(&mut self, mut batch: Batch) {
        self.own.key = None;
        for _ in 0..self.workers.len() {
            self.next = (self.next + 1) % self.workers.len();
            let Some((sender, _)) = self.workers.get(self.next) else { break };
            match sender.try_send(batch) {
                Ok(()) => return,
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => batch = back,
            }
        }
        self.own.build(batch);
    }

    /// Notes data of a module, the value of a key or not.
    pub(super) fn pass_over(&mut self, module: String, is_key: bool) {
        self.own.counts.passed_over.note(module, is_key);
    }

    /// Takes note of a field; it may be said of the key that was added just before.
    pub(super) fn note(&mut self, name: &[u8], value: Vec<u8>) {
        self.own.note(name, value);
    }

    /// Makes an entry of one key.
    pub(super) fn add(&mut self, db: u32, key: LoadedKey, offset: u64) {
        self.own.add(db, key, offset);
    }

    /// Waits until all is built.
    ///
    /// # Panics
    /// If a worker did.
    pub(super) fn finish(self) -> Counts {
        let mut all = self.own.finish();
        for (sender, thread) in self.workers {
            drop(sender);
            match thread.join() {
                Ok(counts) => all.add(counts),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    }
}

fn work(site: &Site<'_>, batches: &Receiver<Batch>) -> Counts {
    let mut builder = Builder::new(site);
    for batch in batches {
        builder.build(batch);
    }
    builder.finish()
}
