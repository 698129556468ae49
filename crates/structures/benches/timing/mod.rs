//! What the benches share: a hash, an order by chance, and the median of some passes.

use base::clock::monotonic_us;
use base::random::Random;
use std::hash::Hasher;
use std::hint::black_box;

/// Passes of each measurement.
pub const PASSES: usize = 5;

fn fold(left: u64, right: u64) -> u64 {
    let wide = u128::from(left) * u128::from(right);
    let bytes = wide.to_le_bytes();
    let half = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    half(0) ^ half(8)
}

/// A hash of `key` that costs little and spreads well.
pub fn hash(key: &[u8]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ key.len() as u64;
    for part in key.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        state = fold(state ^ u64::from_le_bytes(word), 0xD6E8_FEB8_6659_FD93);
    }
    fold(state, 0xA076_1D64_78BD_642F)
}

/// The same for the standard library's maps.
#[derive(Default)]
pub struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= hash(bytes);
    }
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Puts `items` into an order drawn from `random`.
pub fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for index in (1..items.len()).rev() {
        let other = usize::try_from(random.below(index as u64 + 1)).expect("an index");
        items.swap(index, other);
    }
}

/// Nanoseconds per operation, in tenths, of the median pass. What a pass returns is dropped outside.
pub fn measure<T>(operations: usize, mut pass: impl FnMut() -> T) -> u64 {
    let mut times: Vec<u64> = (0..PASSES)
        .map(|_| {
            let start = monotonic_us();
            let made = black_box(pass());
            let tenths = (monotonic_us() - start) * 10_000 / operations as u64;
            drop(made);
            tenths
        })
        .collect();
    times.sort_unstable();
    times[PASSES / 2]
}
