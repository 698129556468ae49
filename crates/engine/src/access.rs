//! The access clock: 24 bits in every entry that say when it was last used, or how often.
//!
//! Under an LRU policy, and without one, they are seconds. Under an LFU policy they are 16 bits of
//! minutes, the last time the counter was looked at, above 8 bits of a counter that grows with the
//! logarithm of the uses and loses one every `lfu-decay-time` minutes.
//!
//! Source: Redis documentation, "Key eviction"; behaviour observed with Redis 7.0.

use base::random::Random;
use std::cell::RefCell;

/// Bits of an entry's access word.
pub const ACCESS_MASK: u32 = 0x00ff_ffff;
/// A new entry's LFU counter, as in stock.
const LFU_START: u32 = 5;
/// The highest LFU counter.
const LFU_MAX: u32 = 255;
/// Minutes that an access word holds.
const MINUTES_MASK: u32 = 0xffff;

thread_local! {
    static RANDOM: RefCell<Random> = RefCell::new(Random::from_system());
}

/// How the LFU counter moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lfu {
    /// `lfu-log-factor`.
    pub log_factor: u32,
    /// `lfu-decay-time`; zero never decays.
    pub decay_minutes: u32,
}

/// The access clock of one instant.
#[derive(Clone, Copy, Debug)]
pub struct AccessClock {
    now_s: u32,
    lfu: Option<Lfu>,
}

impl AccessClock {
    /// The clock at `now_s` (Unix time), counting seconds, or uses as `lfu` says.
    #[inline]
    pub fn new(now_s: u32, lfu: Option<Lfu>) -> AccessClock {
        AccessClock { now_s, lfu }
    }

    /// Whether uses are counted.
    #[inline]
    pub fn is_lfu(self) -> bool {
        self.lfu.is_some()
    }

    /// The access word of a new entry.
    #[inline]
    pub fn fresh(self) -> u32 {
        if self.is_lfu() { self.word(LFU_START) } else { self.now_s & ACCESS_MASK }
    }

    /// The access word of an entry that is used now and had `before`.
    #[inline]
    pub fn touched(self, before: u32) -> u32 {
        match self.lfu {
            None => self.now_s & ACCESS_MASK,
            Some(lfu) => self.word(bumped(self.frequency(before), lfu.log_factor)),
        }
    }

    /// The access word of an entry that was last used so many seconds ago.
    pub fn idle_for(self, seconds: u64) -> u32 {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).min(ACCESS_MASK);
        self.now_s.wrapping_sub(seconds) & ACCESS_MASK
    }

    /// The access word of an entry that has this LFU counter now.
    pub fn used_often(self, counter: u32) -> u32 {
        self.word(counter.min(LFU_MAX))
    }

    /// Seconds since an entry with this access word was used.
    pub fn idle_s(self, access: u32) -> u64 {
        u64::from(self.now_s.wrapping_sub(access) & ACCESS_MASK)
    }

    /// The LFU counter in an access word, less what it has lost since.
    pub fn frequency(self, access: u32) -> u32 {
        let counter = access & LFU_MAX;
        let decay = self.lfu.map_or(0, |lfu| lfu.decay_minutes);
        let elapsed = self.minutes().wrapping_sub(access >> 8) & MINUTES_MASK;
        counter.saturating_sub(elapsed.checked_div(decay).unwrap_or(0))
    }

    /// The access word of a counter that is looked at now.
    fn word(self, counter: u32) -> u32 {
        (self.minutes() << 8) | counter
    }

    fn minutes(self) -> u32 {
        (self.now_s / 60) & MINUTES_MASK
    }
}

/// A counter after one more use: it grows with a chance of one in `(counter - 5) * factor + 1`.
fn bumped(counter: u32, log_factor: u32) -> u32 {
    if counter >= LFU_MAX {
        return LFU_MAX;
    }
    let above = u64::from(counter.saturating_sub(LFU_START));
    let grows = RANDOM.with_borrow_mut(|random| random.one_in(above * u64::from(log_factor) + 1));
    counter + u32::from(grows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lfu_at(now_s: u32, log_factor: u32, decay_minutes: u32) -> AccessClock {
        AccessClock::new(now_s, Some(Lfu { log_factor, decay_minutes }))
    }

    #[test]
    fn seconds_wrap_at_24_bits() {
        let clock = AccessClock::new(0x0100_0005, None);
        assert_eq!(clock.fresh(), 5);
        assert_eq!(clock.idle_s(3), 2);
        assert_eq!(clock.idle_s(0x00ff_ffff), 6);
    }

    #[test]
    fn counters_grow_by_their_logarithm() {
        for (factor, uses, least, most) in
            [(0, 100, 105, 105), (10, 100, 8, 15), (10, 100_000, 120, 170), (100, 1_000, 8, 15)]
        {
            let clock = lfu_at(600, factor, 1);
            let access = (0..uses).fold(clock.fresh(), |access, _| clock.touched(access));
            let counter = clock.frequency(access);
            assert!((least..=most).contains(&counter), "{factor} {uses}: {counter}");
        }
    }

    #[test]
    fn counters_decay_with_time() {
        let access = lfu_at(600, 10, 1).fresh();
        for (now_s, decay, expected) in
            [(600, 1, 5), (659, 1, 5), (660, 1, 4), (660, 2, 5), (6_000, 1, 0), (6_000, 0, 5)]
        {
            assert_eq!(lfu_at(now_s, 10, decay).frequency(access), expected, "{now_s} {decay}");
        }
    }
}
