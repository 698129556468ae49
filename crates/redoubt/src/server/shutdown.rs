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
    if node.append_only.facts().is_open {
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

/// Tells the client that asked that nothing came of it.
pub(crate) fn report_failure(node: &Node, request: &ShutdownRequest) {
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
    if !go_on {
        end_pause(node);
        tracing::warn!("Shutdown aborted.");
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
