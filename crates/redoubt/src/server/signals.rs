//! SIGTERM and SIGINT: a stop as `shutdown-on-sigterm` and `shutdown-on-sigint` want it.
//!
//! A second SIGINT while a stop is under way ends the process at once, and so does either while the
//! data is loaded at the start, of which nothing can be lost.

use super::services::Order;
use super::shutdown::Stops;
use conf::ShutdownOn;
use engine::Node;
use engine::node::ShutdownRequest;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::{process, thread};

/// Lets the end of a terminal, and rotators of logs, that send SIGHUP go by, as stock does.
///
/// # Errors
/// Those of the system.
pub(super) fn ignore_hangups() -> io::Result<()> {
    // Nobody looks whether one has come.
    signal_hook::flag::register(SIGHUP, Arc::default()).map(drop)
}

/// Starts the thread that waits for signals.
///
/// # Errors
/// The text of what went wrong.
pub(super) fn watch(
    node: &Arc<Node>,
    stops: &Arc<Stops>,
    orders: Sender<Order>,
) -> Result<(), String> {
    let cannot = |error| format!("cannot watch signals: {error}");
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map_err(cannot)?;
    let (node, stops) = (Arc::clone(node), Arc::clone(stops));
    let body = move || {
        for signal in signals.forever() {
            if signal == SIGINT && stops.are_pending() {
                tracing::warn!("You insist... exiting now.");
                leave(&node, 1);
            }
            if node.loading.load(Ordering::Acquire) {
                tracing::warn!("Received shutdown signal during loading, exiting now.");
                leave(&node, 0);
            }
            let settings = &node.settings;
            let (name, on) = if signal == SIGINT {
                ("SIGINT", settings.shutdown_on_sigint.get())
            } else {
                ("SIGTERM", settings.shutdown_on_sigterm.get())
            };
            tracing::warn!("Received {name} scheduling shutdown...");
            if orders.send(Order::Stop(stops.ask(), request_of(on))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(body).map(drop).map_err(cannot)
}

/// Ends the process without saving; the snapshot that may be half written goes.
fn leave(node: &Node, code: i32) -> ! {
    let dir = node.settings.dir.string();
    // It is there only while somebody saves.
    let _ = node.disk.remove(&Path::new(&dir).join(rdb::temporary_name(process::id())));
    process::exit(code)
}

fn request_of(on: ShutdownOn) -> ShutdownRequest {
    let save = if on.save {
        Some(true)
    } else if on.nosave {
        Some(false)
    } else {
        None
    };
    ShutdownRequest { save, now: on.now, force: on.force, asked_by: None }
}
