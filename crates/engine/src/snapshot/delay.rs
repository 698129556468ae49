//! Waiting for each key that is saved or loaded, for tests: `rdb-key-save-delay`, `key-load-delay`.

use conf::Number;
use std::thread;
use std::time::Duration;

/// Microseconds that are slept between two looks at the setting.
const SLEEP_US_MAX: u64 = 10_000;

/// A wait that a setting asks for: so many microseconds for each key or, if it is negative, one for so many
/// keys.
#[derive(Debug)]
pub(crate) struct Delay<'a> {
    setting: &'a Number,
    /// Keys that came to no microsecond yet.
    left: u64,
}

impl<'a> Delay<'a> {
    pub(crate) fn new(setting: &'a Number) -> Delay<'a> {
        Delay { setting, left: 0 }
    }

    /// Waits for `keys` more keys, until the setting, which may change meanwhile, asks for no more or
    /// `goes_on` says no.
    pub(crate) fn wait(&mut self, keys: u64, goes_on: impl Fn() -> bool) {
        let keys = keys + std::mem::take(&mut self.left);
        let mut waited_us = 0;
        loop {
            let (wanted_us, left) = wanted(self.setting.get(), keys);
            let step_us = wanted_us.saturating_sub(waited_us).min(SLEEP_US_MAX);
            if step_us == 0 || !goes_on() {
                self.left = left;
                return;
            }
            thread::sleep(Duration::from_micros(step_us));
            waited_us += step_us;
        }
    }
}

/// The microseconds that a setting asks for after so many keys, and the keys that came to none.
fn wanted(setting: i64, keys: u64) -> (u64, u64) {
    let each = setting.unsigned_abs();
    match setting {
        0 => (0, 0),
        1.. => (keys.saturating_mul(each), 0),
        _ => (keys / each, keys % each),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_setting_is_microseconds_for_a_key_or_keys_for_a_microsecond() {
        for (setting, keys, expected) in [
            (0, 7, (0, 0)),
            (1, 7, (7, 0)),
            (500, 7, (3_500, 0)),
            (-1, 7, (7, 0)),
            (-5, 7, (1, 2)),
            (-100, 7, (0, 7)),
            (i64::MAX, u64::MAX, (u64::MAX, 0)),
        ] {
            assert_eq!(wanted(setting, keys), expected, "{setting} {keys}");
        }
    }

    #[test]
    fn a_wait_ends_when_the_setting_or_its_owner_says_so() {
        let settings = conf::Settings::default();
        let (setting, looks) = (&settings.key_load_delay, Cell::new(0));
        setting.set(i64::from(i32::MAX));
        let mut delay = Delay::new(setting);
        delay.wait(u64::from(u32::MAX), || {
            looks.set(looks.get() + 1);
            looks.get() < 3
        });
        assert_eq!(looks.take(), 3);
        delay.wait(u64::from(u32::MAX), || {
            looks.set(looks.get() + 1);
            setting.set(0);
            true
        });
        assert_eq!(looks.get(), 1);
    }
}
