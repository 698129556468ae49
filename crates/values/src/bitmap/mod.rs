//! Strings as arrays of bits.
//!
//! Bit 0 is the highest of the first byte, as in stock; what lies behind the end of a string reads as
//! zero. Ranges of bits are inclusive at both ends. [`field`] reads and writes integers of any width.

pub mod field;
mod operation;

pub use operation::{Combination, Operation};

/// Bit `offset` of `bytes`. O(1).
pub fn bit(bytes: &[u8], offset: usize) -> bool {
    bytes.get(offset / 8).is_some_and(|byte| byte & mask(offset) != 0)
}

/// Sets bit `offset` of `bytes`, which must be long enough; gives what it was. O(1).
pub fn set_bit(bytes: &mut [u8], offset: usize, on: bool) -> bool {
    let Some(byte) = bytes.get_mut(offset / 8) else { return false };
    let before = *byte & mask(offset) != 0;
    if on {
        *byte |= mask(offset);
    } else {
        *byte &= !mask(offset);
    }
    before
}

const fn mask(offset: usize) -> u8 {
    0x80 >> (offset % 8)
}

/// The ones among all bits of `bytes`. O(N), eight bytes at a time.
pub fn ones(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<8>();
    let words: u64 =
        words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    words + tail.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The ones among the bits `first..=last`, both inside of `bytes`. O(N).
pub fn ones_between(bytes: &[u8], first: usize, last: usize) -> u64 {
    let Some(covered) = bytes.get(first / 8..=last / 8) else { return 0 };
    let (before, behind) = (u8::MAX >> (first % 8), u8::MAX >> (last % 8) >> 1);
    match covered {
        [] => 0,
        [only] => u64::from((only & before & !behind).count_ones()),
        [start, middle @ .., end] => {
            u64::from((start & before).count_ones())
                + ones(middle)
                + u64::from((end & !behind).count_ones())
        }
    }
}

/// The first bit that is `wanted` among `first..=last`, both inside of `bytes`. O(N).
pub fn position(bytes: &[u8], wanted: bool, first: usize, last: usize) -> Option<usize> {
    let plain = if wanted { 0 } else { u8::MAX };
    let covered = bytes.get(first / 8..=last / 8)?;
    let mut at = first / 8;
    let mut found = covered.iter().copied().map(|byte| byte ^ plain);
    let start = found.next()? & (u8::MAX >> (first % 8));
    let byte = if start == 0 {
        let rest = covered.get(1..)?;
        let (words, _) = rest.as_chunks::<8>();
        let zeros = words.iter().take_while(|word| **word == [plain; 8]).count() * 8;
        let skipped = rest.iter().skip(zeros).position(|byte| *byte != plain)?;
        at += 1 + zeros + skipped;
        rest.get(zeros + skipped)? ^ plain
    } else {
        start
    };
    let position = at * 8 + usize::try_from(byte.leading_zeros()).unwrap_or(0);
    (position <= last).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_list_of_bits(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..40),
                prop::collection::vec(prop_oneof![Just(0), Just(255), Just(254)], 1..60),
            ],
            a: prop::sample::Index, b: prop::sample::Index, wanted: bool,
        ) {
            let bits: Vec<bool> = (0..bytes.len() * 8).map(|at| bit(&bytes, at)).collect();
            let (a, b) = (a.index(bits.len()), b.index(bits.len()));
            let (first, last) = (a.min(b), a.max(b));
            let inside = &bits[first..=last];
            let expected = inside.iter().filter(|bit| **bit).count() as u64;
            prop_assert_eq!(ones_between(&bytes, first, last), expected);
            prop_assert_eq!(ones(&bytes), bits.iter().filter(|bit| **bit).count() as u64);
            let expected = inside.iter().position(|bit| *bit == wanted).map(|at| at + first);
            prop_assert_eq!(position(&bytes, wanted, first, last), expected);
            let mut changed = bytes.clone();
            prop_assert_eq!(set_bit(&mut changed, a, wanted), bits[a]);
            prop_assert_eq!(bit(&changed, a), wanted);
            set_bit(&mut changed, a, bits[a]);
            prop_assert_eq!(changed, bytes);
        }
    }
}
