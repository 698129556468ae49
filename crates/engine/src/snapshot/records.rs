//! What a walk records: keys, encoded under their shard's lock, on their way to the snapshot.

use super::spool::{Limits, Spool};
use crate::image;
use base::lock::{Mutex, Rank};
use keyspace::{Entry, Recorder};
use rdb::{Attributes, Encoder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use structures::ValueRef;

/// Bytes of records in memory from which on they are moved to a file in the data directory.
pub const SPILL_BYTES: usize = 64 << 20;

/// Bytes of records in memory from which on writers wait for that file. If it cannot be written, the
/// walk is given up rather than memory.
pub const QUEUE_BYTES_MAX: usize = 512 << 20;

/// The limits of a walk.
pub(super) const LIMITS: Limits = Limits { spill_bytes: SPILL_BYTES, most_bytes: QUEUE_BYTES_MAX };

/// Encoded keys.
#[derive(Debug)]
pub(super) struct Records {
    encoders: Mutex<Encoders>,
    keys: AtomicU64,
    pub(super) spool: Spool,
}

#[derive(Debug)]
struct Encoders {
    /// Of what lies inline in entries.
    packing: Encoder,
    /// Of large values, which are recorded under a shard's lock and so not compressed.
    plain: Encoder,
}

impl Records {
    /// `crowded` counts spools whose writers wait.
    pub(super) fn new(compression: bool, limits: Limits, crowded: Arc<AtomicUsize>) -> Records {
        let encoders = Encoders { packing: Encoder::new(compression), plain: Encoder::new(false) };
        Records {
            encoders: Mutex::new(Rank::Walk, encoders),
            keys: AtomicU64::new(0),
            spool: Spool::new(limits, crowded),
        }
    }

    /// How many keys were recorded.
    pub(super) fn keys(&self) -> u64 {
        self.keys.load(Ordering::Acquire)
    }
}

/// The end of the records at which a walk puts them in.
pub(super) struct Recording(pub(super) Arc<Records>);

impl Recorder for Recording {
    fn record(&self, db: u32, entry: &Entry) {
        let mut encoders = self.0.encoders.lock();
        let Encoders { packing, plain } = &mut *encoders;
        let is_small = matches!(entry.value(), ValueRef::Bytes(_));
        let encoder = if is_small { packing } else { plain };
        self.0.spool.append(db, |out| encode(encoder, entry, out));
        self.0.keys.fetch_add(1, Ordering::AcqRel);
    }
}

fn encode(encoder: &mut Encoder, entry: &Entry, out: &mut Vec<u8>) {
    let attributes = Attributes { expire_at: entry.expire_at(), ..Attributes::default() };
    encoder.encode_key(out, entry.key(), image::saved(entry), &attributes);
    for (member, at) in image::expiring_members(entry) {
        encoder.encode_member_expiry(out, member, at);
    }
}
