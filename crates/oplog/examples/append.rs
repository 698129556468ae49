//! Nanoseconds per append of a SET of a 64-byte value, by one thread and by two.
//!
//! `cargo run --release -p oplog --example append`

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use base::Offset;
use oplog::{Batch, Framing, Log};
use std::sync::Arc;

const APPENDS: u32 = 4_000_000;

fn append_many(log: &Log) {
    let mut batch = Batch::new();
    for _ in 0..APPENDS {
        batch.begin();
        batch.command(0, &[b"SET", b"key:000000000001", &[b'x'; 64]]);
        batch.finish(Framing::Plain);
        log.append(&batch);
    }
}

fn measure(name: &str, threads: u32, backlog: Option<u64>) {
    let log: Arc<Log> = Log::new(Offset(0));
    if let Some(bytes) = backlog {
        log.retain(bytes);
    }
    append_many(&log);
    let start = base::clock::monotonic_us();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| append_many(&log));
        }
    });
    let nanos = (base::clock::monotonic_us() - start) * 1000;
    println!("{name}: {} ns per append", nanos / u64::from(APPENDS * threads));
}

fn main() {
    measure("one thread, nothing kept      ", 1, None);
    measure("one thread, 16 MiB backlog    ", 1, Some(16 << 20));
    measure("two threads, 16 MiB backlog   ", 2, Some(16 << 20));
}
