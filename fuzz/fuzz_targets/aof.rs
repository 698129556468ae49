//! Append-only files: no bytes make reading them panic, and what is called whole is whole.
#![no_main]

use aof::survey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let found = survey(input, 0, None, None);
    let whole = usize::try_from(found.whole_until).unwrap_or(usize::MAX).min(input.len());
    if found.damage.is_some() {
        assert!(survey(&input[..whole], 0, None, None).damage.is_none());
    }
});
