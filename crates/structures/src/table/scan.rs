//! Walking a table: cursors that survive growth and shrinking, iteration, random choice.
//!
//! A cursor visits one bucket; the `linear` module says why that keeps SCAN's guarantees.

use super::Table;
use crate::chain::Word;
use crate::entry::Entry;
use crate::linear::next_cursor;
use base::random::Random;

/// Slots among which `random` chooses: with longer chains (less than one in a thousand) it prefers the
/// entries of shorter ones a little.
const RANDOM_SLOTS: usize = 16;
/// Draws of `random` before it takes any entry near the last one drawn.
const RANDOM_DRAWS_MAX: usize = 64;

impl<B> Table<B> {
    /// Visits one bucket and returns the next cursor; zero begins, and zero ends. Every entry present
    /// from the first call to the last is visited at least once, though the table grow and shrink
    /// between them. Cursors stay below the next power of two of the bucket count.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a Entry<B>)) -> u64 {
        let Some((bucket, next)) = self.step(cursor) else { return 0 };
        let chain = self.chain(bucket);
        chain.prefetch_all();
        chain.for_each(|slot| {
            // SAFETY: 1. The slot holds an entry's word, and `Entry` is that word. 2. Slots change only
            // through `&mut self`.
            visit(unsafe { &*slot.cast::<Entry<B>>() });
        });
        next
    }

    /// As [`Table::scan`], with entries that may be changed, but not given another key.
    pub fn scan_mut(&mut self, cursor: u64, mut visit: impl FnMut(&mut Entry<B>)) -> u64 {
        let Some((bucket, next)) = self.step(cursor) else { return 0 };
        let chain = self.chain(bucket);
        chain.prefetch_all();
        chain.for_each(|slot| {
            // SAFETY: 1. As in `scan`. 2. `&mut self` and one slot at a time make the borrow unique.
            visit(unsafe { &mut *slot.cast::<Entry<B>>() });
        });
        next
    }

    /// As [`Table::scan_mut`], and takes out every entry for which `remove` holds, giving it to
    /// `removed`. The table may shrink by as many buckets as it lost entries.
    pub fn drain_where(
        &mut self,
        cursor: u64,
        mut remove: impl FnMut(&mut Entry<B>) -> bool,
        mut removed: impl FnMut(Entry<B>),
    ) -> u64 {
        let Some((bucket, next)) = self.step(cursor) else { return 0 };
        let chain = self.chain(bucket);
        chain.prefetch_all();
        let before = self.len;
        // From the end: what fills a hole has been looked at already.
        for index in (0..chain.len()).rev() {
            let slot = chain.slot(index);
            // SAFETY: 1. As in `scan_mut`; the borrow ends before the slot is emptied.
            if remove(unsafe { &mut *slot.cast::<Entry<B>>() }) {
                removed(self.remove_slot(bucket, slot));
            }
        }
        for _ in self.len..before {
            self.shrink();
        }
        next
    }

    /// All entries, in no order.
    pub fn iter(&self) -> Iter<'_, B> {
        Iter { table: self, bucket: 0, index: 0, chain_len: self.chain_len(0), left: self.len }
    }

    /// A random entry, all being about equally likely. Touches two buckets on average when the table is
    /// well filled.
    pub fn random(&self, random: &mut Random) -> Option<&Entry<B>> {
        if self.is_empty() {
            return None;
        }
        let mut bucket = 0;
        for _ in 0..RANDOM_DRAWS_MAX {
            bucket = below(random, self.buckets);
            let len = self.chain_len(bucket);
            let index = below(random, len.max(RANDOM_SLOTS));
            if index < len {
                return Some(self.entry_at(bucket, index));
            }
        }
        // Nearly empty: the next entry from here on.
        for _ in 0..self.buckets {
            let len = self.chain_len(bucket);
            if len > 0 {
                return Some(self.entry_at(bucket, below(random, len)));
            }
            bucket = (bucket + 1) % self.buckets;
        }
        None
    }

    /// The bucket of a cursor, and the cursor behind it; `None` without buckets.
    fn step(&self, cursor: u64) -> Option<(usize, u64)> {
        if self.buckets == 0 {
            return None;
        }
        let bucket = self.bucket_of(cursor);
        Some((bucket, next_cursor(cursor, bucket, self.buckets)))
    }

    fn chain_len(&self, bucket: usize) -> usize {
        if bucket < self.buckets { self.chain(bucket).len() } else { 0 }
    }

    /// An entry by place; `index` is below the length of the bucket's chain.
    fn entry_at(&self, bucket: usize, index: usize) -> &Entry<B> {
        let slot: *mut Word = self.chain(bucket).slot(index);
        // SAFETY: 1. As in `scan`.
        unsafe { &*slot.cast::<Entry<B>>() }
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("less than a usize")
}

/// All entries of a table. Made by [`Table::iter`].
pub struct Iter<'a, B> {
    table: &'a Table<B>,
    bucket: usize,
    index: usize,
    chain_len: usize,
    left: usize,
}

impl<'a, B> Iterator for Iter<'a, B> {
    type Item = &'a Entry<B>;

    fn next(&mut self) -> Option<&'a Entry<B>> {
        self.left = self.left.checked_sub(1)?;
        while self.index == self.chain_len {
            self.bucket += 1;
            self.index = 0;
            self.chain_len = self.table.chain_len(self.bucket);
        }
        self.index += 1;
        Some(self.table.entry_at(self.bucket, self.index - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<B> ExactSizeIterator for Iter<'_, B> {}

impl<'a, B> IntoIterator for &'a Table<B> {
    type Item = &'a Entry<B>;
    type IntoIter = Iter<'a, B>;

    fn into_iter(self) -> Iter<'a, B> {
        self.iter()
    }
}
