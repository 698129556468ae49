//! The published end of the log and the flag of sleeping readers: the only lock-free piece.
//!
//! Two orders matter. A reader that sees an end must see the bytes before it (release, acquire). And
//! an appender that publishes and then looks for sleepers must not miss a reader that declared
//! itself asleep and then looked at the end: both sides write, fence, read, so at least one of them
//! sees the other (`tests/model.rs` checks this with loom, which compiles this file once more).

use super::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// The end of the log, and whether somebody waits for it to move.
#[derive(Debug)]
pub(crate) struct Watermark {
    end: AtomicU64,
    sleeping: AtomicBool,
}

impl Watermark {
    pub(crate) fn new(end: u64) -> Watermark {
        Watermark { end: AtomicU64::new(end), sleeping: AtomicBool::new(false) }
    }

    /// Publishes an end. Called under the log's lock, after the bytes are in place.
    pub(crate) fn publish(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// The last published end.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Declares a reader that has seen `seen` asleep. False if the end has moved since: the reader
    /// must read first.
    pub(crate) fn may_sleep(&self, seen: u64) -> bool {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.end() == seen
    }

    /// True, once, if a reader sleeps. Called by appenders after they published.
    pub(crate) fn take_sleepers(&self) -> bool {
        fence(Ordering::SeqCst);
        self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel)
    }
}
