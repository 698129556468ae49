//! The digest of a string that DIGEST answers and IFDEQ compares: XXH3, 64 bits, as 16 hexadecimal
//! digits in lower case.
//!
//! Source: Redis documentation, "DIGEST"; the algorithm is Yann Collet's.

use twox_hash::XxHash3_64;

/// The digits of a digest.
pub const DIGEST_DIGITS: usize = 16;

/// The digest of `text`. O(N).
pub fn digest(text: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values for the empty string and for "Hello world" are published: the former in the tests of
    /// the algorithm, the latter in the documentation of DIGEST.
    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(digest(b""), "2d06800538d394c2");
        assert_eq!(digest(b"Hello world"), "b6acb9d84a38ff74");
        for len in [1, 16, 17, 128, 129, 240, 241, 5000] {
            assert_eq!(digest(&vec![b'x'; len]).len(), DIGEST_DIGITS);
        }
    }
}
