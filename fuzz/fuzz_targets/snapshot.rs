//! Snapshots: no bytes make reading them panic, and what is found does not depend on whether they are
//! read item by item or in pieces.
#![no_main]

#[path = "../../crates/rdb/tests/reading/mod.rs"]
mod reading;

use libfuzzer_sys::fuzz_target;
use reading::{in_pieces, one_by_one};

fuzz_target!(|input: &[u8]| {
    let Some((first, input)) = input.split_first() else { return };
    let found = one_by_one(input);
    assert_eq!(in_pieces(input, usize::from(*first) * 4 + 1), found);
});
