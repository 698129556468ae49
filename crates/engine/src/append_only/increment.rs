//! The increment that is written: the log, a batch at a time.
//!
//! A *batch* is what is in the log when the writer looks: whole commands and transactions. It ends where
//! the history of the log changes, and where a rewrite's cut is, so that what a sum says of the history
//! is true of every byte behind it.

use crate::node::Node;
use crate::snapshot::Cut;
use aof::{AppendError, Appender, Note};
use base::{Millis, Offset, RunId};
use oplog::Reader;
use psync::history::History;
use std::io;
use std::path::PathBuf;

/// Bytes of the log that are written at once.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// A sync writes a sum if the last is so old, or if the disk may write in parts what has none.
const SUM_AGE: Millis = Millis(500);
/// Bytes that the note of a second has at most.
const TIME_BYTES_MAX: u64 = 32;

/// Why there is no next piece.
pub(super) enum Unfilled {
    /// The log has another history, of which the file knows nothing.
    Lost,
    /// The file could not be told where it stands.
    Disk(AppendError),
}

/// What is known where an increment begins.
#[derive(Clone, Copy, Default)]
pub(super) struct Start {
    /// The history, as the base says it.
    pub(super) noted: Option<RunId>,
    /// The database that must be chosen first.
    pub(super) select: Option<u32>,
}

impl Start {
    /// The beginning of a new increment at `cut`. A primary's log chooses its database behind each cut;
    /// a replica's stream goes on in the one in which it stands.
    pub(super) fn at(node: &Node, cut: &Cut) -> Start {
        if node.originates() {
            Start { noted: Some(cut.replid), select: None }
        } else {
            Start { noted: None, select: Some(cut.stream_db()) }
        }
    }
}

/// The increment that is written.
pub(super) struct Open {
    pub(super) appender: Appender,
    pub(super) reader: Reader,
    /// Read from the log but not in the file yet.
    pub(super) piece: Vec<u8>,
    pub(super) piece_ends: bool,
    /// Where the batch under way ends.
    pub(super) target: Offset,
    /// The history that the end of the file belongs to, if the file says so, or the base before it.
    pub(super) noted: Option<RunId>,
    /// The database that the file must choose, since the log does not say it anew.
    pub(super) select: Option<u32>,
    /// When the last sum was written.
    summed_at: Millis,
    /// The second that was last noted.
    noted_s: u64,
    /// Its name until the manifest on the disk names it.
    pub(super) temporary: Option<PathBuf>,
    /// Since when something in it is not durable.
    pub(super) unsynced_since: Option<Millis>,
    pub(super) written: Offset,
    pub(super) synced: Offset,
}

impl Open {
    /// `appender` goes on where `reader` stands; `start` is what its file says so far.
    pub(super) fn new(
        appender: Appender,
        reader: Reader,
        start: Start,
        temporary: Option<PathBuf>,
    ) -> Open {
        let at = reader.position();
        Open {
            appender,
            reader,
            piece: Vec::new(),
            piece_ends: false,
            target: at,
            noted: start.noted,
            select: start.select,
            summed_at: base::clock::monotonic(),
            noted_s: 0,
            temporary,
            unsynced_since: None,
            written: at,
            synced: at,
        }
    }

    /// Whether the manifest on the disk names it: what is in it counts.
    pub(super) fn is_listed(&self) -> bool {
        self.temporary.is_none()
    }

    /// Reads the next piece; false if there is none.
    pub(super) fn fill(&mut self, node: &Node) -> Result<bool, Unfilled> {
        let position = self.reader.position();
        let begins = position == self.target;
        if begins {
            // The end first: a history that is seen now is at least as new as the bytes before it.
            let end = node.log.end();
            let history = self.history(node).ok_or(Unfilled::Lost)?;
            let (replid, until) = match history.second_offset {
                Some(at) if at > position => (history.replid2, at),
                _ => (history.replid, end),
            };
            let target = end.min(until).min(node.append_only.rolls_at().unwrap_or(end));
            if target == position {
                return Ok(false);
            }
            self.tell_place(replid, position).map_err(Unfilled::Disk)?;
            if self.appender.needs_sum_before(target - position + TIME_BYTES_MAX) {
                self.appender.seal((replid, position)).map_err(Unfilled::Disk)?;
            }
            self.target = target;
            self.head(node);
        }
        let wanted = usize::try_from(self.target - position).unwrap_or(usize::MAX);
        let read = self.reader.read(wanted.min(PIECE_BYTES_MAX), &mut self.piece);
        read.map_err(|_| Unfilled::Lost)?;
        self.piece_ends = self.reader.position() == self.target;
        Ok(true)
    }

    /// The history of the log, which is still the one that the file follows; `None` if it was replaced.
    /// It may have changed its name, several times even: under each it begins with what is in the file.
    fn history(&self, node: &Node) -> Option<History> {
        // Log and history are replaced together, under this lock.
        let state = node.replication.state();
        self.reader.is_current().then_some(state.history)
    }

    /// What follows goes to another file; `start` is what that says so far.
    pub(super) fn go_on_in(&mut self, appender: Appender, start: Start) {
        (self.appender, self.noted, self.select) = (appender, start.noted, start.select);
        self.noted_s = 0;
    }

    /// What stands in front of a batch: the second, if it is to be noted.
    fn head(&mut self, node: &Node) {
        if node.settings.aof_timestamp_enabled.get() {
            let now_s = base::clock::unix().0 / 1000;
            if now_s > self.noted_s {
                self.noted_s = now_s;
                Note::Time(now_s).write(&mut self.piece);
            }
        }
    }

    /// Sees to it that the file says to which history what follows belongs.
    fn tell_place(&mut self, replid: RunId, position: Offset) -> Result<(), AppendError> {
        if self.noted == Some(replid) {
            return Ok(());
        }
        if let Some(db) = self.select {
            let mut request = Vec::new();
            oplog::encode_select(db, &mut request);
            self.appender.write(&request)?;
            self.select = None;
        }
        if let Some(noted) = self.noted {
            self.appender.seal((noted, position))?;
        }
        self.appender.begin((replid, position))?;
        self.noted = Some(replid);
        Ok(())
    }

    /// The end of a server: a sum tells that all before it is durable, so that damage to its end is known
    /// for what it is. Without it everything is there all the same.
    pub(super) fn end(&mut self) {
        if let Some(noted) = self.noted
            && self.is_listed()
            && self.synced == self.target
            && self.appender.begin((noted, self.target)).is_ok()
        {
            let _ = self.appender.sync();
        }
    }

    /// Makes what is in the file durable, and sums it up now and then; never in the middle of a batch.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let now = base::clock::monotonic();
        let due = now.since(self.summed_at) >= SUM_AGE || self.appender.needs_sum();
        if let Some(noted) = self.noted
            && due
            && self.piece.is_empty()
            && self.reader.position() == self.target
        {
            self.summed_at = now;
            // A full disk has no room for it; what it is of can be made durable all the same.
            match self.appender.seal((noted, self.target)) {
                Ok(()) | Err(AppendError::Refused(_)) => {}
                Err(AppendError::Suspect(error)) => return Err(error),
            }
        }
        self.appender.sync()?;
        self.synced = self.written;
        self.unsynced_since = None;
        Ok(())
    }
}
