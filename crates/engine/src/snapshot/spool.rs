//! Records on their way from those who write to a walk's thread: in memory, and beyond a limit on disk.
//!
//! Whoever is about to change an entry that a walk lacks appends it here, under a shard's lock, and never
//! waits. The walk's thread takes what has gathered. While that waits for its sink, a thread beside it
//! ([`Spool::spill`]) moves pieces to a file without a name, so that a slow sink costs disk and not
//! memory. In which order records leave does not matter, as long as those of a database stay together.
//!
//! Invariant: `memory_bytes` is the sum of the pieces in `open` and `full` and of the one that is being
//! moved to the file; a piece is in exactly one of `open`, `full`, the mover's hands and `spilled`.

use base::disk::{Disk, Scratch};
use base::lock::{Mutex, Rank};
use std::io::{self, SeekFrom};
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

/// A piece is whole, and the next one is begun, when it has so many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// When a spool defends itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes in memory from which on pieces are moved to the file.
    pub(super) spill_bytes: usize,
    /// Bytes in memory from which on writers wait; if there is no file they can be moved to, the
    /// records are given up.
    pub(super) most_bytes: usize,
}

/// What all walks of a node have queued.
#[derive(Debug, Default)]
pub struct WalkQueues {
    /// How many have so much that writers must wait.
    crowded: AtomicUsize,
    /// Bytes in memory, those of values included that live until they are recorded.
    bytes: AtomicUsize,
}

impl WalkQueues {
    /// Whether writers must wait. One load.
    #[inline]
    pub fn are_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire) > 0
    }

    /// Bytes in memory, those of values included that live until they are recorded.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Encoded records of one database.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) db: u32,
    pub(super) bytes: Vec<u8>,
}

/// A piece in the file.
#[derive(Debug)]
struct Extent {
    db: u32,
    at: u64,
    length: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Pieces that grow, one for each database.
    open: Vec<Piece>,
    full: Vec<Piece>,
    spilled: Vec<Extent>,
    /// An empty buffer, to be used again.
    spare: Vec<u8>,
    /// The file cannot be written.
    has_failed: bool,
    /// Writers are told to wait.
    is_crowded: bool,
}

/// The records that wait.
#[derive(Debug)]
pub(super) struct Spool {
    limits: Limits,
    state: Mutex<State>,
    memory_bytes: AtomicUsize,
    /// Bytes of records that are written past the spool, and wait all the same.
    held_bytes: AtomicUsize,
    /// Bytes of values that live for their records alone.
    kept_bytes: AtomicUsize,
    queues: Arc<WalkQueues>,
    /// Whoever moves a piece has it until that is where it belongs.
    file: Mutex<Option<Box<dyn Scratch>>>,
    spiller: OnceLock<Thread>,
    is_closed: AtomicBool,
    /// More was queued than is allowed, and thrown away.
    is_over: AtomicBool,
}

/// Ends [`Spool::spill`] when it is dropped.
pub(super) struct Closing<'a>(&'a Spool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        {
            // The spiller says who it is under the same lock: it is woken, or sees this.
            let _state = self.0.state.lock();
            self.0.is_closed.store(true, Ordering::Release);
        }
        self.0.wake_spiller();
    }
}

impl Spool {
    pub(super) fn new(limits: Limits, queues: Arc<WalkQueues>) -> Spool {
        Spool {
            limits,
            state: Mutex::new(Rank::Spool, State::default()),
            memory_bytes: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            kept_bytes: AtomicUsize::new(0),
            queues,
            file: Mutex::new(Rank::SpoolFile, None),
            spiller: OnceLock::new(),
            is_closed: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// Bytes that wait in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Acquire)
    }

    fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Acquire)
    }

    /// Counts in `bytes` of a record that waits elsewhere. Its writers wait if that is too much.
    pub(super) fn hold(&self, bytes: usize) {
        self.queues.bytes.fetch_add(bytes, Ordering::Relaxed);
        let held = self.held_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if held + self.memory_bytes() > self.limits.most_bytes {
            self.defend(&mut self.state.lock());
        }
    }

    /// Counts them out.
    pub(super) fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.queues.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.held_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.forget(&mut self.state.lock(), 0);
        }
    }

    /// Counts in `bytes` of values that were in memory before, and now live until they are recorded. Nobody
    /// waits for them, since writers do not make more of them.
    pub(super) fn keep(&self, bytes: usize) {
        self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.queues.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts them out.
    pub(super) fn let_go(&self, bytes: usize) {
        self.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.queues.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether records had to be thrown away.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Appends what `encode` writes to the records of database `db`.
    pub(super) fn append(&self, db: u32, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state.lock();
        if self.is_over() {
            return;
        }
        let at = state.open.iter().position(|piece| piece.db == db).unwrap_or_else(|| {
            let bytes = mem::take(&mut state.spare);
            state.open.push(Piece { db, bytes });
            state.open.len() - 1
        });
        let Some(piece) = state.open.get_mut(at) else { return };
        let before = piece.bytes.len();
        encode(&mut piece.bytes);
        let (added, is_whole) = (piece.bytes.len() - before, piece.bytes.len() >= PIECE_BYTES);
        if is_whole {
            let piece = state.open.swap_remove(at);
            state.full.push(piece);
        }
        self.queues.bytes.fetch_add(added, Ordering::Relaxed);
        let in_memory = self.memory_bytes.fetch_add(added, Ordering::AcqRel) + added;
        if in_memory + self.held_bytes() > self.limits.most_bytes {
            self.defend(&mut state);
        }
        if is_whole && in_memory > self.limits.spill_bytes {
            self.wake_spiller();
        }
    }

    /// Takes all that is in memory; none of it counts any more.
    pub(super) fn take(&self) -> Vec<Piece> {
        let mut state = self.state.lock();
        let mut pieces = mem::take(&mut state.full);
        pieces.append(&mut state.open);
        let bytes = pieces.iter().map(|piece| piece.bytes.len()).sum();
        self.forget(&mut state, bytes);
        pieces
    }

    /// Takes a piece out of the file, if there is one.
    ///
    /// # Errors
    /// Those of the disk.
    fn take_spilled(&self) -> io::Result<Option<Piece>> {
        let mut file = self.file.lock();
        let Some(extent) = self.state.lock().spilled.pop() else { return Ok(None) };
        let mut bytes = vec![0; extent.length];
        let Some(file) = file.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        file.seek(SeekFrom::Start(extent.at))?;
        file.read_exact(&mut bytes)?;
        Ok(Some(Piece { db: extent.db, bytes }))
    }

    /// Gives everything that waits to `write`, nobody appending any more: what is in memory, in the file,
    /// and on its way there, which is waited for.
    ///
    /// # Errors
    /// Those of the disk and of `write`.
    pub(super) fn take_rest(
        &self,
        mut write: impl FnMut(&Piece) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            for piece in self.take() {
                write(&piece)?;
                self.reuse(piece);
            }
            while let Some(piece) = self.take_spilled()? {
                write(&piece)?;
            }
            // A piece that could not be written to the file has come back.
            if self.memory_bytes() == 0 {
                return Ok(());
            }
        }
    }

    /// Gives a piece's buffer back.
    pub(super) fn reuse(&self, piece: Piece) {
        let mut bytes = piece.bytes;
        bytes.clear();
        self.state.lock().spare = bytes;
    }

    /// Ends [`Spool::spill`] at the end of a scope.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    /// There will be no file.
    pub(super) fn do_without_file(&self) {
        self.fail(&mut self.state.lock());
    }

    /// Moves pieces to a file in `directory` whenever more waits in memory than is good, until the spool
    /// is closed or the disk fails.
    pub(super) fn spill(&self, disk: &dyn Disk, directory: &Path) {
        {
            // Whatever was queued, or closed, before is seen below; whoever does so later wakes this thread.
            let _state = self.state.lock();
            if self.spiller.set(thread::current()).is_err() {
                return;
            }
        }
        let mut end = 0;
        while !self.is_closed.load(Ordering::Acquire) {
            let mut file = self.file.lock();
            let Some(piece) = self.surplus() else {
                drop(file);
                thread::park();
                continue;
            };
            let written = write(&mut file, disk, directory, end, &piece.bytes);
            let mut state = self.state.lock();
            let (db, length) = (piece.db, piece.bytes.len());
            if let Err(error) = written {
                tracing::warn!("A snapshot's surplus cannot be put in {directory:?}: {error}");
                state.full.push(piece);
                self.fail(&mut state);
                return;
            }
            state.spilled.push(Extent { db, at: end, length });
            self.forget(&mut state, length);
            end += length as u64;
        }
    }

    /// A piece that should not be in memory.
    fn surplus(&self) -> Option<Piece> {
        if self.memory_bytes() <= self.limits.spill_bytes {
            return None;
        }
        self.state.lock().full.pop()
    }

    /// Nobody waits for the file any more; if that is needed, gives up.
    fn fail(&self, state: &mut State) {
        state.has_failed = true;
        self.disperse(state);
        if self.memory_bytes() + self.held_bytes() > self.limits.most_bytes {
            self.defend(state);
        }
    }

    /// Too much is in memory: has writers wait for the file, or gives up.
    fn defend(&self, state: &mut State) {
        if state.has_failed {
            self.is_over.store(true, Ordering::Release);
            state.open.clear();
            state.full.clear();
            let bytes = self.memory_bytes();
            self.forget(state, bytes);
        } else if !state.is_crowded {
            state.is_crowded = true;
            self.queues.crowded.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Counts `bytes` out of memory.
    fn forget(&self, state: &mut State, bytes: usize) {
        self.queues.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let left = self.memory_bytes.fetch_sub(bytes, Ordering::AcqRel).saturating_sub(bytes);
        let left = left + self.held_bytes();
        if left <= self.limits.most_bytes / 2 {
            self.disperse(state);
        }
    }

    /// Has writers wait no more.
    fn disperse(&self, state: &mut State) {
        if mem::take(&mut state.is_crowded) {
            self.queues.crowded.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn wake_spiller(&self) {
        if let Some(spiller) = self.spiller.get() {
            spiller.unpark();
        }
    }
}

fn write(
    file: &mut Option<Box<dyn Scratch>>,
    disk: &dyn Disk,
    directory: &Path,
    at: u64,
    bytes: &[u8],
) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        none => none.insert(disk.scratch(directory)?),
    };
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

impl Drop for Spool {
    fn drop(&mut self) {
        let left = [&mut self.memory_bytes, &mut self.held_bytes, &mut self.kept_bytes];
        let left: usize = left.into_iter().map(|bytes| *bytes.get_mut()).sum();
        self.queues.bytes.fetch_sub(left, Ordering::Relaxed);
        if self.state.get_mut().is_crowded {
            self.queues.crowded.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests;
