//! The writer: the thread that keeps the append-only file.
//!
//! It owns the open increment, the reader of the log and the manifest. A batch goes into the file in
//! pieces, ends with a sum, and counts as written, and later as synced, at once.

mod progress;
mod rewriting;

use super::increment::{Open, Start, Unfilled};
use super::{AppendOnly, Facts, Request, directory};
use crate::node::Node;
use crate::placement::{Slices, place, take_slices};
use aof::{AppendError, Appender, Directory, DirectoryError, Manifest};
use base::lock::MutexGuard;
use base::{Millis, Offset};
use conf::AppendFsync;
use keyspace::Walk;
use oplog::{Reader, Sleeper};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// A piece's buffer that has grown beyond this is given back.
const PIECE_BYTES_KEPT: usize = 256 << 10;
/// Pieces that are written before it is looked what else there is to do: syncs, requests. A log that grows
/// faster than the disk takes it has no end.
const PIECES_AT_ONCE: usize = 16;
/// Under `everysec`, how old what is not durable may become before it is synced.
const SYNC_AGE: Millis = Millis(500);
/// Under `everysec`, how old what is not durable may become before replies wait.
const OVERDUE_AGE: Millis = Millis(900);
/// Between two tries to write to a disk that refuses.
const RETRY: Millis = Millis(100);
/// Between two tries to begin a file anew.
const RESTART: Millis = Millis(1000);
/// The longest sleep.
const SLEEP: Millis = Millis(1000);

/// A rewrite under way.
struct Rewrite {
    number: u64,
    began: Millis,
    walk: Arc<Walk>,
    start: Start,
    /// The base is to be a snapshot, not requests.
    is_snapshot: bool,
    /// The log goes on in the next increment, if there is to be one.
    rolled: bool,
    /// The new base, once it is durable.
    base: Option<PathBuf>,
    awaited_by: Vec<Sender<Result<(), String>>>,
}

struct Writer {
    node: Arc<Node>,
    sleeper: Sleeper,
    directory: Directory,
    manifest: Manifest,
    open: Option<Open>,
    rewrite: Option<Rewrite>,
    /// The number of the last rewrite that was taken up; one of a greater number is on its way.
    last_number: u64,
    last_rewrite: Result<(), String>,
    retry_at: Option<Millis>,
}

/// How the files go on from a start.
#[derive(Debug)]
pub struct Tail {
    /// What was loaded.
    pub manifest: Manifest,
    /// The last increment is whole up to here; `None` if a new one is to be made.
    pub length: Option<u64>,
    /// The log's offset where the files end.
    pub end: Offset,
}

/// Starts the thread that keeps the file of `node`, whose data and history are loaded, and whose log
/// nobody has written or replaced since. With a `tail` the file goes on there; otherwise, if it is to be
/// on, it begins with a base of the data. The thread runs in short slices: replies wait for it.
///
/// # Errors
/// The text of what went wrong.
pub fn start(node: &Arc<Node>, tail: Option<Tail>) -> Result<(), String> {
    let waker_of = Arc::downgrade(node);
    let sleeper = node.log.subscribe(Arc::new(move || {
        if let Some(thread) =
            waker_of.upgrade().and_then(|node| node.append_only.thread.get().cloned())
        {
            thread.unpark();
        }
    }));
    let mut writer = Writer::new(node, sleeper);
    let goes_on = tail.is_some();
    if let Some(tail) = tail {
        let end = node.log.end();
        if end != tail.end {
            // The file would lack what lies between, and say that it does not.
            return Err(format!(
                "The append-only file ends at offset {}, but the log has come to {end} since",
                tail.end
            ));
        }
        let reader = node.log.pinned_reader(end).map_err(|error| error.to_string())?;
        let failed = |error| format!("Can't open the append-only file: {error}");
        writer.go_on(tail, reader).map_err(failed)?;
    }
    let of_thread = Arc::clone(node);
    let body = move || {
        let node = of_thread;
        take_slices(&node, Slices::Short);
        place(&[&node.settings.bio_cpulist]);
        if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
            node.incomplete.store(true, Ordering::Release);
            tracing::error!("the writer of the append-only file panicked; writes are refused");
            node.append_only.set_error(&node, Some("its writer has ended".to_owned()));
        }
        // Whoever still waits for an answer is told that there will be none.
        drop(node.append_only.requests.lock().take());
    };
    let spawned = thread::Builder::new().name("aof".into()).spawn(body);
    let thread = spawned.map_err(|error| format!("cannot start the writer's thread: {error}"))?;
    let _only_here = node.append_only.thread.set(thread.thread().clone());
    if node.settings.appendonly.get() && !goes_on {
        let alone = node.keyspace.gate.exclusive();
        let begun = node.append_only.rewrite(node, &alone);
        drop(alone);
        begun.map_err(|_| "Can't begin the append-only file".to_owned())?;
        // Nothing is promised before the file is there.
        node.append_only.await_rewrite()?;
    }
    Ok(())
}

impl Writer {
    /// One that has no file yet; `sleeper` wakes its thread.
    fn new(node: &Arc<Node>, sleeper: Sleeper) -> Writer {
        Writer {
            node: Arc::clone(node),
            sleeper,
            directory: directory(&node.settings, &node.disk),
            manifest: Manifest::default(),
            open: None,
            rewrite: None,
            last_number: 0,
            last_rewrite: Ok(()),
            retry_at: None,
        }
    }

    /// Opens the last increment of `tail`, or the next.
    fn go_on(&mut self, tail: Tail, reader: Reader) -> Result<(), DirectoryError> {
        self.manifest = tail.manifest;
        self.node.log.force_select();
        let last = self.manifest.increments.last().map(|piece| piece.name.clone());
        let (appender, start) = if let (Some(length), Some(name)) = (tail.length, last) {
            let path = self.directory.file(&name);
            let replid = self.node.replication.state().history.replid;
            let place = (replid, reader.position());
            let opened = Appender::reopen(self.directory.disk(), &path, length, place);
            let failed = |source| DirectoryError::Disk { action: "Cannot open", path, source };
            (opened.map_err(failed)?, Start { noted: Some(replid), select: None })
        } else {
            let (appender, manifest) = self.next_increment()?;
            self.directory.write_manifest(&manifest)?;
            self.manifest = manifest;
            let select = Some(self.node.replication.stream_db());
            (appender, Start { noted: None, select })
        };
        self.open = Some(Open::new(appender, reader, start, None));
        if !self.node.settings.aof_disable_auto_gc.get() {
            self.directory.sweep(&mut self.manifest)?;
        }
        let size = self.size();
        let mut facts = self.facts();
        (facts.is_open, facts.size, facts.base_size) = (true, size, size);
        drop(facts);
        self.publish();
        Ok(())
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.node.append_only.facts()
    }

    fn run(mut self) {
        let node = Arc::clone(&self.node);
        let AppendOnly { requests, .. } = &node.append_only;
        loop {
            let taken = requests.lock().as_mut().map(std::mem::take).unwrap_or_default();
            let mut ends = false;
            for request in taken {
                ends |= matches!(request, Request::Stop(_));
                self.take(request);
            }
            if ends {
                return;
            }
            // Who is about to write comes into the same batch.
            thread::yield_now();
            let now = base::clock::monotonic();
            self.write(now);
            self.sync_if_due(base::clock::monotonic());
            self.finish_rewrite();
            if requests.lock().as_ref().is_none_or(VecDeque::is_empty) {
                self.sleep();
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Settings => {
                if !self.node.settings.aof_disable_auto_gc.get() {
                    self.sweep();
                }
                self.publish();
            }
            Request::Close => self.close(),
            Request::Rewrite { number, cut, reader, is_snapshot } => {
                self.begin_rewrite(number, *cut, reader, is_snapshot);
            }
            Request::Rewritten(number, result) => {
                match (self.rewrite.as_mut().filter(|rewrite| rewrite.number == number), result) {
                    (Some(rewrite), Ok(base)) => rewrite.base = Some(base),
                    (Some(_), Err(error)) => self.rewrite_failed(&error),
                    // Given up meanwhile.
                    (None, Ok(base)) => drop(self.directory.disk().remove(&base)),
                    (None, Err(_)) => {}
                }
            }
            Request::Await(sender) => match &mut self.rewrite {
                Some(rewrite) => rewrite.awaited_by.push(sender),
                // Whoever asked may have gone; here and below.
                None => drop(sender.send(self.last_rewrite.clone())),
            },
            Request::Flush(sender) => drop(sender.send(self.flush())),
            Request::Stop(sender) => {
                self.end_rewrite(Err("the server stops"));
                let flushed = self.flush();
                if let Some(mut open) = self.open.take() {
                    open.end();
                }
                // Now the server may end.
                drop(sender.send(flushed));
            }
        }
    }

    /// `appendonly no`: what is in the log is made durable, and nothing follows.
    fn close(&mut self) {
        self.end_rewrite(Err("the append-only file was turned off"));
        self.write_all();
        if let Err(error) = self.sync() {
            tracing::warn!("Fail to fsync the AOF file: {error}");
        }
        if let Some(mut open) = self.open.take() {
            open.end();
            self.drop_temporary(&open);
        }
        self.retry_at = None;
        self.node.append_only.set_error(&self.node, None);
        self.facts().is_lost = false;
        self.publish_overdue(None);
        self.publish();
    }

    /// Removes an increment that no manifest has named.
    fn drop_temporary(&self, open: &Open) {
        if let Some(path) = &open.temporary {
            let name = path.file_name().unwrap_or_default().display();
            tracing::info!("Removing the temp incr aof file {name} in the background");
            // The next one of that name begins with nothing all the same.
            let _ = self.directory.disk().remove(path);
        }
    }

    /// Removes files that are history.
    fn sweep(&mut self) {
        if let Err(error) = self.directory.sweep(&mut self.manifest) {
            tracing::warn!("Old files of the AOF stay: {error}");
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        self.retry_at = None;
        self.write_all();
        let result = self.facts().error.clone().map_or(Ok(()), Err);
        result.and_then(|()| self.sync().map_err(|error| error.to_string()))
    }

    /// Writes all that is in the log now, as far as the disk takes it.
    fn write_all(&mut self) {
        let end = self.node.log.end();
        let lacks = |open: &Open| open.reader.position() < end;
        while self.write(base::clock::monotonic()) && self.open.as_ref().is_some_and(lacks) {}
    }

    /// Writes what is in the log, or the first pieces of it. True if there may be more.
    fn write(&mut self, now: Millis) -> bool {
        if self.retry_at.is_some_and(|at| at > now) {
            return false;
        }
        let (mut wrote, mut is_more) = (false, true);
        for _ in 0..PIECES_AT_ONCE {
            let written = match self.fill() {
                Ok(true) => self.write_piece(now, &mut wrote),
                Ok(false) => {
                    is_more = false;
                    break;
                }
                Err(Unfilled::Disk(error)) => Err(error),
                Err(Unfilled::Lost) => {
                    self.lose("the history was replaced", None);
                    return false;
                }
            };
            match written {
                Ok(()) => {}
                Err(AppendError::Refused(error)) => {
                    if self.retry_at.is_none() {
                        tracing::error!("Error writing to the AOF file: {error}");
                    }
                    self.retry_at = Some(now + RETRY);
                    self.node.append_only.set_error(&self.node, Some(base::reason(&error)));
                    is_more = false;
                    break;
                }
                Err(AppendError::Suspect(error)) => {
                    self.lose("it cannot be cut back", Some(&error));
                    return false;
                }
            }
        }
        if wrote && self.policy() != AppendFsync::Always {
            self.publish();
        }
        is_more
    }

    fn write_piece(&mut self, now: Millis, wrote: &mut bool) -> Result<(), AppendError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.appender.write(&open.piece)?;
        self.node.append_only.facts().size += open.piece.len() as u64;
        open.piece.clear();
        open.piece.shrink_to(PIECE_BYTES_KEPT);
        open.unsynced_since.get_or_insert(now);
        if open.reader.makes_room() {
            self.node.wake_loops();
        }
        if open.piece_ends {
            open.written = open.target;
            *wrote = true;
        }
        self.retry_at = None;
        if open.is_listed() && self.node.append_only.refuses() {
            tracing::warn!("AOF write error looks solved. The server can write again.");
            self.node.append_only.set_error(&self.node, None);
        }
        Ok(())
    }

    /// Sees to it that there is a piece to be written; false if the log has nothing more.
    fn fill(&mut self) -> Result<bool, Unfilled> {
        loop {
            let Some(open) = &self.open else { return Ok(false) };
            if !open.piece.is_empty() {
                return Ok(true);
            }
            if self.node.append_only.rolls_at() != Some(open.reader.position()) {
                let Some(open) = &mut self.open else { return Ok(false) };
                return open.fill(&self.node);
            }
            if self.rewrite.as_ref().is_none_or(|rewrite| rewrite.rolled) {
                // The order to rewrite is on its way.
                return Ok(false);
            }
            self.roll();
        }
    }

    /// The file cannot go on: it begins anew, with a base of what is in memory.
    fn lose(&mut self, why: &str, error: Option<&std::io::Error>) {
        if let Some(error) = error {
            tracing::error!("The AOF file is given up, {why}: {error}");
            let text = format!("{why}: {}", base::reason(error));
            self.node.append_only.set_error(&self.node, Some(text));
        } else {
            tracing::info!("The AOF file begins anew: {why}");
            // What was not synced is of a history that is no more, or comes with the new base.
            self.publish_overdue(None);
        }
        self.end_rewrite(Err(why));
        let was_listed = self.open.take().is_some_and(|open| open.is_listed());
        self.retry_at = None;
        let at = if error.is_some() { base::clock::monotonic() + RESTART } else { Millis(0) };
        let mut facts = self.facts();
        facts.is_lost |= was_listed;
        // With one that was begun meanwhile, and is on its way, the file begins anew as well.
        if facts.end_rewrite(self.last_number) {
            facts.is_open = false;
            if self.node.settings.appendonly.get() {
                facts.scheduled = Some(at);
            }
        }
        drop(facts);
        self.publish();
    }

    fn policy(&self) -> AppendFsync {
        self.node.settings.appendfsync.get()
    }

    fn size(&self) -> u64 {
        let sizes = self.manifest.pieces().filter_map(|piece| self.directory.look(piece).ok());
        sizes.map(|(size, _)| size).sum()
    }

    fn sleep(&self) {
        let now = base::clock::monotonic();
        if let Some(until) = self.wakes_at(now) {
            thread::park_timeout(Duration::from_millis(until.since(now).0));
        }
    }

    /// Until when there is nothing to be done unless somebody wakes this thread; `None` if there is
    /// something at `now`.
    fn wakes_at(&self, now: Millis) -> Option<Millis> {
        let mut until = now + SLEEP;
        if let Some(open) = &self.open {
            if let Some(at) = self.retry_at {
                until = until.min(at);
            } else if !self.node.log.may_sleep(self.sleeper, open.reader.position()) {
                return None;
            }
            if let Some(since) = open.unsynced_since
                && self.policy() == AppendFsync::Everysec
                && !self.spares_syncs()
            {
                until = until.min(since + SYNC_AGE);
            }
        }
        Some(until)
    }
}

#[cfg(test)]
mod tests;
