//! The gate under real threads; `model.rs` tries every interleaving of a few.

use keyspace::Gate;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

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
