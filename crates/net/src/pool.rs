//! Spare buffers: idle connections own none, and those in use stay warm in the cache.

use crate::connection::READ_BYTES;

/// Buffers kept by one loop.
const SPARE_MAX: usize = 256;
/// Buffers that have grown beyond this are given back to the allocator.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// The same while memory is limited and what is kept may cost keys: buffers that have not grown.
const TIGHT_BYTES_MAX: usize = READ_BYTES;

/// Spare buffers of one loop.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    spare: Vec<Vec<u8>>,
    is_tight: bool,
}

impl Pool {
    /// A buffer with room for `len` bytes or more.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.reserve(len);
        buffer
    }

    /// Takes `buffer`, leaving nothing, and keeps its memory if that is worth it.
    pub(crate) fn give(&mut self, buffer: &mut Vec<u8>) {
        let mut buffer = std::mem::take(buffer);
        let fits = buffer.capacity() > 0 && buffer.capacity() <= self.bytes_max();
        if fits && self.spare.len() < SPARE_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Says whether memory is limited.
    pub(crate) fn set_tight(&mut self, is_tight: bool) {
        if is_tight != self.is_tight {
            self.is_tight = is_tight;
            let bytes_max = self.bytes_max();
            self.spare.retain(|buffer| buffer.capacity() <= bytes_max);
        }
    }

    /// How large a buffer may be that is kept.
    fn bytes_max(&self) -> usize {
        if self.is_tight { TIGHT_BYTES_MAX } else { KEPT_BYTES_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_that_has_grown_is_kept_while_memory_is_limited() {
        let mut pool = Pool::default();
        let give = |pool: &mut Pool, bytes| {
            (0..SPARE_MAX).for_each(|_| pool.give(&mut Vec::with_capacity(bytes)));
            pool.spare.len()
        };
        assert_eq!(give(&mut pool, KEPT_BYTES_MAX + 1), 0);
        assert_eq!(give(&mut pool, KEPT_BYTES_MAX), SPARE_MAX);
        pool.set_tight(true);
        assert_eq!(pool.spare.len(), 0);
        assert_eq!(give(&mut pool, READ_BYTES + 1), 0);
        assert_eq!(give(&mut pool, READ_BYTES), SPARE_MAX);
        assert_eq!(give(&mut pool, READ_BYTES), SPARE_MAX);
    }
}
