//! The increment that is written: the log, a batch at a time.
//!
//! A *batch* is what is in the log when the writer looks: whole commands and transactions. It ends where
//! the history of the log changes, and where a rewrite's cut is, so that what a note says of the history
//! is true of every byte behind it.

use crate::node::Node;
use aof::{Appender, Note};
use base::{Millis, Offset, RunId};
use oplog::Reader;
use std::path::PathBuf;

/// Bytes of the log that are written at once.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The increment that is written.
pub(super) struct Open {
    pub(super) appender: Appender,
    pub(super) reader: Reader,
    /// Read from the log but not in the file yet.
    pub(super) piece: Vec<u8>,
    pub(super) piece_ends: bool,
    /// Where the batch under way ends.
    pub(super) target: Offset,
    /// The history that the end of the file belongs to, once a note says so.
    pub(super) noted: Option<RunId>,
    /// The database that a new file must choose, since the log may not say it anew.
    pub(super) db: Option<u32>,
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
    /// `appender` goes on where `reader` stands.
    pub(super) fn new(
        appender: Appender,
        reader: Reader,
        db: Option<u32>,
        temporary: Option<PathBuf>,
    ) -> Open {
        let at = reader.position();
        Open {
            appender,
            reader,
            piece: Vec::new(),
            piece_ends: false,
            target: at,
            noted: None,
            db,
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

    /// Reads the next piece; false if there is none. `rolls` is where the file ends.
    pub(super) fn fill(&mut self, node: &Node, rolls: Option<Offset>) -> Result<bool, String> {
        let position = self.reader.position();
        let begins = position == self.target;
        if begins {
            // The end first: a history that is seen now is at least as new as the bytes before it.
            let end = node.log.end();
            let history = node.replication.state().history;
            let (replid, until) = match (self.noted, history.second_offset) {
                (Some(noted), _) if noted == history.replid => (noted, end),
                (Some(noted), Some(at)) if noted == history.replid2 && at > position => (noted, at),
                (Some(noted), Some(at)) if noted == history.replid2 && at == position => {
                    (history.replid, end)
                }
                (Some(_), _) => return Err("the history was replaced".to_owned()),
                (None, Some(at)) if at > position => (history.replid2, at),
                (None, _) => (history.replid, end),
            };
            self.target = end.min(until).min(rolls.unwrap_or(end));
            if self.target == position {
                return Ok(false);
            }
            self.head(node, replid, position);
        }
        let wanted = usize::try_from(self.target - position).unwrap_or(usize::MAX);
        let read = self.reader.read(wanted.min(PIECE_BYTES_MAX), &mut self.piece);
        read.map_err(|error| error.to_string())?;
        self.piece_ends = self.reader.position() == self.target;
        Ok(true)
    }

    /// What stands in front of a batch.
    fn head(&mut self, node: &Node, replid: RunId, position: Offset) {
        if node.settings.aof_timestamp_enabled.get() {
            let now_s = base::clock::unix().0 / 1000;
            if now_s > self.noted_s {
                self.noted_s = now_s;
                Note::Time(now_s).write(&mut self.piece);
            }
        }
        if self.noted != Some(replid) {
            if let Some(db) = self.db.take() {
                oplog::encode_select(db, &mut self.piece);
            }
            Note::Place(replid, position).write(&mut self.piece);
            self.noted = Some(replid);
        }
    }
}
