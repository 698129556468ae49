//! What memory is in use, known at the price of a branch.
//!
//! The allocator adds its own figures up only on demand, which takes tens of microseconds; but it
//! counts for each thread, at no price, what that thread has taken and given back. So a figure of the
//! node is set from the former ten times a second, and from the latter after every command while there
//! is a limit. Threads that do not say what they take are in the figure a tenth of a second later.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{Access, AsName};

/// Microseconds for which the allocator's sum is believed before eviction asks for another.
const CONFIRMED_US: u64 = 1_000;
/// So many bytes may go of what does not count, before eviction asks for another.
const NOT_COUNTED_STEP_BYTES: u64 = 256 << 10;
/// Bytes in the caches of all threads, which the allocator counts as handed out.
const CACHED: &[u8] = b"stats.arenas.4096.tcache_bytes\0";

struct Local {
    taken: Option<ThreadLocal<u64>>,
    given: Option<ThreadLocal<u64>>,
    published: Cell<i64>,
}

thread_local! {
    static LOCAL: Local = Local {
        taken: allocatedp::read().ok(),
        given: deallocatedp::read().ok(),
        published: const { Cell::new(0) },
    };
}

/// Bytes that this thread has taken from the allocator, less those it has given back.
#[inline]
pub fn balance() -> i64 {
    LOCAL.with(Local::balance)
}

impl Local {
    #[inline]
    fn balance(&self) -> i64 {
        let bytes = |counter: &Option<ThreadLocal<u64>>| counter.as_ref().map_or(0, |at| at.get());
        bytes(&self.taken).wrapping_sub(bytes(&self.given)).cast_signed()
    }
}

/// Bytes that the allocator has handed out.
pub fn used_memory() -> u64 {
    let _epoch = tikv_jemalloc_ctl::epoch::advance();
    let allocated = tikv_jemalloc_ctl::stats::allocated::read().unwrap_or(0);
    let cached: usize = CACHED.name().read().unwrap_or(0);
    allocated.saturating_sub(cached) as u64
}

/// Bytes of regions that nobody has in slabs of which somebody has others: what defragmentation may gain.
/// Of the moment in which [`used_memory`] was asked last. About 50 us.
pub fn sparse_bytes() -> u64 {
    let read = |name: String| -> Option<usize> { (name + "\0").into_bytes().name().read().ok() };
    let bin = |number: u32| -> Option<usize> {
        let slabs = read(format!("stats.arenas.4096.bins.{number}.curslabs"))?;
        let regions = read(format!("stats.arenas.4096.bins.{number}.curregs"))?;
        let size = read(format!("arenas.bin.{number}.size"))?;
        let slab_bytes = read(format!("arenas.bin.{number}.slab_size"))?;
        Some((slabs * (slab_bytes / size.max(1))).saturating_sub(regions) * size)
    };
    let bins: u32 = b"arenas.nbins\0".name().read().unwrap_or(0);
    (0..bins).filter_map(bin).sum::<usize>() as u64
}

/// A number of the allocator, by the allocator's name for it, and sets it if there is a new value.
pub fn number(name: &[u8], new: Option<i64>) -> Option<i64> {
    if name.contains(&0) {
        return None;
    }
    let ended = [name, b"\0"].concat();
    let name = ended.name();
    // Numbers have the width of a machine word or half of it.
    let word: Result<isize, _> = name.read();
    if let Ok(old) = word {
        if let Some(new) = new {
            name.write(isize::try_from(new).ok()?).ok()?;
        }
        return i64::try_from(old).ok();
    }
    let half: u32 = name.read().ok()?;
    if let Some(new) = new {
        name.write(u32::try_from(new).ok()?).ok()?;
    }
    Some(i64::from(half))
}

/// Lets threads of the allocator's own give pages back that are no longer in use (`jemalloc-bg-thread`);
/// otherwise whichever thread frees something does it now and then, a loop in the middle of its turn.
/// False if the allocator cannot.
pub fn purge_in_background(on: bool) -> bool {
    tikv_jemalloc_ctl::background_thread::write(on).is_ok()
}

/// Gives pages that are not in use back to the system. False if the allocator cannot.
///
/// Purging has no call without `unsafe`; but an arena whose empty pages are to be kept for no time gives
/// them back at once.
pub fn purge() -> bool {
    let Ok(arenas) = tikv_jemalloc_ctl::arenas::narenas::read() else { return false };
    (0..arenas).all(|arena| {
        let name = format!("arena.{arena}.dirty_decay_ms\0").into_bytes();
        // An arena that was never used has nothing to give.
        let Ok(kept): Result<isize, _> = name.name().read() else { return true };
        name.name().write(0isize).is_ok() && name.name().write(kept).is_ok()
    })
}

/// The figure of a node.
#[derive(Debug, Default)]
pub struct Memory {
    used: AtomicI64,
    confirmed_us: AtomicU64,
    /// Bytes that did not count for eviction since then, at most.
    not_counted: AtomicU64,
    /// Eviction did not come to its end in its time; loops go on with it.
    pub(crate) evicting: AtomicBool,
}

impl Memory {
    /// Bytes in use, this thread's included up to now.
    #[inline]
    pub fn publish(&self) -> i64 {
        LOCAL.with(|local| {
            let now = local.balance();
            let delta = now.wrapping_sub(local.published.replace(now));
            if delta == 0 {
                self.used.load(Ordering::Relaxed)
            } else {
                self.used.fetch_add(delta, Ordering::Relaxed).wrapping_add(delta)
            }
        })
    }

    /// Sets the figure from the allocator's sum.
    pub fn confirm(&self) -> i64 {
        LOCAL.with(|local| local.published.set(local.balance()));
        let used = used_memory().cast_signed();
        self.used.store(used, Ordering::Relaxed);
        self.confirmed_us.store(base::clock::monotonic_us(), Ordering::Relaxed);
        used
    }

    /// As [`Memory::publish`], confirmed if that was not done lately, or if fewer bytes are not counted for
    /// eviction, `not_counted` now, than were then: whoever freed the rest may not have said so yet.
    pub fn recent(&self, not_counted: u64) -> i64 {
        let age =
            base::clock::monotonic_us().saturating_sub(self.confirmed_us.load(Ordering::Relaxed));
        let before = self.not_counted.load(Ordering::Relaxed);
        let is_confirmed = age <= CONFIRMED_US && not_counted + NOT_COUNTED_STEP_BYTES >= before;
        if !is_confirmed || not_counted > before {
            self.not_counted.store(not_counted, Ordering::Relaxed);
        }
        if is_confirmed { self.publish() } else { self.confirm() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    #[test]
    fn a_thread_knows_what_it_holds() {
        let memory = Memory::default();
        memory.confirm();
        let before = memory.publish();
        let held = vec![1u8; 1 << 20];
        assert!((1 << 20..2 << 20).contains(&(memory.publish() - before)));
        drop(held);
        assert!(memory.publish() - before < 1 << 16);
        assert!(used_memory() > 0);
    }
}
