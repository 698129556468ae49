//! The node gate: how one thread gets the whole keyspace to itself for an instant.
//!
//! Every thread that touches the keyspace has a [`Seat`] and is *inside* while it runs commands. A
//! thread that needs everything (FLUSHALL, a role change, a snapshot's cut) closes the gate and waits
//! until all seats are empty; nobody enters until it opens again. This replaces taking 1024 locks.
//!
//! Why it is right: entering is "store inside, fence, load closed", closing is "store closed, fence,
//! load inside", so that of the two at least one sees the other (`tests/model.rs` tries every
//! interleaving). Being inside costs one such fence per window of commands, not per command.

use crate::sync::{
    AtomicBool, Mutex, MutexGuard, Ordering, Rank, SPINS_MAX, fence, spin_loop, yield_now,
};

/// On its own cache line, since each is written by another thread.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    taken: AtomicBool,
    inside: AtomicBool,
}

/// The gate of one node.
#[derive(Debug)]
pub struct Gate {
    closed: AtomicBool,
    turn: Mutex<()>,
    places: Box<[Place]>,
}

impl Gate {
    /// A gate for at most `seats` threads.
    pub fn new(seats: usize) -> Gate {
        Gate {
            closed: AtomicBool::new(false),
            turn: Mutex::new(Rank::Gate, ()),
            places: (0..seats).map(|_| Place::default()).collect(),
        }
    }

    /// A seat for the calling thread, `None` if all are taken.
    pub fn seat(&self) -> Option<Seat<'_>> {
        let free = |place: &&Place| {
            place.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        self.places.iter().find(free).map(|place| Seat { gate: self, place })
    }

    /// Whether somebody waits for, or has, the whole keyspace.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Waits until every seat is empty and keeps them so until the result is dropped.
    ///
    /// The caller must not be inside, or it waits for itself.
    pub fn exclusive(&self) -> Exclusive<'_> {
        let turn = self.turn.lock();
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        for place in &self.places {
            // Nobody stays inside for longer than a window of commands.
            while !comes_soon(|| !place.inside.load(Ordering::Acquire)) {
                yield_now();
            }
        }
        Exclusive { gate: self, _turn: turn }
    }
}

/// One thread's place at the gate.
#[derive(Debug)]
pub struct Seat<'a> {
    gate: &'a Gate,
    place: &'a Place,
}

impl Seat<'_> {
    /// Goes inside. While the gate is closed it waits: a moment awake, then asleep until whoever has the
    /// whole keyspace has done with it.
    #[inline]
    pub fn enter(&self) {
        loop {
            self.place.inside.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if !self.gate.closed.load(Ordering::Acquire) {
                return;
            }
            self.place.inside.store(false, Ordering::Release);
            if !comes_soon(|| !self.gate.closed.load(Ordering::Acquire)) {
                drop(self.gate.turn.lock());
            }
        }
    }

    /// Whether it is inside.
    pub fn is_inside(&self) -> bool {
        self.place.inside.load(Ordering::Acquire)
    }

    /// Leaves.
    #[inline]
    pub fn leave(&self) {
        self.place.inside.store(false, Ordering::Release);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.leave();
        self.place.taken.store(false, Ordering::Release);
    }
}

/// The whole keyspace, until dropped.
#[derive(Debug)]
pub struct Exclusive<'a> {
    gate: &'a Gate,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        self.gate.closed.store(false, Ordering::Release);
    }
}

/// Waits for a moment, awake. Whether `done` came true.
fn comes_soon(done: impl Fn() -> bool) -> bool {
    for _ in 0..SPINS_MAX {
        if done() {
            return true;
        }
        spin_loop();
    }
    done()
}
