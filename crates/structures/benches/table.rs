//! Measures the table: `cargo bench -p structures --bench table [-- KEYS]` (default 1,000,000).
//!
//! Keys are 16 bytes and values 64, drawn with a fixed seed. Nanoseconds per operation are medians of
//! five passes in random key order; the twin is `HashMap<Box<[u8]>, Box<[u8]>>` with the same hash.

mod timing;

use base::random::Random;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::io::{Write, stdout};
use structures::{Entry, NewValue, Table, ValueRef};
use timing::{Fold, hash, measure, shuffle};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS_DEFAULT: usize = 1_000_000;
/// Keys in one prefetch window.
const WINDOW: usize = 64;
const SHARDS: usize = 1024;
const VALUE: [u8; 64] = [b'v'; 64];

type Key = [u8; 16];

fn keys(count: usize, first: usize) -> Vec<Key> {
    let mut buffer: Vec<Key> = Vec::with_capacity(count);
    for number in first..first + count {
        let text = format!("key:{number:012}");
        buffer.push(text.as_bytes().try_into().expect("sixteen bytes"));
    }
    buffer
}

fn entry(key: &[u8]) -> Entry<u8> {
    Entry::new(key, NewValue::Bytes(&VALUE), None)
}

fn last_byte(entry: &Entry<u8>) -> u8 {
    match entry.value() {
        ValueRef::Bytes(bytes) => bytes[63],
        _ => 0,
    }
}

/// Finds every key, but the choice of the next depends on what was found: no two searches overlap, as
/// in a server that does something else between them.
fn chase(keys: &[Key], find: impl Fn(&Key) -> u8) {
    let mut index = 0;
    while index < keys.len() {
        let found = find(&keys[index]);
        index += 1 + usize::from(black_box(found) ^ VALUE[0]);
    }
}

fn show(what: &str, tenths: u64) {
    writeln!(stdout(), "{what:<48} {:>6}.{} ns", tenths / 10, tenths % 10).expect("stdout");
}

fn fill(keys: &[Key]) -> Table<u8> {
    let mut table = Table::new();
    for key in keys {
        table.insert(hash(key), entry(key), &hash);
    }
    table
}

fn times(count: usize) {
    let mut random = Random::from_seed(1);
    let mut present = keys(count, 0);
    let absent = keys(count, count);
    shuffle(&mut present, &mut random);
    show("insert into a growing table", measure(count, || fill(&present)));
    let mut table = fill(&present);
    shuffle(&mut present, &mut random);
    let find = |key: &Key| table.find(hash(key), key).map_or(0, last_byte);
    show("find, present", measure(count, || present.iter().for_each(|k| _ = black_box(find(k)))));
    show(
        "find, present, each waiting for the one before",
        measure(count, || chase(&present, find)),
    );
    show("find, absent", measure(count, || absent.iter().for_each(|k| _ = black_box(find(k)))));
    let windows = || {
        for window in present.chunks(WINDOW) {
            let hashes: Vec<u64> = window.iter().map(|key| hash(key)).collect();
            for &hash in &hashes {
                table.prefetch_bucket(hash);
            }
            for &hash in &hashes {
                table.prefetch_entry(hash);
            }
            for (key, &hash) in window.iter().zip(&hashes) {
                black_box(table.find(hash, key).map_or(0, last_byte));
            }
        }
    };
    show("find, present, windows of 64 prefetched", measure(count, windows));
    let set = || {
        for key in &present {
            let found = table.find_mut(hash(key), key).expect("it is present");
            found.set_value(NewValue::Bytes(&VALUE));
        }
    };
    show("find_mut and set_value in place", measure(count, set));
    let replace = || {
        for key in &present {
            let gone = table.remove(hash(key), key).expect("it is present");
            table.insert_unique(hash(key), gone, &hash);
        }
    };
    show("remove and insert again", measure(count, replace));
    let draw = || (0..count).for_each(|_| _ = black_box(table.random(&mut random)));
    show("random", measure(count, draw));
    let scan = || {
        let mut cursor = 0;
        loop {
            cursor = table.scan(cursor, |entry| _ = black_box(last_byte(entry)));
            if cursor == 0 {
                break;
            }
        }
    };
    show("scan, per entry", measure(count, scan));
    drop(table);
    twin(&mut present, &absent, &mut random);
}

fn twin(present: &mut [Key], absent: &[Key], random: &mut Random) {
    let count = present.len();
    let fill = |present: &[Key]| {
        let mut map: HashMap<Box<[u8]>, Box<[u8]>, BuildHasherDefault<Fold>> = HashMap::default();
        for key in present {
            map.insert(Box::from(&key[..]), Box::from(&VALUE[..]));
        }
        map
    };
    show("twin: insert", measure(count, || fill(present)));
    let map = fill(present);
    shuffle(present, random);
    let find = |key: &Key| map.get(&key[..]).map_or(0, |value| value[63]);
    show(
        "twin: find, present",
        measure(count, || present.iter().for_each(|k| _ = black_box(find(k)))),
    );
    show("twin: find, present, each waiting", measure(count, || chase(present, find)));
    show(
        "twin: find, absent",
        measure(count, || absent.iter().for_each(|k| _ = black_box(find(k)))),
    );
}

fn memory(count: usize, shards: usize) {
    let mut tables: Vec<Table<u8>> = (0..shards).map(|_| Table::new()).collect();
    let (mut least, mut most) = (u64::MAX, 0);
    for (number, key) in keys(count, 0).iter().enumerate() {
        // Another hash for the shard, as the slot is.
        let shard =
            usize::try_from(hash(&hash(key).to_le_bytes()) >> 32).expect("32 bits") % shards;
        tables[shard].insert(hash(key), entry(key), &hash);
        if number >= count / 2 && (number + 1) % (count / 64) == 0 {
            let own: usize = tables.iter().map(Table::memory_bytes).sum();
            let hundredths = (own as u64 * 100) / (number as u64 + 1);
            (least, most) = (least.min(hundredths), most.max(hundredths));
        }
    }
    let own: usize = tables.iter().map(Table::memory_bytes).sum();
    let bytes = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
    writeln!(
        stdout(),
        "table bytes per key, {count} keys in {shards:>4} tables: {} (on the way from half: {} to {}); \
         entries: {} each",
        bytes(own as u64 * 100 / count as u64),
        bytes(least),
        bytes(most),
        tables[0].iter().next().map_or(0, Entry::allocated_bytes),
    )
    .expect("stdout");
}

fn worst_insert(count: usize) {
    let mut table = Table::new();
    let keys = keys(count, 0);
    let mut moved_max = 0;
    for key in &keys {
        let moved = std::cell::Cell::new(0);
        let hasher = |key: &[u8]| {
            moved.set(moved.get() + 1);
            hash(key)
        };
        table.insert(hash(key), entry(key), &hasher);
        moved_max = moved_max.max(moved.get());
    }
    writeln!(stdout(), "most entries rehashed by one of {count} insertions: {moved_max}")
        .expect("stdout");
}

/// Runs every measurement.
fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(KEYS_DEFAULT);
    times(count);
    memory(count * 2, 1);
    memory(count * 2, SHARDS);
    worst_insert(count * 2);
}
