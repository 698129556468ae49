//! What gate and lock sets are built from. `tests/model.rs` compiles both once more with loom's in
//! the place of these.

pub(crate) use base::lock::{Mutex, MutexGuard, Rank};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
pub(crate) use std::thread::yield_now;

/// Spins before somebody who waits at the gate gives its processor away.
pub(crate) const SPINS_MAX: u32 = 200;

/// Tries per shard before a command gives up and is parked.
pub(crate) const TRIES_MAX: u32 = 100;
