//! What a walk records: keys, encoded under their shard's lock, on their way to the snapshot.

use super::collected::Collected;
use super::lent::Lent;
use super::spool::{Limits, Spool, WalkQueues};
use crate::access::AccessClock;
use crate::image;
use base::lock::{Mutex, Rank};
use keyspace::{Entry, Record, Recorder, Visitor};
use rdb::{Attributes, Encoder};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use structures::ValueRef;
use values::fragment::Outline;

/// Bytes of records in memory from which on they are moved to a file in the data directory.
pub const SPILL_BYTES: usize = 64 << 20;

/// Bytes of records in memory from which on writers wait for that file. If it cannot be written, the
/// walk is given up rather than memory.
pub const QUEUE_BYTES_MAX: usize = 512 << 20;

/// Records wait until so many bytes have gathered before they go to the sink.
pub(super) const FLUSH_BYTES: usize = 64 << 10;

/// The limits of a walk.
pub(super) const LIMITS: Limits = Limits { spill_bytes: SPILL_BYTES, most_bytes: QUEUE_BYTES_MAX };

/// Encoded keys.
#[derive(Debug)]
pub(super) struct Records {
    encoders: Mutex<Encoders>,
    keys: AtomicU64,
    /// The access clock, if keys are told with their use.
    clock: Option<AccessClock>,
    pub(super) spool: Spool,
    lent: Mutex<VecDeque<Lent>>,
}

#[derive(Debug)]
struct Encoders {
    /// Of what lies inline in entries.
    packing: Encoder,
    /// Of large values, which are recorded under a shard's lock and so not compressed.
    plain: Encoder,
}

impl Records {
    /// `queues` counts what waits; with `clock` keys are told with their use.
    pub(super) fn new(
        compression: bool,
        clock: Option<AccessClock>,
        limits: Limits,
        queues: Arc<WalkQueues>,
    ) -> Records {
        let encoders = Encoders { packing: Encoder::new(compression), plain: Encoder::new(false) };
        Records {
            encoders: Mutex::new(Rank::Walk, encoders),
            keys: AtomicU64::new(0),
            clock,
            spool: Spool::new(limits, queues),
            lent: Mutex::new(Rank::Walk, VecDeque::new()),
        }
    }

    /// What is told of `entry` beside its value. Its use is told as it is now, not as it was at the cut.
    pub(super) fn attributes(&self, entry: &Entry) -> Attributes {
        let used = self.clock.map(|clock| clock.at(base::clock::unix()).told(entry.access()));
        Attributes { expire_at: entry.expire_at(), ..used.unwrap_or_default() }
    }

    /// A large value whose record is still to be written.
    pub(super) fn next_lent(&self) -> Option<Lent> {
        self.lent.lock().pop_front()
    }

    /// Takes a reference to a large value. What a writer is about to change may live for that alone. It was
    /// in memory before, so that nobody waits for it: what writers copy of it is what they change, once for
    /// each walk, as it would be behind a fork.
    fn lend(&self, mut lent: Lent, visitor: Visitor) {
        if visitor == Visitor::Walk {
            (lent.copied_bytes, lent.kept_bytes) = (0, 0);
        }
        self.spool.hold(lent.copied_bytes);
        self.spool.keep(lent.kept_bytes);
        self.lent.lock().push_back(lent);
    }

    /// How many keys were recorded.
    pub(super) fn keys(&self) -> u64 {
        self.keys.load(Ordering::Acquire)
    }
}

/// The end of the records at which a walk puts them in.
pub(super) struct Recording(pub(super) Arc<Records>);

impl Recorder for Recording {
    fn record(&self, db: u32, entry: &mut Entry, visitor: Visitor) {
        self.0.keys.fetch_add(1, Ordering::AcqRel);
        let attributes = self.0.attributes(entry);
        if let Some(lent) = Lent::of(db, entry, attributes) {
            return self.0.lend(lent, visitor);
        }
        let mut encoders = self.0.encoders.lock();
        let Encoders { packing, plain } = &mut *encoders;
        let is_small = matches!(entry.value(), ValueRef::Bytes(_));
        let encoder = if is_small { packing } else { plain };
        self.0.spool.append(db, |out| encode(encoder, entry, &attributes, out));
    }

    fn begin(&self, db: u32, entry: &Entry, outline: Outline) -> Arc<dyn Record> {
        self.0.keys.fetch_add(1, Ordering::AcqRel);
        Arc::new(Collected::new(Arc::clone(&self.0), db, entry, outline))
    }

    fn is_full(&self) -> bool {
        self.0.spool.memory_bytes() >= FLUSH_BYTES || !self.0.lent.lock().is_empty()
    }
}

fn encode(encoder: &mut Encoder, entry: &Entry, attributes: &Attributes, out: &mut Vec<u8>) {
    encoder.encode_key(out, entry.key(), image::saved(entry), attributes);
    for (member, at) in image::expiring_members(entry) {
        encoder.encode_member_expiry(out, member, at);
    }
}
