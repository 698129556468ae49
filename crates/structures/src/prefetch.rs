//! The prefetch hint: asks the processor to bring a cache line near, and does nothing elsewhere.

/// Bytes of a cache line, and of a bucket.
pub(crate) const LINE_BYTES: usize = 64;

/// Asks for the line at `address`, which may be any address: a hint never faults.
#[inline]
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) fn prefetch(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: 1. SSE is part of every x86-64. 2. A prefetch does not access memory as the language
    // sees it and never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

/// Asks for nothing: this machine has no stable prefetch.
#[inline]
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
pub(crate) fn prefetch(_address: *const u8) {}
