//! The lock-free piece of the log, `src/watermark.rs`, compiled with loom's atomics: every
//! interleaving and every allowed reordering of an appender and a reader is tried.

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

#[path = "../src/watermark.rs"]
mod watermark;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;
use watermark::Watermark;

#[test]
fn who_sees_the_end_sees_the_bytes() {
    loom::model(|| {
        let shared = Arc::new((Watermark::new(0), AtomicU64::new(0)));
        let appender = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            appender.1.store(7, Ordering::Relaxed);
            appender.0.publish(1);
        });
        if shared.0.end() == 1 {
            assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        }
        thread.join().unwrap();
    });
}

#[test]
fn no_sleeper_is_missed() {
    loom::model(|| {
        let shared = Arc::new((Watermark::new(0), AtomicBool::new(false)));
        let appender = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            appender.0.publish(1);
            if appender.0.take_sleepers() != 0 {
                appender.1.store(true, Ordering::Relaxed);
            }
        });
        let slept = shared.0.may_sleep(1, 0);
        thread.join().unwrap();
        let woken = shared.1.load(Ordering::Relaxed);
        assert!(!slept || woken, "the reader sleeps and nobody wakes it");
    });
}

#[test]
fn each_sleeper_is_seen_by_itself() {
    loom::model(|| {
        let shared = Arc::new((Watermark::new(0), AtomicU64::new(0)));
        let sleepers: Vec<_> = (0..2)
            .map(|index| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.0.may_sleep(1 << index, 0))
            })
            .collect();
        shared.0.publish(1);
        let mut woken = shared.0.take_sleepers();
        let slept = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap());
        for (index, slept) in slept.enumerate() {
            assert!(!slept || woken & 1 == 1, "reader {index} sleeps and nobody wakes it");
            woken >>= 1;
        }
    });
}

#[test]
fn two_appenders_wake_once_for_each_sleep() {
    loom::model(|| {
        let shared = Arc::new((Watermark::new(0), AtomicU64::new(0)));
        assert!(shared.0.may_sleep(1, 0));
        let appenders: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    if shared.0.take_sleepers() != 0 {
                        shared.1.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for appender in appenders {
            appender.join().unwrap();
        }
        assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    });
}
