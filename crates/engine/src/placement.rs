//! Where threads run, and how long at a time: the processors that `server-cpulist` and its kin name, and the
//! scheduler's slices (decision 0018).

use crate::Node;
use base::Processors;
use conf::Text;
use std::io;

/// How long a thread runs at a time when others want its processor. Whoever has shorter ones goes first when it
/// wakes; each one's share stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// For whom clients wait.
    Short,
    /// For who works through everything behind them.
    Long,
}

/// Binds the calling thread to the processors of the first of `lists` that is not empty. If there is none,
/// or it cannot be, the thread stays where the one that started it runs; the log is told of the latter.
pub fn place(lists: &[&Text]) {
    let Some(list) = lists.iter().map(|list| list.string()).find(|list| !list.is_empty()) else {
        return;
    };
    let processors = Processors::parse(list.as_bytes()).ok_or(io::ErrorKind::InvalidInput.into());
    if let Err(error) = processors.and_then(|processors| processors.bind_thread()) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        tracing::warn!("The thread {name} cannot run on the processors {list}: {error}");
    }
}

/// Places the calling thread, which is to write a snapshot: on the processors of `list` or those of the
/// loops, in long slices.
pub fn place_saver(node: &Node, list: &Text) {
    place(&[list, &node.settings.server_cpulist]);
    take_slices(node, Slices::Long);
}

/// Has the calling thread run in such slices, if the program around the node can.
pub(crate) fn take_slices(node: &Node, slices: Slices) {
    if let Some(services) = node.services() {
        services.take_slices(slices);
    }
}
