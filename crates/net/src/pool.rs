//! Spare buffers: idle connections own none, and those in use stay warm in the cache.

/// Buffers kept by one loop.
const SPARE_MAX: usize = 256;
/// Buffers that have grown beyond this are given back to the allocator.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Spare buffers of one loop.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<Vec<u8>>);

impl Pool {
    /// A buffer with room for `len` bytes or more.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_default();
        buffer.reserve(len);
        buffer
    }

    /// Takes `buffer`, leaving nothing, and keeps its memory if that is worth it.
    pub(crate) fn give(&mut self, buffer: &mut Vec<u8>) {
        let mut buffer = std::mem::take(buffer);
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_BYTES_MAX && self.0.len() < SPARE_MAX
        {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}
