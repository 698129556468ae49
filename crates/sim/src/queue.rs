//! The events to come, ordered by time and, within a millisecond, by the order in which they were
//! planned. This order is the whole schedule of a run.

use crate::fault::Fault;
use crate::network::{Notice, Packet, Party, Role, Side};
use base::Millis;
use std::collections::BTreeMap;

/// A thread of a node, which may sleep while the other goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Server,
    Watcher,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet reaches a host.
    Packet { connection: u64, to: Side, packet: Packet },
    /// The system tells a process of a connection.
    Notify { party: Party, life: u64, connection: u64, role: Role, notice: Notice },
    /// A connection was not opened in time.
    ConnectTimeout { connection: u64 },
    /// A machine's timer.
    Timer { node: usize, part: Part, life: u64 },
    /// The next piece of a snapshot may be sent to a replica.
    Piece { node: usize, life: u64, replica: u64 },
    /// A snapshot that was received is loaded.
    Loaded { node: usize, life: u64, token: u64 },
    /// A node that starts looks around.
    StartTurn { node: usize, life: u64 },
    /// A node saves its data set.
    Save { node: usize, life: u64 },
    /// A client's timer; stale if `turn` is not its present one.
    ClientTurn { client: usize, turn: u64 },
    /// A fault begins.
    Fault(Fault),
    /// A fault ends.
    Heal(Fault),
    /// A process is killed (a trap that was sprung) and restarted later.
    KillSoon { node: usize, life: u64, down_for: u64 },
    /// A dead node is started.
    Restart { node: usize },
}

/// The events to come.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: BTreeMap<(Millis, u64), Event>,
    planned: u64,
}

impl Queue {
    /// Plans an event.
    pub(crate) fn plan(&mut self, at: Millis, event: Event) {
        self.planned += 1;
        self.events.insert((at, self.planned), event);
    }

    /// The next event not later than `until`, with its time.
    pub(crate) fn next(&mut self, until: Millis) -> Option<(Millis, Event)> {
        let entry = self.events.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
