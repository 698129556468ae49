//! Snapshots whose sink is slower than those who write, and of values that are large.

use super::*;
use crate::access::{AccessClock, Lfu};
use crate::image;
use crate::keys::new_entry;
use base::disk::memory::MemoryDisk;
use conf::{MaxmemoryPolicy, Settings};
use keyspace::{Change, Entry};
use rdb::{Attributes, Item, LoadedValue, Loader};
use std::io::Write;
use structures::{NewValue, ValueMut, ValueRef};
use values::digest::ValueDigest;
use values::list::End;
use values::stream::{Group, StreamId};
use values::{
    Hash, HashLimits, Kind, List, ListLimits, Object, Opaque, Set, SetLimits, SortedSet,
    SortedSetLimits, Stream,
};

/// A sink that takes no records until `wait` is through, which is called once.
struct Slow<F: FnOnce()> {
    wait: Option<F>,
    bytes: Vec<u8>,
}

impl<F: FnOnce()> Write for Slow<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > VALUE_BYTES
            && let Some(wait) = self.wait.take()
        {
            wait();
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const KEYS: u32 = 8000;
const VALUE_BYTES: usize = 2 << 10;

fn key(number: u32) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

/// Gives every key a value of bytes `fill`.
fn put_all(node: &Node, fill: u8) {
    for number in 0..KEYS {
        let key = key(number);
        let value = vec![fill; VALUE_BYTES];
        let entry = Entry::new(&key, NewValue::Bytes(&value), None);
        let mut shard = node.keyspace.lock(Keyspace::shard_of(&key));
        shard.insert(0, Keyspace::hash(&key), entry);
    }
}

#[test]
fn what_a_sink_is_too_slow_for_goes_to_the_disk() {
    let disk = Arc::new(MemoryDisk::default());
    let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
    let node = node.another(Arc::clone(&node.settings), disk, 1);
    node.settings.rdbcompression.set(false);
    put_all(&node, b'a');
    let limits = Limits { spill_bytes: 2 << 20, most_bytes: 4 << 20 };
    let alone = node.keyspace.gate.exclusive();
    let cut = Cut::with_limits(&node, &alone, limits).expect("a walk");
    drop(alone);
    let records = Arc::clone(&cut.records);
    let wait = || {
        put_all(&node, b'b');
        while records.spool.memory_bytes() > limits.spill_bytes || node.is_full() {
            std::thread::yield_now();
        }
    };
    let out = Slow { wait: Some(wait), bytes: Vec::new() };
    let options = rdb::Options { compression: false, ..rdb::Options::default() };
    let mut writer = rdb::Writer::begin(out, options).expect("begun");
    assert_eq!(cut.write(&node, &mut writer, |_| true).expect("written"), u64::from(KEYS));
    let bytes = writer.finish().expect("finished").bytes;
    let options = LoadOptions::default();
    let (loaded, ..) = read_dataset(&bytes[..], options, |_| {}).expect("sound");
    assert_eq!(loaded.keys, u64::from(KEYS));
    loaded.install(&node, &node.keyspace.gate.exclusive());
    for number in 0..KEYS {
        let key = key(number);
        let shard = node.keyspace.lock(Keyspace::shard_of(&key));
        let entry = shard.find(0, Keyspace::hash(&key), &key).expect("there");
        assert!(matches!(entry.value(), ValueRef::Bytes(bytes) if bytes == [b'a'; VALUE_BYTES]));
    }
}

/// Large values of every type; an odd number has an expiry.
fn large(key: &[u8], kind: Kind) -> Entry {
    const COUNT: u32 = 3_000;
    let name = |number: u32| format!("member:{number:06}").into_bytes();
    let at = (key.len() % 2 == 1).then_some(Millis(9_000_000_000_000));
    let end = |number: u32| {
        let ends = number.is_multiple_of(5) && key.len().is_multiple_of(2);
        ends.then_some(Millis(8_000_000_000_000 + u64::from(number)))
    };
    match kind {
        Kind::String => {
            let mut text = vec![b'x'; 1 << 20];
            text.extend_from_slice(key);
            Entry::new(key, NewValue::Boxed(Object::Text(text.into())), at)
        }
        Kind::List => {
            let mut list = List::default();
            let limits = ListLimits { size: -1, compress_depth: 2, ..ListLimits::default() };
            for number in 0..COUNT {
                list.push(End::Right, &name(number).repeat(2), limits);
            }
            list.push(End::Left, &vec![b'y'; 100_000], limits);
            new_entry(key, list, at)
        }
        Kind::Set => {
            let mut set = Set::default();
            for number in 0..COUNT {
                set.add(&name(number), SetLimits::default());
                set.set_expire_at(&name(number), end(number));
            }
            new_entry(key, set, at)
        }
        Kind::SortedSet => {
            let mut set = SortedSet::default();
            for number in 0..COUNT {
                set.insert(&name(number), f64::from(number % 77), SortedSetLimits::default());
                set.set_expire_at(&name(number), end(number));
            }
            new_entry(key, set, at)
        }
        Kind::Hash => {
            let mut hash = Hash::default();
            for number in 0..COUNT {
                let limits = HashLimits::default();
                hash.set(&name(number), &name(number * 7), end(number), limits);
            }
            new_entry(key, hash, at)
        }
        Kind::Module => large_of_module(key, at),
        Kind::Stream => {
            let mut stream = Stream::default();
            let limits = values::stream::Limits { block_bytes: 4096, block_entries: 100 };
            for number in 1..=COUNT {
                let id = StreamId::new(u64::from(number), 1);
                stream.add(id, &[b"field", &name(number).repeat(2)], limits).expect("it rises");
            }
            let mut group = Group::new(StreamId::new(5, 1), Some(5));
            assert!(group.create_consumer(b"someone", 4));
            group.assign(StreamId::new(3, 1), b"someone", 7, 1);
            assert!(stream.add_group(b"group", group));
            new_entry(key, stream, at)
        }
    }
}

/// A value of a module: its id, a string of a million bytes, and the end.
fn large_of_module(key: &[u8], at: Option<Millis>) -> Entry {
    let mut bytes = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\x80\x00\x0f\x42\x40".to_vec();
    bytes.resize(bytes.len() + 1_000_000, b'm');
    bytes.push(0);
    let value = Opaque::new(0x45e2_5238_df91_2c03, bytes);
    image::entry(key, LoadedValue::Module(value), at, &image::Limits::default()).expect("sound")
}

/// Changes a large value in many places.
fn spoil(mut change: Change<'_>) {
    let ValueMut::Boxed(object) = change.value_mut() else { panic!("a large value") };
    let name = |number: u32| format!("member:{number:06}").into_bytes();
    let limits = ListLimits { size: -1, compress_depth: 2, ..ListLimits::default() };
    match object {
        Object::Text(text) => {
            text.change(500_000..504_000)[500_000..504_000].fill(b'z');
            let len = text.len();
            text.change(len..len + 4).extend_from_slice(b"tail");
            text.change(3..4)[3] = b'!';
        }
        Object::List(list) => {
            for number in 0..60 {
                list.set(number * 40, b"other", limits);
                list.insert(number * 37, &[b'n'; 600], limits);
                list.remove(number * 31..number * 31 + 5, limits);
            }
        }
        Object::Set(set) => {
            for number in 0..500 {
                assert!(set.remove(&name(number * 5)));
                set.set_expire_at(&name(number * 3), Some(Millis(1)));
                set.add(format!("new:{number}").as_bytes(), SetLimits::default());
            }
        }
        Object::SortedSet(set) => {
            for number in 0..700 {
                set.insert(&name(number * 5), -1.0, SortedSetLimits::default());
                set.remove(&name(number * 3 + 1));
                set.set_expire_at(&name(number * 2), Some(Millis(1)));
            }
        }
        Object::Hash(hash) => {
            for number in 0..700 {
                hash.set(&name(number * 5), b"other", None, HashLimits::default());
                hash.remove(&name(number * 3 + 1));
                hash.set_expire_at(&name(number * 2), Some(Millis(1)));
            }
        }
        Object::Module(value) => *value = Arc::new(Opaque::new(0, vec![0, 0])),
        Object::Stream(stream) => {
            for number in 0..300 {
                stream.delete(StreamId::new(number * 9, 1));
            }
            let limits = values::stream::Limits { block_bytes: 4096, block_entries: 100 };
            stream.add(StreamId::new(1 << 40, 1), &[b"a", b"b"], limits).expect("it rises");
            assert!(stream.remove_group(b"group"));
        }
    }
}

/// Each key with the digest of its value, behind which stands the sum of its members' expiries.
fn digests(keyspace: &Keyspace) -> Vec<(u32, Vec<u8>, String, Option<Millis>)> {
    let mut found = Vec::new();
    keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs() {
            for entry in db.iter() {
                let kind = Kind::of_tag(entry.tag()).0;
                let digest = image::digest(ValueDigest::new(kind), entry).finish(false).to_string();
                let ends: u64 = image::expiring_members(entry).map(|(_, Millis(at))| at).sum();
                let value = format!("{digest} {ends}");
                found.push((number, entry.key().to_vec(), value, entry.expire_at()));
            }
        }
    });
    found.sort();
    found
}

#[test]
fn large_values_are_saved_as_they_were_whatever_happens_meanwhile() {
    let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
    let node = node.another(Arc::clone(&node.settings), Arc::new(MemoryDisk::default()), 1);
    let kinds = [
        Kind::String,
        Kind::List,
        Kind::Set,
        Kind::SortedSet,
        Kind::Hash,
        Kind::Stream,
        Kind::Module,
    ];
    let mut keys = Vec::new();
    for kind in kinds {
        for number in 0..8 {
            let key = format!("{}{}{number}", kind.name(), "-".repeat(number)).into_bytes();
            let db = u32::from(number > 5);
            let mut shard = node.keyspace.lock(Keyspace::shard_of(&key));
            shard.insert(db, Keyspace::hash(&key), large(&key, kind));
            keys.push((db, key));
        }
    }
    let before = digests(&node.keyspace);
    let alone = node.keyspace.gate.exclusive();
    let cut = Cut::take(&node, &alone).expect("a walk");
    drop(alone);
    // A third is changed, deleted or renamed before the walk begins, the rest in the midst of it.
    let act = |at: usize, (db, key): &(u32, Vec<u8>)| {
        let hash = Keyspace::hash(key);
        let mut shard = node.keyspace.lock(Keyspace::shard_of(key));
        match at % 4 {
            0 | 1 => spoil(shard.change(*db, hash, key).expect("it is there")),
            2 => drop(shard.remove(*db, hash, key)),
            _ => {
                let entry = shard.remove(*db, hash, key).expect("it is there");
                drop(shard);
                let to = [key, b"-moved".as_slice()].concat();
                let (hash, mut shard) =
                    (Keyspace::hash(&to), node.keyspace.lock(Keyspace::shard_of(&to)));
                shard.insert(1 - *db, hash, entry.renamed(&to));
                spoil(shard.change(1 - *db, hash, &to).expect("it was put in"));
            }
        }
    };
    let some = |first: bool| {
        let chosen = keys.iter().enumerate().filter(move |(at, _)| (at % 3 == 0) == first);
        chosen.for_each(|(at, place)| act(at, place));
    };
    some(true);
    let out = Slow { wait: Some(|| some(false)), bytes: Vec::new() };
    let mut writer = rdb::Writer::begin(out, rdb::Options::default()).expect("begun");
    cut.write(&node, &mut writer, |_| true).expect("written");
    let bytes = writer.finish().expect("finished").bytes;
    assert_ne!(digests(&node.keyspace), before);
    let options = LoadOptions { keep_modules: true, ..LoadOptions::default() };
    let (loaded, ..) = read_dataset(&bytes[..], options, |_| {}).expect("sound");
    loaded.install(&node, &node.keyspace.gate.exclusive());
    let after = digests(&node.keyspace);
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(one, other);
    }
    assert_eq!(before.len(), after.len());
}

/// What is lent was in memory before. However large it is, nobody waits for it, and no snapshot is given up
/// for it; but eviction does not count it until it is written.
#[test]
fn a_large_value_that_is_lent_stops_no_writer() {
    for kind in [Kind::List, Kind::Stream, Kind::Module] {
        let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
        let node = node.another(Arc::clone(&node.settings), Arc::new(MemoryDisk::default()), 1);
        let (hash, shard) = (Keyspace::hash(b"k"), Keyspace::shard_of(b"k"));
        let entry = large(b"k", kind);
        let ValueRef::Boxed(object) = entry.value() else { panic!("a large value") };
        let heap_bytes = object.heap_bytes();
        let limits = Limits { spill_bytes: heap_bytes / 4, most_bytes: heap_bytes / 2 };
        node.keyspace.lock(shard).insert(0, hash, entry);
        let alone = node.keyspace.gate.exclusive();
        let cut = Cut::with_limits(&node, &alone, limits).expect("a walk");
        drop(alone);
        let records = Arc::clone(&cut.records);
        spoil(node.keyspace.lock(shard).change(0, hash, b"k").expect("it is there"));
        assert!(!node.is_full(), "{kind:?}");
        assert_eq!(node.walk_queues.bytes(), heap_bytes, "{kind:?}");
        records.spool.do_without_file();
        assert!(!records.spool.is_over(), "{kind:?}");
        let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
        assert_eq!(cut.write(&node, &mut writer, |_| true).expect("written"), 1, "{kind:?}");
        assert_eq!(node.walk_queues.bytes(), 0, "{kind:?}");
    }
}

/// What a snapshot of `node` says of each key beside its value.
fn told(node: &Node) -> (Vec<u8>, Vec<(Vec<u8>, Attributes)>) {
    let alone = node.keyspace.gate.exclusive();
    let cut = Cut::take(node, &alone).expect("a walk");
    drop(alone);
    let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
    cut.write(node, &mut writer, |_| true).expect("written");
    let bytes = writer.finish().expect("finished");
    let (mut loader, mut told) = (Loader::new(&bytes[..]).keep_modules(true), Vec::new());
    while let Some(item) = loader.next_item().expect("sound") {
        if let Item::Key(key) = item {
            told.push((key.key, Attributes { expire_at: None, ..key.attributes }));
        }
    }
    (bytes, told)
}

#[test]
fn the_use_of_keys_is_told_if_the_policy_goes_by_it() {
    use MaxmemoryPolicy as P;
    let kinds = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash, Kind::Stream];
    let idle = Attributes { lru_idle_s: Some(5_000), ..Attributes::default() };
    let often = Attributes { lfu_frequency: Some(77), ..Attributes::default() };
    for (policy, used, is_told) in [
        (P::Noeviction, idle, false),
        (P::VolatileTtl, idle, false),
        (P::AllkeysRandom, idle, false),
        (P::AllkeysLru, idle, true),
        (P::VolatileLru, idle, true),
        (P::AllkeysLfu, often, true),
        (P::VolatileLfu, often, true),
    ] {
        let settings = Settings::default();
        settings.maxmemory_policy.set(policy);
        settings.lfu_decay_time.set(0);
        let node = Node::new(Arc::new(settings), None, &[], &[], 1, None);
        let large = kinds.iter().map(|kind| large(kind.name().as_bytes(), *kind));
        let small = Entry::new(b"small", NewValue::Bytes(b"value"), None);
        for entry in large.chain([large_of_module(b"module", None), small]) {
            entry.set_access(node.access_clock().restored(&used).expect("of that kind"));
            let mut shard = node.keyspace.lock(Keyspace::shard_of(entry.key()));
            shard.insert(0, Keyspace::hash(entry.key()), entry);
        }
        let (bytes, told) = told(&node);
        assert_eq!(told.len(), kinds.len() + 2);
        for (key, told) in &told {
            // Time may pass.
            let seconds = told.lru_idle_s.map(|seconds| seconds / 1_000 * 1_000);
            let told = Attributes { lru_idle_s: seconds, ..*told };
            let expected = if is_told { used } else { Attributes::default() };
            assert_eq!(told, expected, "{policy:?} {}", key.escape_ascii());
        }
        let options = LoadOptions { keep_modules: true, ..LoadOptions::of(&node, None) };
        let clock = options.clock;
        let (loaded, ..) = read_dataset(&bytes[..], options, |_| {}).expect("sound");
        loaded.install(&node, &node.keyspace.gate.exclusive());
        node.keyspace.each_shard(|_, shard| {
            for entry in shard.dbs().flat_map(|(_, db)| db.iter()) {
                let access = entry.access();
                match (is_told, clock.is_lfu()) {
                    (false, _) => assert_eq!(access, clock.fresh()),
                    (true, true) => assert_eq!(clock.frequency(access), 77),
                    (true, false) => assert_eq!(clock.idle_s(access) / 1_000, 5),
                }
            }
        });
    }
}

/// As stock has it: what is told of the other kind of clock counts for nothing.
#[test]
fn what_is_told_of_the_other_clock_is_not_taken() {
    let mut writer = rdb::Writer::begin(Vec::new(), rdb::Options::default()).expect("begun");
    writer.select(0, 2, 0).expect("written");
    let idle = Attributes { lru_idle_s: Some(5_000), ..Attributes::default() };
    let often = Attributes { lfu_frequency: Some(77), ..Attributes::default() };
    for (key, told) in [(b"i", idle), (b"f", often)] {
        writer.string(key, rdb::StringRef::Int(1), &told).expect("written");
    }
    let bytes = writer.finish().expect("finished");
    let lfu = Lfu { log_factor: 10, decay_minutes: 1 };
    // The counter stands below the minutes; a new one is 5.
    let minutes = (1_000_000 / 60) << 8;
    for (lfu, of_idle, of_often) in
        [(None, 1_000_000 - 5_000, 1_000_000), (Some(lfu), minutes + 5, minutes + 77)]
    {
        let clock = AccessClock::new(1_000_000, lfu);
        let options = LoadOptions { clock, ..LoadOptions::default() };
        let (loaded, ..) = read_dataset(&bytes[..], options, |_| {}).expect("sound");
        let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
        loaded.install(&node, &node.keyspace.gate.exclusive());
        for (key, access) in [(b"i", of_idle), (b"f", of_often)] {
            let shard = node.keyspace.lock(Keyspace::shard_of(key));
            assert_eq!(shard.find(0, Keyspace::hash(key), key).expect("there").access(), access);
        }
    }
}
