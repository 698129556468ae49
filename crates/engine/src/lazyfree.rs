//! Freeing behind a command's back: values and databases that take long to free go to one thread.
//!
//! The thread begins with the first thing that is given to it and ends with the node. What waits is
//! counted as freed by eviction, and shown by INFO. A queue of [`PENDING_MAX`] objects is full: what
//! comes then is freed where it is.

use crate::placement::place;
use conf::Settings;
use keyspace::{Db, Entry};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use structures::ValueRef;
use values::Object;

/// Values with fewer pieces than this are freed at once: handing them over would take as long.
const PIECES_MIN: usize = 64;
/// Objects that may wait; a database counts its keys.
const PENDING_MAX: u64 = 1 << 32;

/// What is to be freed.
#[derive(Debug)]
enum Trash {
    Value(Box<Object>),
    Databases(Vec<Db>),
}

#[derive(Debug, Default)]
struct Counters {
    pending: AtomicU64,
    pending_bytes: AtomicU64,
    freed: AtomicU64,
}

struct Item {
    trash: Trash,
    objects: u64,
    bytes: u64,
}

/// The way to the thread that frees.
pub struct LazyFree {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    queue: OnceLock<Option<Sender<Item>>>,
}

impl fmt::Debug for LazyFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyFree").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// Bytes for which a value of many elements is taken to have one allocation.
const BYTES_PER_PIECE: usize = 64;

/// How many allocations are freed with a value, about. A string is one, however long; what walks still
/// save goes to them.
fn pieces(object: &Object) -> usize {
    match object {
        Object::Text(_) => 1,
        walked if walked.fragmented().is_some_and(|one| !one.sides().is_empty()) => 0,
        collection => collection.heap_bytes() / BYTES_PER_PIECE,
    }
}

impl LazyFree {
    /// Nothing waits; the thread runs where `bio-cpulist` says.
    pub(crate) fn new(settings: &Arc<Settings>) -> LazyFree {
        LazyFree {
            settings: Arc::clone(settings),
            counters: Arc::default(),
            queue: OnceLock::new(),
        }
    }

    /// Objects that wait to be freed.
    pub fn pending(&self) -> u64 {
        self.counters.pending.load(Ordering::Acquire)
    }

    /// Bytes that wait to be freed, about.
    pub fn pending_bytes(&self) -> u64 {
        self.counters.pending_bytes.load(Ordering::Relaxed)
    }

    /// Objects that were freed behind.
    pub fn freed(&self) -> u64 {
        self.counters.freed.load(Ordering::Relaxed)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.counters.freed.store(0, Ordering::Relaxed);
    }

    /// Frees an entry: behind, if that was asked for and its value has many pieces.
    #[inline]
    pub fn entry(&self, mut entry: Entry, behind: bool) {
        if behind
            && let ValueRef::Boxed(object) = entry.value()
            && pieces(object) > PIECES_MIN
        {
            let bytes = object.memory_bytes() as u64;
            if let Some(boxed) = entry.take_boxed() {
                self.give(Trash::Value(boxed), 1, bytes);
            }
        }
    }

    /// Frees whole databases behind.
    pub fn databases(&self, dbs: Vec<Db>) {
        let keys = dbs.iter().map(|db| db.len() as u64).sum();
        self.give(Trash::Databases(dbs), keys, 0);
    }

    fn give(&self, trash: Trash, objects: u64, bytes: u64) {
        if self.pending() >= PENDING_MAX {
            drop(trash);
            return;
        }
        self.counters.pending.fetch_add(objects, Ordering::Relaxed);
        self.counters.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        let item = Item { trash, objects, bytes };
        let unsent = match self.queue.get_or_init(|| self.spawn()) {
            Some(queue) => queue.send(item).err().map(|error| error.0),
            None => Some(item),
        };
        if let Some(item) = unsent {
            // Without a thread it is freed here.
            free(item, &self.counters);
        }
    }

    fn spawn(&self) -> Option<Sender<Item>> {
        let (sender, receiver) = channel();
        let (settings, counters) = (Arc::clone(&self.settings), Arc::clone(&self.counters));
        let thread = std::thread::Builder::new().name("freeing".into());
        let body = move || {
            place(&[&settings.bio_cpulist]);
            run(&receiver, &counters);
        };
        match thread.spawn(body) {
            Ok(_detached) => Some(sender),
            Err(error) => {
                tracing::warn!("There is no thread to free values: {error}");
                None
            }
        }
    }
}

fn run(queue: &Receiver<Item>, counters: &Counters) {
    while let Ok(item) = queue.recv() {
        free(item, counters);
    }
}

fn free(item: Item, counters: &Counters) {
    match item.trash {
        Trash::Value(object) => drop(object),
        Trash::Databases(dbs) => drop(dbs),
    }
    // Whoever sees that nothing waits any more sees all of it among what was freed.
    counters.freed.fetch_add(item.objects, Ordering::Relaxed);
    counters.pending_bytes.fetch_sub(item.bytes, Ordering::Relaxed);
    counters.pending.fetch_sub(item.objects, Ordering::Release);
}
