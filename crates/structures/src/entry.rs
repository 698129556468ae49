//! A key and its value in one allocation behind one thin pointer.
//!
//! ```text
//!  0        4        8        12       16            16|24       +key_len       +value_len
//!  | epoch  | state  | key_len| val_len| expiry (opt) | key bytes | value         | slack
//!             state: 0..24 access clock | 24..28 tag | 28..30 encoding | 30 has expiry
//! ```
//! The value is an `i64`, the bytes themselves, or a `Box<B>`, unaligned. The size is a size class
//! (see `size_class`), so it follows from the lengths and is not stored.
//!
//! Invariants:
//! 1. The pointer owns an allocation of `size_class(value offset + value_len)` bytes, 8-aligned.
//! 2. Key and value bytes are initialised; `Int` and `Boxed` values have a `value_len` of 8.
//! 3. With the encoding `Boxed` the value is a pointer from `Box<B>::into_raw` that nobody else owns.
//! 4. The high 16 bits of the pointer are the slot tag of the table (`chain` module), never part of
//!    the address: allocations have 48-bit addresses, which `pointer` asserts.

#![allow(clippy::cast_ptr_alignment, reason = "header and expiry are aligned (invariant 1)")]

mod pointer;
mod relocate;
mod value;

pub(crate) use pointer::{TAG_SHIFT, UNKNOWN_TAG, slot_tag, untagged, with_tag};
pub use value::{NewValue, ValueMut, ValueRef};

use crate::size_class::size_class;
use base::Millis;
use pointer::{ADDRESS_MASK, allocate, check_allocation, layout, tagged};
use std::alloc::{dealloc, realloc};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use value::{BOXED, BYTES, ENCODING_MASK, INT};

/// The longest key: a byte less than 4 GB.
pub const KEY_BYTES_MAX: usize = u32::MAX as usize;
/// The longest inline value: a byte less than 4 GB.
pub const VALUE_BYTES_MAX: usize = u32::MAX as usize;

const HEADER_BYTES: usize = size_of::<Header>();
const EXPIRY_BYTES: usize = size_of::<u64>();

const ACCESS_MASK: u32 = (1 << 24) - 1;
const TAG_MASK: u32 = 0xF << TYPE_SHIFT;
const TYPE_SHIFT: u32 = 24;
const HAS_EXPIRY: u32 = 1 << 30;

#[repr(C, align(8))]
struct Header {
    epoch: AtomicU32,
    state: AtomicU32,
    key_len: u32,
    value_len: u32,
}

/// An owning pointer to a key and its value: 8 bytes, as is `Option<Entry<B>>`.
#[repr(transparent)]
pub struct Entry<B> {
    pointer: NonNull<u8>,
    owns: PhantomData<Box<B>>,
}

// SAFETY: 1. An entry owns its allocation and its `B` alone (invariants 1 and 3), so sending it sends
// only a `B`. 2. Nothing in it is bound to a thread.
unsafe impl<B: Send> Send for Entry<B> {}
// SAFETY: 1. Through `&Entry` one reaches `&B`, bytes that do not change, and two atomics.
unsafe impl<B: Sync> Sync for Entry<B> {}

impl<B> Entry<B> {
    /// An entry with its own copy of `key`; epoch, access clock and type tag are zero.
    ///
    /// # Panics
    /// If the key or the value is longer than the limit: callers check before.
    pub fn new(key: &[u8], value: NewValue<'_, B>, expire_at: Option<Millis>) -> Entry<B> {
        let flags = value.encoding() | if expire_at.is_some() { HAS_EXPIRY } else { 0 };
        let mut entry = Entry::with_key(key, value.stored_len(), flags);
        if let Some(at) = expire_at {
            entry.write_expiry(at);
        }
        entry.write_value(value);
        entry
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        // SAFETY: 1. `key_len` initialised bytes stand at the key offset (invariants 1 and 2). 2. They
        // change only through `&mut self`.
        unsafe { slice::from_raw_parts(self.base().add(self.key_offset()), self.key_len()) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_, B> {
        let at = self.value_pointer();
        // SAFETY: 1. The value's bytes are initialised and of the encoding's type (invariants 2, 3).
        // 2. They change only through `&mut self`, so the borrows may last as long as `&self`.
        unsafe {
            match self.encoding() {
                INT => ValueRef::Int(at.cast::<i64>().read_unaligned()),
                BYTES => ValueRef::Bytes(slice::from_raw_parts(at, self.value_len())),
                _ => ValueRef::Boxed(&*at.cast::<*const B>().read_unaligned()),
            }
        }
    }

    /// The value, for a change that keeps its encoding and length.
    #[inline]
    pub fn value_mut(&mut self) -> ValueMut<'_, B> {
        let at = self.value_pointer();
        // SAFETY: 1. and 2. as in `value`. 3. `&mut self` makes the borrow unique: we own the box alone
        // (invariant 3).
        unsafe {
            match self.encoding() {
                INT => ValueMut::Int(at.cast::<i64>().read_unaligned()),
                BYTES => ValueMut::Bytes(slice::from_raw_parts_mut(at, self.value_len())),
                _ => ValueMut::Boxed(&mut *at.cast::<*mut B>().read_unaligned()),
            }
        }
    }

    /// Replaces the value and keeps everything else; gives back a boxed value that was there. Works in
    /// place if the size class stays the same.
    ///
    /// # Panics
    /// If the value is longer than [`VALUE_BYTES_MAX`].
    pub fn set_value(&mut self, value: NewValue<'_, B>) -> Option<Box<B>> {
        let length = checked_len(value.stored_len(), VALUE_BYTES_MAX);
        let old = self.take_boxed();
        let offset = self.value_offset();
        let new_size = size_class(offset + value.stored_len());
        if new_size != self.allocated_bytes() {
            let fresh = allocate(new_size);
            // SAFETY: 1. Both allocations hold at least `offset` bytes and are distinct. 2. The old one
            // has the layout it was allocated with (invariant 1) and is not used again.
            unsafe {
                ptr::copy_nonoverlapping(self.base(), fresh.as_ptr(), offset);
                dealloc(self.base(), layout(self.allocated_bytes()));
            }
            self.set_base(fresh);
        }
        self.header_mut().value_len = length;
        self.set_state_bits(ENCODING_MASK, value.encoding());
        self.write_value(value);
        old
    }

    /// Takes a boxed value out and leaves the number zero in its place; `None` for other values.
    pub fn take_boxed(&mut self) -> Option<Box<B>> {
        if self.encoding() != BOXED {
            return None;
        }
        let at = self.value_pointer();
        self.set_state_bits(ENCODING_MASK, INT);
        // SAFETY: 1. The value was a pointer from `Box::into_raw` that we alone own (invariant 3). 2. The
        // encoding is `Int` now, so nobody reads it as a box again; `value_len` is 8 for both.
        unsafe {
            let boxed = at.cast::<*mut B>().read_unaligned();
            at.cast::<i64>().write_unaligned(0);
            Some(Box::from_raw(boxed))
        }
    }

    /// Makes a value of bytes `length` long, cutting it or adding zeros. Amortized O(bytes added).
    ///
    /// # Panics
    /// If the value is not bytes, or `length` is over [`VALUE_BYTES_MAX`].
    pub fn resize_bytes(&mut self, length: usize) {
        let old_len = self.value_len();
        self.resize_uninitialised(length);
        if length > old_len {
            // SAFETY: 1. The allocation holds `length` bytes of value, of which these are the tail.
            unsafe { ptr::write_bytes(self.value_pointer().add(old_len), 0, length - old_len) }
        }
    }

    /// Adds `tail` to a value of bytes. Amortized O(`tail`).
    ///
    /// # Panics
    /// If the value is not bytes, or would be longer than [`VALUE_BYTES_MAX`].
    pub fn append_bytes(&mut self, tail: &[u8]) {
        let old_len = self.value_len();
        self.resize_uninitialised(old_len + tail.len());
        // SAFETY: 1. The allocation holds `old_len + tail.len()` bytes of value. 2. `tail` cannot lie
        // in it, since we hold `&mut self`.
        unsafe {
            let at = self.value_pointer().add(old_len);
            ptr::copy_nonoverlapping(tail.as_ptr(), at, tail.len());
        }
    }

    /// When the key expires (Unix clock), if it does.
    #[inline]
    pub fn expire_at(&self) -> Option<Millis> {
        if !self.has_expiry() {
            return None;
        }
        // SAFETY: 1. With the flag an 8-byte word follows the header, which is 8-aligned (invariant 1).
        Some(Millis(unsafe { self.base().add(HEADER_BYTES).cast::<u64>().read() }))
    }

    /// Sets or removes the expiry. Moves key and value only if the word appears or disappears.
    pub fn set_expire_at(&mut self, expire_at: Option<Millis>) {
        if self.has_expiry() != expire_at.is_some() {
            self.move_tail(expire_at.is_some());
        }
        if let Some(at) = expire_at {
            self.write_expiry(at);
        }
    }

    /// The snapshot epoch in which the entry was last saved or written.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.header().epoch.load(Relaxed)
    }

    /// Sets the snapshot epoch.
    #[inline]
    pub fn set_epoch(&self, epoch: u32) {
        self.header().epoch.store(epoch, Relaxed);
    }

    /// The access clock: 24 bits whose meaning (LRU or LFU) is the caller's.
    #[inline]
    pub fn access(&self) -> u32 {
        self.state() & ACCESS_MASK
    }

    /// Sets the access clock to the low 24 bits of `access`. Two threads may do so at once: one wins.
    #[inline]
    pub fn set_access(&self, access: u32) {
        let state = (self.state() & !ACCESS_MASK) | (access & ACCESS_MASK);
        self.header().state.store(state, Relaxed);
    }

    /// The type tag, 0 to 15; its meaning is the caller's.
    #[inline]
    pub fn tag(&self) -> u8 {
        ((self.state() & TAG_MASK) >> TYPE_SHIFT).to_le_bytes()[0]
    }

    /// Sets the type tag.
    ///
    /// # Panics
    /// If `tag` is above 15.
    pub fn set_tag(&mut self, tag: u8) {
        assert!(tag < 16, "a type tag has four bits");
        self.set_state_bits(TAG_MASK, u32::from(tag) << TYPE_SHIFT);
    }

    /// Bytes of the one allocation, rounded as the allocator does. A boxed value counts its own.
    #[inline]
    pub fn allocated_bytes(&self) -> usize {
        size_class(self.value_offset() + self.value_len())
    }

    /// The same entry under another key.
    ///
    /// # Panics
    /// If the key is longer than [`KEY_BYTES_MAX`].
    pub fn renamed(mut self, key: &[u8]) -> Entry<B> {
        let mut fresh = Entry::with_key(key, self.value_len(), self.state());
        fresh.set_epoch(self.epoch());
        if let Some(at) = self.expire_at() {
            fresh.write_expiry(at);
        }
        // SAFETY: 1. Both values are `value_len` bytes long and apart. 2. A box is owned by `fresh` from
        // here on: `self` forgets it in the next statement.
        unsafe {
            ptr::copy_nonoverlapping(self.value_pointer(), fresh.value_pointer(), self.value_len());
        }
        self.set_state_bits(ENCODING_MASK, BYTES);
        fresh
    }
}

/// What the table needs.
impl<B> Entry<B> {
    /// The pointer, which stays the entry's own.
    #[inline]
    pub(crate) fn word(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Gives up the pointer, tagged for a slot. O(1).
    #[inline]
    pub(crate) fn into_word(self, slot_tag: u16) -> *mut u8 {
        with_tag(ManuallyDrop::new(self).pointer.as_ptr(), slot_tag)
    }

    /// Takes a pointer back out of a slot.
    ///
    /// # Safety
    /// `word` comes from [`Entry::into_word`] of the same `B` and its owner forgets it.
    #[inline]
    pub(crate) unsafe fn from_word(word: *mut u8) -> Entry<B> {
        let word = with_tag(word, UNKNOWN_TAG);
        // SAFETY: 1. The word has a non-zero tag. 2. The caller hands over the ownership.
        Entry { pointer: unsafe { NonNull::new_unchecked(word) }, owns: PhantomData }
    }
}

impl<B> Entry<B> {
    /// An allocation with header and key, but neither expiry nor value, for which it has room: the
    /// caller writes them before the entry can be read or dropped.
    fn with_key(key: &[u8], value_len: usize, state: u32) -> Entry<B> {
        let header = Header {
            epoch: AtomicU32::new(0),
            state: AtomicU32::new(state),
            key_len: checked_len(key.len(), KEY_BYTES_MAX),
            value_len: checked_len(value_len, VALUE_BYTES_MAX),
        };
        let expiry = if state & HAS_EXPIRY == 0 { 0 } else { EXPIRY_BYTES };
        let key_offset = HEADER_BYTES + expiry;
        let base = allocate(size_class(key_offset + key.len() + value_len));
        // SAFETY: 1. The allocation is 8-aligned and holds header, expiry, key and value. 2. It is new,
        // so `key` does not overlap it.
        unsafe {
            base.cast::<Header>().write(header);
            ptr::copy_nonoverlapping(key.as_ptr(), base.as_ptr().add(key_offset), key.len());
        }
        let mut entry = Entry { pointer: base, owns: PhantomData };
        entry.pointer = tagged(base, UNKNOWN_TAG);
        entry
    }

    #[inline]
    fn base(&self) -> *mut u8 {
        self.pointer.as_ptr().map_addr(|address| address & ADDRESS_MASK)
    }

    /// Points to another allocation and keeps the slot tag, so that a table still finds the entry.
    fn set_base(&mut self, base: NonNull<u8>) {
        self.pointer = tagged(base, slot_tag(self.pointer.as_ptr()));
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: 1. A header stands at the start, aligned (invariant 1). 2. Its plain fields change only
        // through `&mut self`.
        unsafe { &*self.base().cast::<Header>() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: 1. As in `header`. 2. `&mut self` makes the borrow unique.
        unsafe { &mut *self.base().cast::<Header>() }
    }

    #[inline]
    fn state(&self) -> u32 {
        self.header().state.load(Relaxed)
    }

    fn set_state_bits(&mut self, mask: u32, bits: u32) {
        let state = self.header_mut().state.get_mut();
        *state = (*state & !mask) | bits;
    }

    #[inline]
    fn encoding(&self) -> u32 {
        self.state() & ENCODING_MASK
    }

    #[inline]
    fn has_expiry(&self) -> bool {
        self.state() & HAS_EXPIRY != 0
    }

    #[inline]
    fn key_len(&self) -> usize {
        self.header().key_len as usize
    }

    #[inline]
    fn value_len(&self) -> usize {
        self.header().value_len as usize
    }

    #[inline]
    fn key_offset(&self) -> usize {
        if self.has_expiry() { HEADER_BYTES + EXPIRY_BYTES } else { HEADER_BYTES }
    }

    #[inline]
    fn value_offset(&self) -> usize {
        self.key_offset() + self.key_len()
    }

    #[inline]
    fn value_pointer(&self) -> *mut u8 {
        // SAFETY: 1. The offset lies in the allocation or at its end (invariant 1).
        unsafe { self.base().add(self.value_offset()) }
    }

    fn write_expiry(&mut self, at: Millis) {
        debug_assert!(self.has_expiry());
        // SAFETY: 1. With the flag the allocation has room for an aligned word behind the header.
        unsafe { self.base().add(HEADER_BYTES).cast::<u64>().write(at.0) }
    }

    /// Writes a value whose length and encoding the header has already; the old one is forgotten.
    fn write_value(&mut self, value: NewValue<'_, B>) {
        debug_assert_eq!(self.value_len(), value.stored_len());
        debug_assert_eq!(self.encoding(), value.encoding());
        let at = self.value_pointer();
        // SAFETY: 1. The allocation holds `stored_len` bytes at the value offset. 2. Bytes to be copied
        // cannot lie in it, since we hold `&mut self`.
        unsafe {
            match value {
                NewValue::Int(number) => at.cast::<i64>().write_unaligned(number),
                NewValue::Bytes(bytes) => {
                    ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
                }
                NewValue::Boxed(boxed) => {
                    at.cast::<*mut B>().write_unaligned(Box::into_raw(Box::new(boxed)));
                }
            }
        }
    }

    /// Changes the length of a value of bytes; the caller writes the bytes that were added.
    fn resize_uninitialised(&mut self, length: usize) {
        assert_eq!(self.encoding(), BYTES, "only bytes have a length to change");
        let stored = checked_len(length, VALUE_BYTES_MAX);
        let (old_size, new_size) =
            (self.allocated_bytes(), size_class(self.value_offset() + length));
        if new_size != old_size {
            // SAFETY: 1. The allocation has this layout (invariant 1). 2. `new_size` is not zero and far
            // below `isize::MAX`. 3. The old pointer is not used again.
            let moved = unsafe { realloc(self.base(), layout(old_size), new_size) };
            self.set_base(check_allocation(moved, new_size));
        }
        self.header_mut().value_len = stored;
    }

    /// Makes (or closes) the gap for the expiry word, which the caller writes.
    fn move_tail(&mut self, to_expiry: bool) {
        let (from, tail_len) = (self.key_offset(), self.key_len() + self.value_len());
        let to = if to_expiry { HEADER_BYTES + EXPIRY_BYTES } else { HEADER_BYTES };
        let (old_size, new_size) = (self.allocated_bytes(), size_class(to + tail_len));
        let base = self.base();
        if old_size == new_size {
            // SAFETY: 1. Both ranges lie in the allocation, for its size is the class of either.
            unsafe { ptr::copy(base.add(from), base.add(to), tail_len) }
        } else {
            let fresh = allocate(new_size);
            // SAFETY: 1. Each range lies in its allocation, and the allocations are distinct. 2. The old
            // one has the layout it was allocated with and is not used again.
            unsafe {
                ptr::copy_nonoverlapping(base, fresh.as_ptr(), HEADER_BYTES);
                ptr::copy_nonoverlapping(base.add(from), fresh.as_ptr().add(to), tail_len);
                dealloc(base, layout(old_size));
            }
            self.set_base(fresh);
        }
        self.set_state_bits(HAS_EXPIRY, if to_expiry { HAS_EXPIRY } else { 0 });
    }
}

impl<B> Drop for Entry<B> {
    fn drop(&mut self) {
        let boxed = self.take_boxed();
        // SAFETY: 1. The allocation has this layout (invariant 1) and nobody uses it after a drop.
        unsafe { dealloc(self.base(), layout(self.allocated_bytes())) }
        drop(boxed);
    }
}

impl<B> fmt::Debug for Entry<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Entry");
        shown.field("key", &self.key().escape_ascii().to_string());
        match self.value() {
            ValueRef::Int(number) => shown.field("int", &number),
            ValueRef::Bytes(bytes) => shown.field("bytes", &bytes.escape_ascii().to_string()),
            ValueRef::Boxed(_) => shown.field("boxed", &"..."),
        };
        shown.field("expire_at", &self.expire_at()).finish_non_exhaustive()
    }
}

fn checked_len(length: usize, limit: usize) -> u32 {
    assert!(length <= limit, "{length} bytes are over the limit of {limit}");
    u32::try_from(length).expect("the limits fit 32 bits")
}

#[cfg(test)]
mod tests;
