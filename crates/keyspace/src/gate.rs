//! The node gate: how one thread gets the whole keyspace to itself for an instant.
//!
//! Every thread that touches the keyspace has a [`Seat`] and is *inside* while it runs commands. A
//! thread that needs everything (FLUSHALL, a role change, a snapshot's cut) closes the gate and waits
//! until all seats are empty; nobody enters until it opens again. This replaces taking 1024 locks.
//!
//! Why it is right: entering is "store inside, then load closed", closing is "store closed, then load
//! inside", all sequentially consistent, so that of the two at least one sees the other.
//! Being inside costs one such store per window of commands, not per command.

use base::lock::{Mutex, MutexGuard, Rank};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Spins before a waiter gives its processor away.
const SPINS_MAX: u32 = 200;

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
        self.closed.store(true, Ordering::SeqCst);
        for place in &self.places {
            wait_until(|| !place.inside.load(Ordering::SeqCst));
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
    /// Goes inside, waiting while the gate is closed.
    #[inline]
    pub fn enter(&self) {
        loop {
            self.place.inside.store(true, Ordering::SeqCst);
            if !self.gate.closed.load(Ordering::SeqCst) {
                return;
            }
            self.place.inside.store(false, Ordering::SeqCst);
            wait_until(|| !self.gate.closed.load(Ordering::SeqCst));
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
        self.gate.closed.store(false, Ordering::SeqCst);
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let mut spins = 0;
    while !done() {
        if spins < SPINS_MAX {
            spins += 1;
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn exclusive_sees_nobody_inside() {
        let gate = Gate::new(3);
        let (inside, seen) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let seat = gate.seat().expect("three seats for two threads");
                    for _ in 0..2_000 {
                        seat.enter();
                        inside.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        seat.leave();
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    let alone = gate.exclusive();
                    seen.fetch_add(inside.load(Ordering::SeqCst), Ordering::SeqCst);
                    drop(alone);
                }
            });
        });
        assert_eq!(seen.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn seats_are_limited_and_given_back() {
        let gate = Gate::new(1);
        let seat = gate.seat();
        assert!(seat.is_some() && gate.seat().is_none());
        drop(seat);
        assert!(gate.seat().is_some());
    }
}
