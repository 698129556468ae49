//! Where entries live, and the 16 bits of a pointer that are not address: the slot tag of the table.
//!
//! User addresses have 48 bits on the 64-bit machines we run on; every allocation is checked.

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::ptr::NonNull;

/// Slot tag of an entry that no table has tagged. It matches every search, which then compares keys.
pub(crate) const UNKNOWN_TAG: u16 = 0xFFFE;
/// Where the slot tag begins in a pointer.
pub(crate) const TAG_SHIFT: u32 = 48;
pub(super) const ADDRESS_MASK: usize = (1 << TAG_SHIFT) - 1;

/// Alignment of an entry.
const ALIGN: usize = 8;

/// The slot tag in a word.
#[inline]
pub(crate) fn slot_tag(word: *mut u8) -> u16 {
    u16::try_from(word.addr() >> TAG_SHIFT).expect("sixteen bits are left")
}

/// The word with another slot tag.
#[inline]
pub(crate) fn with_tag(word: *mut u8, slot_tag: u16) -> *mut u8 {
    word.map_addr(|address| (address & ADDRESS_MASK) | (usize::from(slot_tag) << TAG_SHIFT))
}

/// The address in a word, without its tag.
#[inline]
pub(crate) fn untagged(word: *mut u8) -> *mut u8 {
    with_tag(word, 0)
}

pub(super) fn tagged(base: NonNull<u8>, slot_tag: u16) -> NonNull<u8> {
    NonNull::new(with_tag(base.as_ptr(), slot_tag)).expect("the address is not zero")
}

pub(super) fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("the lengths are limited")
}

pub(super) fn allocate(size: usize) -> NonNull<u8> {
    // SAFETY: 1. The size is not zero: it includes the header.
    check_allocation(unsafe { alloc(layout(size)) }, size)
}

/// Checks that there is memory, and that its address leaves room for the slot tag.
pub(super) fn check_allocation(base: *mut u8, size: usize) -> NonNull<u8> {
    let Some(base) = NonNull::new(base) else { handle_alloc_error(layout(size)) };
    assert!(base.addr().get() <= ADDRESS_MASK, "the allocator gave an address over 48 bits");
    base
}
