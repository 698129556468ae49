//! How far the writer has come: what is made durable, and when; and who is told.

use super::{OVERDUE_AGE, SYNC_AGE, Writer};
use crate::append_only::Facts;
use crate::append_only::increment::Open;
use crate::barrier::Watermark;
use base::lock::MutexGuard;
use base::{Millis, Offset};
use conf::AppendFsync;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

impl Writer {
    pub(super) fn sync_if_due(&mut self, now: Millis) {
        let policy = self.policy();
        let Some(open) = &self.open else { return };
        let spares = self.spares_syncs();
        let Some(since) = open.unsynced_since else { return };
        let due = match policy {
            AppendFsync::Always => true,
            AppendFsync::Everysec => now.since(since) >= SYNC_AGE,
            AppendFsync::No => false,
        };
        if policy != AppendFsync::Everysec || spares {
            self.publish_overdue(None);
        } else if open.is_listed() {
            self.publish_overdue(Some(since + OVERDUE_AGE));
        }
        if !due || spares {
            return;
        }
        if let Err(error) = self.sync() {
            self.lose("it cannot be synced", Some(&error));
        }
    }

    /// Whether syncs are put off while the disk has a snapshot to take.
    pub(super) fn spares_syncs(&self) -> bool {
        self.node.settings.no_appendfsync_on_rewrite.get()
            && (self.rewrite.is_some() || self.node.saves.state().running.is_some())
    }

    /// Makes what is in the file durable.
    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let began = base::clock::monotonic();
        let slowed_us = self.node.append_only.flush_sleep_us.load(Ordering::Relaxed);
        if slowed_us > 0 {
            thread::sleep(Duration::from_micros(slowed_us));
        }
        open.sync()?;
        if base::clock::monotonic().since(began) > OVERDUE_AGE {
            self.node.append_only.facts().delayed_syncs += 1;
        }
        if self.open.as_ref().is_some_and(Open::is_listed) {
            self.publish_overdue(None);
        }
        self.publish();
        Ok(())
    }

    /// Tells the barrier from when on replies wait for a sync.
    pub(super) fn publish_overdue(&self, at: Option<Millis>) {
        if self.node.barrier.publish_overdue(at) {
            self.node.wake_loops();
        }
    }

    /// Tells the barrier, and INFO, how far it has come.
    pub(super) fn publish(&self) {
        self.publish_with(self.facts());
    }

    /// As [`Writer::publish`], together with what has been changed in `facts`.
    pub(super) fn publish_with(&self, mut facts: MutexGuard<'_, Facts>) {
        let always = self.policy() == AppendFsync::Always;
        let open = self.open.as_ref();
        let listed = open.filter(|open| open.is_listed());
        // With the facts locked: whoever replaces the history says so there behind that.
        let current = listed.filter(|open| open.reader.is_current());
        facts.is_listed = listed.is_some();
        facts.is_lost &= current.is_none();
        let is_lost = facts.is_lost;
        if let Some(open) = open {
            (facts.written, facts.synced) = (open.written, open.synced);
        }
        let durable = current.map(|open| open.synced);
        let is_more = std::mem::replace(&mut facts.durable, durable) < durable;
        drop(facts);
        if let Some(durable) = durable.filter(|_| is_more) {
            self.node.append_only.tell_durable(durable);
            if self.node.replication.anyone_waits() {
                self.node.wake_loops();
            }
        }
        self.node.barrier.set_orders_reads(always && (is_lost || listed.is_some()));
        // A file that was lost lets nothing more pass until it is there again.
        if is_lost {
            return;
        }
        let at = listed.map(|open| if always { open.synced } else { open.written });
        if self.node.barrier.publish(Watermark::Appended, at) {
            self.node.wake_loops();
        }
        if listed.is_some_and(|open| !open.reader.is_current()) {
            // Its history was replaced just now: what was published is no place in the new one.
            self.node.barrier.publish(Watermark::Appended, Some(Offset(0)));
        }
    }
}
