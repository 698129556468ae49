//! Eviction, policy by policy, with a real limit of memory: one test, since memory is the process's.

mod client;

use base::random::Random;
use client::Client;
use conf::{MaxmemoryPolicy, Settings};
use engine::Node;
use engine::evict::not_counted;
use engine::memory::used_memory;
use engine::replication::Address;
use engine::snapshot::Cut;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Room above what is in use when a round begins.
const ROOM_BYTES: u64 = 4 << 20;
const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/// A client that sets limits.
struct Server<'n>(Client<'n>);

impl<'n> Server<'n> {
    fn new(node: &'n Node) -> Server<'n> {
        Server(Client::new(node))
    }

    fn run(&mut self, line: &str) -> String {
        self.0.run(line)
    }

    fn limit(&mut self, policy: MaxmemoryPolicy, room: u64) {
        self.0.node.settings.maxmemory_policy.set(policy);
        let limit = i64::try_from(used_memory() + room).expect("a number");
        self.0.node.settings.maxmemory.set(limit);
        self.0.node.refresh();
    }

    fn unlimited(&mut self) {
        self.0.node.settings.maxmemory.set(0);
        self.0.node.refresh();
        self.run("flushall sync");
        self.0.node.stats.reset();
    }

    fn evicted(&self) -> u64 {
        self.0.node.stats.evicted_keys.load(Ordering::Relaxed)
    }

    fn exists(&mut self, key: &str) -> bool {
        self.run(&format!("exists {key}")) == ":1\r\n"
    }
}

fn node() -> Node {
    let node = Node::new(Arc::new(Settings::default()), None, &commands::all(), &[], 4, None);
    node.settings.maxmemory_eviction_tenacity.set(100);
    node
}

fn value(len: usize) -> String {
    "v".repeat(len)
}

#[test]
fn memory_stays_under_its_limit() {
    let node = node();
    let mut server = Server::new(&node);
    nothing_may_go(&mut server);
    every_policy_evicts(&mut server);
    volatile_policies_spare_the_others(&mut server);
    few_volatile_keys_are_found(&mut server);
    the_soonest_go_first(&mut server);
    the_least_used_go_first(&mut server);
    what_is_evicted_is_logged(&mut server);
    what_a_snapshot_keeps_is_freed_all_the_same(&mut server);
    a_replica_evicts_nothing(&mut server);
}

fn nothing_may_go(server: &mut Server<'_>) {
    // What a command's statistics take is taken when it runs for the first time.
    for line in ["set k v", "get k", "del k", "multi", "discard"] {
        server.run(line);
    }
    server.limit(MaxmemoryPolicy::Noeviction, 64 << 10);
    let mut stored = 0;
    while server.run(&format!("set k{stored} {}", value(1000))) == "+OK\r\n" {
        stored += 1;
        assert!(stored < 1_000, "no limit holds");
    }
    assert!(stored > 20, "{stored}");
    let refused = format!("set k {}", value(2000));
    assert_eq!(server.run(&refused), OOM);
    assert_eq!(server.run("get k0").len(), 1009);
    // What is queued in a transaction is refused as well, and with it all of it.
    assert_eq!(server.run("multi"), "+OK\r\n");
    assert_eq!(server.run(&refused), OOM);
    assert!(server.run("exec").starts_with("-EXECABORT "));
    for at in 0..10 {
        assert_eq!(server.run(&format!("del k{at}")), ":1\r\n");
    }
    assert_eq!(server.run("set k v"), "+OK\r\n");
    assert_eq!(server.evicted(), 0);
    server.unlimited();
}

fn every_policy_evicts(server: &mut Server<'_>) {
    for policy in [
        MaxmemoryPolicy::AllkeysLru,
        MaxmemoryPolicy::AllkeysLfu,
        MaxmemoryPolicy::AllkeysRandom,
        MaxmemoryPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl,
    ] {
        server.limit(policy, ROOM_BYTES);
        let limit = server.0.node.settings.maxmemory.get().unsigned_abs();
        for at in 0..20_000 {
            let line = format!("set k{at} {} ex 10000", value(500));
            assert_eq!(server.run(&line), "+OK\r\n", "{policy:?} {at}");
        }
        let used = used_memory();
        assert!(used < limit + (128 << 10), "{policy:?}: {used} of {limit}");
        assert!(server.evicted() > 10_000, "{policy:?}: {}", server.evicted());
        assert!(server.evicted() < 17_000, "{policy:?}: {}", server.evicted());
        server.unlimited();
    }
}

fn volatile_policies_spare_the_others(server: &mut Server<'_>) {
    for policy in [
        MaxmemoryPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl,
    ] {
        server.limit(policy, ROOM_BYTES);
        for at in 0..4_000 {
            let expiry = if at % 2 == 0 { " ex 10000" } else { "" };
            server.run(&format!("set k{at} {}{expiry}", value(1000)));
        }
        let first = (1..4_000).step_by(2).find(|at| !server.exists(&format!("k{at}")));
        assert_eq!(first, None, "{policy:?}");
        let mut extra = 0;
        while server.run(&format!("set more{extra} {}", value(1000))) == "+OK\r\n" {
            extra += 1;
            assert!(extra < 10_000, "{policy:?}");
        }
        let left = (0..4_000).step_by(2).filter(|at| server.exists(&format!("k{at}"))).count();
        assert_eq!(left, 0, "{policy:?}: refused with keys that could go");
        server.unlimited();
    }
}

fn few_volatile_keys_are_found(server: &mut Server<'_>) {
    for at in 0..100_000 {
        server.run(&format!("set plain{at} v"));
    }
    server.run("set only v ex 10000");
    server.limit(MaxmemoryPolicy::VolatileLru, 0);
    server.0.node.settings.maxmemory.set(1);
    assert_eq!(server.run("ping"), "+PONG\r\n");
    for _ in 0..100 {
        server.run("ping");
    }
    assert!(!server.exists("only"));
    assert_eq!(server.evicted(), 1);
    server.unlimited();
}

fn the_soonest_go_first(server: &mut Server<'_>) {
    for at in 0..4_000 {
        server.run(&format!("set k{at} {} ex {}", value(1000), 10_000 + at));
    }
    server.limit(MaxmemoryPolicy::VolatileTtl, 0);
    for at in 0..2_000 {
        server.run(&format!("set more{at} {} ex 1000000", value(1000)));
    }
    let sooner = (0..2_000).filter(|at| server.exists(&format!("k{at}"))).count();
    let later = (2_000..4_000).filter(|at| server.exists(&format!("k{at}"))).count();
    assert!(sooner + 200 < later, "{sooner} {later}");
    server.unlimited();
}

fn the_least_used_go_first(server: &mut Server<'_>) {
    server.limit(MaxmemoryPolicy::AllkeysLfu, ROOM_BYTES);
    let mut random = Random::from_seed(1);
    for at in 0..2_500 {
        server.run(&format!("set k{at} {}", value(1000)));
    }
    for _ in 0..20_000 {
        server.run(&format!("get k{}", random.below(1_000)));
    }
    for at in 0..4_000 {
        server.run(&format!("set more{at} {}", value(1000)));
    }
    let used = (0..1_000).filter(|at| server.exists(&format!("k{at}"))).count();
    let unused = (1_000..2_500).filter(|at| server.exists(&format!("k{at}"))).count();
    assert!(used > 900 && unused < 1_000, "{used} {unused}");
    server.unlimited();
}

fn what_is_evicted_is_logged(server: &mut Server<'_>) {
    for (lazy, verb) in [(false, "DEL"), (true, "UNLINK")] {
        server.run("set a v");
        server.0.node.settings.lazyfree_lazy_eviction.set(lazy);
        server.0.node.log.retain(1 << 20);
        let mut reader = server.0.node.log.reader(server.0.node.log.end()).expect("the log's end");
        server.limit(MaxmemoryPolicy::AllkeysRandom, 0);
        server.0.node.settings.maxmemory.set(1);
        assert_eq!(server.run("set b v"), OOM);
        let mut bytes = Vec::new();
        while reader.read(usize::MAX, &mut bytes).expect("kept") > 0 {}
        let text = String::from_utf8(bytes).expect("text");
        let expected = format!("*2\r\n${}\r\n{verb}\r\n$1\r\na\r\n", verb.len());
        assert!(text.ends_with(&expected), "{text}");
        server.unlimited();
    }
}

/// A snapshot that has come to nothing yet keeps what is evicted until it is saved. It is out of the data set,
/// so that no more than is needed goes, and none of it counts any more.
fn what_a_snapshot_keeps_is_freed_all_the_same(server: &mut Server<'_>) {
    const KEYS: usize = 40;
    let node = server.0.node;
    for (command, words, len) in [("sadd", 1_000, 100), ("rpush", 1_000, 100), ("set", 1, 300_000)]
    {
        for lazy in [false, true] {
            node.settings.lazyfree_lazy_eviction.set(lazy);
            let words: Vec<_> = (0..words).map(|at| format!(" {at}{}", value(len))).collect();
            let words = words.concat();
            for at in 0..KEYS {
                server.run(&format!("{command} k{at}{words}"));
            }
            let cut = Cut::take(node, &node.keyspace.gate.exclusive()).expect("the only one");
            server.limit(MaxmemoryPolicy::AllkeysRandom, 0);
            let over = not_counted(node) + words.len() as u64 * 10;
            let limit = node.settings.maxmemory.get().saturating_sub_unsigned(over);
            node.settings.maxmemory.set(limit);
            assert_eq!(server.run("set new v"), "+OK\r\n", "{command}, {lazy}");
            let evicted = server.evicted();
            assert!((5..20).contains(&evicted), "{command}, {lazy}: {evicted} keys");
            cut.discard(node);
            assert_eq!(node.walk_queues.bytes(), 0, "{command}, {lazy}");
            server.unlimited();
        }
    }
}

fn a_replica_evicts_nothing(server: &mut Server<'_>) {
    server.run("set a v");
    let alone = server.0.node.keyspace.gate.exclusive();
    server.0.node.change_role(&alone, Some(Address { host: "127.0.0.1".into(), port: 1 }));
    drop(alone);
    server.limit(MaxmemoryPolicy::AllkeysRandom, 0);
    server.0.node.settings.maxmemory.set(1);
    assert!(server.exists("a"));
    assert_eq!(server.evicted(), 0);
}
