//! What commands ask of the allocator: one test to a process, since it is the allocator that counts.

#![allow(clippy::unwrap_used, reason = "a test: what cannot be made ends it")]

mod client;

use client::Client;
use conf::Settings;
use engine::Node;
use std::sync::Arc;
use tikv_jemalloc_ctl::thread::allocatedp;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const LEN: u64 = 1 << 20;
/// Times that each of two sources is named.
const TIMES: usize = 10;

#[test]
fn bitop_copies_no_source_again_and_again() {
    let node = Node::new(Arc::new(Settings::default()), None, &commands::all(), &[], 1, None);
    let mut client = Client::new(&node);
    for key in ["a", "b"] {
        client.run(&format!("setrange {key} {} x", LEN - 1));
    }
    for operation in ["and", "or", "xor", "diff", "diff1", "andor", "one"] {
        let line = format!("bitop {operation} d{}", " a b".repeat(TIMES));
        let before = allocatedp::read().unwrap().get();
        assert_eq!(client.run(&line), format!(":{LEN}\r\n"));
        let taken = allocatedp::read().unwrap().get() - before;
        assert!(taken < 8 * LEN, "{operation} took {taken} bytes");
    }
}
