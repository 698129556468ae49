//! The record of a large collection or string, whose fragments come one by one from the walk's thread and
//! from those who change them. What comes before its turn waits here, and counts as records that wait do.
//!
//! Members may stand in any order. Chunks of a string stand in theirs: the walk's thread brings them in
//! order, and what a writer brings early is kept aside until those before it are there.

use super::records::Records;
use base::lock::{Mutex, Rank};
use keyspace::{Entry, Record};
use rdb::Encoder;
use std::collections::BTreeMap;
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
    /// What may be written.
    bytes: Vec<u8>,
    /// When members of a set or sorted set end, which is said behind the last member.
    ends: Vec<u8>,
    /// Members, or bytes of chunks, that came.
    len: usize,
    /// The chunk that comes behind `bytes`.
    next: usize,
    /// Chunks behind that.
    early: BTreeMap<usize, Vec<u8>>,
}

impl Parts {
    /// Takes a fragment; gives the bytes that this adds.
    fn push(&mut self, fragment: Fragment<'_>, outline: Outline) -> usize {
        let Fragment::Chunk(at, chunk) = fragment else {
            let before = self.bytes.len() + self.ends.len();
            self.plain.push_fragment(&mut self.bytes, fragment, outline);
            if let Fragment::Member(member, Some(at)) | Fragment::Scored(member, _, Some(at)) =
                fragment
            {
                self.plain.encode_member_expiry(&mut self.ends, member, at);
            }
            self.len += 1;
            return self.bytes.len() + self.ends.len() - before;
        };
        self.len += chunk.len();
        if at != self.next {
            self.early.insert(at, chunk.to_vec());
            return chunk.len();
        }
        self.bytes.extend_from_slice(chunk);
        self.next += 1;
        while let Some(chunk) = self.early.remove(&self.next) {
            self.bytes.extend_from_slice(&chunk);
            self.next += 1;
        }
        chunk.len()
    }
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
        let attributes = records.attributes(entry);
        let mut parts = Parts::default();
        parts.plain.begin_fragments(&mut parts.bytes, entry.key(), outline, &attributes);
        records.spool.hold(parts.bytes.len());
        Collected { records, db, outline, parts: Mutex::new(Rank::Walk, parts) }
    }
}

impl Record for Collected {
    fn push(&self, fragment: Fragment<'_>) {
        let mut parts = self.parts.lock();
        if !self.records.spool.is_over() {
            self.records.spool.hold(parts.push(fragment, self.outline));
        }
    }

    fn keep(&self, bytes: usize) {
        self.records.spool.keep(bytes);
    }

    fn let_go(&self, bytes: usize) {
        self.records.spool.let_go(bytes);
    }

    fn take(&self) -> Vec<u8> {
        let mut parts = self.parts.lock();
        let mut bytes = std::mem::take(&mut parts.bytes);
        if parts.len == self.outline.len {
            bytes.append(&mut parts.ends);
        }
        drop(parts);
        self.records.spool.release(bytes.len());
        bytes
    }

    fn db(&self) -> u32 {
        self.db
    }

    fn is_whole(&self) -> bool {
        let parts = self.parts.lock();
        parts.len == self.outline.len && parts.early.is_empty()
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        let Parts { bytes, ends, early, .. } = self.parts.get_mut();
        let waiting = bytes.len() + ends.len() + early.values().map(Vec::len).sum::<usize>();
        self.records.spool.release(waiting);
    }
}
