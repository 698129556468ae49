//! The end of a server: wait for the replicas, save, stop.

use base::Millis;
use engine::Node;
use engine::mailbox::Message;
use engine::node::ShutdownRequest;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the replicas' progress is looked at.
const LOOK_MS: u64 = 10;

/// Brings the data to safety. True if the server may end now.
pub(crate) fn prepare(node: &Arc<Node>, request: &ShutdownRequest, aborted: &AtomicBool) -> bool {
    tracing::warn!("User requested shutdown...");
    let timeout = Millis(node.settings.shutdown_timeout.get().unsigned_abs() * 1000);
    let deadline = base::clock::monotonic() + timeout;
    if !request.now && !wait_for_replicas(node, deadline, aborted) {
        return false;
    }
    tell_of_replicas(node);
    let (is_open, begins) = {
        let facts = node.append_only.facts();
        (facts.is_open, facts.is_open && !facts.is_listed)
    };
    if begins && !request.force {
        tracing::warn!("Writing initial AOF, can't exit.");
        end_pause(node);
        return false;
    }
    if is_open && !begins {
        // Nothing may be acknowledged that the file lacks.
        node.pause.begin(Millis(u64::MAX), true);
        node.refresh();
        tracing::info!("Calling fsync() on the AOF file.");
        if let Err(text) = node.append_only.flush() {
            tracing::error!("Error writing the AOF file, can't exit: {text}");
            if !request.force {
                end_pause(node);
                return false;
            }
        }
    }
    let wanted = request.save.unwrap_or_else(|| !node.settings.save.get().is_empty());
    if wanted {
        tracing::info!("Saving the final RDB snapshot before exiting.");
        // Nothing may be acknowledged that the snapshot lacks.
        node.pause.begin(Millis(u64::MAX), true);
        node.refresh();
        node.saves.abort();
        wait_for_saver(node);
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

/// Pauses writes until the replicas have everything or the time is up; false if it was aborted.
fn wait_for_replicas(node: &Node, deadline: Millis, aborted: &AtomicBool) -> bool {
    let lagging = || {
        let end = node.log.end();
        let state = node.replication.state();
        state.acked.iter().any(|&acked| acked < end)
    };
    if node.replication.is_replica() || !lagging() {
        return true;
    }
    tracing::info!("Waiting for replicas before shutting down.");
    node.pause.begin(deadline, true);
    node.refresh();
    node.replication.note_waiting(true);
    node.stops_at_ms.store(deadline.0, Ordering::Release);
    let mut go_on = true;
    while lagging() && base::clock::monotonic() < deadline {
        if aborted.load(Ordering::Acquire) {
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
        tracing::warn!("Shutdown manually aborted.");
    }
    go_on
}

fn end_pause(node: &Node) {
    node.pause.end();
    node.refresh();
    node.wake_loops();
}

fn wait_for_saver(node: &Node) {
    while node.saves.state().running.is_some() {
        thread::sleep(Duration::from_millis(LOOK_MS));
    }
}
