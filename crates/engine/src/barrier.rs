//! The reply barrier: no reply leaves before what it promises is where it was promised to be.
//!
//! A reply bears a *tag*, an offset in the log: the end of the connection's last write, or, while reads
//! must be as durable as writes, of everything that was written when it was made. It may leave when
//! every *watermark* has passed the tag. Each has one publisher: how far the log has been handed to a
//! replica that keeps up (decision 0011), and how far it has come in the append-only file, written or
//! synced as `appendfsync` wants it; of the latter it goes back to the beginning when the history is replaced.
//! A watermark that does not count stands at the greatest offset.
//!
//! While no watermark counts, asking costs two loads.

use base::lock::{Mutex, Rank};
use base::{Millis, Offset};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A watermark that holds nothing back.
const LIFTED: u64 = u64::MAX;

/// What a reply may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// A replica that keeps up has been handed the log.
    Handed,
    /// The log is in the append-only file.
    Appended,
}

/// How many there are.
const WATERMARKS: usize = 2;

/// The barrier of one node.
#[derive(Debug)]
pub struct Barrier {
    marks: Mutex<[u64; WATERMARKS]>,
    /// The least of the watermarks.
    floor: AtomicU64,
    /// Monotonic milliseconds from which on no reply to a write leaves.
    overdue_ms: AtomicU64,
    orders_reads: AtomicBool,
    /// The least tag of replies that loops hold since they were last woken.
    held: AtomicU64,
}

impl Default for Barrier {
    fn default() -> Barrier {
        Barrier {
            marks: Mutex::new(Rank::Leaf, [LIFTED; WATERMARKS]),
            floor: AtomicU64::new(LIFTED),
            overdue_ms: AtomicU64::new(LIFTED),
            orders_reads: AtomicBool::new(false),
            held: AtomicU64::new(LIFTED),
        }
    }
}

impl Barrier {
    /// Whether a reply of `tag` must wait at the monotonic time `now`. Two loads.
    #[inline]
    pub fn must_hold(&self, tag: Offset, now: Millis) -> bool {
        self.floor.load(Ordering::SeqCst) < tag.0 || self.overdue_ms.load(Ordering::SeqCst) <= now.0
    }

    /// A loop holds replies, the least of whose tags is `tag`; it is woken when that may go. True if it
    /// may already.
    pub fn hold(&self, tag: Offset, now: Millis) -> bool {
        self.held.fetch_min(tag.0, Ordering::SeqCst);
        !self.must_hold(tag, now)
    }

    /// Whether loops hold replies that may go as far as the watermarks say; each is to be woken, and
    /// says anew what it holds.
    fn lets_go(&self) -> bool {
        self.held.load(Ordering::SeqCst) <= self.floor.load(Ordering::SeqCst)
            && self.held.swap(LIFTED, Ordering::SeqCst) != LIFTED
    }

    /// Whether replies to reads bear the end of the log as their tag.
    #[inline]
    pub fn orders_reads(&self) -> bool {
        self.orders_reads.load(Ordering::Relaxed)
    }

    /// Sets whether reads wait like writes.
    pub fn set_orders_reads(&self, orders: bool) {
        self.orders_reads.store(orders, Ordering::Relaxed);
    }

    /// Sets the monotonic time from which on no reply to a write leaves, whatever its tag; `None` for
    /// never. True if loops hold replies and should be woken.
    pub fn publish_overdue(&self, at: Option<Millis>) -> bool {
        let at = at.map_or(LIFTED, |at| at.0);
        self.overdue_ms.swap(at, Ordering::SeqCst) < at && self.lets_go()
    }

    /// A watermark has come to `at`; `None` if it holds nothing back. True if loops hold replies that may
    /// go, and should be woken.
    pub fn publish(&self, which: Watermark, at: Option<Offset>) -> bool {
        let mut marks = self.marks.lock();
        let place = match which {
            Watermark::Handed => 0,
            Watermark::Appended => 1,
        };
        marks[place] = at.map_or(LIFTED, |at| at.0);
        let floor = marks.iter().copied().min().unwrap_or(LIFTED);
        self.floor.store(floor, Ordering::SeqCst);
        drop(marks);
        self.lets_go()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(5);

    #[test]
    fn replies_wait_for_a_replica_that_keeps_up() {
        let barrier = Barrier::default();
        assert!(!barrier.must_hold(Offset(10), NOW), "nobody keeps up");
        assert!(!barrier.publish(Watermark::Handed, Some(Offset(9))), "nobody holds replies");
        assert!(barrier.must_hold(Offset(10), NOW) && !barrier.must_hold(Offset(9), NOW));
        assert!(!barrier.hold(Offset(10), NOW));
        assert!(barrier.publish(Watermark::Handed, Some(Offset(10))), "the holder is woken");
        assert!(barrier.hold(Offset(10), NOW), "it came between the look and the hold");
        barrier.publish(Watermark::Handed, Some(Offset(5)));
        barrier.publish(Watermark::Handed, None);
        assert!(!barrier.must_hold(Offset(10), NOW), "the last that kept up has gone");
        barrier.publish(Watermark::Handed, Some(Offset(5)));
        assert!(!barrier.hold(Offset(10), NOW) && !barrier.hold(Offset(12), NOW));
        assert!(!barrier.publish(Watermark::Handed, Some(Offset(9))), "nothing may go yet");
        assert!(barrier.publish(Watermark::Handed, Some(Offset(11))), "the least may go");
        assert!(!barrier.publish(Watermark::Handed, Some(Offset(12))), "nobody has said so again");
    }

    #[test]
    fn the_slowest_watermark_rules() {
        let barrier = Barrier::default();
        barrier.publish(Watermark::Handed, Some(Offset(10)));
        barrier.publish(Watermark::Appended, Some(Offset(7)));
        assert!(barrier.must_hold(Offset(8), NOW) && !barrier.must_hold(Offset(7), NOW));
        barrier.publish(Watermark::Appended, Some(Offset(20)));
        assert!(barrier.must_hold(Offset(11), NOW) && !barrier.must_hold(Offset(10), NOW));
    }

    #[test]
    fn when_a_sync_is_overdue_nothing_leaves() {
        let barrier = Barrier::default();
        assert!(!barrier.publish_overdue(Some(Millis(100))));
        assert!(!barrier.must_hold(Offset(1), Millis(99)));
        assert!(barrier.must_hold(Offset(1), Millis(100)));
        assert!(!barrier.hold(Offset(1), Millis(100)));
        assert!(barrier.publish_overdue(Some(Millis(200))), "the holder is woken");
        assert!(!barrier.must_hold(Offset(1), Millis(100)));
    }
}
