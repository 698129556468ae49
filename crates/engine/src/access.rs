//! The access clock: 24 bits in every entry that say when it was last used, or how often.
//!
//! Under an LRU policy, and without one, they are seconds. Under an LFU policy they are 16 bits of
//! minutes, the last time the counter was looked at, above 8 bits of a counter that grows with the
//! logarithm of the uses and loses one every `lfu-decay-time` minutes.
//!
//! A snapshot tells seconds or the counter, which is all that the 24 bits hold but for the part of a minute
//! or of a decay that has passed. Seconds wrap after 194 days; what has not been used for longer is told, and
//! taken, as that.
//!
//! Source: Redis documentation, "Key eviction"; behaviour observed with Redis 7.0.

use base::Millis;
use base::random::Random;
use rdb::Attributes;
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

    /// The clock at the Unix time `now`, of which it keeps 31 bits of seconds, counting what this one does.
    #[inline]
    pub fn at(self, now: Millis) -> AccessClock {
        AccessClock { now_s: seconds(now), ..self }
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

    /// The access word of an entry of which `told` says when it was last used, or how often; `None` if it
    /// does not say which of the two is kept.
    pub fn restored(self, told: &Attributes) -> Option<u32> {
        if self.is_lfu() {
            return told.lfu_frequency.map(|counter| self.word(counter.into()));
        }
        let idle_s = u32::try_from(told.lru_idle_s?).unwrap_or(u32::MAX).min(ACCESS_MASK);
        Some(self.now_s.wrapping_sub(idle_s) & ACCESS_MASK)
    }

    /// What a snapshot says of an entry with this access word: when it was last used, or how often.
    pub fn told(self, access: u32) -> Attributes {
        let counter = || u8::try_from(self.frequency(access)).unwrap_or(u8::MAX);
        Attributes {
            lru_idle_s: (!self.is_lfu()).then(|| self.idle_s(access)),
            lfu_frequency: self.is_lfu().then(counter),
            ..Attributes::default()
        }
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

/// What is kept of the Unix time `now`.
pub(crate) fn seconds(now: Millis) -> u32 {
    u32::try_from((now.0 / 1000) & 0x7fff_ffff).unwrap_or(0)
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

    fn idle(seconds: u64) -> Attributes {
        Attributes { lru_idle_s: Some(seconds), ..Attributes::default() }
    }

    fn often(counter: u8) -> Attributes {
        Attributes { lfu_frequency: Some(counter), ..Attributes::default() }
    }

    #[test]
    fn what_is_told_is_restored() {
        let clock = AccessClock::new(0x0100_0005, None);
        for (told, restored) in
            [(0, 0), (5, 5), (6, 6), (0x00ff_ffff, 0x00ff_ffff), (u64::MAX, 0x00ff_ffff)]
        {
            let access = clock.restored(&idle(told)).unwrap();
            assert_eq!(clock.told(access), idle(restored));
        }
        assert_eq!(clock.restored(&often(7)), None);
        assert_eq!(clock.restored(&Attributes::default()), None);
        let clock = lfu_at(6_000, 10, 1);
        for counter in [0, 5, 255] {
            let access = clock.restored(&often(counter)).unwrap();
            assert_eq!(clock.told(access), often(counter));
            let later = clock.at(Millis(6_119_000)).told(access);
            assert_eq!(later, often(counter.saturating_sub(1)));
        }
        assert_eq!(clock.restored(&idle(7)), None);
    }

    /// The comments of stock's redis.conf give 10, 142 and 11 for the last three.
    #[test]
    fn counters_grow_by_their_logarithm() {
        const TIMES: u32 = 20;
        RANDOM.set(Random::from_seed(1));
        for (factor, uses, least, most) in
            [(0, 100, 105, 105), (10, 100, 8, 11), (10, 100_000, 130, 155), (100, 1_000, 9, 12)]
        {
            let clock = lfu_at(600, factor, 1);
            let used = || (0..uses).fold(clock.fresh(), |access, _| clock.touched(access));
            let sum: u32 = (0..TIMES).map(|_| clock.frequency(used())).sum();
            let mean = sum / TIMES;
            assert!((least..=most).contains(&mean), "{factor} {uses}: {mean}");
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
