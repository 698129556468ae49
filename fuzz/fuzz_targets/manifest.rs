//! Manifests: no bytes make reading them panic, and what is read is written so that it is read again.
#![no_main]

use aof::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(manifest) = Manifest::parse(input) {
        let text = manifest.to_string();
        let again = Manifest::parse(text.as_bytes()).expect("what was written is read");
        assert_eq!(again.to_string(), text);
    }
});
