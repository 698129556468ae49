//! The one ordered log of a node: every effect of every write, in the order in which it happened.
//!
//! Its bytes are exactly the PSYNC stream and its positions exactly the replication offsets, so a
//! replica link, the backlog, an append-only file and an archive are the same thing: a cursor
//! ([`Reader`]) at some [`base::Offset`]. Writers build a [`Batch`] while they hold their shard
//! locks and hand it to [`Log::append`]; the log's order is therefore a serial order of the
//! keyspace.
//!
//! Invariants (see `README.md` for why):
//! - the offset advances by exactly the bytes of the stream, whether or not anybody reads them;
//! - a batch is contiguous, and a SELECT stands in front of it if the stream's database differs;
//! - a reader sees every byte from its start to its position, once and in order, or an error;
//! - an end that was published covers bytes that are already in their segments.

mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
}

mod batch;
mod log;
mod reader;
mod segments;
mod watermark;

pub use batch::{Batch, Framing, encode_select, encoded_bytes};
pub use log::{Log, Mode, PINNED_BYTES_MAX, READER_LAG_BYTES_MAX, Sleeper, Waker, Window};
pub use reader::{OutOfBacklog, ReadError, Reader, TAIL_COPY_BYTES_MAX};
pub use segments::SEGMENT_BYTES;
