//! Moving what a table owns to other allocations, a bucket at a time.

use super::{CHUNK_BUCKETS, Table, allocate_chunk, first_chunk_buckets, free_chunk};
use crate::chain::SLOTS;
use crate::{Entry, Mover};
use std::ptr;

impl<B> Table<B> {
    /// Moves what one bucket owns where `mover` wants it, and with the first bucket of a chunk the chunk:
    /// all but the entries, which are given to `visit`. Cursors are those of [`Table::scan`].
    pub fn relocate_some(
        &mut self,
        cursor: u64,
        mover: &mut Mover,
        mut visit: impl FnMut(&mut Entry<B>, &mut Mover),
    ) -> u64 {
        if self.buckets == 0 {
            return 0;
        }
        let bucket = self.bucket_of(cursor);
        if bucket == 0 {
            mover.vec(&mut self.chunks);
        }
        if bucket.is_multiple_of(CHUNK_BUCKETS) {
            self.relocate_chunk(bucket / CHUNK_BUCKETS, mover);
        }
        self.chain(bucket).relocate_nodes(mover);
        self.scan_mut(cursor, |entry| visit(entry, mover))
    }

    fn relocate_chunk(&mut self, index: usize, mover: &mut Mover) {
        let old = self.chunks[index];
        // SAFETY: 1. A chunk is an allocation of its own.
        if !unsafe { mover.wants(old.as_ptr().cast()) } {
            return;
        }
        let buckets = if index == 0 { first_chunk_buckets(self.buckets) } else { CHUNK_BUCKETS };
        let fresh = allocate_chunk(buckets);
        // SAFETY: 1. Both chunks have so many buckets of initialised words (invariant 2), and are
        // distinct.
        unsafe { ptr::copy_nonoverlapping(old.as_ptr(), fresh.as_ptr(), buckets * SLOTS) };
        self.chunks[index] = fresh;
        free_chunk(old, buckets);
    }
}
