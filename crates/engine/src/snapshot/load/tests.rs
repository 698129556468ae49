//! Loads on several threads: the same data, and the same faults, as on one.

use super::*;
use crate::image;
use base::Millis;
use base::random::Random;
use rdb::{Attributes, Encoder, Options, SavedValue, StringRef, Writer};
use std::collections::BTreeMap;
use structures::KeyHash;
use structures::listpack::{self, ListpackBuf};
use values::digest::ValueDigest;

const ALONE: Division = Division { workers: 0, batch_bytes: 600 };

fn options() -> LoadOptions<'static> {
    LoadOptions { expired_before: Some(Millis(1000)), checksum: false, ..LoadOptions::default() }
}

/// Strings, hashes, and sets in both forms in three databases; every seventh key has expired.
fn sample(keys: u64) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), Options::default()).unwrap();
    let mut encoder = Encoder::new(true);
    for db in [0, 3, 7] {
        writer.select(db, keys, 0).unwrap();
        for number in 0..keys {
            let key = format!("key:{db}:{number}");
            let value = format!("value of {number}");
            let expire_at = (number % 7 == 0).then_some(Millis(999 + (number & 8)));
            let attributes = Attributes { expire_at, ..Attributes::default() };
            let mut pack = ListpackBuf::new();
            pack.push_back(value.as_bytes());
            pack.push_back_int(5);
            let members = [listpack::Item::Int(7), listpack::Item::Bytes(value.as_bytes())];
            let saved = match number % 3 {
                0 => SavedValue::String(StringRef::Bytes(value.as_bytes())),
                1 => SavedValue::HashPack(pack.as_bytes()),
                _ => SavedValue::Set(2, Box::new(members.into_iter())),
            };
            let mut record = Vec::new();
            encoder.encode_key(&mut record, key.as_bytes(), saved, &attributes);
            writer.records(&record).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8], division: Division) -> Result<Dataset, LoadError> {
    read_divided(bytes, options(), division, |_| {}).map(|(set, ..)| set)
}

/// Every key with its database, expiry and the digest of its value.
fn content(set: &Dataset) -> BTreeMap<(u32, Vec<u8>), (Option<Millis>, String)> {
    let mut content = BTreeMap::new();
    for (place, shard) in (0..).zip(&set.shards) {
        for (number, db) in shard.dbs() {
            for entry in db.iter() {
                assert_eq!(Keyspace::shard_of(entry.key()), place);
                assert!(shard.find(number, KeyHash::of(entry.key()), entry.key()).is_some());
                let digest = ValueDigest::new(crate::keys::kind_of(entry));
                let digest = image::digest(digest, entry).finish(false).to_string();
                content.insert((number, entry.key().to_vec()), (entry.expire_at(), digest));
            }
        }
    }
    content
}

#[test]
fn more_threads_load_the_same() {
    let bytes = sample(400);
    let alone = read(&bytes, ALONE).unwrap();
    // Every fourteenth key has expired, beginning with the first.
    assert_eq!((alone.keys, alone.expired, alone.databases), (3 * 371, 3 * 29, 8));
    let expected = content(&alone);
    assert_eq!(expected.len(), 3 * 371);
    for (workers, batch_bytes) in [(1, 600), (3, 600), (3, 1), (2, 1 << 20)] {
        let set = read(&bytes, Division { workers, batch_bytes }).unwrap();
        assert_eq!((set.keys, set.expired, set.databases), (3 * 371, 3 * 29, 8));
        assert!(content(&set) == expected, "{workers} workers, {batch_bytes} bytes");
    }
}

#[test]
fn more_threads_find_the_same_fault() {
    let sound = sample(60);
    let mut random = Random::from_seed(11);
    let mut faults = 0;
    for _ in 0..400 {
        let mut bytes = sound.clone();
        for _ in 0..=random.below(2) {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] ^= 1 << random.below(8);
        }
        let alone = read(&bytes, ALONE).map(|set| set.keys).map_err(|error| error.to_string());
        let crowd = read(&bytes, Division { workers: 3, batch_bytes: 300 });
        let crowd = crowd.map(|set| set.keys).map_err(|error| error.to_string());
        // Of a key that is there twice it is chance which is the second.
        if [&alone, &crowd].iter().any(|end| matches!(end, Err(text) if text.contains("twice"))) {
            continue;
        }
        assert_eq!(crowd, alone);
        faults += u32::from(alone.is_err());
    }
    assert!(faults > 100, "{faults} faults");
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let mut writer = Writer::begin(Vec::new(), Options::default()).unwrap();
    for db in [0, 1, 0] {
        writer.select(db, 1, 0).unwrap();
        writer.string(b"k", StringRef::Int(1), &Attributes::default()).unwrap();
    }
    let bytes = writer.finish().unwrap();
    for workers in [0, 2] {
        let error = read(&bytes, Division { workers, batch_bytes: 1 }).unwrap_err().to_string();
        assert!(error.contains("the key \"k\" is there twice"), "{error}");
    }
}

#[test]
fn a_load_waits_for_each_key() {
    const KEYS: u64 = 100;
    let bytes = sample(KEYS);
    let settings = conf::Settings::default();
    settings.key_load_delay.set(500);
    let delayed = LoadOptions { delay: Some(&settings.key_load_delay), ..options() };
    for workers in [0, 3] {
        let division = Division { workers, ..ALONE };
        let began = base::clock::monotonic();
        let loaded = read_divided(&bytes[..], delayed, division, |_| {});
        // Three databases; what has expired counts too. The clock has milliseconds.
        let waited_ms = base::clock::monotonic().since(began).0;
        assert!(waited_ms >= 3 * KEYS * 500 / 1000 - 1, "{workers}: {waited_ms}");
        assert_eq!(content(&loaded.unwrap().0), content(&read(&bytes, ALONE).unwrap()));
    }
    // It would take days.
    settings.key_load_delay.set(i64::from(i32::MAX));
    let given_up = AtomicBool::new(true);
    let options = LoadOptions { given_up: Some(&given_up), ..delayed };
    read_divided(&bytes[..], options, ALONE, |_| {}).unwrap();
}
