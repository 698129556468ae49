//! The gate and lock sets, compiled with loom's atomics and locks: every interleaving of a few threads
//! is tried.

mod sync {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};
    pub(crate) use loom::thread::yield_now;

    pub(crate) const SPINS_MAX: u32 = 1;
    pub(crate) const TRIES_MAX: u32 = 2;

    pub(crate) enum Rank {
        Gate,
        Shard,
    }

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(_: Rank, value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("nobody panics under it")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}

/// Two shards.
mod keyspace {
    use crate::shard::Shard;
    use crate::sync::{Mutex, MutexGuard, Rank};

    #[derive(Debug)]
    pub(crate) struct Keyspace(Vec<Mutex<Shard>>);

    impl Keyspace {
        pub(crate) fn new() -> Keyspace {
            Keyspace((0..2).map(|_| Mutex::new(Rank::Shard, Shard::default())).collect())
        }

        pub(crate) fn lock(&self, index: u16) -> MutexGuard<'_, Shard> {
            self.0[usize::from(index)].lock()
        }

        pub(crate) fn try_lock(&self, index: u16) -> Option<MutexGuard<'_, Shard>> {
            self.0[usize::from(index)].try_lock()
        }

        pub(crate) fn want(&self, index: u16) {
            assert!(usize::from(index) < self.0.len());
        }
    }
}

mod shard {
    /// A counter, which loom watches for accesses at once.
    #[derive(Debug, Default)]
    pub(crate) struct Shard(pub(crate) u32);
}

#[allow(dead_code, unreachable_pub, reason = "a crate's module without its crate")]
#[path = "../src/gate.rs"]
mod gate;
#[allow(dead_code, unreachable_pub, reason = "a crate's module without its crate")]
#[path = "../src/lockset.rs"]
mod lockset;

use gate::Gate;
use keyspace::Keyspace;
use lockset::LockSet;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use smallvec::SmallVec;

#[test]
fn who_has_everything_is_alone() {
    loom::model(|| {
        let shared = Arc::new((Gate::new(1), UnsafeCell::new(0)));
        let other = Arc::clone(&shared);
        let visitor = thread::spawn(move || {
            let seat = other.0.seat().expect("one seat for one thread");
            seat.enter();
            // The cell panics if two threads are at it.
            other.1.with_mut(|_| ());
            seat.leave();
        });
        let alone = shared.0.exclusive();
        shared.1.with_mut(|_| ());
        drop(alone);
        visitor.join().unwrap();
    });
}

/// Adds one to each of `shards` until it has succeeded.
fn add_to_both(keyspace: &Keyspace, shards: [u16; 2]) {
    loop {
        if let Some(mut set) = LockSet::keys(keyspace, &mut SmallVec::from_slice(&shards)) {
            for shard in shards {
                set.shard(shard).expect("it is held").0 += 1;
            }
            return;
        }
        thread::yield_now();
    }
}

#[test]
fn commands_on_the_same_shards_never_block_each_other_for_ever() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let keyspace = Arc::new(Keyspace::new());
        let other = Arc::clone(&keyspace);
        let thread = thread::spawn(move || add_to_both(&other, [1, 0]));
        add_to_both(&keyspace, [0, 1]);
        thread.join().unwrap();
        let mut all = LockSet::all(&keyspace);
        for shard in 0..2 {
            assert_eq!(all.shard(shard).map(|shard| shard.0), Some(2));
        }
    });
}

#[test]
fn a_set_that_grows_out_of_order_gives_up_instead_of_waiting() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let keyspace = Arc::new(Keyspace::new());
        let other = Arc::clone(&keyspace);
        let thread = thread::spawn(move || {
            // Holds the second and asks for the first, as who serves a waiting client does.
            let mut set = LockSet::keys(&other, &mut SmallVec::from_slice(&[1]))?;
            if set.extend(&[0]) {
                set.shard(0)?.0 += 1;
            }
            Some(())
        });
        add_to_both(&keyspace, [0, 1]);
        thread.join().unwrap();
    });
}
