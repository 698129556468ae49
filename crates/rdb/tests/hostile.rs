//! Snapshots from an enemy: no input may panic the loader, nor make it allocate more than the input
//! is worth. What a thread allocates is counted by the allocator itself.

#![allow(clippy::unwrap_used, reason = "a test: what cannot be made ends it")]

mod corpus;
mod reading;

use base::Millis;
use base::random::Random;
use corpus::{mutate, samples, times};
use rdb::{Attributes, Encoder, LoadError, Loader, Options, StringRef, Writer};
use reading::{in_pieces, one_by_one};
use tikv_jemalloc_ctl::thread;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How many damaged snapshots are tried.
const MUTATIONS: u64 = 50_000;

/// What may be allocated for each byte of input, and for any input at all.
const PER_BYTE: u64 = 16;
const AT_ALL: u64 = 1024 * 1024;

/// Loads all of `bytes`: how many items there were, whether it ended well, and the bytes that were
/// allocated meanwhile, freed ones included.
fn load(bytes: &[u8]) -> (u64, Result<(), LoadError>, u64) {
    let allocated = thread::allocatedp::read().unwrap();
    let before = allocated.get();
    let mut loader = Loader::new(bytes).verify_checksum(false);
    let mut items = 0;
    let result = loop {
        match loader.next_item() {
            Ok(Some(_)) => items += 1,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (items, result, allocated.get() - before)
}

/// A snapshot with every kind of record and of string that the loader reads.
fn sample() -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), Options::default()).unwrap();
    writer.aux(b"redis-ver", StringRef::Bytes(b"7.2.4")).unwrap();
    writer
        .function(b"#!lua name=l\nredis.register_function('f', function() return 1 end)")
        .unwrap();
    writer.select(0, 5, 1).unwrap();
    let attributes = Attributes {
        expire_at: Some(Millis(4_102_444_800_000)),
        lru_idle_s: Some(100),
        lfu_frequency: Some(7),
    };
    let long = "one two three four ".repeat(20);
    for (key, value) in [("a", "1"), ("b", "-300"), ("c", "70000"), ("d", "text"), ("e", &long)] {
        writer.string(key.as_bytes(), StringRef::Bytes(value.as_bytes()), &attributes).unwrap();
    }
    let module = b"\x07\x03doc\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\x03abc\x02\x07\x03ffff\x00";
    writer.records(module).unwrap();
    writer.records(b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x02\x04dddddddd\x00").unwrap();
    writer.records(b"\xf4\x41\x00\x02\x01").unwrap();
    for sample in samples() {
        // The long ones would take most of the mutations.
        if sample.value.len() < 400 && sample.version < 80 {
            let key = corpus::text(sample.name.as_bytes());
            writer.records(&[&[sample.kind], &key[..], &sample.value].concat()).unwrap();
        }
    }
    writer.select(9, 1, 0).unwrap();
    writer.string(b"last", StringRef::Int(i64::MAX), &Attributes::default()).unwrap();
    writer.finish().unwrap()
}

#[test]
fn damaged_snapshots_neither_panic_nor_swell() {
    let sample = sample();
    let (whole, result, _) = load(&sample);
    result.unwrap();
    assert!(whole > 45, "{whole} items");
    let mut random = Random::from_seed(2);
    let (mut refused, mut partly) = (0, 0);
    let rounds = times(MUTATIONS);
    for _ in 0..rounds {
        let mut bytes = sample.clone();
        // The header stays, else little is read.
        mutate(&mut bytes, 9, &mut random);
        let (items, result, allocated) = load(&bytes);
        let limit = PER_BYTE * bytes.len() as u64 + AT_ALL;
        assert!(allocated <= limit, "{allocated} bytes allocated for {bytes:02x?}");
        refused += u64::from(result.is_err());
        partly += u64::from(result.is_err() && items > 2);
    }
    // The mutations reach deep: many inputs fail only after several items, and some are still valid.
    assert!(partly > rounds / 4 && refused < rounds, "{partly} partly, {refused} refused");
}

#[test]
fn pieces_hold_what_is_there_one_by_one() {
    let sample = sample();
    let mut random = Random::from_seed(3);
    for round in 0..times(MUTATIONS / 25) {
        let mut bytes = sample.clone();
        if round > 0 {
            mutate(&mut bytes, 9, &mut random);
        }
        let expected = one_by_one(&bytes);
        for len in [1, 100, 1 << 20] {
            let found = in_pieces(&bytes, len);
            assert_eq!(found, expected, "{bytes:02x?}");
        }
    }
}

#[test]
fn what_is_promised_is_not_allocated() {
    let promise = |len: u32| [&[0x80][..], &len.to_be_bytes()].concat();
    let many = promise(512 * 1024 * 1024);
    let rows = [
        [b"\x00".to_vec(), many.clone()].concat(),
        [b"\x00\x01k".to_vec(), many.clone()].concat(),
        [b"\x00\x01k\xc3".to_vec(), many.clone(), many.clone()].concat(),
        [b"\x00\x01k\xc3\x0a".to_vec(), many.clone(), vec![0xe0; 10]].concat(),
        [b"\xfa".to_vec(), many.clone()].concat(),
        [b"\xf5".to_vec(), many.clone()].concat(),
        [b"\xfb".to_vec(), many.clone(), many.clone()].concat(),
    ];
    for row in rows {
        let (_, result, allocated) = load(&[b"REDIS0009", &row[..]].concat());
        assert!(result.is_err());
        assert!(allocated <= AT_ALL, "{allocated} bytes allocated for {row:02x?}");
    }
}

#[test]
fn long_strings_cost_little_more_than_themselves() {
    let mut bytes = b"REDIS0009".to_vec();
    let noise: Vec<u8> = {
        let mut random = Random::from_seed(1);
        (0..4 * AT_ALL / 8).flat_map(|_| random.next_u64().to_le_bytes()).collect()
    };
    let value = StringRef::Bytes(&noise);
    Encoder::new(true).encode_string_key(&mut bytes, b"k", value, &Attributes::default());
    let whole = bytes.len();
    for len in [whole, whole / 2] {
        let (_, _, allocated) = load(&bytes[..len]);
        assert!(allocated <= 4 * len as u64 + AT_ALL, "{allocated} bytes allocated for {len}");
    }
}
