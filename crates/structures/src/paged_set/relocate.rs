//! Moving what a paged set owns to other allocations, a page at a time.

use super::{CHUNK_PAGES, PagedSet};
use crate::Mover;
use crate::linear::{bucket_of, next_cursor};

impl PagedSet {
    /// Moves what one page owns where `mover` wants it, and with the first page of a chunk the chunk. No
    /// page changes, so nobody who watches is told. Gives how many members the page has, and the next
    /// cursor; cursors are those of [`PagedSet::scan`].
    pub fn relocate_some(&mut self, cursor: u64, mover: &mut Mover) -> (usize, u64) {
        if self.pages == 0 {
            return (0, 0);
        }
        let bucket = bucket_of(cursor, self.pages, self.mask);
        if bucket == 0 {
            mover.vec(&mut self.chunks);
        }
        let chunk = &mut self.chunks[bucket / CHUNK_PAGES];
        if bucket.is_multiple_of(CHUNK_PAGES) {
            mover.vec(chunk);
        }
        let page = &mut chunk[bucket % CHUNK_PAGES];
        page.relocate(mover);
        (page.len(), next_cursor(cursor, bucket, self.pages))
    }
}
