//! Saving the data set without a fork: the cut, the walk's records, and the saver's state.
//!
//! [`Cut::take`] freezes an instant with the whole keyspace alone: the log's end, the replication id
//! and the walk. [`Cut::write`] then runs the walk on the calling thread and writes a snapshot of
//! that instant to any sink (a file, a replica's socket) while writes go on.

mod collected;
mod delay;
mod lent;
mod load;
mod records;
mod save;
mod spool;

pub(crate) use delay::Delay;
pub use load::{Dataset, LoadOptions, Rest, load_file, read_dataset};
pub use records::{QUEUE_BYTES_MAX, SPILL_BYTES};
pub use save::{
    SaveRefusal, SaveState, Saves, options, save_at_exit, save_in_background, save_now,
};

use crate::functions::Libraries;
use crate::memory::used_memory;
use crate::node::Node;
use base::{Millis, Offset, RunId};
use keyspace::{Exclusive, Keyspace, Record, Step, Walk};
use rdb::{Encoder, ModuleData};
use records::{FLUSH_BYTES, LIMITS, Recording, Records};
use spool::Limits;
pub use spool::WalkQueues;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{io, thread};

/// The version of Redis that a snapshot claims to come from, for those who read it.
pub const REDIS_VERSION: &str = "7.2.4";

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
    /// Where a replica's stream goes on, and that of a node that may become one; what a primary writes
    /// begins with a SELECT.
    stream_db: u32,
    created: Millis,
    is_aof_base: bool,
    module_data: Arc<[ModuleData]>,
    functions: Arc<Libraries>,
    counts: Vec<(u32, u64, u64)>,
}

impl Cut {
    /// Cuts now. `None` if too many walks are under way. O(shards).
    pub fn take(node: &Node, alone: &Exclusive<'_>) -> Option<Cut> {
        Cut::with_limits(node, alone, LIMITS)
    }

    fn with_limits(node: &Node, alone: &Exclusive<'_>, limits: Limits) -> Option<Cut> {
        let compression = node.settings.rdbcompression.get();
        let queues = Arc::clone(&node.walk_queues);
        let records = Arc::new(Records::new(compression, node.told_clock(), limits, queues));
        let replid = node.replication.state().history.replid;
        let walk = node.keyspace.cut(alone, Box::new(Recording(Arc::clone(&records))))?;
        node.log.force_select();
        let module_data = Arc::clone(&node.module_data.lock());
        Some(Cut {
            walk,
            records,
            offset: node.log.end(),
            replid,
            changes: node.changes.load(Ordering::Acquire),
            stream_db: node.replication.stream_db(),
            created: base::clock::unix(),
            is_aof_base: false,
            module_data,
            functions: node.functions.libraries(),
            counts: counts(&node.keyspace),
        })
    }

    /// The walk, to abort it.
    pub fn walk(&self) -> &Arc<Walk> {
        &self.walk
    }

    /// The keys that there are.
    pub fn keys(&self) -> u64 {
        self.counts.iter().map(|(_, keys, _)| keys).sum()
    }

    /// The database in which a replica's stream stands there.
    pub fn stream_db(&self) -> u32 {
        self.stream_db
    }

    /// Gives the walk up and takes it out of the shards.
    pub fn discard(self, node: &Node) {
        self.walk.abort();
        node.keyspace.walk(&self.walk, |_| false);
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
    /// Those of the sink, and of the file that takes what the sink is too slow for; `Interrupted` if the
    /// walk was aborted, `OutOfMemory` if that file could not be made either and [`QUEUE_BYTES_MAX`] was
    /// reached.
    pub fn write<W: io::Write>(
        self,
        node: &Node,
        writer: &mut rdb::Writer<W>,
        progress: impl FnMut(u64) -> bool,
    ) -> io::Result<u64> {
        let directory = PathBuf::from(node.settings.dir.string());
        thread::scope(|scope| {
            let spool = &self.records.spool;
            let _closing = spool.closing();
            let body = || spool.spill(&*node.disk, &directory);
            let spawned = thread::Builder::new().name("spill".into()).spawn_scoped(scope, body);
            if spawned.is_err() {
                spool.do_without_file();
            }
            self.write_records(node, writer, progress)
        })
    }

    fn write_records<W: io::Write>(
        &self,
        node: &Node,
        writer: &mut rdb::Writer<W>,
        mut progress: impl FnMut(u64) -> bool,
    ) -> io::Result<u64> {
        let mut sink = Sink {
            cut: self,
            writer,
            packing: Encoder::new(node.settings.rdbcompression.get()),
            db: None,
        };
        let (mut failure, mut keys) = (self.begin(sink.writer).err(), 0);
        let mut delay = Delay::new(&node.settings.rdb_key_save_delay);
        let complete = node.keyspace.walk(&self.walk, |step| {
            if failure.is_some() {
                return false;
            }
            failure = sink.step(step).err();
            let before = std::mem::replace(&mut keys, self.records.keys());
            delay.wait(keys.saturating_sub(before), || !self.walk.is_aborted());
            failure.is_none() && progress(self.records.keys())
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if !complete {
            return Err(io::ErrorKind::Interrupted.into());
        }
        sink.finish()?;
        self.module_data(writer, false)?;
        Ok(self.records.keys())
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
        })?;
        self.module_data(writer, true)?;
        self.functions.codes().try_for_each(|code| writer.function(code))
    }

    /// Writes what modules keep in front of the keys, or behind them.
    fn module_data<W: io::Write>(
        &self,
        writer: &mut rdb::Writer<W>,
        is_before_keys: bool,
    ) -> io::Result<()> {
        let mut data = self.module_data.iter().filter(|data| data.is_before_keys == is_before_keys);
        data.try_for_each(|data| writer.records(&data.bytes))
    }
}

/// Where a walk's records go.
struct Sink<'a, W> {
    cut: &'a Cut,
    writer: &'a mut rdb::Writer<W>,
    packing: Encoder,
    /// The database that the records belong to which are written now.
    db: Option<u32>,
}

impl<W: io::Write> Sink<'_, W> {
    /// Writes what a step of the walk has left to be written.
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Entries => {
                if self.cut.records.spool.memory_bytes() >= FLUSH_BYTES {
                    self.flush()?;
                }
                self.write_lent()?;
            }
            Step::Fragments(record) => self.write(record.db(), &record.take())?,
            Step::LastFragments(record) => self.end_record(record)?,
        }
        if self.cut.records.spool.is_over() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    /// Writes the rest of a record. One that lacks members makes the snapshot worthless.
    fn end_record(&mut self, record: &dyn Record) -> io::Result<()> {
        self.write(record.db(), &record.take())?;
        let is_void = self.cut.records.spool.is_over() || self.cut.walk.is_aborted();
        if is_void || record.is_whole() {
            return Ok(());
        }
        let text = format!("{record:?} has not the members that were counted");
        debug_assert!(false, "{text}");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }

    /// Writes all that waits at the end of the walk.
    fn finish(mut self) -> io::Result<()> {
        self.write_lent()?;
        let spool = &self.cut.records.spool;
        spool.take_rest(|piece| self.write(piece.db, &piece.bytes))?;
        if spool.is_over() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    /// Writes the large values that were lent.
    fn write_lent(&mut self) -> io::Result<()> {
        while let Some(lent) = self.cut.records.next_lent() {
            self.select(lent.db)?;
            let written = lent.write(&mut self.packing, |bytes| self.writer.records(bytes));
            let (copied_bytes, kept_bytes) = (lent.copied_bytes, lent.kept_bytes);
            // What counts no longer must be free already, or it would seem to be in use.
            drop(lent);
            self.cut.records.spool.release(copied_bytes);
            self.cut.records.spool.let_go(kept_bytes);
            written?;
        }
        Ok(())
    }

    /// Writes the records that wait in memory.
    fn flush(&mut self) -> io::Result<()> {
        for piece in self.cut.records.spool.take() {
            self.write(piece.db, &piece.bytes)?;
            self.cut.records.spool.reuse(piece);
        }
        Ok(())
    }

    fn write(&mut self, db: u32, bytes: &[u8]) -> io::Result<()> {
        self.select(db)?;
        self.writer.records(bytes)
    }

    fn select(&mut self, db: u32) -> io::Result<()> {
        if self.db == Some(db) {
            return Ok(());
        }
        self.db = Some(db);
        let known = self.cut.counts.iter().find(|(number, ..)| *number == db);
        let (keys, expires) = known.map_or((0, 0), |&(_, keys, expires)| (keys, expires));
        self.writer.select(db, keys, expires)
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

#[cfg(test)]
mod tests;
