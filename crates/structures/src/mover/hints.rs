//! What jemalloc knows of the place of an allocation, and what it knows of all small ones together.
//!
//! jemalloc serves an allocation of up to 14 KB from a *slab*, a run of pages cut into regions of one
//! size. It fills one slab at a time (the *current* one), then takes the oldest with the lowest address
//! among those that have room. Slabs of one size and arena are a *bin*; a thread allocates from one arena,
//! so that what a mover moves comes into the bins of its own thread, and other arenas' slabs become empty.
//! Of an allocation's slab and bin it tells the numbers of regions and of free ones through
//! `experimental.utilization.query`, which
//! takes about the time of the bin's lock.
//!
//! An allocation is in a bad place if its slab has room, is not the current one, and is three quarters full
//! or less; or if it is fuller, but not than the bin is on average, plus an eighth: without that, slabs that
//! are equally full would stay so. The average alone is no measure, since what cannot be moved keeps it down.
//!
//! Source: jemalloc 5.3, `doc/jemalloc.xml.in` and the comment of `experimental_utilization_query_ctl`.

use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::mem;
use std::ptr;
use tikv_jemalloc_sys::{mallctl, mallctlbymib, mallctlnametomib};

/// Bytes that are taken to see whether it is jemalloc that gives them.
const PROBE_BYTES: usize = 100_000;

/// What the query answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Utilization {
    /// Address of the bin's current slab; zero if the allocation is no region of a slab.
    current: usize,
    free: usize,
    regions: usize,
    slab_bytes: usize,
    bin_free: usize,
    bin_regions: usize,
}

impl Utilization {
    /// Whether what lies at `address` should lie elsewhere.
    fn is_sparse(&self, address: usize) -> bool {
        let is_current = address.wrapping_sub(self.current) < self.slab_bytes;
        let used = self.regions.saturating_sub(self.free);
        let bin_used = self.bin_regions.saturating_sub(self.bin_free);
        let is_low = 4 * used <= 3 * self.regions
            || 8 * used * self.bin_regions <= 9 * bin_used * self.regions;
        self.free > 0 && !is_current && is_low
    }
}

/// Proof that the global allocator is a jemalloc that answers.
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    query: [usize; 3],
}

impl Hints {
    /// The hints of the global allocator; `None` if it is not jemalloc, or one without statistics.
    pub fn new() -> Option<Hints> {
        let mut query = [0; 3];
        let mut len = query.len();
        let name = c"experimental.utilization.query";
        // SAFETY: 1. The name ends with a zero. 2. `len` is how many words `query` has.
        let error = unsafe { mallctlnametomib(name.as_ptr(), query.as_mut_ptr(), &raw mut len) };
        if error != 0 || len != query.len() || !is_global() {
            return None;
        }
        let hints = Hints { query };
        let probe = Box::new(0_u64);
        // SAFETY: 1. A box comes from the global allocator.
        let told = unsafe { hints.query(ptr::from_ref(&*probe).cast()) };
        told.is_some_and(|told| told.bin_regions > 0).then_some(hints)
    }

    /// Whether the allocation around `at` should lie elsewhere. About 100 ns.
    ///
    /// # Safety
    /// `at` lies in an allocation of the global allocator.
    pub(super) unsafe fn is_sparse(&self, at: *const u8) -> bool {
        // SAFETY: 1. The caller's promise is the same.
        unsafe { self.query(at) }.is_some_and(|told| told.is_sparse(at.addr()))
    }

    /// # Safety
    /// `at` lies in an allocation of the global allocator.
    unsafe fn query(&self, mut at: *const u8) -> Option<Utilization> {
        let mut told = Utilization::default();
        let mut told_bytes = size_of::<Utilization>();
        // SAFETY: 1. The call reads a pointer from `at`, and writes one and five words to `told`. 2. It
        // follows the pointer to what it knows of its page, which it does as that is its own: `new` has
        // seen that the global allocator is this one.
        let error = unsafe {
            mallctlbymib(
                self.query.as_ptr(),
                self.query.len(),
                (&raw mut told).cast::<c_void>(),
                &raw mut told_bytes,
                (&raw mut at).cast::<c_void>(),
                size_of::<*const u8>(),
            )
        };
        (error == 0).then_some(told)
    }
}

/// Gives up what this thread's cache has, and has none any more. Fails without harm.
pub(super) fn drop_cache() {
    let mut on = false;
    let len = mem::size_of_val(&on);
    let name = c"thread.tcache.enabled";
    // SAFETY: 1. The name ends with a zero. 2. The call reads a byte that is a boolean, and writes nothing.
    let _is_as_before = unsafe {
        mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), (&raw mut on).cast(), len)
    };
}

/// Whether what Rust allocates comes from this jemalloc: it then counts it.
fn is_global() -> bool {
    let before = taken();
    let probe = black_box(Vec::<u8>::with_capacity(PROBE_BYTES));
    let after = taken();
    drop(probe);
    before.zip(after).is_some_and(|(before, after)| after - before >= PROBE_BYTES as u64)
}

/// Bytes that this thread has ever taken from jemalloc.
fn taken() -> Option<u64> {
    const NAME: *const c_char = c"thread.allocated".as_ptr();
    let mut bytes = 0_u64;
    let mut len = mem::size_of_val(&bytes);
    // SAFETY: 1. The name ends with a zero. 2. The call writes eight bytes to `bytes` and reads nothing.
    let error = unsafe { mallctl(NAME, (&raw mut bytes).cast(), &raw mut len, ptr::null_mut(), 0) };
    (error == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mover;

    #[cfg(not(miri))]
    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    #[test]
    fn a_slab_that_is_emptier_than_others_is_left() {
        // Current slab at, regions and free ones of the slab, and of the bin, in a slab of 4096 bytes at
        // 0x4000.
        let rows = [
            ((0x1000, 64, 48, 640, 320), true),
            // It is the current one, or it is full.
            ((0x4000, 64, 48, 640, 320), false),
            ((0x1000, 64, 0, 640, 320), false),
            // Three quarters full, and fuller.
            ((0x1000, 64, 16, 640, 320), true),
            ((0x1000, 64, 15, 640, 320), false),
            // As full as the others, an eighth fuller, more than that.
            ((0x1000, 64, 12, 640, 120), true),
            ((0x1000, 64, 6, 640, 120), true),
            ((0x1000, 64, 5, 640, 120), false),
            // Too large for a slab.
            ((0, 1, 0, 0, 0), false),
        ];
        for ((current, regions, free, bin_regions, bin_free), expected) in rows {
            let told =
                Utilization { current, free, regions, slab_bytes: 4096, bin_free, bin_regions };
            assert_eq!(told.is_sparse(0x4FF0), expected, "{told:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the allocator")]
    fn sparse_slabs_become_few() {
        let hints = Hints::new().expect("the tests' allocator is jemalloc");
        // One of eight of many allocations stays.
        let mut all: Vec<Box<[u8; 80]>> = (0..40_000_u32)
            .map(|number| {
                let mut bytes = [7; 80];
                bytes[..4].copy_from_slice(&number.to_le_bytes());
                Box::new(bytes)
            })
            .collect();
        let mut number = 0;
        all.retain(|_| {
            number += 1;
            number % 8 == 0
        });
        let pages = |all: &[Box<[u8; 80]>]| {
            let pages = all.iter().map(|one| ptr::from_ref(&**one).addr() / 4096);
            pages.collect::<std::collections::BTreeSet<_>>().len()
        };
        let before = pages(&all);
        let mut mover = Mover::new(hints);
        for _ in 0..4 {
            for one in &mut all {
                mover.boxed(one);
            }
        }
        assert!(pages(&all) * 4 < before, "{} of {before} pages", pages(&all));
        for (at, one) in all.iter().enumerate() {
            let number = u32::try_from(at * 8 + 7).expect("few").to_le_bytes();
            assert_eq!((&one[..4], &one[4..]), (&number[..], &[7; 76][..]));
        }
    }
}
