//! The record of a large collection, whose members come one by one from the walk's thread and from
//! those who change them. What comes before its turn waits here, and counts as records that wait do.

use super::records::Records;
use base::lock::{Mutex, Rank};
use keyspace::{Entry, Record};
use rdb::{Attributes, Encoder};
use std::fmt;
use std::sync::Arc;
use values::fragment::{Fragment, Outline};

/// A record that is put together.
pub(super) struct Collected {
    records: Arc<Records>,
    db: u32,
    outline: Outline,
    parts: Mutex<Parts>,
}

#[derive(Default)]
struct Parts {
    /// Members are encoded under a shard's lock, and so not packed.
    plain: Encoder,
    bytes: Vec<u8>,
    members: usize,
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("outline", &self.outline).finish_non_exhaustive()
    }
}

impl Collected {
    /// The record of `entry`, with its head.
    pub(super) fn new(
        records: Arc<Records>,
        db: u32,
        entry: &Entry,
        outline: Outline,
    ) -> Collected {
        let attributes = Attributes { expire_at: entry.expire_at(), ..Attributes::default() };
        let mut parts = Parts::default();
        parts.plain.begin_fragments(&mut parts.bytes, entry.key(), outline, &attributes);
        records.spool.hold(parts.bytes.len());
        Collected { records, db, outline, parts: Mutex::new(Rank::Walk, parts) }
    }
}

impl Record for Collected {
    fn push(&self, fragment: Fragment<'_>) {
        let mut parts = self.parts.lock();
        if self.records.spool.is_over() {
            return;
        }
        let Parts { plain, bytes, members } = &mut *parts;
        let before = bytes.len();
        plain.push_fragment(bytes, fragment, self.outline);
        *members += 1;
        self.records.spool.hold(bytes.len() - before);
    }

    fn take(&self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.parts.lock().bytes);
        self.records.spool.release(bytes.len());
        bytes
    }

    fn db(&self) -> u32 {
        self.db
    }

    fn is_whole(&self) -> bool {
        self.parts.lock().members == self.outline.len
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        self.records.spool.release(self.parts.get_mut().bytes.len());
    }
}
