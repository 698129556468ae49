//! The end of a server: wait for the replicas, save, stop.

use base::Millis;
use engine::Node;
use engine::mailbox::Message;
use engine::node::ShutdownRequest;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How often the replicas' progress is looked at.
const LOOK_MS: u64 = 10;

/// The stops that were asked for, by number, and which of them were called off (SHUTDOWN ABORT).
#[derive(Debug, Default)]
pub(crate) struct Stops {
    asked: AtomicU64,
    ended: AtomicU64,
    called_off: AtomicU64,
}

impl Stops {
    /// Gives the number of one more.
    pub(crate) fn ask(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether one is under way, or about to be.
    pub(crate) fn are_pending(&self) -> bool {
        let over = [&self.ended, &self.called_off].map(|number| number.load(Ordering::Acquire));
        over.iter().all(|&number| number < self.asked.load(Ordering::Acquire))
    }

    /// Calls off all that are; false if none is.
    pub(crate) fn call_off(&self) -> bool {
        let pending = self.are_pending();
        if pending {
            self.called_off.fetch_max(self.asked.load(Ordering::Acquire), Ordering::AcqRel);
        }
        pending
    }

    /// Whether that one was called off.
    pub(crate) fn is_called_off(&self, number: u64) -> bool {
        self.called_off.load(Ordering::Acquire) >= number
    }

    /// That one has come to nothing.
    pub(crate) fn end(&self, number: u64) {
        self.ended.fetch_max(number, Ordering::AcqRel);
    }
}

/// Brings the data to safety. True if the server may end now.
pub(crate) fn prepare(
    node: &Arc<Node>,
    request: &ShutdownRequest,
    is_called_off: &dyn Fn() -> bool,
) -> bool {
    tracing::warn!("User requested shutdown...");
    // A signal is for cron to take up, which DEBUG PAUSE-CRON holds.
    let is_signal = request.asked_by.is_none();
    while is_signal && node.cron_paused.load(Ordering::Relaxed) && !is_called_off() {
        thread::sleep(Duration::from_millis(LOOK_MS));
    }
    if is_called_off() {
        return false;
    }
    let timeout = Millis(node.settings.shutdown_timeout.get().unsigned_abs() * 1000);
    let deadline = base::clock::monotonic() + timeout;
    if !request.now && !wait_for_replicas(node, deadline, is_called_off) {
        return false;
    }
    tell_of_replicas(node);
    let (is_open, begins, lost_to) = {
        let facts = node.append_only.facts();
        // A file that waits for a save to end has not begun either.
        let waits = facts.scheduled.is_some() && facts.error.is_none();
        let waits = waits && !facts.is_open && node.settings.appendonly.get();
        // What memory has is not in the file that is there.
        let lost_to = facts.error.clone().filter(|_| !facts.is_open);
        (facts.is_open, waits || facts.is_open && !facts.is_listed, lost_to)
    };
    if begins && !request.force {
        tracing::warn!("Writing initial AOF, can't exit.");
        end_pause(node);
        return false;
    }
    if is_open && !begins {
        // Nothing may be acknowledged that the file lacks.
        begin_pause(node);
        tracing::info!("Calling fsync() on the AOF file.");
    }
    let flushed = match lost_to {
        Some(text) => Err(text),
        None if is_open && !begins => node.append_only.flush(),
        None => Ok(()),
    };
    if let Err(text) = flushed {
        tracing::error!("Error writing the AOF file, can't exit: {text}");
        if !request.force {
            end_pause(node);
            return false;
        }
    }
    let wanted = request.save.unwrap_or_else(|| !node.settings.save.get().is_empty());
    if wanted {
        tracing::info!("Saving the final RDB snapshot before exiting.");
        // Nothing may be acknowledged that the snapshot lacks.
        begin_pause(node);
        if let Err(text) = engine::snapshot::save_at_exit(node) {
            tracing::error!("Error trying to save the DB, can't exit: {text}");
            if !request.force {
                end_pause(node);
                return false;
            }
        }
    }
    true
}

/// Says which replicas hold everything.
fn tell_of_replicas(node: &Node) {
    let end = node.log.end();
    let state = node.replication.state();
    let lagging = state.replicas.iter().filter(|row| row.offset < end);
    for row in lagging.clone() {
        tracing::info!(
            "Lagging replica {}:{} reported offset {} behind master, lag={}, state={}.",
            row.host,
            row.port,
            end - row.offset,
            row.lag_ms / 1000,
            row.state
        );
    }
    let count = state.replicas.len();
    if count > 0 {
        let synced = count - lagging.count();
        tracing::info!("{synced} of {count} replicas are in sync when shutting down.");
    }
}

/// Tells the client that asked that nothing came of it.
pub(crate) fn report_failure(node: &Node, request: &ShutdownRequest) {
    tracing::warn!("Errors trying to shut down the server. Check the logs for more information.");
    if let Some((client, home)) = request.asked_by
        && let Some(mailbox) = node.mailboxes().get(home)
    {
        mailbox.send(Message::ShutdownFailed(client));
    }
}

/// Pauses writes until the replicas have everything or the time is up; false if it was called off.
fn wait_for_replicas(node: &Node, deadline: Millis, is_called_off: &dyn Fn() -> bool) -> bool {
    let lagging = || {
        let end = node.log.end();
        let state = node.replication.state();
        state.acked.iter().any(|&acked| acked < end)
    };
    if node.replication.is_replica() || !lagging() {
        return true;
    }
    tracing::info!("Waiting for replicas before shutting down.");
    begin_pause(node);
    // Before anybody asks whether replicas are still to be asked.
    node.stops_at_ms.store(deadline.0, Ordering::Release);
    node.replication.note_waiting(true);
    let mut go_on = true;
    while lagging() && base::clock::monotonic() < deadline {
        if is_called_off() {
            go_on = false;
            break;
        }
        // Acknowledgements come at their own time; this thread has nothing else to do.
        thread::sleep(Duration::from_millis(LOOK_MS));
    }
    node.replication.note_waiting(false);
    node.stops_at_ms.store(0, Ordering::Release);
    if !go_on {
        end_pause(node);
    }
    go_on
}

/// From here on nothing is written: what was about to be has been.
fn begin_pause(node: &Node) {
    node.pause.begin_stop();
    node.refresh();
    // Whoever had passed the gates before is inside until its command has run.
    drop(node.keyspace.gate.exclusive());
}

/// The stop has come to nothing. A pause of clients goes on.
fn end_pause(node: &Node) {
    node.pause.end_stop();
    node.refresh();
    node.wake_loops();
}

#[cfg(test)]
mod tests {
    use super::*;
    use conf::Settings;

    #[test]
    fn a_stop_goes_on_when_nobody_is_in_the_middle_of_a_command() {
        let settings = Arc::new(Settings::default());
        let node = Node::new(settings, None, &commands::all(), &[], 1, None);
        let writer = node.keyspace.gate.seat().expect("a thread's place");
        writer.enter();
        thread::scope(|scope| {
            let stopping = scope.spawn(|| begin_pause(&node));
            while !node.keyspace.gate.is_closed() && !stopping.is_finished() {
                thread::yield_now();
            }
            let is_early = stopping.is_finished();
            writer.leave();
            assert!(!is_early && node.pause.is_running(base::clock::monotonic()));
        });
    }

    #[test]
    fn a_file_that_was_lost_to_an_error_keeps_the_server_from_ending() {
        let settings = Arc::new(Settings::default());
        settings.appendonly.set(true);
        settings.save.set(Arc::default());
        let node = Arc::new(Node::new(settings, None, &commands::all(), &[], 1, None));
        let prepared = |force| {
            let request = ShutdownRequest { force, now: true, ..ShutdownRequest::default() };
            prepare(&node, &request, &|| false)
        };
        assert!(prepared(false));
        node.append_only.facts().error = Some("Input/output error".to_owned());
        // It is about to begin anew.
        node.append_only.schedule(base::clock::monotonic() + Millis(1000));
        assert!(!prepared(false));
        assert!(!node.pause.is_running(base::clock::monotonic()), "writes go on");
        assert!(prepared(true));
    }

    #[test]
    fn a_stop_is_called_off_with_those_before_it() {
        let stops = Stops::default();
        assert!(!stops.call_off());
        let (first, second) = (stops.ask(), stops.ask());
        assert!(stops.call_off() && !stops.call_off());
        let third = stops.ask();
        assert!(stops.is_called_off(first) && stops.is_called_off(second));
        assert!(!stops.is_called_off(third) && stops.are_pending());
        stops.end(first);
        assert!(stops.are_pending());
        stops.end(third);
        assert!(!stops.are_pending() && !stops.call_off());
    }
}
