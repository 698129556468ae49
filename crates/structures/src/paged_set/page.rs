//! A page of a [`super::PagedSet`]: some members packed into one allocation.
//!
//! ```text
//!  0       4       8        8+n      8+2n
//!  | epoch | count | n tags | n codes | free ... | record n-1 | ... | record 1 | record 0 |
//! ```
//! A tag is eight bits of a member's hash, so that a search looks at few members; a code says what the
//! record at the other end is, and how long:
//!
//! ```text
//!  0..=127          the member itself, of so many bytes
//!  128              nothing: the member is the next of the far ones, an allocation of its own
//!  128 + 8..=127    when the member ends (8 bytes, little-endian milliseconds), then the member
//! ```
//! The place of a record follows from the codes of those before it, eight of which are added at a time.
//! The allocation has a size class, and an empty page has none.
//!
//! Invariants:
//! 1. The bytes are none, with a count of zero, or `8 + 2 * count` and those of the records at least.
//! 2. There are as many far members as codes of 128, in the same order.

use super::Member;
use crate::prefetch::{LINE_BYTES, prefetch};
use crate::{Mover, size_class};
use base::Millis;
use std::slice;

/// Bytes before the tags.
const HEAD: usize = 8;
/// The bits of a code that are the record's length.
const LENGTH: u8 = 0x7F;
/// The code of a far member; with a length, that of a member that expires.
const FAR: u8 = 0x80;
const EXPIRY_BYTES: usize = 8;
/// The expiry of a far member that has none.
const NEVER: u64 = u64::MAX;
/// Far members that a page makes room for at a time.
const FAR_STEP: usize = 2;

/// Lines of a page that are fetched together.
const PREFETCHED_LINES: usize = 4;
/// Tags compared, and codes added, at a time.
const STEP: usize = 16;
/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The low byte of each pair.
const EVENS: u64 = 0x00FF_00FF_00FF_00FF;

/// Members that belong together by their hashes.
#[derive(Clone, Default)]
pub(super) struct Page {
    bytes: Box<[u8]>,
    #[allow(clippy::box_collection, reason = "most pages have none, and 16 bytes less")]
    far: Option<Box<Vec<Far>>>,
}

/// A member too long for a record, behind eight bytes of expiry.
#[derive(Clone, Debug)]
struct Far(Box<[u8]>);

impl Far {
    fn new(member: &[u8], expire_at: Option<Millis>) -> Far {
        let expiry = expire_at.map_or(NEVER, |at| at.0).to_le_bytes();
        Far([&expiry, member].concat().into_boxed_slice())
    }

    fn member(&self) -> Member<'_> {
        let (expiry, bytes) = read_expiry(&self.0);
        Member { bytes, expire_at: (expiry != Millis(NEVER)).then_some(expiry) }
    }

    fn allocated_bytes(&self) -> usize {
        size_class(self.0.len())
    }
}

/// The expiry that `bytes` begin with, and the rest.
fn read_expiry(bytes: &[u8]) -> (Millis, &[u8]) {
    let (expiry, rest) = bytes.split_first_chunk().expect("an expiry stands first");
    (Millis(u64::from_le_bytes(*expiry)), rest)
}

/// The code of a member.
fn code_of(len: usize, expires: bool) -> u8 {
    let bytes = if expires { len + EXPIRY_BYTES } else { len };
    match u8::try_from(bytes) {
        Ok(bytes) if bytes <= LENGTH => bytes | if expires { FAR } else { 0 },
        _ => FAR,
    }
}

#[inline]
fn record_len(code: u8) -> usize {
    usize::from(code & LENGTH)
}

/// Up to eight bytes from `at` on, zeros behind the end.
#[inline]
fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
        None => load_last(bytes, at),
    }
}

#[cold]
fn load_last(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// A bit for each of sixteen tags that equals `tag`.
///
/// `cargo bench -p structures --bench paged_set`, medians and extremes of three runs in turns: a member
/// that is there is found in 184 ns (147 to 208), one that is not in 90 (76 to 98). Byte by byte, as
/// elsewhere, it is 355 (294 to 391) and 294 (271 to 354); with arithmetic on the words 386 (299 to 523)
/// and 171 (83 to 191).
#[inline]
#[cfg(target_arch = "x86_64")]
fn matches(tags: [u64; 2], tag: u8) -> u32 {
    use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: 1. SSE2 is part of every x86-64.
    unsafe {
        let tags = _mm_set_epi64x(tags[1].cast_signed(), tags[0].cast_signed());
        let equal = _mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed()));
        _mm_movemask_epi8(equal).cast_unsigned()
    }
}

/// A bit for each of sixteen tags that equals `tag`.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn matches(tags: [u64; 2], tag: u8) -> u32 {
    let bytes = tags.iter().flat_map(|tags| tags.to_le_bytes()).enumerate();
    bytes.fold(0, |mask, (index, here)| mask | u32::from(here == tag) << index)
}

/// So many low bits, but 16 at most.
#[inline]
fn low_bits(count: usize) -> u32 {
    if count >= STEP { 0xFFFF } else { (1 << count) - 1 }
}

/// `word` with all but the first `bytes` bytes cleared.
#[inline]
fn first(word: u64, bytes: usize) -> u64 {
    if bytes >= 8 { word } else { word & ((1 << (bytes * 8)) - 1) }
}

impl Page {
    /// How many members there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self.bytes.get(4..HEAD) {
            Some(count) => u32::from_le_bytes(count.try_into().expect("four bytes")) as usize,
            None => 0,
        }
    }

    /// The epoch; 0 of an empty page.
    #[inline]
    pub(super) fn epoch(&self) -> u32 {
        let epoch = self.bytes.first_chunk();
        epoch.map_or(0, |epoch| u32::from_le_bytes(*epoch))
    }

    /// Sets the epoch, unless the page is empty.
    #[inline]
    pub(super) fn set_epoch(&mut self, epoch: u32) {
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = epoch.to_le_bytes();
        }
    }

    /// Bytes of its allocations.
    pub(super) fn allocated_bytes(&self) -> usize {
        let far = self.far.as_deref().map_or(0, |far| {
            size_of::<Vec<Far>>()
                + far.capacity() * size_of::<Far>()
                + far.iter().map(Far::allocated_bytes).sum::<usize>()
        });
        self.bytes.len() + far
    }

    /// Moves its allocations where `mover` wants them.
    pub(super) fn relocate(&mut self, mover: &mut Mover) {
        mover.bytes(&mut self.bytes);
        if let Some(far) = &mut self.far {
            mover.boxed(far);
            mover.vec(far);
            far.iter_mut().for_each(|far| mover.bytes(&mut far.0));
        }
    }

    /// Asks for all lines of most pages at once: who reads one will read another.
    #[inline]
    pub(super) fn prefetch(&self) {
        let base = self.bytes.as_ptr();
        for line in 0..PREFETCHED_LINES {
            prefetch(base.wrapping_add(line * LINE_BYTES));
        }
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        self.bytes.get(HEAD..HEAD + self.len()).unwrap_or_default()
    }

    #[inline]
    fn codes(&self) -> &[u8] {
        let count = self.len();
        self.bytes.get(HEAD + count..HEAD + 2 * count).unwrap_or_default()
    }

    /// The bytes of the first `count` records, together.
    #[inline]
    fn records_len(&self, count: usize) -> usize {
        let codes = HEAD + self.len();
        let mut sum = self.sum_step(codes, count);
        let mut done = STEP;
        while done < count {
            sum += self.sum_step(codes + done, count - done);
            done += STEP;
        }
        sum
    }

    /// The lengths in the first `count` codes from `at` on, but of a step at most.
    #[inline]
    fn sum_step(&self, at: usize, count: usize) -> usize {
        let lengths = u64::from(LENGTH) * ONES;
        let low = first(load(&self.bytes, at), count) & lengths;
        let high = first(load(&self.bytes, at + 8), count.saturating_sub(8)) & lengths;
        // Four sums of four at most 508 each; their sum ends up in the highest 16 bits.
        let sums = (low & EVENS) + (low >> 8 & EVENS) + (high & EVENS) + (high >> 8 & EVENS);
        usize::try_from(sums.wrapping_mul(0x0001_0001_0001_0001) >> 48).expect("sixteen bits")
    }

    /// The number of `member`, whose hash has `tag`.
    #[inline]
    pub(super) fn find(&self, tag: u8, member: &[u8]) -> Option<usize> {
        self.prefetch();
        let count = self.len();
        let mut done = 0;
        while done < count {
            let at = HEAD + done;
            let tags = [load(&self.bytes, at), load(&self.bytes, at + 8)];
            let mut found = matches(tags, tag) & low_bits(count - done);
            while found != 0 {
                let index = done + found.trailing_zeros() as usize;
                if self.is_at(index, member) {
                    return Some(index);
                }
                found &= found - 1;
            }
            done += STEP;
        }
        None
    }

    #[inline]
    fn is_at(&self, index: usize, member: &[u8]) -> bool {
        let code = self.bytes[HEAD + self.len() + index];
        if code < FAR {
            usize::from(code) == member.len() && self.record(index, code) == member
        } else {
            self.member(index).bytes == member
        }
    }

    /// The record of member number `index`, whose code is `code`.
    #[inline]
    fn record(&self, index: usize, code: u8) -> &[u8] {
        let end = self.bytes.len() - self.records_len(index);
        &self.bytes[end - record_len(code)..end]
    }

    /// Member number `index`, which is below `len`.
    pub(super) fn member(&self, index: usize) -> Member<'_> {
        let code = self.codes()[index];
        if code == FAR {
            self.far(self.far_before(index))
        } else {
            member_of(code, self.record(index, code))
        }
    }

    fn far(&self, index: usize) -> Member<'_> {
        self.far.as_deref().expect("a code says there is one")[index].member()
    }

    /// How many of the members before `index` are far.
    fn far_before(&self, index: usize) -> usize {
        self.codes()[..index].iter().map(|&code| usize::from(code == FAR)).sum()
    }

    pub(super) fn iter(&self) -> PageIter<'_> {
        PageIter { codes: self.codes().iter(), rest: &self.bytes, far: self.far_slice().iter() }
    }

    fn far_slice(&self) -> &[Far] {
        self.far.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Adds a member, which is not there yet.
    pub(super) fn push(&mut self, tag: u8, member: &[u8], expire_at: Option<Millis>) {
        let code = code_of(member.len(), expire_at.is_some());
        let count = self.len();
        let records = self.make_room(1, record_len(code));
        self.bytes.copy_within(HEAD + count..HEAD + 2 * count, HEAD + count + 1);
        self.bytes[HEAD + count] = tag;
        self.bytes[HEAD + 2 * count + 1] = code;
        self.set_len(count + 1);
        let end = self.bytes.len() - records;
        let record = &mut self.bytes[end - record_len(code)..end];
        match expire_at {
            _ if code == FAR => {
                let far = self.far.get_or_insert_default();
                if far.len() == far.capacity() {
                    far.reserve_exact(far.len().max(FAR_STEP));
                }
                far.push(Far::new(member, expire_at));
            }
            None => record.copy_from_slice(member),
            Some(at) => {
                let (expiry, bytes) = record.split_at_mut(EXPIRY_BYTES);
                expiry.copy_from_slice(&at.0.to_le_bytes());
                bytes.copy_from_slice(member);
            }
        }
    }

    /// Sees to room for so many more members with records of so many bytes; gives the bytes of the
    /// records there are.
    fn make_room(&mut self, members: usize, bytes: usize) -> usize {
        let count = self.len();
        let records = self.records_len(count);
        let needed = HEAD + 2 * (count + members) + records + bytes;
        if needed > self.bytes.len() {
            self.resize(size_class(needed), records);
        }
        records
    }

    /// Moves to an allocation of `total` bytes, which has room for all of it.
    fn resize(&mut self, total: usize, records: usize) {
        let mut fresh = vec![0; total].into_boxed_slice();
        let front = (HEAD + 2 * self.len()).min(self.bytes.len());
        fresh[..front].copy_from_slice(&self.bytes[..front]);
        fresh[total - records..].copy_from_slice(&self.bytes[self.bytes.len() - records..]);
        self.bytes = fresh;
    }

    fn set_len(&mut self, count: usize) {
        let count = u32::try_from(count).expect("a page has less than 2^32 members");
        self.bytes[4..HEAD].copy_from_slice(&count.to_le_bytes());
    }

    /// Takes member number `index` out. The others keep their order.
    pub(super) fn remove(&mut self, index: usize) {
        let count = self.len();
        if count == 1 {
            *self = Page::default();
            return;
        }
        let code = self.codes()[index];
        if code == FAR {
            let at = self.far_before(index);
            let far = self.far.as_deref_mut().expect("a code says there is one");
            far.remove(at);
            if far.is_empty() {
                self.far = None;
            }
        }
        let (before, records) = (self.records_len(index), self.records_len(count));
        let total = self.bytes.len();
        let gone = record_len(code);
        self.bytes.copy_within(total - records..total - before - gone, total - records + gone);
        let (tag, code) = (HEAD + index, HEAD + count + index);
        self.bytes.copy_within(tag + 1..code, tag);
        self.bytes.copy_within(code + 1..HEAD + 2 * count, code - 1);
        self.set_len(count - 1);
        let used = HEAD + 2 * (count - 1) + records - gone;
        // Only when half is free, so that coming and going does not move it each time.
        if 2 * used <= total {
            self.resize(size_class(used), records - gone);
        }
    }

    /// Sets or removes the expiry of member number `index`, which may get another number.
    pub(super) fn set_expire_at(&mut self, index: usize, at: Option<Millis>) {
        let (tag, code) = (self.tags()[index], self.codes()[index]);
        match at {
            Some(at) if code > FAR => {
                let begin = self.bytes.len() - self.records_len(index + 1);
                self.bytes[begin..begin + EXPIRY_BYTES].copy_from_slice(&at.0.to_le_bytes());
            }
            _ if code == FAR => {
                let number = self.far_before(index);
                let far = self.far.as_deref_mut().expect("a code says there is one");
                let expiry = at.map_or(NEVER, |at| at.0);
                far[number].0[..EXPIRY_BYTES].copy_from_slice(&expiry.to_le_bytes());
            }
            None if code < FAR => {}
            _ => {
                let member = self.member(index).bytes.to_vec();
                self.remove(index);
                self.push(tag, &member, at);
            }
        }
    }

    /// Takes out the members for whose numbers `goes` is true, into a page of their own.
    pub(super) fn split_off(&mut self, goes: &[bool]) -> Page {
        let (mut stay, mut gone) =
            (self.with_room_for(goes, false), self.with_room_for(goes, true));
        let far = self.far.take().map_or_else(Vec::new, |far| *far);
        let mut far = far.into_iter();
        for ((&tag, &code), (record, &goes)) in
            self.tags().iter().zip(self.codes()).zip(self.records().zip(goes))
        {
            let far = if code == FAR { far.next() } else { None };
            (if goes { &mut gone } else { &mut stay }).push_record(tag, code, record, far);
        }
        *self = stay.finish();
        gone.finish()
    }

    /// A builder with room for the members for which `goes` is `side`.
    fn with_room_for(&self, goes: &[bool], side: bool) -> Builder {
        let chosen = self.codes().iter().zip(goes).filter(|&(_, &goes)| goes == side);
        let (count, bytes) =
            chosen.fold((0, 0), |(count, bytes), (&code, _)| (count + 1, bytes + record_len(code)));
        Builder::new(count, bytes)
    }

    /// The records as they lie.
    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        self.codes().iter().map(move |&code| {
            let (left, record) = rest.split_at(rest.len() - record_len(code));
            rest = left;
            record
        })
    }

    /// Takes all members of `other` in.
    pub(super) fn absorb(&mut self, other: Page) {
        if self.len() == 0 {
            *self = other;
            return;
        }
        let (count, more) = (self.len(), other.len());
        let bytes = other.records_len(more);
        let records = self.make_room(more, bytes);
        self.bytes.copy_within(HEAD + count..HEAD + 2 * count, HEAD + count + more);
        self.bytes[HEAD + count..HEAD + count + more].copy_from_slice(other.tags());
        let codes = HEAD + 2 * count + more;
        self.bytes[codes..codes + more].copy_from_slice(other.codes());
        let end = self.bytes.len() - records;
        self.bytes[end - bytes..end].copy_from_slice(&other.bytes[other.bytes.len() - bytes..]);
        self.set_len(count + more);
        if let Some(far) = other.far {
            self.far.get_or_insert_default().extend(*far);
        }
    }
}

/// The member of a record that is not far.
#[inline]
fn member_of(code: u8, record: &[u8]) -> Member<'_> {
    if code < FAR {
        return Member { bytes: record, expire_at: None };
    }
    let (at, bytes) = read_expiry(record);
    Member { bytes, expire_at: Some(at) }
}

/// A page that is filled with members whose number and records are known.
struct Builder {
    page: Page,
    count: usize,
    codes: usize,
    end: usize,
}

impl Builder {
    fn new(count: usize, bytes: usize) -> Builder {
        let total = if count == 0 { 0 } else { size_class(HEAD + 2 * count + bytes) };
        let page = Page { bytes: vec![0; total].into_boxed_slice(), far: None };
        Builder { page, count: 0, codes: HEAD + count, end: total }
    }

    fn push_record(&mut self, tag: u8, code: u8, record: &[u8], far: Option<Far>) {
        let bytes = &mut self.page.bytes;
        bytes[HEAD + self.count] = tag;
        bytes[self.codes + self.count] = code;
        bytes[self.end - record.len()..self.end].copy_from_slice(record);
        self.end -= record.len();
        self.count += 1;
        if let Some(far) = far {
            self.page.far.get_or_insert_default().push(far);
        }
    }

    fn finish(mut self) -> Page {
        if self.count > 0 {
            self.page.set_len(self.count);
        }
        self.page
    }
}

/// The members of a page of a [`super::PagedSet`].
#[derive(Clone, Debug)]
pub struct PageIter<'a> {
    codes: slice::Iter<'a, u8>,
    /// The page up to the record before the next.
    rest: &'a [u8],
    far: slice::Iter<'a, Far>,
}

impl<'a> PageIter<'a> {
    /// Of no page.
    pub(super) fn empty() -> PageIter<'a> {
        PageIter { codes: [].iter(), rest: &[], far: [].iter() }
    }
}

impl<'a> Iterator for PageIter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        let code = *self.codes.next()?;
        if code == FAR {
            return self.far.next().map(Far::member);
        }
        let (rest, record) = self.rest.split_at(self.rest.len() - record_len(code));
        self.rest = rest;
        Some(member_of(code, record))
    }
}
