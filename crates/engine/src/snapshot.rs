//! Saving the data set without a fork: the cut, the walk's records, and the saver's state.
//!
//! [`Cut::take`] freezes an instant with the whole keyspace alone: the log's end, the replication id
//! and the walk. [`Cut::write`] then runs the walk on the calling thread and writes a snapshot of
//! that instant to any sink (a file, a replica's socket) while writes go on.

mod load;
mod save;

pub use load::{Dataset, LoadOptions, Rest, load_file, read_dataset};
pub use save::{
    SaveRefusal, SaveState, Saves, options, save_at_exit, save_in_background, save_now,
};

use crate::image;
use crate::memory::used_memory;
use crate::node::Node;
use base::lock::{Mutex, Rank};
use base::{Millis, Offset, RunId};
use keyspace::{Entry, Exclusive, Keyspace, Recorder, Walk};
use rdb::{Attributes, Encoder};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Microseconds that a saver sleeps between two looks at `rdb-key-save-delay`.
const SLEEP_US_MAX: u64 = 10_000;
use structures::ValueRef;

/// The version of Redis that a snapshot claims to come from, for those who read it.
pub const REDIS_VERSION: &str = "7.2.4";

/// Bytes of records that writers may queue for a walk whose sink is slow; beyond, the walk is given
/// up rather than memory.
pub const QUEUE_BYTES_MAX: usize = 512 << 20;

/// Records wait until so many bytes have gathered before they go to the sink.
const FLUSH_BYTES: usize = 64 << 10;

/// Encoded records, by database.
#[derive(Debug)]
struct Records {
    queue: Mutex<Queue>,
    queued_bytes: AtomicUsize,
}

#[derive(Debug)]
struct Queue {
    /// Of what lies inline in entries.
    packing: Encoder,
    /// Of large values, which are recorded under a shard's lock and so not compressed.
    plain: Encoder,
    dbs: Vec<(u32, Vec<u8>)>,
    keys: u64,
    /// More was queued than is allowed, and thrown away.
    is_over: bool,
}

struct Recording(Arc<Records>);

impl Recorder for Recording {
    fn record(&self, db: u32, entry: &Entry) {
        let mut queue = self.0.queue.lock();
        let queue = &mut *queue;
        if queue.is_over {
            return;
        }
        if self.0.queued_bytes.load(Ordering::Acquire) > QUEUE_BYTES_MAX {
            // The sink is too slow: the walk's thread gives up when the sink lets it look.
            queue.is_over = true;
            queue.dbs.clear();
            return;
        }
        let known = queue.dbs.iter().position(|(number, _)| *number == db);
        let at = known.unwrap_or_else(|| {
            queue.dbs.push((db, Vec::new()));
            queue.dbs.len() - 1
        });
        let out = &mut queue.dbs[at].1;
        let before = out.len();
        encode(&mut queue.packing, &mut queue.plain, entry, out);
        queue.keys += 1;
        self.0.queued_bytes.fetch_add(out.len() - before, Ordering::AcqRel);
    }
}

fn encode(packing: &mut Encoder, plain: &mut Encoder, entry: &Entry, out: &mut Vec<u8>) {
    let attributes = Attributes { expire_at: entry.expire_at(), ..Attributes::default() };
    let is_small = matches!(entry.value(), ValueRef::Bytes(_));
    let encoder = if is_small { packing } else { plain };
    encoder.encode_key(out, entry.key(), image::saved(entry), &attributes);
    for (member, at) in image::expiring_members(entry) {
        encoder.encode_member_expiry(out, member, at);
    }
}

/// A frozen instant.
#[derive(Debug)]
pub struct Cut {
    walk: Arc<Walk>,
    records: Arc<Records>,
    /// The log's end.
    pub offset: Offset,
    /// The name of the history.
    pub replid: RunId,
    /// Changes that the snapshot contains.
    pub changes: u64,
    /// Where a replica's stream goes on; a primary's begins with a SELECT.
    stream_db: u32,
    created: Millis,
    is_aof_base: bool,
    counts: Vec<(u32, u64, u64)>,
}

impl Cut {
    /// Cuts now. `None` if too many walks are under way. O(shards).
    pub fn take(node: &Node, alone: &Exclusive<'_>) -> Option<Cut> {
        let compression = node.settings.rdbcompression.get();
        let queue = Queue {
            packing: Encoder::new(compression),
            plain: Encoder::new(false),
            dbs: Vec::new(),
            keys: 0,
            is_over: false,
        };
        let records = Arc::new(Records {
            queue: Mutex::new(Rank::Walk, queue),
            queued_bytes: AtomicUsize::new(0),
        });
        let replid = node.replication.state().history.replid;
        let walk = node.keyspace.cut(alone, Box::new(Recording(Arc::clone(&records))))?;
        node.log.force_select();
        Some(Cut {
            walk,
            records,
            offset: node.log.end(),
            replid,
            changes: node.changes.load(Ordering::Acquire),
            stream_db: if node.originates() { 0 } else { node.replication.stream_db() },
            created: base::clock::unix(),
            is_aof_base: false,
            counts: counts(&node.keyspace),
        })
    }

    /// The walk, to abort it.
    pub fn walk(&self) -> &Arc<Walk> {
        &self.walk
    }

    /// The database in which a replica's stream stands there.
    pub fn stream_db(&self) -> u32 {
        self.stream_db
    }

    /// Gives the walk up and takes it out of the shards.
    pub fn discard(self, node: &Node) {
        self.walk.abort();
        node.keyspace.walk(&self.walk, || false);
    }

    /// Writes the snapshot as the base of an append-only file. Gives the number of keys.
    ///
    /// # Errors
    /// As [`Cut::write`].
    pub fn write_base<W: io::Write>(
        mut self,
        node: &Node,
        writer: &mut rdb::Writer<W>,
    ) -> io::Result<u64> {
        self.is_aof_base = true;
        self.write(node, writer, |_| true)
    }

    /// Writes the snapshot, calling `progress` with the number of keys written now and then; it ends
    /// the walk by answering false. Gives the number of keys. Not inside a window of this thread.
    ///
    /// # Errors
    /// Those of the sink; `Interrupted` if the walk was aborted, `OutOfMemory` if the sink was so
    /// slow that [`QUEUE_BYTES_MAX`] was reached.
    pub fn write<W: io::Write>(
        self,
        node: &Node,
        writer: &mut rdb::Writer<W>,
        mut progress: impl FnMut(u64) -> bool,
    ) -> io::Result<u64> {
        let begun = self.begin(writer);
        let (mut failure, mut current, mut slowed) = (begun.err(), None, 0);
        let complete = node.keyspace.walk(&self.walk, || {
            if failure.is_some() {
                return false;
            }
            let queued = self.records.queued_bytes.load(Ordering::Acquire);
            if queued > QUEUE_BYTES_MAX {
                failure = Some(io::ErrorKind::OutOfMemory.into());
                return false;
            }
            if queued >= FLUSH_BYTES {
                failure = self.flush(writer, &mut current).err();
            }
            self.slow_down(node, &mut slowed);
            failure.is_none() && progress(self.records.queue.lock().keys)
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if !complete {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.flush(writer, &mut current)?;
        Ok(self.records.queue.lock().keys)
    }

    /// Waits as `rdb-key-save-delay` wants it for the keys that were saved since the last time.
    fn slow_down(&self, node: &Node, slowed: &mut u64) {
        let delay = &node.settings.rdb_key_save_delay;
        if delay.get() == 0 {
            return;
        }
        let keys = self.records.queue.lock().keys;
        let new = keys.saturating_sub(std::mem::replace(slowed, keys));
        let mut waited_us = 0;
        while !self.walk.is_aborted() {
            let each = delay.get();
            let wanted = new.checked_div(each.min(0).unsigned_abs());
            let wanted = wanted.unwrap_or(new.saturating_mul(each.unsigned_abs()));
            let step = wanted.saturating_sub(waited_us).min(SLEEP_US_MAX);
            if step == 0 {
                return;
            }
            std::thread::sleep(Duration::from_micros(step));
            waited_us += step;
        }
    }

    fn begin<W: io::Write>(&self, writer: &mut rdb::Writer<W>) -> io::Result<()> {
        writer.info(&rdb::Info {
            redis_version: REDIS_VERSION,
            created: self.created,
            used_memory: used_memory(),
            replication: Some(rdb::Replication {
                stream_db: self.stream_db,
                id: self.replid,
                offset: self.offset,
            }),
            aof_base: self.is_aof_base,
        })
    }

    fn flush<W: io::Write>(
        &self,
        writer: &mut rdb::Writer<W>,
        current: &mut Option<u32>,
    ) -> io::Result<()> {
        let dbs = {
            let mut queue = self.records.queue.lock();
            if queue.is_over {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.records.queued_bytes.store(0, Ordering::Release);
            std::mem::take(&mut queue.dbs)
        };
        for (db, bytes) in dbs {
            if *current != Some(db) {
                let (keys, expires) = self
                    .counts
                    .iter()
                    .find(|(number, ..)| *number == db)
                    .map_or((0, 0), |&(_, keys, expires)| (keys, expires));
                writer.select(db, keys, expires)?;
                *current = Some(db);
            }
            writer.records(&bytes)?;
        }
        Ok(())
    }
}

fn counts(keyspace: &Keyspace) -> Vec<(u32, u64, u64)> {
    let mut counts: Vec<(u32, u64, u64)> = Vec::new();
    keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs() {
            let (keys, volatile) = (db.len() as u64, db.volatile() as u64);
            match counts.iter_mut().find(|(known, ..)| *known == number) {
                Some((_, all_keys, all_volatile)) => {
                    *all_keys += keys;
                    *all_volatile += volatile;
                }
                None => counts.push((number, keys, volatile)),
            }
        }
    });
    counts
}
