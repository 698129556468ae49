//! The reply decoder: no bytes make it panic, and a value does not depend on how its bytes were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Decoder, decode};

fuzz_target!(|input: &[u8]| {
    let Some((first, input)) = input.split_first() else { return };
    let whole = decode(input);
    let mut decoder = Decoder::new();
    let step = usize::from(*first) + 1;
    let mut end = 0;
    let pieces = loop {
        end = (end + step).min(input.len());
        match decoder.decode(&input[..end]) {
            Ok(None) if end < input.len() => {}
            other => break other,
        }
    };
    // A NaN differs from itself.
    assert_eq!(format!("{pieces:?}"), format!("{whole:?}"));
});
