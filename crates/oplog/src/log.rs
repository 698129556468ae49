//! The log itself: appending under one short lock, and what is kept for whom.
//!
//! Three things keep bytes: the backlog, if it is active, wants the last `capacity` of them; every
//! reader wants what it has not read, up to [`READER_LAG_BYTES_MAX`]; a *pinned* reader is never given
//! up: while it lacks more than [`PINNED_BYTES_MAX`] the log is *full*, and who would write must wait
//! before it takes any lock. If there is none of the three, nothing
//! is copied and only the offset moves. Whole segments are freed when one is sealed, when a reader
//! goes and when the backlog changes, so somewhat more than asked is held; the window that
//! [`Log::backlog`] reports never exceeds the capacity.
//!
//! Invariants: `end` is written under the lock only; while something is kept, `segments.end() ==
//! end`; a position is readable exactly if it is in `segments.start()..=end`.

use crate::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::batch::{Batch, encode_select, select_bytes};
use crate::reader::{OutOfBacklog, Reader};
use crate::segments::Segments;
use crate::watermark::Watermark;
use base::Offset;
use base::lock::{Mutex, MutexGuard, Rank};
use std::fmt;
use std::sync::Arc;

/// How far a reader may fall behind before it is given up, unless [`Log::set_reader_lag_bytes_max`]
/// says otherwise: the hard limit of stock's output buffers for replicas.
pub const READER_LAG_BYTES_MAX: u64 = 256 << 20;

/// How much a pinned reader may lack before the log is full.
pub const PINNED_BYTES_MAX: u64 = 256 << 20;

/// Who writes the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A primary: commands append their effects.
    Originate,
    /// A replica: the primary's bytes pass through unchanged, commands append nothing.
    Proxy,
}

/// The part of the log that a replica may continue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first held position: the bytes of the stream before it. Stock's
    /// `repl_backlog_first_byte_offset` counts from one and is therefore greater by one.
    pub first: Offset,
    /// The end of the log.
    pub end: Offset,
    /// The configured size in bytes; `end - first` never exceeds it.
    pub capacity: u64,
}

/// What is called when the log moved while a reader slept. It must not touch the log.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// A reader that may sleep, as [`Log::subscribe`] has named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sleeper {
    /// One bit. What subscribes as the 64th or later shares the last.
    bit: u64,
}

/// How far a reader has come.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) at: AtomicU64,
    pub(crate) is_pinned: bool,
}

pub(crate) struct State {
    pub(crate) segments: Segments,
    /// The database the stream stands in, `None` if the next command must say.
    db: Option<u32>,
    backlog: Option<u64>,
    readers: Vec<Arc<Cursor>>,
    reader_lag_bytes_max: u64,
    pinned_bytes_max: u64,
    /// A pinned reader lacks more than that. Worked out with each segment that is sealed.
    is_full: bool,
    select: Vec<u8>,
}

/// The ordered log of a node. Shared by all threads behind an `Arc`.
pub struct Log {
    watermark: Watermark,
    generation: AtomicU64,
    proxy: AtomicBool,
    full: AtomicBool,
    state: Mutex<State>,
    wakers: Mutex<Arc<[Waker]>>,
}

fn bit_of(subscriber: usize) -> u64 {
    1 << subscriber.min(63)
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("end", &self.end()).field("mode", &self.mode()).finish()
    }
}

impl Log {
    /// A log without bytes whose next byte is at `end`, originating, without a backlog.
    pub fn new(end: Offset) -> Arc<Log> {
        let state = State {
            segments: Segments::new(end.0),
            db: None,
            backlog: None,
            readers: Vec::new(),
            reader_lag_bytes_max: READER_LAG_BYTES_MAX,
            pinned_bytes_max: PINNED_BYTES_MAX,
            is_full: false,
            select: Vec::new(),
        };
        Arc::new(Log {
            watermark: Watermark::new(end.0),
            generation: AtomicU64::new(0),
            proxy: AtomicBool::new(false),
            full: AtomicBool::new(false),
            state: Mutex::new(Rank::Log, state),
            wakers: Mutex::new(Rank::Leaf, Arc::from([])),
        })
    }

    /// Appends a finished batch, with a SELECT in front if the stream stands in another database,
    /// and returns the new end: the tag of the command's reply. An empty batch changes nothing.
    ///
    /// In [`Mode::Proxy`] commands must not append; a batch that comes nevertheless is a bug of the
    /// caller and is dropped, for it would part us from the primary's stream.
    pub fn append(&self, batch: &Batch) -> Offset {
        if batch.is_empty() {
            return self.end();
        }
        let mut state = self.state.lock();
        if self.mode() == Mode::Proxy {
            debug_assert!(false, "a batch was appended while the log passes a primary's bytes on");
            return self.end();
        }
        let mut end = self.watermark.end();
        if let Some(db) = batch.first_db().filter(|&db| state.db != Some(db)) {
            let mut select = std::mem::take(&mut state.select);
            select.clear();
            encode_select(db, &mut select);
            end = state.push(end, &select);
            state.select = select;
        }
        end = state.push(end, batch.bytes());
        state.db = batch.last_db().or(state.db);
        self.watermark.publish(end);
        self.publish_fullness(&state);
        Offset(end)
    }

    /// Moves the end as far as a command for database `db` of `bytes` bytes would, if nobody wants the
    /// bytes; `None`, and nothing is changed, if somebody does.
    pub fn count(&self, db: u32, bytes: u64) -> Option<Offset> {
        let mut state = self.state.lock();
        if state.keeps() || self.mode() == Mode::Proxy {
            return None;
        }
        let select = if state.db == Some(db) { 0 } else { select_bytes(db) };
        let end = self.watermark.end() + select + bytes;
        state.db = Some(db);
        self.watermark.publish(end);
        Some(Offset(end))
    }

    /// Appends a primary's bytes as they are ([`Mode::Proxy`]) and returns the new end.
    pub fn append_raw(&self, bytes: &[u8]) -> Offset {
        let mut state = self.state.lock();
        debug_assert_eq!(self.mode(), Mode::Proxy, "raw bytes come from a primary");
        let end = state.push(self.watermark.end(), bytes);
        state.db = None;
        self.watermark.publish(end);
        self.publish_fullness(&state);
        Offset(end)
    }

    /// Who writes the log.
    pub fn mode(&self) -> Mode {
        if self.proxy.load(Ordering::Relaxed) { Mode::Proxy } else { Mode::Originate }
    }

    /// Changes who writes the log; the next command will be preceded by a SELECT. Called while no
    /// command runs.
    pub fn set_mode(&self, mode: Mode) {
        let mut state = self.state.lock();
        state.db = None;
        self.proxy.store(mode == Mode::Proxy, Ordering::Relaxed);
    }

    /// The end of the log: the replication offset. One atomic load.
    #[inline]
    pub fn end(&self) -> Offset {
        Offset(self.watermark.end())
    }

    /// Makes the next batch begin with a SELECT. Called at each cut of a full sync, since who starts
    /// reading there knows no database.
    pub fn force_select(&self) {
        self.state.lock().db = None;
    }

    /// Replaces the history: a full sync gave us other data, whose offset is `end`. The bytes are
    /// forgotten and existing readers fail with `HistoryReplaced`; the backlog stays active.
    pub fn reset(&self, end: Offset) {
        let mut state = self.state.lock();
        self.generation.fetch_add(1, Ordering::Release);
        state.segments.clear(end.0);
        state.readers.clear();
        state.db = None;
        self.watermark.publish(end.0);
        state.is_full = false;
        self.publish_fullness(&state);
    }

    /// Activates the backlog, or resizes it if it is active.
    pub fn retain(&self, capacity: u64) {
        let mut state = self.state.lock();
        state.start_keeping(self.watermark.end());
        state.backlog = Some(capacity);
        state.trim(self.watermark.end());
    }

    /// Deactivates the backlog: its bytes are freed as soon as no reader needs them.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.backlog = None;
        state.trim(self.watermark.end());
    }

    /// Changes the size of the backlog if it is active.
    pub fn resize(&self, capacity: u64) {
        let mut state = self.state.lock();
        if state.backlog.is_some() {
            state.backlog = Some(capacity);
            state.trim(self.watermark.end());
        }
    }

    /// What the backlog holds, `None` while it is not active.
    pub fn backlog(&self) -> Option<Window> {
        let state = self.state.lock();
        let capacity = state.backlog?;
        let end = self.watermark.end();
        let first = state.segments.start().max(end.saturating_sub(capacity));
        Some(Window { first: Offset(first), end: Offset(end), capacity })
    }

    /// The memory that is taken by held bytes.
    pub fn memory(&self) -> usize {
        self.state.lock().segments.memory()
    }

    /// What the reader that lacks most does, those left out that are pinned.
    pub fn lag_bytes(&self) -> u64 {
        let state = self.state.lock();
        let readers = state.readers.iter().filter(|reader| !reader.is_pinned);
        let least = readers.map(|reader| reader.at.load(Ordering::Acquire)).min();
        least.map_or(0, |at| self.watermark.end().saturating_sub(at))
    }

    /// Changes how far readers may fall behind.
    pub fn set_reader_lag_bytes_max(&self, bytes: u64) {
        self.state.lock().reader_lag_bytes_max = bytes;
    }

    /// Changes how much a pinned reader may lack before the log is full.
    pub fn set_pinned_bytes_max(&self, bytes: u64) {
        self.state.lock().pinned_bytes_max = bytes;
    }

    /// A cursor at `from`, the first byte it will read.
    ///
    /// # Errors
    /// If the bytes from there on are not all held.
    pub fn reader(self: &Arc<Log>, from: Offset) -> Result<Reader, OutOfBacklog> {
        self.add_reader(from, false)
    }

    /// As [`Log::reader`], but one that is never given up: the log is full while it lacks too much.
    ///
    /// # Errors
    /// If the bytes from there on are not all held.
    pub fn pinned_reader(self: &Arc<Log>, from: Offset) -> Result<Reader, OutOfBacklog> {
        self.add_reader(from, true)
    }

    /// Whether a pinned reader lacks so much that nobody should add to it. One load.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    fn publish_fullness(&self, state: &State) {
        if state.is_full != self.full.load(Ordering::Relaxed) {
            self.full.store(state.is_full, Ordering::Relaxed);
        }
    }

    /// A pinned reader has come further. True if the log was full and is not any more.
    pub(crate) fn note_read(&self) -> bool {
        if !self.is_full() {
            return false;
        }
        let mut state = self.state.lock();
        state.trim(self.watermark.end());
        self.publish_fullness(&state);
        !state.is_full
    }

    fn add_reader(self: &Arc<Log>, from: Offset, is_pinned: bool) -> Result<Reader, OutOfBacklog> {
        let mut state = self.state.lock();
        let end = self.watermark.end();
        state.start_keeping(end);
        let first = state.segments.start();
        if from.0 < first || from.0 > end {
            return Err(OutOfBacklog { from, first: Offset(first), end: Offset(end) });
        }
        let position = Arc::new(Cursor { at: AtomicU64::new(from.0), is_pinned });
        state.readers.push(Arc::clone(&position));
        Ok(Reader::new(Arc::clone(self), self.generation(), position))
    }

    /// Adds a waker that [`Log::wake_readers`] calls when the reader sleeps for which this was called.
    pub fn subscribe(&self, waker: Waker) -> Sleeper {
        let mut wakers = self.wakers.lock();
        let sleeper = Sleeper { bit: bit_of(wakers.len()) };
        *wakers = wakers.iter().cloned().chain([waker]).collect();
        sleeper
    }

    /// Declares `who` asleep until the log moves beyond `seen`. False if it already has: read first, then
    /// ask again. Its waker is called once the log has moved.
    pub fn may_sleep(&self, who: Sleeper, seen: Offset) -> bool {
        self.watermark.may_sleep(who.bit, seen.0)
    }

    /// Wakes sleeping readers; true if there was one. Called once per loop turn by those who append, not
    /// per append; costs a fence and a load if nobody sleeps.
    pub fn wake_readers(&self) -> bool {
        let sleepers = self.watermark.take_sleepers();
        if sleepers != 0 {
            let wakers = Arc::clone(&self.wakers.lock());
            for (at, wake) in wakers.iter().enumerate() {
                if sleepers & bit_of(at) != 0 {
                    wake();
                }
            }
        }
        sleepers != 0
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn forget_reader(&self, position: &Arc<Cursor>) {
        let mut state = self.state.lock();
        state.readers.retain(|other| !Arc::ptr_eq(other, position));
        state.trim(self.watermark.end());
        self.publish_fullness(&state);
    }
}

impl State {
    fn keeps(&self) -> bool {
        self.backlog.is_some() || !self.readers.is_empty()
    }

    /// Makes the segments continue at `end` if nothing was kept until now.
    fn start_keeping(&mut self, end: u64) {
        if !self.keeps() {
            self.segments.clear(end);
        }
    }

    /// Adds bytes at `end` and returns the end behind them.
    fn push(&mut self, end: u64, bytes: &[u8]) -> u64 {
        let new_end = end + bytes.len() as u64;
        if self.keeps() {
            let sealed = self.segments.push(bytes);
            debug_assert_eq!(self.segments.end(), new_end, "what is kept ends where the log ends");
            if sealed {
                self.trim(new_end);
            }
        }
        new_end
    }

    /// Frees what neither the backlog nor a reader within its limit needs.
    fn trim(&mut self, end: u64) {
        self.is_full = self.readers.iter().any(|reader| {
            let at = reader.at.load(Ordering::Acquire);
            reader.is_pinned && end.saturating_sub(at) > self.pinned_bytes_max
        });
        if !self.keeps() {
            self.segments.clear(end);
            return;
        }
        let limit = end.saturating_sub(self.reader_lag_bytes_max);
        let readers = self.readers.iter().map(|reader| {
            let at = reader.at.load(Ordering::Acquire);
            if reader.is_pinned { at } else { at.max(limit) }
        });
        let backlog = self.backlog.map(|capacity| end.saturating_sub(capacity));
        let floor = readers.chain(backlog).min().unwrap_or(end);
        self.segments.trim(floor);
    }
}

#[cfg(test)]
mod tests;
