//! The arithmetic of linear hashing: which bucket a hash belongs to while buckets are added one by one,
//! and cursors that survive it.
//!
//! With `n` buckets and `2^k` the largest power of two in `n`, bucket `h mod 2^(k+1)` holds hash `h` if
//! it exists, else bucket `h mod 2^k`. Growth splits bucket `n - 2^k` into itself and `n`; shrinking
//! merges the last bucket back.
//!
//! A cursor is a bucket number whose bits count from the top: the set of hashes behind it is an interval
//! of bit-reversed hashes, `[0, reversed(cursor))`, whatever the number of buckets. Each call visits the
//! bucket of the cursor, which holds all hashes that agree with it in the bucket's own bits (a bucket
//! that is not split yet has one bit less), and moves to the end of that interval. So what is in the
//! table from the first call to the last is visited; it is visited again only where shrinking merged
//! a visited bucket with others.
//!
//! Sources: W. Litwin, "Linear Hashing: A New Tool for File and Table Addressing", VLDB 1980; Redis
//! documentation, SCAN, "Scan guarantees".

/// The mask for so many buckets: the next power of two, less one; zero if there are none.
#[inline]
pub(crate) const fn mask_for(buckets: usize) -> usize {
    buckets.next_power_of_two() - 1
}

/// The bucket of `hash` among `buckets`, of which there is at least one; `mask` is theirs.
#[inline]
pub(crate) const fn bucket_of(hash: u64, buckets: usize, mask: usize) -> usize {
    // A 64-bit platform (asserted in `lib.rs`): nothing is cut off.
    #[allow(clippy::cast_possible_truncation, reason = "usize has 64 bits here")]
    let bucket = hash as usize & mask;
    if bucket < buckets { bucket } else { bucket & (mask >> 1) }
}

/// The bucket that bucket number `last`, which is not the first, is split off from and merged into.
#[inline]
pub(crate) const fn parent_of(last: usize) -> usize {
    last - (1 << last.ilog2())
}

/// Whether `bucket`, one of `buckets`, is a half: it has been split or was split off since their number
/// was last a power of two, and so uses one bit more than the others.
#[inline]
pub(crate) const fn is_half(bucket: usize, buckets: usize) -> bool {
    let low = 1 << buckets.ilog2();
    bucket >= low || bucket < buckets - low
}

/// The cursor behind `cursor`, which visited `bucket`, one of `buckets`; zero at the end.
pub(crate) const fn next_cursor(cursor: u64, bucket: usize, buckets: usize) -> u64 {
    let low = 1 << buckets.ilog2();
    let mask: usize = if is_half(bucket, buckets) { 2 * low - 1 } else { low - 1 };
    let reversed = (cursor | !(mask as u64)).reverse_bits().wrapping_add(1);
    reversed.reverse_bits()
}
