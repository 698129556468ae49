//! Walking a paged set: cursors that survive growth and shrinking, iteration, random choice.
//!
//! A cursor visits one page; the `linear` module says why that keeps SCAN's guarantees.

use super::page::{Page, PageIter};
use super::{CHUNK_PAGES, Member, PageWatch, PagedSet};
use crate::linear::{bucket_of, is_half, next_cursor};
use base::random::Random;

/// Draws of `random` before it takes any member near the last one drawn.
const RANDOM_DRAWS_MAX: usize = 64;

impl PagedSet {
    /// Visits one page and returns the next cursor; zero begins, and zero ends. Every member present
    /// from the first call to the last is visited at least once, though the set grow and shrink between
    /// them. Cursors stay below the next power of two of the page count.
    pub fn scan<'a>(&'a self, cursor: u64, visit: impl FnMut(Member<'a>)) -> u64 {
        if self.pages == 0 {
            return 0;
        }
        let bucket = bucket_of(cursor, self.pages, self.mask);
        self.page(bucket).iter().for_each(visit);
        next_cursor(cursor, bucket, self.pages)
    }

    /// As [`PagedSet::scan`], by whole pages: `visit` is given the epoch of the page, if it has members,
    /// and gives the one that it has afterwards.
    pub fn scan_page(&mut self, cursor: u64, visit: impl FnOnce(u32, PageIter<'_>) -> u32) -> u64 {
        if self.pages == 0 {
            return 0;
        }
        let bucket = bucket_of(cursor, self.pages, self.mask);
        let page = &mut self.chunks[bucket / CHUNK_PAGES][bucket % CHUNK_PAGES];
        if page.len() > 0 {
            let epoch = visit(page.epoch(), page.iter());
            page.set_epoch(epoch);
        }
        next_cursor(cursor, bucket, self.pages)
    }

    /// As [`PagedSet::scan`], and takes out every member for which `ended` holds, giving it to
    /// `removed`. The set may shrink by as many pages as it lost members.
    pub fn drain_where(
        &mut self,
        cursor: u64,
        ended: impl FnMut(Member<'_>) -> bool,
        mut removed: impl FnMut(Member<'_>),
        watch: &mut impl PageWatch,
    ) -> u64 {
        if self.pages == 0 {
            return 0;
        }
        let bucket = bucket_of(cursor, self.pages, self.mask);
        let next = next_cursor(cursor, bucket, self.pages);
        let goes: Vec<bool> = self.page(bucket).iter().map(ended).collect();
        if goes.contains(&true) {
            let gone = self.change(bucket, watch, |page, _| page.split_off(&goes));
            for member in gone.iter() {
                self.expiring -= usize::from(member.expire_at.is_some());
                self.len -= 1;
                removed(member);
            }
            for _ in 0..gone.len() {
                self.shrink(watch);
            }
        }
        next
    }

    /// All members, in no order.
    pub fn iter(&self) -> PagedIter<'_> {
        PagedIter { set: self, next_page: 0, members: PageIter::empty(), left: self.len }
    }

    /// A random member, all being about equally likely. Touches two pages on average.
    pub fn random(&self, random: &mut Random) -> Option<Member<'_>> {
        if self.is_empty() {
            return None;
        }
        // The page of a random hash: one that is not split yet is chosen twice as often, and has twice as
        // many members on average. A place among somewhat more than the average keeps members of fuller
        // pages from being chosen less: one page in a thousand is fuller than that.
        let mean = self.len >> (self.pages.ilog2() + 1);
        let places = mean + mean / 2 + 6;
        let mut bucket = 0;
        for _ in 0..RANDOM_DRAWS_MAX {
            bucket = bucket_of(random.next_u64(), self.pages, self.mask);
            let page = self.page(bucket);
            let places = if is_half(bucket, self.pages) { places } else { 2 * places };
            let index = below(random, page.len().max(places));
            if index < page.len() {
                return Some(page.member(index));
            }
        }
        // Nearly empty: a member of the next page that has any.
        let pages = (bucket..self.pages).chain(0..bucket).map(|bucket| self.page(bucket));
        let page = pages.into_iter().find(|page| page.len() > 0)?;
        Some(page.member(below(random, page.len())))
    }

    fn page_at(&self, bucket: usize) -> Option<&Page> {
        (bucket < self.pages).then(|| self.page(bucket))
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("less than a usize")
}

/// All members of a paged set. Made by [`PagedSet::iter`].
#[derive(Clone)]
pub struct PagedIter<'a> {
    set: &'a PagedSet,
    next_page: usize,
    members: PageIter<'a>,
    left: usize,
}

impl<'a> Iterator for PagedIter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        loop {
            if let Some(member) = self.members.next() {
                self.left -= 1;
                return Some(member);
            }
            self.members = self.set.page_at(self.next_page)?.iter();
            self.next_page += 1;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PagedIter<'_> {}

impl<'a> IntoIterator for &'a PagedSet {
    type Item = Member<'a>;
    type IntoIter = PagedIter<'a>;

    fn into_iter(self) -> PagedIter<'a> {
        self.iter()
    }
}
