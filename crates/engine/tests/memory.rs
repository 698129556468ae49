//! What is known of memory that another thread frees. Alone in its process: others would allocate meanwhile.

#![allow(clippy::unwrap_used, reason = "a test: what cannot be made ends it")]

use engine::memory::Memory;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[test]
fn what_another_thread_frees_of_the_bytes_not_counted_is_seen_at_once() {
    let memory = Memory::default();
    let not_counted = vec![1u8; 4 << 20];
    memory.confirm();
    let before = memory.recent(4 << 20);
    std::thread::spawn(move || drop(not_counted)).join().unwrap();
    assert!(before - memory.recent(0) > 3 << 20);
}
