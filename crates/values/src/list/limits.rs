//! How large the parts of a list may be: what the settings and their sizes mean.

/// Bytes of a node that `list-max-listpack-size` means by -1 to -5; what is beneath means the last.
const SIZES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// Bytes up to which nodes grow that are limited by their elements.
const COUNTED_BYTES_MAX: usize = 8 << 10;

/// What an element is taken to need beside its bytes.
const OVERHEAD: usize = 8;

/// How large the parts of a list may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// Elements of a node, or -1 to -5 for 4 to 64 KB.
    pub size: i64,
    /// Nodes at either end that are never compressed; 0 compresses none.
    pub compress_depth: usize,
    /// Bytes from which an element has a node to itself; 0 if that follows from `size`.
    pub long_bytes_min: usize,
}

impl Default for ListLimits {
    /// The settings' defaults.
    fn default() -> ListLimits {
        ListLimits { size: -2, compress_depth: 0, long_bytes_min: 0 }
    }
}

impl ListLimits {
    /// The most bytes and elements of a node; one of them is unlimited.
    fn bounds(self) -> (usize, usize) {
        if let Ok(count) = usize::try_from(self.size) {
            return (usize::MAX, count.max(1));
        }
        let class = usize::try_from(self.size.unsigned_abs()).unwrap_or(usize::MAX);
        (SIZES[class.min(SIZES.len()) - 1], usize::MAX)
    }

    /// Whether a node of `bytes` bytes and `count` elements is too large.
    pub(super) fn exceeds(self, bytes: usize, count: usize) -> bool {
        match self.bounds() {
            (usize::MAX, count_max) => bytes > COUNTED_BYTES_MAX || count > count_max,
            (bytes_max, _) => bytes > bytes_max,
        }
    }

    /// Whether a node of `bytes` bytes and `count` elements is too large with another one of `len`
    /// bytes.
    pub(super) fn exceeds_with(self, bytes: usize, count: usize, len: usize) -> bool {
        self.exceeds(bytes.saturating_add(len).saturating_add(OVERHEAD), count + 1)
    }

    /// Whether a node is so small that a list with no other becomes a listpack again.
    pub(super) fn is_half(self, bytes: usize, count: usize) -> bool {
        let (bytes_max, count_max) = self.bounds();
        bytes <= bytes_max / 2 && count <= count_max / 2
    }

    /// Whether an element of `len` bytes has a node to itself.
    pub(super) fn is_long(self, len: usize) -> bool {
        if self.long_bytes_min > 0 {
            return len >= self.long_bytes_min;
        }
        match self.bounds() {
            (usize::MAX, _) => len > COUNTED_BYTES_MAX,
            (bytes_max, _) => len > bytes_max,
        }
    }
}
