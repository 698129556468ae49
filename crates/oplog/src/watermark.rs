//! The published end of the log and the flags of sleeping readers: the only lock-free piece.
//!
//! Two orders matter. A reader that sees an end must see the bytes before it (release, acquire). And
//! an appender that publishes and then looks for sleepers must not miss a reader that declared
//! itself asleep and then looked at the end: both sides write, fence, read, so at least one of them
//! sees the other (`tests/model.rs` checks this with loom, which compiles this file once more).

use super::atomic::{AtomicU64, Ordering, fence};

/// The end of the log, and who waits for it to move, a bit each.
#[derive(Debug)]
pub(crate) struct Watermark {
    end: AtomicU64,
    sleeping: AtomicU64,
}

impl Watermark {
    pub(crate) fn new(end: u64) -> Watermark {
        Watermark { end: AtomicU64::new(end), sleeping: AtomicU64::new(0) }
    }

    /// Publishes an end. Called under the log's lock, after the bytes are in place.
    pub(crate) fn publish(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// The last published end.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Declares the reader of bit `who`, which has seen `seen`, asleep. False if the end has moved since:
    /// the reader must read first.
    pub(crate) fn may_sleep(&self, who: u64, seen: u64) -> bool {
        self.sleeping.fetch_or(who, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.end() == seen
    }

    /// Who sleeps, told once. Called by appenders after they published.
    pub(crate) fn take_sleepers(&self) -> u64 {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.sleeping.swap(0, Ordering::AcqRel)
    }
}
