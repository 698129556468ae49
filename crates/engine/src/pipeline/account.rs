//! What a command that has run leaves in statistics, latencies, and the logs of slow and large ones.

use super::worker::Worker;
use crate::args::{OwnedRequest, Request};
use crate::command::Registered;
use crate::commandlog::{self, Reason};
use crate::session::Session;
use crate::stats::add;
use base::Millis;
use spec::Flag;

impl Worker<'_> {
    #[inline]
    pub(super) fn account(
        &mut self,
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        (failed, reply_bytes): (bool, usize),
    ) {
        let before = self.clock_us;
        self.clock_us = base::clock::monotonic_us();
        let spent = self.clock_us.saturating_sub(before);
        if !session.executing {
            // For the next command; those of a transaction share one time.
            let (time, at_us) = self.read;
            self.now = time + Millis(self.clock_us.saturating_sub(at_us) / 1000);
        }
        if let Some(stat) = self.stats.commands.get(command.index) {
            add(&stat.calls, 1);
            add(&stat.usec, spent);
            if failed {
                add(&stat.failed, 1);
            }
            if self.node.settings.latency_tracking.get() {
                stat.latency.record(spent);
            }
        }
        let monitored = self.node.settings.latency_monitor_threshold.get();
        if monitored > 0 {
            let fast = command.flags.has(Flag::Fast);
            let event = if fast { "fast-command" } else { "command" };
            self.node.latency.note(monitored, event, spent);
        }
        add(&self.stats.processed, 1);
        add(&self.stats.command_us, spent);
        add(&session.info.commands, 1);
        if self.node.hotkeys.is_active() {
            let bytes = (request.span_bytes() + reply_bytes) as u64;
            self.node.hotkeys.note(command, request, spent, bytes);
        }
        if command.flags.has(Flag::SkipSlowlog) {
            return;
        }
        let settings = &self.node.settings;
        let remember = |threshold: i64, amount: u64, reason: Reason| {
            if threshold >= 0 && amount >= threshold.unsigned_abs() {
                self.remember(session, command, request, (reason, amount));
            }
        };
        let (asked, answered) = (request.span_bytes() as u64, reply_bytes as u64);
        remember(settings.slowlog_log_slower_than.get(), spent, Reason::Slow);
        remember(settings.commandlog_request_larger_than.get(), asked, Reason::LargeRequest);
        remember(settings.commandlog_reply_larger_than.get(), answered, Reason::LargeReply);
    }

    #[cold]
    fn remember(
        &self,
        session: &Session,
        command: &'static Registered,
        request: Request<'_>,
        (reason, amount): (Reason, u64),
    ) {
        let settings = &self.node.settings;
        let len_max = match reason {
            Reason::Slow => settings.slowlog_max_len.size(),
            Reason::LargeRequest => settings.commandlog_large_request_max_len.size(),
            Reason::LargeReply => settings.commandlog_large_reply_max_len.size(),
        };
        if len_max == 0 {
            return;
        }
        let name = session.info.names.lock().name.clone();
        let redacted = commandlog::redacted(&command.full_name, request);
        let request = redacted.as_ref().map_or(request, OwnedRequest::request);
        let log = self.node.commandlogs.of(reason);
        log.add(len_max, amount, request, &session.info.address, name);
    }
}
