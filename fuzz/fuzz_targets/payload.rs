//! DUMP payloads: no bytes make reading or building one panic, and what was built is written as something
//! that is built again.
#![no_main]

use engine::image::{self, Limits};
use libfuzzer_sys::fuzz_target;
use rdb::checksum::Checksum;
use rdb::{Encoder, payload, restore};

fuzz_target!(|input: &[u8]| {
    // The fuzzer cannot guess a checksum.
    let mut bytes = input.to_vec();
    bytes.extend_from_slice(&12_u16.to_le_bytes());
    let mut sum = Checksum::new();
    sum.update(&bytes);
    bytes.extend_from_slice(&sum.value().to_le_bytes());
    let Ok(value) = restore(&bytes, true, true) else { return };
    let Ok(entry) = image::entry(b"k", value, None, &Limits::default()) else { return };
    let dumped = payload::dump(&mut Encoder::new(true), image::saved(&entry));
    let again = restore(&dumped, true, true).expect("what we dumped");
    image::entry(b"k", again, None, &Limits::default()).expect("what we dumped");
});
