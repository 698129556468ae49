//! Payloads and snapshots from an enemy: checked, then built. No input may panic, nor make more be
//! allocated than it is worth; what is built is dumped and built again. What a thread allocates is counted
//! by the allocator itself.

#![allow(clippy::unwrap_used, reason = "a test: what cannot be made ends it")]

#[path = "../../rdb/tests/corpus/mod.rs"]
mod corpus;

use base::random::Random;
use corpus::{mutate, samples, sealed, times};
use engine::image::{self, Limits};
use engine::keys::kind_of;
use engine::snapshot::{LoadOptions, read_dataset};
use keyspace::Entry;
use rdb::{Encoder, payload, restore};
use tikv_jemalloc_ctl::thread;
use tikv_jemallocator::Jemalloc;
use values::ValueDigest;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How many damaged inputs are tried.
const MUTATIONS: u64 = 50_000;

/// What may be allocated for each byte of input, and for any input at all.
const PER_BYTE: u64 = 16;
/// See above.
const AT_ALL: u64 = 1024 * 1024;

/// Runs `work` and gives the bytes that this thread allocated meanwhile, freed ones included.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let counter = thread::allocatedp::read().unwrap();
    let before = counter.get();
    let result = work();
    (result, counter.get() - before)
}

fn digest(entry: &Entry) -> String {
    image::digest(ValueDigest::new(kind_of(entry)), entry).finish(false).to_string()
}

#[test]
fn damaged_payloads_neither_panic_nor_swell() {
    let samples = samples();
    let (mut random, mut built) = (Random::from_seed(5), 0);
    let limits = Limits::default();
    for round in 0..times(MUTATIONS) {
        let sample = &samples[usize::try_from(round % samples.len() as u64).unwrap()];
        let mut body = [&[sample.kind], &sample.value[..]].concat();
        mutate(&mut body, 0, &mut random);
        let payload = sealed(body, sample.version);
        let (entry, bytes) = allocated(|| {
            let value = restore(&payload, true, true).ok()?;
            image::entry(b"k", value, None, &limits).ok()
        });
        let limit = PER_BYTE * payload.len() as u64 + AT_ALL;
        assert!(bytes <= limit, "{bytes} bytes allocated for {payload:02x?}");
        let Some(entry) = entry else { continue };
        built += 1;
        let dumped = payload::dump(&mut Encoder::new(true), image::saved(&entry));
        let again = restore(&dumped, true, true).expect("what we dumped");
        let again = image::entry(b"k", again, None, &limits).expect("what we dumped");
        assert_eq!(digest(&again), digest(&entry), "{payload:02x?} became {dumped:02x?}");
    }
    assert!(built > times(MUTATIONS) / 10, "{built} built");
}

#[test]
fn damaged_snapshots_neither_panic_nor_swell() {
    /// A data set has a thousand shards, made before anything is read, and threads have queues.
    const DATA_SET: u64 = 1024 * 1024;
    let records: Vec<u8> = samples()
        .iter()
        .filter(|sample| sample.value.len() < 400 && sample.version < 80)
        .flat_map(|sample| {
            [&[sample.kind], &corpus::text(sample.name.as_bytes())[..], &sample.value].concat()
        })
        .collect();
    // Data and a value of a module, which are kept.
    let module = b"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x02\x01\x05\x03abc\x00\
        \x07\x06module\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\x03abc\x03ffff\x04dddddddd\x01\x07\x00";
    let sound = corpus::file(12, &[records, module.to_vec()].concat());
    let options = LoadOptions { checksum: false, keep_modules: true, ..LoadOptions::default() };
    let (whole, ..) = read_dataset(&sound[..], options, |_| {}).unwrap();
    let (mut random, mut loaded) = (Random::from_seed(6), 0);
    for _ in 0..times(MUTATIONS / 50) {
        let mut bytes = sound.clone();
        mutate(&mut bytes, 9, &mut random);
        let (result, allocated) = allocated(|| read_dataset(&bytes[..], options, |_| {}));
        let limit = PER_BYTE * bytes.len() as u64 + AT_ALL + DATA_SET;
        assert!(allocated <= limit, "{allocated} bytes allocated for {bytes:02x?}");
        if let Ok((set, ..)) = result {
            assert!(set.keys <= whole.keys + 4);
            loaded += 1;
        }
    }
    assert!(loaded > 0);
}
