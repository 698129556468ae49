//! A set of byte strings, packed some ten to a page, that grows and shrinks one page at a time
//! (linear hashing, see the `linear` module): the large form of sets.
//!
//! A member costs its bytes and two more; what a page costs, its head, its place in the directory and
//! the rest of its size class, is shared. So a member of 19 bytes takes 27, where an [`crate::Entry`] in a
//! [`crate::Table`] takes 58. The price is that an insertion or removal moves the bytes of a page, some
//! hundreds.
//!
//! Any member may have an expiry, for eight bytes more. Nothing expires by itself.
//!
//! Pages stand in chunks of 64 behind a directory. But for comparing sixteen tags at once it is safe code.
//!
//! Invariants:
//! 1. `mask` is that of `pages`. The first chunk has `min(64, pages)` pages, every other but the last 64.
//! 2. Every member stands in the page of its hash, with the tag of its hash.
//! 3. `page_bytes`, `len` and `expiring` are the sums over all pages.

mod page;
mod relocate;
mod walk;

pub use page::PageIter;
pub use walk::PagedIter;

use crate::linear::{bucket_of, mask_for, parent_of};
use crate::{KeyHasher, size_class};
use base::Millis;
use page::Page;
use std::fmt;

/// Pages of a chunk; the first chunk grows to it by doubling.
const CHUNK_PAGES: usize = 64;
/// A page is split when there are more members than this per page. With ten a search compares all tags
/// at once most of the time; sixteen would save a byte a member, and be slower to change.
const MEMBERS_PER_PAGE_MAX: usize = 10;
/// The last page is merged when there are fewer members than this per page.
const MEMBERS_PER_PAGE_MIN: usize = 3;

/// A member, as it lies in its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The member.
    pub bytes: &'a [u8],
    /// When it ends.
    pub expire_at: Option<Millis>,
}

/// What is told of every page before it changes, so that it can be saved as it was.
///
/// A page has an epoch, which is the business of whoever watches; an empty one has epoch 0. A page that
/// is split off has the epoch of the other half, and one that takes another in keeps its own, the other
/// having been told of as well.
pub trait PageWatch {
    /// Members of a page of `epoch` are about to be changed, added, moved or taken out. Gives the epoch
    /// that the page has afterwards.
    fn before(&mut self, epoch: u32, members: PageIter<'_>) -> u32;
}

/// Nobody watches: the epoch stays.
impl PageWatch for () {
    #[inline]
    fn before(&mut self, epoch: u32, _: PageIter<'_>) -> u32 {
        epoch
    }
}

/// Different members. Empty, it owns no memory.
///
/// Every `hash` argument must come from the same function as the hashers', and all its 64 bits should
/// be good.
#[derive(Default)]
pub struct PagedSet {
    chunks: Vec<Vec<Page>>,
    pages: usize,
    mask: usize,
    len: usize,
    expiring: usize,
    /// Bytes of the pages' allocations.
    page_bytes: usize,
}

/// The tag of a hash: its top bits, for the lowest choose the page.
#[inline]
fn tag_of(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

impl PagedSet {
    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of members with an expiry.
    #[inline]
    pub fn expiring(&self) -> usize {
        self.expiring
    }

    /// The number of pages: scan cursors stay below its next power of two.
    pub fn page_count(&self) -> usize {
        self.pages
    }

    /// Bytes on the heap, in whole size classes. O(1).
    pub fn heap_bytes(&self) -> usize {
        let Some(first) = self.chunks.first() else { return 0 };
        let others = (self.chunks.len() - 1) * size_class(CHUNK_PAGES * size_of::<Page>());
        size_class(self.chunks.capacity() * size_of::<Vec<Page>>())
            + size_class(first.capacity() * size_of::<Page>())
            + others
            + self.page_bytes
    }

    /// The member equal to `member`. Reads its page's head and its bytes: two or three cache lines.
    #[inline]
    pub fn get(&self, hash: u64, member: &[u8]) -> Option<Member<'_>> {
        let page = self.page_of(hash)?;
        Some(page.member(page.find(tag_of(hash), member)?))
    }

    /// Whether `member` is in it. Costs as [`PagedSet::get`].
    #[inline]
    pub fn contains(&self, hash: u64, member: &[u8]) -> bool {
        self.page_of(hash).is_some_and(|page| page.find(tag_of(hash), member).is_some())
    }

    /// Puts `member` in unless it is there; true if it was not. Moves the bytes of its page, and at most
    /// one other is split.
    pub fn insert(
        &mut self,
        hash: u64,
        member: &[u8],
        expire_at: Option<Millis>,
        hasher: &impl KeyHasher,
        watch: &mut impl PageWatch,
    ) -> bool {
        let grows = self.len >= self.pages * MEMBERS_PER_PAGE_MAX;
        if grows && self.pages > 0 {
            self.page(parent_of(self.pages)).prefetch();
        }
        if self.contains(hash, member) {
            return false;
        }
        if grows {
            self.grow(hasher, watch);
        }
        self.change(bucket_of(hash, self.pages, self.mask), watch, |page, _| {
            page.push(tag_of(hash), member, expire_at);
        });
        self.len += 1;
        self.expiring += usize::from(expire_at.is_some());
        true
    }

    /// Sets or removes the expiry of `member`; false if it is not there.
    pub fn set_expire_at(
        &mut self,
        hash: u64,
        member: &[u8],
        at: Option<Millis>,
        watch: &mut impl PageWatch,
    ) -> bool {
        let Some((bucket, index)) = self.find(hash, member) else { return false };
        let had = self.page(bucket).member(index).expire_at.is_some();
        self.change(bucket, watch, |page, _| page.set_expire_at(index, at));
        self.expiring = self.expiring - usize::from(had) + usize::from(at.is_some());
        true
    }

    /// Takes `member` out; true if it was there. Moves the bytes of its page, and at most one other is
    /// merged.
    pub fn remove(&mut self, hash: u64, member: &[u8], watch: &mut impl PageWatch) -> bool {
        if self.is_sparse(1) {
            self.page(self.pages - 1).prefetch();
            self.page(parent_of(self.pages - 1)).prefetch();
        }
        let Some((bucket, index)) = self.find(hash, member) else { return false };
        if self.expiring > 0 {
            let expired = self.page(bucket).member(index).expire_at.is_some();
            self.expiring -= usize::from(expired);
        }
        self.change(bucket, watch, |page, _| page.remove(index));
        self.len -= 1;
        self.shrink(watch);
        true
    }

    /// The page and the number there of `member`.
    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<(usize, usize)> {
        let page = self.page_of(hash)?;
        let index = page.find(tag_of(hash), member)?;
        Some((bucket_of(hash, self.pages, self.mask), index))
    }

    #[inline]
    fn page_of(&self, hash: u64) -> Option<&Page> {
        if self.pages == 0 {
            return None;
        }
        Some(self.page(bucket_of(hash, self.pages, self.mask)))
    }

    #[inline]
    fn page(&self, bucket: usize) -> &Page {
        &self.chunks[bucket / CHUNK_PAGES][bucket % CHUNK_PAGES]
    }

    /// Changes a page, after `watch` has been told, and counts its bytes anew. `change` is given the
    /// page and the epoch that it will have.
    #[inline]
    fn change<T>(
        &mut self,
        bucket: usize,
        watch: &mut impl PageWatch,
        change: impl FnOnce(&mut Page, u32) -> T,
    ) -> T {
        let page = &mut self.chunks[bucket / CHUNK_PAGES][bucket % CHUNK_PAGES];
        let epoch = watch.before(page.epoch(), page.iter());
        self.page_bytes -= page.allocated_bytes();
        let done = change(page, epoch);
        page.set_epoch(epoch);
        self.page_bytes += page.allocated_bytes();
        done
    }

    /// Adds a page and moves to it what belongs there.
    fn grow(&mut self, hasher: &impl KeyHasher, watch: &mut impl PageWatch) {
        let fresh = self.pages;
        if fresh == 0 {
            self.add_page(Page::default());
            return;
        }
        let bit = 1_u64 << fresh.ilog2();
        let moved = self.change(parent_of(fresh), watch, |page, epoch| {
            let goes: Vec<bool> =
                page.iter().map(|member| hasher.hash(member.bytes) & bit != 0).collect();
            let mut moved = page.split_off(&goes);
            moved.set_epoch(epoch);
            moved
        });
        self.add_page(moved);
    }

    /// Whether the last page is to be merged when there are `fewer` members less.
    #[inline]
    fn is_sparse(&self, fewer: usize) -> bool {
        self.pages > 1 && self.len < self.pages * MEMBERS_PER_PAGE_MIN + fewer
    }

    /// Merges the last page into the one it was split from, if there are few members.
    fn shrink(&mut self, watch: &mut impl PageWatch) {
        if !self.is_sparse(0) {
            return;
        }
        let page = self.take_page();
        watch.before(page.epoch(), page.iter());
        self.change(parent_of(self.pages), watch, |parent, _| parent.absorb(page));
    }

    /// Puts a page behind the last.
    fn add_page(&mut self, page: Page) {
        self.page_bytes += page.allocated_bytes();
        if self.pages.is_multiple_of(CHUNK_PAGES) {
            let first = self.chunks.is_empty();
            if first {
                self.chunks.reserve_exact(1);
            }
            self.chunks.push(Vec::with_capacity(if first { 1 } else { CHUNK_PAGES }));
        }
        let chunk = self.chunks.last_mut().expect("there is room in the last chunk");
        if chunk.len() == chunk.capacity() {
            chunk.reserve_exact(chunk.len());
        }
        chunk.push(page);
        self.pages += 1;
        self.mask = mask_for(self.pages);
    }

    /// Takes the last page away; there are at least two.
    fn take_page(&mut self) -> Page {
        let chunk = self.chunks.last_mut().expect("there are pages");
        let page = chunk.pop().expect("the last chunk is not empty");
        self.page_bytes -= page.allocated_bytes();
        self.pages -= 1;
        self.mask = mask_for(self.pages);
        if chunk.is_empty() {
            self.chunks.pop();
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if self.pages < CHUNK_PAGES && self.pages.is_power_of_two() {
            chunk.shrink_to(self.pages);
        }
        page
    }
}

impl Clone for PagedSet {
    /// A copy of the pages as they are. O(bytes), and nothing is hashed.
    fn clone(&self) -> PagedSet {
        let mut copy = PagedSet::default();
        for page in self.chunks.iter().flatten() {
            copy.add_page(page.clone());
        }
        copy.len = self.len;
        copy.expiring = self.expiring;
        copy
    }
}

impl fmt::Debug for PagedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagedSet")
            .field("len", &self.len)
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
