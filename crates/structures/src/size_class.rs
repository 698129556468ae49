//! The sizes an allocation may have: the size classes of jemalloc from 16 bytes up.
//!
//! Asking for a whole class costs nothing under jemalloc, which would round up anyway, and lets an
//! entry change its value in place as long as the class stays the same. The steps are at most a
//! quarter of the size, so appending byte by byte moves a value a logarithmic number of times.
//!
//! Source: jemalloc manual, "Size classes" (16-byte spacing to 128, then four classes per doubling).

/// Sizes up to this one are multiples of [`QUANTUM`].
const LINEAR_BYTES_MAX: usize = 128;
const QUANTUM: usize = 16;

/// The smallest size class that holds `bytes`: what an allocation of `bytes` really takes. O(1).
#[inline]
pub const fn size_class(bytes: usize) -> usize {
    let step = if bytes <= LINEAR_BYTES_MAX { QUANTUM } else { 1 << ((bytes - 1).ilog2() - 2) };
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn classes_are_those_of_the_manual() {
        let rows = [
            (1, 16),
            (16, 16),
            (17, 32),
            (96, 96),
            (97, 112),
            (128, 128),
            (129, 160),
            (161, 192),
            (256, 256),
            (257, 320),
            (4097, 5120),
            (16 * 1024, 16 * 1024),
            (16 * 1024 + 1, 20 * 1024),
        ];
        for (bytes, expected) in rows {
            assert_eq!(size_class(bytes), expected, "class of {bytes}");
        }
    }
}
