//! A hash table of entries that grows and shrinks one bucket at a time (linear hashing).
//!
//! No insertion moves more than one bucket, and there is no second table (see the `linear` module).
//! Buckets stand in chunks of 1 KB behind a directory; what a bucket cannot hold stands in its chain (see
//! the `chain` module).
//!
//! Invariants:
//! 1. `mask` is the next power of two from `buckets`, less one; zero if there are no buckets.
//! 2. The first chunk has `min(16, mask + 1)` buckets, every other has 16, and there are as many chunks
//!    as `buckets` need. Buckets at and above `buckets` are all zeros.
//! 3. Every entry stands in the chain of its hash's bucket, its tag being that of its hash or unknown.

#![allow(clippy::cast_ptr_alignment, reason = "chunks are aligned to cache lines")]

mod relocate;
mod scan;

pub use scan::Iter;

use crate::chain::{Chain, SLOTS, Word, tag_of};
use crate::entry::{Entry, UNKNOWN_TAG, slot_tag, with_tag};
use crate::linear;
use crate::prefetch::{LINE_BYTES, prefetch};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};

/// Buckets of a chunk; the first chunk grows to it by doubling.
const CHUNK_BUCKETS: usize = 16;
/// A bucket is split when there are more entries than this per bucket. With eight slots a bucket and
/// exact overflow nodes, 7 costs 10.3 bytes an entry and sends one search in eight to the overflow.
const ENTRIES_PER_BUCKET_MAX: usize = 7;
/// The last bucket is merged when there are fewer entries than this per bucket.
const ENTRIES_PER_BUCKET_MIN: usize = 3;

/// The keyed hash of the caller. Every `hash` argument must come from the same function, and it must
/// not panic.
pub trait KeyHasher {
    /// The hash of `key`: all 64 bits should be good.
    fn hash(&self, key: &[u8]) -> u64;
}

impl<F: Fn(&[u8]) -> u64> KeyHasher for F {
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        self(key)
    }
}

/// A set of entries with different keys. Empty, it owns no memory.
pub struct Table<B> {
    chunks: Vec<NonNull<Word>>,
    len: usize,
    buckets: usize,
    mask: usize,
    overflow_bytes: usize,
    owns: PhantomData<Entry<B>>,
}

// SAFETY: 1. A table owns its chunks, nodes and entries alone, so sending it sends entries.
unsafe impl<B: Send> Send for Table<B> {}
// SAFETY: 1. `&Table` only reads slots, which change through `&mut self`, and gives out `&Entry`.
unsafe impl<B: Sync> Sync for Table<B> {}

impl<B> Default for Table<B> {
    fn default() -> Table<B> {
        Table::new()
    }
}

impl<B> Table<B> {
    /// An empty table, without allocation.
    pub const fn new() -> Table<B> {
        Table {
            chunks: Vec::new(),
            len: 0,
            buckets: 0,
            mask: 0,
            overflow_bytes: 0,
            owns: PhantomData,
        }
    }

    /// The number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of buckets: scan cursors stay below its next power of two.
    pub fn bucket_count(&self) -> usize {
        self.buckets
    }

    /// Bytes of the table's own storage, without the entries and the `Table` itself.
    pub fn memory_bytes(&self) -> usize {
        let buckets = match self.chunks.len() {
            0 => 0,
            1 => first_chunk_buckets(self.buckets),
            chunks => chunks * CHUNK_BUCKETS,
        };
        self.chunks.capacity() * size_of::<NonNull<Word>>()
            + buckets * LINE_BYTES
            + self.overflow_bytes
    }

    /// The entry with `key`. Touches the bucket's line and the entry's, seldom more.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry<B>> {
        let slot = self.find_slot(hash, key)?;
        // SAFETY: 1. The slot holds an entry's word, and `Entry` is that word. 2. Slots change only
        // through `&mut self`.
        Some(unsafe { &*slot.cast::<Entry<B>>() })
    }

    /// The entry with `key`, for change: it may move, and may be replaced by another with the same key.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Entry<B>> {
        let slot = self.find_slot(hash, key)?;
        // SAFETY: 1. As in `find`. 2. `&mut self` makes the borrow unique. 3. Whatever entry is put
        // there has a tag that a search finds: its old one or `UNKNOWN_TAG`.
        Some(unsafe { &mut *slot.cast::<Entry<B>>() })
    }

    /// Adds `entry`, whose key has `hash`; gives back the entry with the same key that it replaced.
    /// Moves at most one bucket.
    pub fn insert(
        &mut self,
        hash: u64,
        entry: Entry<B>,
        hasher: &impl KeyHasher,
    ) -> Option<Entry<B>> {
        if let Some(slot) = self.find_slot(hash, entry.key()) {
            let word = entry.into_word(tag_of(hash));
            // SAFETY: 1. The slot holds an entry that this table owns; it leaves as the other comes.
            return Some(unsafe { Entry::from_word(ptr::replace(slot, word)) });
        }
        self.insert_unique(hash, entry, hasher);
        None
    }

    /// Adds `entry`, whose key has `hash` and is known to be absent. Moves at most one bucket.
    pub fn insert_unique(&mut self, hash: u64, entry: Entry<B>, hasher: &impl KeyHasher) {
        debug_assert!(self.find_slot(hash, entry.key()).is_none(), "the key is present");
        if self.len >= self.buckets * ENTRIES_PER_BUCKET_MAX {
            self.grow(hasher);
        }
        let word = entry.into_word(tag_of(hash));
        self.chain(self.bucket_of(hash)).push(word, &mut self.overflow_bytes);
        self.len += 1;
    }

    /// Takes out the entry with `key`. Moves at most one bucket.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Entry<B>> {
        let slot = self.find_slot(hash, key)?;
        let entry = self.remove_slot(self.bucket_of(hash), slot);
        self.shrink();
        Some(entry)
    }

    /// Drops all entries and gives back all memory.
    pub fn clear(&mut self) {
        drop(mem::take(self));
    }

    /// Hints that an operation with `hash` comes soon: fetches its bucket's line.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if self.buckets != 0 {
            prefetch(self.bucket_pointer(self.bucket_of(hash)).cast());
        }
    }

    /// Hints that an operation with `hash` comes next: reads its bucket (fetched before, one hopes) and
    /// fetches the entries with its tag.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        if self.buckets != 0 {
            self.chain(self.bucket_of(hash)).prefetch_matches(tag_of(hash));
        }
    }

    /// The bucket of `hash`; there is at least one.
    #[inline]
    fn bucket_of(&self, hash: u64) -> usize {
        linear::bucket_of(hash, self.buckets, self.mask)
    }

    #[inline]
    fn bucket_pointer(&self, bucket: usize) -> *mut Word {
        let chunk = self.chunks[bucket / CHUNK_BUCKETS].as_ptr();
        // SAFETY: 1. `bucket` is below `buckets`, so its chunk reaches this far (invariant 2).
        unsafe { chunk.add(bucket % CHUNK_BUCKETS * SLOTS) }
    }

    #[inline]
    fn chain(&self, bucket: usize) -> Chain {
        // SAFETY: 1. The bucket has eight initialised words that keep the chain's invariants. 2. Chains
        // are local to a method: those that only read hold `&self`, the others `&mut self`.
        unsafe { Chain::new(self.bucket_pointer(bucket)) }
    }

    #[inline]
    fn find_slot(&self, hash: u64, key: &[u8]) -> Option<*mut Word> {
        if self.buckets == 0 {
            return None;
        }
        self.chain(self.bucket_of(hash)).find(tag_of(hash), |word| {
            // SAFETY: 1. The chain gives words of entries; `&self` keeps the table as it is.
            unsafe { Self::key_of(&word) == key }
        })
    }

    /// The key behind a word.
    ///
    /// # Safety
    /// The word is an entry's of this table, which does not change while the key is borrowed.
    #[inline]
    unsafe fn key_of<'a>(word: &'a Word) -> &'a [u8]
    where
        B: 'a,
    {
        // SAFETY: 1. The word is an entry's, and `Entry` is that word. 2. The entry lives as long as the
        // table is not changed.
        unsafe { (*ptr::from_ref(word).cast::<Entry<B>>()).key() }
    }

    /// Takes the entry out of a slot of `bucket`'s chain, without shrinking.
    fn remove_slot(&mut self, bucket: usize, slot: *mut Word) -> Entry<B> {
        let word = self.chain(bucket).remove(slot, &mut self.overflow_bytes);
        self.len -= 1;
        // SAFETY: 1. The word was an entry's that the table owned, and has just left it.
        unsafe { Entry::from_word(word) }
    }

    /// Adds a bucket and moves to it what belongs there.
    fn grow(&mut self, hasher: &impl KeyHasher) {
        let fresh = self.buckets;
        self.add_bucket();
        if fresh == 0 {
            return;
        }
        let split_bit = 1_u64 << fresh.ilog2();
        let (source, target) = (self.chain(linear::parent_of(fresh)), self.chain(fresh));
        source.prefetch_all();
        // From the end: what fills a hole has been looked at already.
        for index in (0..source.len()).rev() {
            let slot = source.slot(index);
            // SAFETY: 1. The slot is one of the chain's entries, which nothing else changes here.
            let word = unsafe { slot.read() };
            // SAFETY: 1. As before; the hasher cannot reach the table.
            let hash = hasher.hash(unsafe { Self::key_of(&word) });
            let known =
                if slot_tag(word) == UNKNOWN_TAG { with_tag(word, tag_of(hash)) } else { word };
            if hash & split_bit == 0 {
                // SAFETY: 1. As before; 2. the word is the same entry's.
                unsafe { slot.write(known) }
            } else {
                source.remove(slot, &mut self.overflow_bytes);
                target.push(known, &mut self.overflow_bytes);
            }
        }
    }

    /// Merges the last bucket into the one it was split from, if there are few entries.
    fn shrink(&mut self) {
        if self.buckets <= 1 || self.len >= self.buckets * ENTRIES_PER_BUCKET_MIN {
            return;
        }
        let last = self.buckets - 1;
        let (source, target) = (self.chain(last), self.chain(linear::parent_of(last)));
        while let Some(word) = source.pop(&mut self.overflow_bytes) {
            target.push(word, &mut self.overflow_bytes);
        }
        self.drop_bucket();
    }

    /// Makes room for one more bucket, all zeros, and counts it.
    fn add_bucket(&mut self) {
        let bucket = self.buckets;
        if bucket == 0 {
            self.chunks.reserve_exact(1);
            self.chunks.push(allocate_chunk(1));
        } else if bucket < CHUNK_BUCKETS && bucket.is_power_of_two() {
            self.resize_first_chunk(bucket, bucket * 2);
        } else if bucket.is_multiple_of(CHUNK_BUCKETS) {
            self.chunks.push(allocate_chunk(CHUNK_BUCKETS));
        }
        self.set_buckets(bucket + 1);
    }

    /// Takes away the last bucket, which is all zeros; there are at least two.
    fn drop_bucket(&mut self) {
        let bucket = self.buckets - 1;
        self.set_buckets(bucket);
        if bucket < CHUNK_BUCKETS && bucket.is_power_of_two() {
            self.resize_first_chunk(bucket * 2, bucket);
        } else if bucket.is_multiple_of(CHUNK_BUCKETS) {
            let chunk = self.chunks.pop().expect("the bucket had a chunk");
            free_chunk(chunk, CHUNK_BUCKETS);
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        }
    }

    fn set_buckets(&mut self, buckets: usize) {
        self.buckets = buckets;
        self.mask = linear::mask_for(buckets);
    }

    fn resize_first_chunk(&mut self, old: usize, new: usize) {
        let chunk = self.chunks[0];
        let new_layout = chunk_layout(new);
        // SAFETY: 1. The first chunk has this layout (invariant 2). 2. The new size is not zero.
        let moved = unsafe { realloc(chunk.as_ptr().cast(), chunk_layout(old), new_layout.size()) };
        let Some(moved) = NonNull::new(moved.cast::<Word>()) else {
            handle_alloc_error(new_layout)
        };
        if new > old {
            // SAFETY: 1. These are the buckets just added at the end. 2. Zero bytes are null words.
            unsafe { moved.add(old * SLOTS).write_bytes(0, (new - old) * SLOTS) }
        }
        self.chunks[0] = moved;
    }
}

impl<B> Drop for Table<B> {
    fn drop(&mut self) {
        for bucket in 0..self.buckets {
            let chain = self.chain(bucket);
            chain.prefetch_all();
            while let Some(word) = chain.pop(&mut self.overflow_bytes) {
                // SAFETY: 1. The word was an entry's that the table owned, and has just left it.
                drop(unsafe { Entry::<B>::from_word(word) });
            }
        }
        let first = first_chunk_buckets(self.buckets);
        for (index, &chunk) in self.chunks.iter().enumerate() {
            free_chunk(chunk, if index == 0 { first } else { CHUNK_BUCKETS });
        }
    }
}

/// Buckets in the first chunk of a table with so many buckets (invariant 2).
fn first_chunk_buckets(buckets: usize) -> usize {
    buckets.next_power_of_two().min(CHUNK_BUCKETS)
}

fn chunk_layout(buckets: usize) -> Layout {
    Layout::from_size_align(buckets * LINE_BYTES, LINE_BYTES).expect("a chunk is at most 1 KB")
}

fn allocate_chunk(buckets: usize) -> NonNull<Word> {
    let layout = chunk_layout(buckets);
    // SAFETY: 1. The size is not zero.
    let chunk = unsafe { alloc_zeroed(layout) };
    NonNull::new(chunk.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

fn free_chunk(chunk: NonNull<Word>, buckets: usize) {
    // SAFETY: 1. The chunk was allocated with this layout (invariant 2), and its buckets are not used
    // again.
    unsafe { dealloc(chunk.as_ptr().cast(), chunk_layout(buckets)) }
}

#[cfg(test)]
mod tests;
