//! A snapshot whose sink is slower than those who write.

use super::*;
use crate::image;
use base::disk::memory::MemoryDisk;
use conf::Settings;
use keyspace::Entry;
use std::io::Write;
use structures::{NewValue, ValueRef};

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
    let options = LoadOptions {
        expired_before: None,
        databases: 16,
        checksum: true,
        limits: image::Limits::default(),
    };
    let (loaded, ..) = read_dataset(&bytes[..], options, |_| {}).expect("sound");
    assert_eq!(loaded.keys, u64::from(KEYS));
    loaded.install(&node.keyspace, &node.keyspace.gate.exclusive());
    for number in 0..KEYS {
        let key = key(number);
        let shard = node.keyspace.lock(Keyspace::shard_of(&key));
        let entry = shard.find(0, Keyspace::hash(&key), &key).expect("there");
        assert!(matches!(entry.value(), ValueRef::Bytes(bytes) if bytes == [b'a'; VALUE_BYTES]));
    }
}
