//! Seeded randomness (xoshiro256++, stable over versions) and the one place that asks the operating
//! system for a seed.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A seeded generator. The same seed gives the same numbers on every machine and version.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// A generator whose whole future follows from `seed`.
    pub fn from_seed(seed: u64) -> Random {
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A generator seeded by the operating system.
    pub fn from_system() -> Random {
        Random::from_seed(system_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; zero if `bound` is zero. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True once in `n` times on average; never for zero.
    pub fn one_in(&mut self, n: u64) -> bool {
        n != 0 && self.below(n) == 0
    }
}

/// 64 bits from the operating system. Falls back to the clock where there is no source.
pub fn system_u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| crate::clock::unix_us())
}
