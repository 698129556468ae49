//! Full syncs: when a cut is made, for whom, and how its snapshot reaches them.
//!
//! With diskless sync a cut waits until the longest waiting replica has waited for the delay, or
//! enough replicas wait; without, it is made at once. A replica that comes while the allowed walks
//! run waits for the next. All replicas of a cut get one format: by mark if every one of them
//! understands it and the sync is diskless.

use super::{
    Action, CUT_RETRY_PERIOD, Cut, CutId, Format, NEWLINE_PERIOD, Primary, ReplicaId, State,
};
use crate::Level;
use base::{Millis, Offset, RunId};

impl Primary {
    /// The cut was made at `offset` of the log, or could not be made. `mark` is a fresh random id
    /// that will end the snapshot if it is sent by mark.
    pub fn handle_cut(
        &mut self,
        now: Millis,
        id: CutId,
        made: Result<Offset, String>,
        mark: RunId,
    ) {
        let Some(cut) = self.cuts.get_mut(&id) else { return };
        let offset = match made {
            Ok(offset) => offset,
            Err(error) => return self.retry_cut(now, id, &error),
        };
        cut.offset = Some(offset);
        let format = cut.format;
        let replicas = self.replicas_of(id);
        let replid = self.history.replid;
        for &replica in &replicas {
            let Some(link) = self.links.get_mut(&replica) else { continue };
            let mut line = Vec::new();
            if !link.legacy {
                line = format!("+FULLRESYNC {replid} {offset}\r\n").into_bytes();
            }
            if format == Format::Mark {
                line.extend_from_slice(format!("$EOF:{mark}\r\n").as_bytes());
                link.state = State::Sending { cut: id, offset, progress: now, has_acked: false };
            }
            if !line.is_empty() {
                self.actions.push_back(Action::Send(replica, line));
            }
        }
        if format == Format::Mark {
            self.actions.push_back(Action::SendSnapshot { cut: id, replicas, mark: Some(mark) });
        }
    }

    /// The snapshot of a cut of format `Length` is whole and has `length` bytes.
    pub fn handle_snapshot_length(&mut self, now: Millis, id: CutId, length: u64) {
        let Some(Cut { format: Format::Length, offset: Some(offset) }) = self.cuts.get(&id) else {
            return;
        };
        let (offset, replicas) = (*offset, self.replicas_of(id));
        for replica in &replicas {
            if let Some(link) = self.links.get_mut(replica) {
                link.state = State::Sending { cut: id, offset, progress: now, has_acked: false };
                let header = format!("${length}\r\n").into_bytes();
                self.actions.push_back(Action::Send(*replica, header));
            }
        }
        self.actions.push_back(Action::SendSnapshot { cut: id, replicas, mark: None });
    }

    /// Bytes of a snapshot left for a replica.
    pub fn handle_progress(&mut self, now: Millis, id: ReplicaId) {
        if let Some(link) = self.links.get_mut(&id)
            && let State::Sending { progress, .. } = &mut link.state
        {
            *progress = now;
        }
    }

    /// A replica was sent the whole snapshot, mark included.
    pub fn handle_snapshot_sent(&mut self, now: Millis, id: ReplicaId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let State::Sending { cut, offset, has_acked, .. } = link.state else { return };
        let by_mark = self.cuts.get(&cut).is_some_and(|cut| cut.format == Format::Mark);
        if link.facts.rdb_only {
            let reason = "the snapshot it asked for was sent".to_owned();
            self.actions.push_back(Action::Disconnect { id, flush: true, reason });
            self.handle_closed(now, id);
            return;
        }
        if by_mark && !has_acked {
            link.state = State::AwaitAck { offset, since: now };
            let name = link.name();
            self.notice(format!(
                "Streamed RDB transfer with replica {name} succeeded (socket). Waiting for REPLCONF \
                 ACK from replica to enable streaming"
            ));
        } else {
            let acked = if has_acked { offset } else { Offset(0) };
            link.state = State::Online { acked, acked_at: now };
            self.start_stream(id, offset);
        }
        self.cancel_cuts_without_replicas();
    }

    /// The walk of a cut failed: its replicas are disconnected and will come again.
    pub fn handle_snapshot_failed(&mut self, now: Millis, id: CutId, error: &str) {
        let text = format!("SYNC failed. The snapshot for replicas broke off: {error}");
        self.actions.push_back(Action::Log(Level::Warning, text));
        for replica in self.replicas_of(id) {
            self.drop_link(now, replica, "the snapshot broke off");
        }
        self.cuts.remove(&id);
        self.cut_not_before = now + CUT_RETRY_PERIOD;
    }

    pub(super) fn start_stream(&mut self, id: ReplicaId, from: Offset) {
        self.actions.push_back(Action::StartStream { id, from });
        let name = self.name(id);
        self.notice(format!("Synchronization with replica {name} succeeded"));
    }

    /// When the next cut is due, if somebody waits and a walk is free.
    pub(super) fn next_cut_at(&self) -> Option<Millis> {
        if self.cuts.len() >= self.settings.cuts_max.max(1) {
            return None;
        }
        let waiting = self.links.values().filter_map(|link| match link.state {
            State::WaitSnapshot { since, .. } => Some((since, link.facts.eof)),
            _ => None,
        });
        let (mut oldest, mut count, mut marks) = (None, 0, true);
        for (since, eof) in waiting {
            oldest = Some(oldest.map_or(since, |oldest: Millis| oldest.min(since)));
            count += 1;
            marks &= eof;
        }
        let enough = self.settings.diskless_max_replicas;
        let delayed = self.settings.diskless && marks && (enough == 0 || count < enough);
        let delay = if delayed { self.settings.diskless_delay } else { Millis(0) };
        oldest.map(|oldest| (oldest + delay).max(self.cut_not_before))
    }

    pub(super) fn start_due_cut(&mut self, now: Millis) {
        if self.next_cut_at().is_none_or(|at| at > now) {
            return;
        }
        let id = CutId(self.next_cut);
        self.next_cut += 1;
        let (mut replicas, mut marks) = (Vec::new(), self.settings.diskless);
        for (&replica, link) in &mut self.links {
            if let State::WaitSnapshot { next_newline, .. } = link.state {
                link.state = State::Cutting { cut: id, next_newline };
                replicas.push(replica);
                marks &= link.facts.eof;
            }
        }
        let (format, target) =
            if marks { (Format::Mark, "replicas sockets") } else { (Format::Length, "disk") };
        self.cuts.insert(id, Cut { format, offset: None });
        self.notice(format!("Starting BGSAVE for SYNC with target: {target}"));
        self.actions.push_back(Action::Cut { cut: id, replicas, format });
    }

    fn retry_cut(&mut self, now: Millis, id: CutId, error: &str) {
        let text = format!("BGSAVE for replication failed: {error}");
        self.actions.push_back(Action::Log(Level::Warning, text));
        for replica in self.replicas_of(id) {
            if let Some(link) = self.links.get_mut(&replica) {
                link.state = State::WaitSnapshot { since: now, next_newline: now + NEWLINE_PERIOD };
            }
        }
        self.cuts.remove(&id);
        self.cut_not_before = now + CUT_RETRY_PERIOD;
    }

    fn replicas_of(&self, id: CutId) -> Vec<ReplicaId> {
        let of_cut = self.links.iter().filter(|(_, link)| link.state.cut() == Some(id));
        of_cut.map(|(&replica, _)| replica).collect()
    }

    /// Ends the walks that have no replica left, whether they were served or have gone.
    pub(super) fn cancel_cuts_without_replicas(&mut self) {
        let idle: Vec<_> =
            self.cuts.keys().copied().filter(|&id| self.replicas_of(id).is_empty()).collect();
        for id in idle {
            self.cuts.remove(&id);
            self.actions.push_back(Action::CancelCut(id));
        }
    }
}
