//! Buffers that the kernel fills, in a ring of which it takes the front and we give back the end.
//!
//! ```text
//! page:    [addr 8][len 4][id 2][-- 2]  a buffer that the kernel may take     x BUFFERS
//!          [addr 8][len 4][id 2][-- 2]  the first entry's last two bytes are the ring's tail
//! memory:  BUFFERS times BUFFER_BYTES
//! ```
//!
//! Invariant: a buffer is either in the ring, and the kernel's, or was told of by an event and not yet
//! given back, and ours. The memory is never freed, since receives may end after the ring is closed.
//!
//! Source: `io_uring_register_buf_ring(3)`.

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

/// Buffers of a loop. A power of two; their entries fill a page.
const BUFFERS: u16 = 256;
/// Bytes of a buffer. Not a power of two: small requests use only the beginnings of buffers, and those
/// are not to fall into the same few sets of the caches.
const BUFFER_BYTES: usize = (8 << 10) + 64;
/// The number under which receives name the ring.
pub(super) const GROUP: u16 = 0;

/// A page, for the ring must begin on one.
#[repr(C, align(4096))]
struct Page([BufRingEntry; BUFFERS as usize]);

/// The buffers of a ring.
#[derive(Debug)]
pub(super) struct Buffers {
    page: *mut BufRingEntry,
    memory: *mut u8,
    tail: u16,
}

#[allow(unsafe_code, reason = "memory that the kernel writes to")]
impl Buffers {
    /// Gives `ring` its buffers.
    pub(super) fn register(ring: &IoUring) -> io::Result<Buffers> {
        let memory = vec![0_u8; usize::from(BUFFERS) * BUFFER_BYTES].leak().as_mut_ptr();
        // SAFETY: entries are integers, for which zeros are values.
        let page: Box<Page> = Box::new(unsafe { std::mem::zeroed() });
        let page = Box::leak(page).0.as_mut_ptr();
        let mut buffers = Buffers { page, memory, tail: 0 };
        // SAFETY: the page is aligned, holds BUFFERS entries and is never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(page as u64, BUFFERS, GROUP, 0)? };
        (0..BUFFERS).for_each(|buffer| buffers.recycle(buffer));
        Ok(buffers)
    }

    /// The first `len` bytes of a buffer that an event told of.
    pub(super) fn bytes(&self, buffer: u16, len: usize) -> &[u8] {
        let (at, len) = (usize::from(buffer % BUFFERS) * BUFFER_BYTES, len.min(BUFFER_BYTES));
        // SAFETY: (1) in bounds by the two limits; (2) initialized when it was made; (3) the kernel does
        // not write to it before it is given back, for which this borrow must have ended.
        unsafe { std::slice::from_raw_parts(self.memory.add(at), len) }
    }

    /// Gives a buffer back to the kernel.
    pub(super) fn recycle(&mut self, buffer: u16) {
        let at = usize::from(buffer % BUFFERS) * BUFFER_BYTES;
        // SAFETY: (1) both are in bounds; (2) an entry at the tail is ours, since no more entries are in
        // the ring than there are buffers; (3) the first entry's tail is not touched by setting the
        // other fields; (4) it is aligned to two bytes, and storing it with release order after the
        // entry is what the kernel expects.
        unsafe {
            let entry = &mut *self.page.add(usize::from(self.tail % BUFFERS));
            entry.set_addr(self.memory.add(at) as u64);
            entry.set_len(u32::try_from(BUFFER_BYTES).unwrap_or(0));
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.page).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}
