//! A bucket and its overflow: where the words of a table stand.
//!
//! ```text
//!  word            63..48 slot tag | 47..0 address
//!  0               an empty slot
//!  1..=FFFD        an entry, tagged with 16 bits of its hash
//!  FFFE            an entry that somebody put there through `&mut Entry`: its hash is not known
//!  FFFF            a link to an overflow node; bits 0..4 of the address hold capacity / 2
//!
//!  bucket  [w0 w1 w2 w3 w4 w5 w6 w7]                      64 bytes, one cache line
//!  longer  [w0 w1 w2 w3 w4 w5 w6 link] -> [w7 w8]         overflow of 2, 4, 6 or 8 words
//! ```
//! Invariants:
//! 1. Every node but the last of a chain has capacity 8, holds seven entries and a link in the last
//!    slot. Nothing but slot 7 ever holds a link.
//! 2. In the last node the entries stand first. An overflow node has at least two, and its capacity is
//!    their number rounded up to even.
//! 3. Overflow nodes are 16-aligned allocations of 8 x capacity bytes, owned by their link.
//!
//! The order of entries means nothing.

use crate::Mover;
use crate::entry::{TAG_SHIFT, UNKNOWN_TAG, slot_tag, untagged, with_tag};
use crate::prefetch::prefetch;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr;

/// An entry pointer or a link, with its slot tag.
pub(crate) type Word = *mut u8;

/// Slots of a bucket.
pub(crate) const SLOTS: usize = 8;
/// Entries in a bucket or node that has a link.
const LINKED_ENTRIES: usize = SLOTS - 1;
/// Overflow nodes grow and shrink by this many slots: the 16 bytes of a size class.
const NODE_STEP: usize = 2;

const LINK_TAG: u16 = 0xFFFF;
const NODE_ALIGN: usize = 16;

/// A chain of slots, borrowed from a table in the sense of a raw pointer: whoever makes one promises
/// that the bucket lives, and is reached by nobody else, until the last use.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    bucket: *mut Word,
}

#[derive(Clone, Copy)]
struct Node {
    slots: *mut Word,
    capacity: usize,
}

/// The slot tag for a hash: its top 16 bits, kept clear of the three tags with a meaning.
#[inline]
pub(crate) fn tag_of(hash: u64) -> u16 {
    u16::try_from(hash >> TAG_SHIFT).expect("sixteen bits are left").clamp(1, UNKNOWN_TAG - 1)
}

impl Chain {
    /// The chain that begins with `bucket`.
    ///
    /// # Safety
    /// `bucket` points to [`SLOTS`] words that keep the invariants above, until the last use of the
    /// chain and of the slots it gave out; no other thread changes them meanwhile.
    #[inline]
    pub(crate) unsafe fn new(bucket: *mut Word) -> Chain {
        Chain { bucket }
    }

    /// The slot with this tag (or an unknown one) whose word `is_match`.
    #[inline]
    pub(crate) fn find(
        self,
        tag: u16,
        mut is_match: impl FnMut(Word) -> bool,
    ) -> Option<*mut Word> {
        let mut candidates = bucket_candidates(self.bucket, tag);
        let mut node = self.first();
        loop {
            while candidates != 0 {
                let slot = node.slot(candidates.trailing_zeros() as usize);
                if is_match(read(slot)) {
                    return Some(slot);
                }
                candidates &= candidates - 1;
            }
            node = node.next()?;
            candidates = node.candidates(tag);
        }
    }

    /// Prefetches the entries that a search for `tag` will look at, reading the overflow if it must.
    #[inline]
    pub(crate) fn prefetch_matches(self, tag: u16) {
        self.find(tag, |word| {
            prefetch_entry(word);
            true
        });
    }

    /// Prefetches every entry.
    pub(crate) fn prefetch_all(self) {
        self.for_each(|slot| prefetch(untagged(read(slot))));
    }

    /// Calls `visit` with the slot of every entry.
    #[inline]
    pub(crate) fn for_each(self, mut visit: impl FnMut(*mut Word)) {
        let mut node = Some(self.first());
        while let Some(here) = node {
            node = here.next();
            let end = if node.is_some() { LINKED_ENTRIES } else { here.capacity };
            for index in 0..end {
                let slot = here.slot(index);
                if read(slot).is_null() {
                    break;
                }
                visit(slot);
            }
        }
    }

    /// The number of entries.
    pub(crate) fn len(self) -> usize {
        let mut node = self.first();
        let mut len = 0;
        while let Some(next) = node.next() {
            len += LINKED_ENTRIES;
            node = next;
        }
        len + node.filled()
    }

    /// The slot of entry number `index`, which is below `len`.
    pub(crate) fn slot(self, mut index: usize) -> *mut Word {
        let mut node = self.first();
        while let Some(next) = node.next() {
            if index < LINKED_ENTRIES {
                break;
            }
            index -= LINKED_ENTRIES;
            node = next;
        }
        node.slot(index)
    }

    /// Adds an entry's word; counts the overflow bytes it took.
    pub(crate) fn push(self, word: Word, overflow_bytes: &mut usize) {
        let mut parent = ptr::null_mut();
        let mut node = self.first();
        while let Some(next) = node.next() {
            parent = node.slot(LINKED_ENTRIES);
            node = next;
        }
        let filled = node.filled();
        if filled < node.capacity {
            write(node.slot(filled), word);
        } else if node.capacity < SLOTS {
            let grown = node.resized(node.capacity + NODE_STEP);
            write(grown.slot(filled), word);
            write(grown.slot(filled + 1), ptr::null_mut());
            write(parent, grown.link());
            *overflow_bytes += NODE_STEP * size_of::<Word>();
        } else {
            let fresh = Node::allocate(NODE_STEP);
            write(fresh.slot(0), read(node.slot(LINKED_ENTRIES)));
            write(fresh.slot(1), word);
            write(node.slot(LINKED_ENTRIES), fresh.link());
            *overflow_bytes += NODE_STEP * size_of::<Word>();
        }
    }

    /// Takes the word out of `slot`, which is one of this chain's entries; the last entry fills the hole.
    /// Every slot given out before is stale afterwards, but those before `slot` keep their numbers.
    pub(crate) fn remove(self, slot: *mut Word, overflow_bytes: &mut usize) -> Word {
        let mut parent = ptr::null_mut();
        let mut node = self.first();
        while let Some(next) = node.next() {
            parent = node.slot(LINKED_ENTRIES);
            node = next;
        }
        let left = node.filled() - 1;
        let removed = read(slot);
        let last = node.slot(left);
        write(slot, read(last));
        write(last, ptr::null_mut());
        if !parent.is_null() && left.is_multiple_of(NODE_STEP) {
            write(parent, node.resized(left).link());
            *overflow_bytes -= NODE_STEP * size_of::<Word>();
        } else if !parent.is_null() && left == 1 {
            write(parent, read(node.slot(0)));
            node.free();
            *overflow_bytes -= NODE_STEP * size_of::<Word>();
        }
        removed
    }

    /// Takes the last entry's word.
    pub(crate) fn pop(self, overflow_bytes: &mut usize) -> Option<Word> {
        let last = self.len().checked_sub(1)?;
        Some(self.remove(self.slot(last), overflow_bytes))
    }

    /// Moves overflow nodes where `mover` wants them. Slots given out before are stale afterwards.
    pub(crate) fn relocate_nodes(self, mover: &mut Mover) {
        let mut node = self.first();
        while let Some(next) = node.next() {
            // SAFETY: 1. A node is an allocation of its own (invariant 3).
            let wanted = unsafe { mover.wants(next.slots.cast()) };
            let moved = if wanted { next.copied() } else { next };
            if wanted {
                write(node.slot(LINKED_ENTRIES), moved.link());
                next.free();
            }
            node = moved;
        }
    }

    #[inline]
    fn first(self) -> Node {
        Node { slots: self.bucket, capacity: SLOTS }
    }
}

impl Node {
    #[inline]
    fn slot(self, index: usize) -> *mut Word {
        debug_assert!(index < self.capacity);
        // SAFETY: 1. The node has `capacity` slots, and callers stay below it.
        unsafe { self.slots.add(index) }
    }

    #[inline]
    fn next(self) -> Option<Node> {
        let word = read(self.slot(self.capacity - 1));
        (slot_tag(word) == LINK_TAG).then(|| Node {
            slots: untagged(word).map_addr(|address| address & !(NODE_ALIGN - 1)).cast(),
            capacity: (word.addr() & (NODE_ALIGN - 1)) * NODE_STEP,
        })
    }

    fn link(self) -> Word {
        let word: Word = self.slots.cast();
        with_tag(word.map_addr(|address| address | (self.capacity / NODE_STEP)), LINK_TAG)
    }

    /// The number of entries of a node without link.
    fn filled(self) -> usize {
        (0..self.capacity)
            .rev()
            .find(|&index| !read(self.slot(index)).is_null())
            .map_or(0, |index| index + 1)
    }

    fn candidates(self, tag: u16) -> u32 {
        (0..self.capacity).fold(0, |mask, index| {
            let here = slot_tag(read(self.slot(index)));
            mask | (u32::from(here == tag || here == UNKNOWN_TAG) << index)
        })
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity * size_of::<Word>(), NODE_ALIGN)
            .expect("a node is at most a line long")
    }

    fn allocate(capacity: usize) -> Node {
        // SAFETY: 1. The size is not zero.
        let slots = unsafe { alloc(Node::layout(capacity)) };
        Node::checked(slots, capacity)
    }

    /// The node moved to another capacity, not zero; added slots are not initialised.
    fn resized(self, capacity: usize) -> Node {
        let layout = Node::layout(self.capacity);
        // SAFETY: 1. The node was allocated with this layout (invariant 3). 2. The new size is not zero.
        let slots = unsafe { realloc(self.slots.cast(), layout, Node::layout(capacity).size()) };
        Node::checked(slots, capacity)
    }

    /// Another node with the same words.
    fn copied(self) -> Node {
        let fresh = Node::allocate(self.capacity);
        // SAFETY: 1. Both nodes have `capacity` slots and are distinct.
        unsafe { ptr::copy_nonoverlapping(self.slots, fresh.slots, self.capacity) };
        fresh
    }

    fn checked(slots: *mut u8, capacity: usize) -> Node {
        if slots.is_null() {
            handle_alloc_error(Node::layout(capacity));
        }
        assert_eq!(slots.addr() >> TAG_SHIFT, 0, "the allocator gave an address over 48 bits");
        Node { slots: slots.cast(), capacity }
    }

    fn free(self) {
        // SAFETY: 1. The node was allocated with this layout, and its link is gone.
        unsafe { dealloc(self.slots.cast(), Node::layout(self.capacity)) }
    }
}

/// Prefetches the first two lines of an entry: header, key, and what small value there is.
#[inline]
fn prefetch_entry(word: Word) {
    let base = untagged(word);
    prefetch(base);
    prefetch(base.wrapping_add(crate::prefetch::LINE_BYTES));
}

#[inline]
fn read(slot: *mut Word) -> Word {
    // SAFETY: 1. Slots come from `Node::slot`: they lie in a live node and are initialised.
    unsafe { slot.read() }
}

#[inline]
fn write(slot: *mut Word, word: Word) {
    // SAFETY: 1. Slots come from `Node::slot`: they lie in a live node that nobody else reaches.
    unsafe { slot.write(word) }
}

/// Bit `i` is set if slot `i` of a bucket has this tag or an unknown one.
#[inline]
#[cfg(target_arch = "x86_64")]
fn bucket_candidates(bucket: *mut Word, tag: u16) -> u32 {
    use core::arch::x86_64::{
        __m128i, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi16, _mm_loadu_si128,
        _mm_movemask_epi8, _mm_or_si128, _mm_packs_epi16, _mm_packs_epi32, _mm_set1_epi16,
        _mm_setzero_si128, _mm_shuffle_ps, _mm_srai_epi32,
    };
    /// Picks the upper halves of four 64-bit words.
    const UPPER_HALVES: i32 = 0b11_01_11_01;
    let lines: *const __m128i = bucket.cast();
    // SAFETY: 1. A bucket is 64 readable bytes. 2. SSE2 is part of every x86-64.
    unsafe {
        let upper = |at: usize| {
            let low = _mm_castsi128_ps(_mm_loadu_si128(lines.add(at)));
            let high = _mm_castsi128_ps(_mm_loadu_si128(lines.add(at + 1)));
            _mm_srai_epi32::<16>(_mm_castps_si128(_mm_shuffle_ps::<UPPER_HALVES>(low, high)))
        };
        let tags = _mm_packs_epi32(upper(0), upper(2));
        let equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(tag.cast_signed()));
        let unknown = _mm_cmpeq_epi16(tags, _mm_set1_epi16(UNKNOWN_TAG.cast_signed()));
        let either = _mm_packs_epi16(_mm_or_si128(equal, unknown), _mm_setzero_si128());
        _mm_movemask_epi8(either).cast_unsigned()
    }
}

/// Bit `i` is set if slot `i` of a bucket has this tag or an unknown one.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn bucket_candidates(bucket: *mut Word, tag: u16) -> u32 {
    Node { slots: bucket, capacity: SLOTS }.candidates(tag)
}
