//! Append-only files and manifests from an enemy: no input may panic a reader, nor make it allocate more
//! than the input is worth. What a thread allocates is counted by the allocator itself.

#![allow(clippy::unwrap_used, reason = "a test: what cannot be made ends it")]

use aof::{Appender, Manifest, survey};
use base::disk::memory::MemoryDisk;
use base::random::Random;
use base::{Offset, RunId};
use std::path::Path;
use tikv_jemalloc_ctl::thread;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How many damaged inputs are tried in a short run, and in a long one.
const MUTATIONS: [u64; 2] = [50_000, 1_000_000];
/// What may be allocated for each byte of input, and for any input at all.
const PER_BYTE: u64 = 16;
const AT_ALL: u64 = 1024 * 1024;

fn mutations() -> u64 {
    MUTATIONS[usize::from(std::env::var_os("PROPTEST_CASES").is_some())]
}

/// Flips, cuts, inserts and repeats.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const BYTES: &[u8] = b"*$#\r\n0123456789-\0\xffSUMTS: abfile\"\\";
    for _ in 0..=random.below(3) {
        let at = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
        let drawn = BYTES[usize::try_from(random.below(BYTES.len() as u64)).unwrap()];
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, drawn),
            2 => {
                let end = (at + 40).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = drawn;
                }
            }
        }
    }
}

/// A file as it is written here, with sums, notes and a transaction.
fn sample() -> Vec<u8> {
    let (disk, path) = (MemoryDisk::default(), Path::new("/d/a"));
    let mut appender = Appender::create(&disk, path).unwrap();
    for number in 0..6_u64 {
        let piece = format!(
            "#TS:17958673{number}0\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n{number}\r\n*1\r\n$5\r\nMULTI\r\n\
             *3\r\n$3\r\nset\r\n$1\r\nx\r\n$3\r\n10{number}\r\n*1\r\n$4\r\nEXEC\r\n"
        );
        appender.write(piece.as_bytes()).unwrap();
        if number % 2 == 0 {
            appender.seal((RunId::zero(), Offset(number))).unwrap();
            appender.sync().unwrap();
        }
    }
    disk.bytes(path).unwrap()
}

/// What `read` allocates must be worth `bytes`.
fn check(bytes: &[u8], read: impl FnOnce(&[u8])) {
    let allocated = thread::allocatedp::read().unwrap();
    let before = allocated.get();
    read(bytes);
    let spent = allocated.get() - before;
    let allowed = PER_BYTE * bytes.len() as u64 + AT_ALL;
    assert!(spent <= allowed, "{spent} bytes for {}: {}", bytes.len(), bytes.escape_ascii());
}

#[test]
fn damaged_files_are_read_as_far_as_they_are_whole() {
    let (sample, mut random) = (sample(), Random::from_seed(1));
    let (mut whole, mut damaged) = (0, 0);
    for _ in 0..mutations() {
        let mut bytes = sample.clone();
        mutate(&mut bytes, &mut random);
        check(&bytes, |bytes| {
            let found = survey(bytes, 0, None, None);
            assert!(found.whole_until <= bytes.len() as u64);
            let kept = &bytes[..usize::try_from(found.whole_until).unwrap()];
            let again = survey(kept, 0, None, None);
            if found.damage.is_some() {
                damaged += 1;
                assert!(again.damage.is_none(), "{found:?} {again:?} {}", bytes.escape_ascii());
            } else {
                whole += 1;
            }
        });
    }
    assert!(whole > 0 && damaged > whole, "{whole} and {damaged}");
}

#[test]
fn damaged_manifests_are_read_or_refused() {
    let sample = "file appendonly.aof.2.base.rdb seq 2 type b\nfile \"a \\n\\x01\" seq 1 type h\n\
                  file appendonly.aof.2.incr.aof seq 2 type i\nfile b seq 3 type i more words\n";
    let (mut random, mut read) = (Random::from_seed(2), 0);
    for _ in 0..mutations() {
        let mut bytes = sample.as_bytes().to_vec();
        mutate(&mut bytes, &mut random);
        check(&bytes, |bytes| {
            if let Ok(manifest) = Manifest::parse(bytes) {
                read += 1;
                let text = manifest.to_string();
                assert_eq!(Manifest::parse(text.as_bytes()).unwrap().to_string(), text);
            }
        });
    }
    assert!(read > 0);
}
