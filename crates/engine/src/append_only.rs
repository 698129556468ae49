//! The append-only file of a node: every write, in files beside each other, without a fork.
//!
//! The file is the ordered log, cut into increments, behind a snapshot of the cut: a cursor on the log
//! and a thread of its own ([`writer`]), so that a slow disk stalls no loop. Replies wait at the
//! [`crate::barrier`] until their writes are written, or synced, as `appendfsync` wants it; under
//! `everysec` they also wait while a sync is overdue, so that what a power cut can cost stays within a
//! second. A rewrite is a walk into a new base ([`rewrite`]), while the log goes on in a new increment.
//!
//! ```text
//! off --appendonly yes--> beginning --base durable--> on --appendonly no--> off
//!                             ^                        | a sync fails, or the log's history is replaced
//!                             +--------- lost <--------+
//! ```
//!
//! While beginning or lost, what is on the disk is what was there before. A lost file refuses writes if
//! it was lost to an error, and begins anew from memory; until it has its base no reply to a write leaves,
//! since a start would load what was there before.
//!
//! Invariant: one rewrite at a time. Each has a number, which is under way from [`AppendOnly::rewrite`] until
//! the writer has ended that number, or the file is turned off; what comes of an older one does not end it.

mod commands;
mod increment;
pub mod load;
mod rewrite;
mod writer;

pub use writer::{Tail, start};

use crate::barrier::Watermark;
use crate::error::CommandError;
use crate::node::Node;
use crate::nudge::Nudge;
use crate::snapshot::Cut;
use aof::Directory;
use base::disk::Disk;
use base::lock::{Mutex, MutexGuard, Rank};
use base::{Millis, Offset};
use conf::Settings;
use keyspace::Exclusive;
use oplog::Reader;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// What INFO and cron know of the file.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each named")]
#[derive(Debug)]
pub struct Facts {
    /// A thread writes it.
    pub is_open: bool,
    /// It has its base, so that a start would load it.
    pub is_listed: bool,
    /// What a start would load is not what was promised: the file has begun anew, or is about to, and
    /// nothing more is promised until it has its base.
    pub is_lost: bool,
    /// A rewrite is to begin as soon as it can, and not before this monotonic time.
    pub scheduled: Option<Millis>,
    /// No rewrite begins by itself before this monotonic time, since several have failed.
    pub not_before: Option<Millis>,
    /// Monotonic time at which the rewrite under way began; `None` if none is.
    pub rewrite_began: Option<Millis>,
    /// Rewrites that were begun: the number of the last, which is the one under way if one is.
    pub rewrites_begun: u64,
    /// Seconds the last rewrite took, -1 before the first.
    pub last_rewrite_s: i64,
    /// Whether the last rewrite succeeded.
    pub last_rewrite_ok: bool,
    /// Rewrites since the start.
    pub rewrites: u64,
    /// Rewrites that failed since the last that did not.
    pub failures: u64,
    /// Bytes of all files.
    pub size: u64,
    /// What `size` was after the last rewrite, or at the start.
    pub base_size: u64,
    /// How often replies had to wait for a sync that took too long.
    pub delayed_syncs: u64,
    /// The log up to here is in the file.
    pub written: Offset,
    /// The log up to here is durable.
    pub synced: Offset,
    /// The same where a start would load the file, and of the history that the log has now.
    pub durable: Option<Offset>,
    /// Why writes are refused, if they are.
    pub error: Option<String>,
}

impl Facts {
    /// Whether a rewrite is under way.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite_began.is_some()
    }

    /// Whether the rewrite of `number` is under way, or none that was begun later.
    fn is_rewrite(&self, number: u64) -> bool {
        self.rewrites_begun == number && self.is_rewriting()
    }

    /// The rewrite of `number` has ended; one that was begun since then goes on. True if there is none.
    fn end_rewrite(&mut self, number: u64) -> bool {
        if self.rewrites_begun == number {
            self.rewrite_began = None;
        }
        !self.is_rewriting()
    }
}

/// What the writer's thread is asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// Settings have changed.
    Settings,
    /// `appendonly no`.
    Close,
    /// Rewrite at this cut.
    Rewrite {
        /// Which it is of those that were begun.
        number: u64,
        /// Where.
        cut: Box<Cut>,
        /// It stands there; without one there is to be a base only.
        reader: Option<Reader>,
        /// The base is to be a snapshot, not requests.
        is_snapshot: bool,
    },
    /// The new base of the rewrite of that number is durable under this name, or why not.
    Rewritten(u64, Result<PathBuf, String>),
    /// Say when the rewrite under way has ended, and how.
    Await(Sender<Result<(), String>>),
    /// Make durable what is in the log, and say so.
    Flush(Sender<Result<(), String>>),
    /// As before, and end.
    Stop(Sender<Result<(), String>>),
}

/// Why a rewrite does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteRefusal {
    /// One is under way.
    Running,
    /// Too many walks are, or nobody writes files.
    NotNow,
}

/// No offset.
const NOWHERE: u64 = u64::MAX;

/// The append-only file, as others see it.
#[derive(Debug)]
pub struct AppendOnly {
    facts: Mutex<Facts>,
    /// `None` once nobody takes them any more.
    requests: Mutex<Option<VecDeque<Request>>>,
    thread: OnceLock<Thread>,
    /// The offset at which the increment under way ends, [`NOWHERE`] if none. It is set with the whole
    /// keyspace alone, so that whoever sees bytes behind it sees it too.
    rolls_at: AtomicU64,
    /// The offset of which somebody wants to know when it is durable, [`NOWHERE`] if none.
    tell_at: AtomicU64,
    nudge: Nudge,
    /// DEBUG AOF-FLUSH-SLEEP: microseconds that each sync takes longer.
    pub flush_sleep_us: AtomicU64,
}

impl Default for AppendOnly {
    fn default() -> AppendOnly {
        let facts = Facts {
            is_open: false,
            is_listed: false,
            is_lost: false,
            scheduled: None,
            not_before: None,
            rewrite_began: None,
            rewrites_begun: 0,
            last_rewrite_s: -1,
            last_rewrite_ok: true,
            rewrites: 0,
            failures: 0,
            size: 0,
            base_size: 0,
            delayed_syncs: 0,
            written: Offset(0),
            synced: Offset(0),
            durable: None,
            error: None,
        };
        AppendOnly {
            facts: Mutex::new(Rank::Leaf, facts),
            requests: Mutex::new(Rank::Mailbox, Some(VecDeque::new())),
            thread: OnceLock::new(),
            rolls_at: AtomicU64::new(NOWHERE),
            tell_at: AtomicU64::new(NOWHERE),
            nudge: Nudge::default(),
            flush_sleep_us: AtomicU64::new(0),
        }
    }
}

impl AppendOnly {
    /// What is known.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock()
    }

    /// Whether writes are refused because the file cannot be written.
    pub fn refuses(&self) -> bool {
        self.facts.lock().error.is_some()
    }

    /// How far the log is durable in the file, if there is one that a start would load.
    pub fn durable(&self) -> Option<Offset> {
        self.facts.lock().durable
    }

    /// Whether the log is durable up to `offset`.
    pub fn is_durable(&self, offset: Offset) -> bool {
        self.durable().is_some_and(|durable| durable >= offset)
    }

    /// The log of `node` has been given another history: nothing of it is in the file, and nothing of it
    /// is promised until it is. The caller has the whole keyspace alone.
    pub fn history_replaced(&self, node: &Node) {
        let mut facts = self.facts.lock();
        facts.durable = None;
        facts.is_lost |= facts.is_listed;
        let is_lost = facts.is_lost;
        drop(facts);
        if is_lost {
            node.barrier.publish(Watermark::Appended, Some(Offset(0)));
        }
    }

    /// Says whom to wake when what is asked for with [`AppendOnly::tell_when_durable`] has come. Once, at
    /// start; `nudge` must be quick and take no lock.
    pub fn set_nudge(&self, nudge: Box<dyn Fn() + Send + Sync>) {
        self.nudge.set(nudge);
    }

    /// Asks to be woken once when the log is durable up to `offset`. Look again behind it.
    pub fn tell_when_durable(&self, offset: Offset) {
        self.tell_at.store(offset.0, Ordering::SeqCst);
    }

    /// The log is durable up to `offset`.
    fn tell_durable(&self, offset: Offset) {
        let asked = self.tell_at.load(Ordering::SeqCst);
        if asked <= offset.0 && self.tell_at.swap(NOWHERE, Ordering::SeqCst) != NOWHERE {
            self.nudge.call();
        }
    }

    /// What they are answered.
    pub(crate) fn refusal(&self) -> CommandError {
        let error = self.facts.lock().error.clone().unwrap_or_default();
        CommandError::Text(format!("MISCONF Errors writing to the AOF file: {error}"))
    }

    /// Sets why writes are refused, or that they are not.
    fn set_error(&self, node: &Node, error: Option<String>) {
        let refuses = error.is_some();
        let before = std::mem::replace(&mut self.facts.lock().error, error);
        if before.is_some() != refuses {
            node.refresh();
        }
    }

    /// Where the increment under way ends. To be asked after the log's end.
    fn rolls_at(&self) -> Option<Offset> {
        let at = self.rolls_at.load(Ordering::Acquire);
        (at != NOWHERE).then_some(Offset(at))
    }

    /// The increment under way goes on.
    fn forget_roll(&self) {
        self.rolls_at.store(NOWHERE, Ordering::Release);
    }

    fn send(&self, request: Request) {
        if let Some(requests) = &mut *self.requests.lock() {
            requests.push_back(request);
        }
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Settings have changed, `appendonly` itself if it `toggles`: the file is begun, as soon as that can be,
    /// or ended. The caller has the whole keyspace alone.
    pub fn settings_changed(&self, node: &Node, alone: &Exclusive<'_>, toggles: bool) {
        let (is_open, is_to_be_closed) = {
            let facts = self.facts.lock();
            // One that was lost is not open, but may refuse writes and be about to begin anew.
            (facts.is_open, facts.is_open || facts.error.is_some() || facts.scheduled.is_some())
        };
        let wanted = node.settings.appendonly.get() && self.thread.get().is_some();
        if wanted && !is_open {
            // One walk to the disk at a time is enough.
            let waits = node.saves.state().running.is_some();
            if waits || self.begin(node, alone, true).is_err() {
                self.schedule(Millis(0));
            }
        } else if toggles && !wanted && is_to_be_closed {
            let mut facts = self.facts.lock();
            let was_rewriting = facts.is_rewriting();
            (facts.is_open, facts.rewrite_began, facts.scheduled) = (false, None, None);
            drop(facts);
            if was_rewriting {
                tracing::info!("Killing AOF child: the rewrite under way is given up");
            }
            self.send(Request::Close);
        }
        self.send(Request::Settings);
        if node.replication.anyone_waits() {
            // For a file that there will not be.
            node.wake_loops();
        }
    }

    /// Begins a rewrite. The caller has the whole keyspace alone.
    ///
    /// # Errors
    /// [`RewriteRefusal`].
    pub fn rewrite(&self, node: &Node, alone: &Exclusive<'_>) -> Result<(), RewriteRefusal> {
        let opens = node.settings.appendonly.get();
        self.begin(node, alone, opens)
    }

    /// Begins a rewrite, and with it the file if it is off and `opens`.
    fn begin(&self, node: &Node, alone: &Exclusive<'_>, opens: bool) -> Result<(), RewriteRefusal> {
        if self.thread.get().is_none() {
            return Err(RewriteRefusal::NotNow);
        }
        if self.facts.lock().is_rewriting() {
            return Err(RewriteRefusal::Running);
        }
        let cut = Cut::take(node, alone).ok_or(RewriteRefusal::NotNow)?;
        let Ok(reader) = node.log.pinned_reader(cut.offset) else {
            cut.discard(node);
            return Err(RewriteRefusal::NotNow);
        };
        if opens {
            self.rolls_at.store(cut.offset.0, Ordering::Release);
        }
        let mut facts = self.facts.lock();
        facts.is_open |= opens;
        facts.scheduled = None;
        facts.rewrite_began = Some(base::clock::monotonic());
        facts.rewrites_begun += 1;
        let number = facts.rewrites_begun;
        drop(facts);
        let is_snapshot = node.settings.aof_use_rdb_preamble.get();
        let reader = opens.then_some(reader);
        self.send(Request::Rewrite { number, cut: Box::new(cut), reader, is_snapshot });
        Ok(())
    }

    /// Asks for a rewrite as soon as one can begin.
    pub fn schedule(&self, at: Millis) {
        self.facts.lock().scheduled = Some(at);
    }

    /// Whether a rewrite is due at `now`: one was asked for, or the file has grown by so much.
    pub fn is_due(&self, node: &Node, now: Millis) -> bool {
        if self.thread.get().is_none() || node.saves.state().running.is_some() {
            return false;
        }
        let facts = self.facts.lock();
        if facts.is_rewriting() {
            return false;
        }
        if facts.scheduled.is_some_and(|at| at <= now) {
            return true;
        }
        if facts.not_before.is_some_and(|at| at > now) {
            return false;
        }
        let settings = &node.settings;
        let percent = settings.auto_aof_rewrite_percentage.get().unsigned_abs();
        let least = settings.auto_aof_rewrite_min_size.get().unsigned_abs();
        let base = facts.base_size.max(1);
        let growth = (facts.size * 100 / base).saturating_sub(100);
        facts.is_open && percent > 0 && facts.size > least && growth >= percent
    }

    /// Waits until everything that is in the log now is durable in the file, if there is one.
    ///
    /// # Errors
    /// The text of what went wrong.
    pub fn flush(&self) -> Result<(), String> {
        self.wait_for(Request::Flush)
    }

    /// Waits until the rewrite under way has ended.
    ///
    /// # Errors
    /// The text of why it failed.
    fn await_rewrite(&self) -> Result<(), String> {
        self.wait_for(Request::Await)
    }

    /// As [`AppendOnly::flush`], and nothing is written any more.
    ///
    /// # Errors
    /// The text of what went wrong; the file is closed all the same.
    pub fn stop(&self) -> Result<(), String> {
        self.wait_for(Request::Stop)
    }

    fn wait_for(
        &self,
        request: impl FnOnce(Sender<Result<(), String>>) -> Request,
    ) -> Result<(), String> {
        if self.thread.get().is_none() {
            return Ok(());
        }
        let (sender, answer) = channel();
        self.send(request(sender));
        answer.recv().unwrap_or_else(|_| Err("the writer's thread has ended".to_owned()))
    }
}

/// Where the append-only file lives that `settings` tell of.
pub fn directory(settings: &Settings, disk: &Arc<dyn Disk>) -> Directory {
    let parent = settings.dir.string();
    let (name, directory) = (settings.appendfilename.string(), settings.appenddirname.string());
    Directory::new(Arc::clone(disk), Path::new(&parent), &directory, &name)
}
