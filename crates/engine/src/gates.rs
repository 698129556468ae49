//! Gates: what may refuse a command before it runs, in one order.
//!
//! Each command's row says which gates concern it; the node keeps a word of those that are shut at
//! present. One AND of the two lets almost every command pass. The order of [`ORDER`] is the order in
//! which stock tells a client what is wrong.

use crate::command::Registered;
use crate::error::CommandError;
use crate::node::Node;
use crate::session::Session;
use spec::{CommandSpec, Flag};

/// A set of gates, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateSet(pub u32);

/// Memory is above `maxmemory` and nothing may be evicted. Found by each thread for itself.
pub const MEMORY: u32 = 1;
/// The last save failed and `stop-writes-on-bgsave-error` holds.
pub const DISK: u32 = 1 << 1;
/// Fewer good replicas than `min-replicas-to-write`.
pub const FEW_REPLICAS: u32 = 1 << 2;
/// This is a read-only replica.
pub const READ_ONLY: u32 = 1 << 3;
/// This is a replica whose link is down and that may not serve stale data.
pub const STALE: u32 = 1 << 4;
/// The data set is being loaded.
pub const LOADING: u32 = 1 << 5;
/// Writes are paused (CLIENT PAUSE WRITE, a stop).
pub const PAUSED_WRITES: u32 = 1 << 6;
/// Everything is paused (CLIENT PAUSE ALL).
pub const PAUSED: u32 = 1 << 7;

/// There is a limit of memory: room is made before each command. Concerns no command's answer.
pub const LIMITED: u32 = 1 << 8;

/// There is a limit of what clients hold together. Concerns no command's answer.
pub const CLIENTS: u32 = 1 << 9;

/// The append-only file cannot be written.
pub const FILE: u32 = 1 << 10;

/// The append-only file lacks so much of the log, or a snapshot has so much queued, that nothing may be
/// added. Found by each thread for itself.
pub const FULL: u32 = 1 << 11;

/// What a shut gate answers.
type Refusal = fn(&Node) -> CommandError;

/// The gates in the order in which they are asked, with what they answer.
const ORDER: [(u32, Refusal); 7] = [
    (MEMORY, |_| CommandError::OutOfMemory),
    (DISK, |_| CommandError::Misconf),
    (FILE, |node| node.append_only.refusal()),
    (FEW_REPLICAS, |_| CommandError::NoReplicas),
    (READ_ONLY, |_| CommandError::ReadOnly),
    (STALE, |_| CommandError::MasterDown),
    (LOADING, |_| CommandError::Loading),
];

/// The gates that concern a command of this row.
pub fn concerned(spec: &CommandSpec) -> GateSet {
    let flags = spec.flag_set();
    let write = flags.has(Flag::Write);
    let mut gates = PAUSED;
    if spec.name == "exec" {
        gates |= PAUSED_WRITES | FULL;
    }
    if flags.has(Flag::DenyOom) {
        gates |= MEMORY;
    }
    if write {
        gates |= FEW_REPLICAS | READ_ONLY;
    }
    if write || spec.name == "ping" {
        gates |= DISK | FILE;
    }
    if write || flags.has(Flag::MayReplicate) {
        gates |= PAUSED_WRITES | FULL;
    }
    if !flags.has(Flag::Stale) {
        gates |= STALE;
    }
    if !flags.has(Flag::Loading) {
        gates |= LOADING;
    }
    GateSet(gates)
}

/// What the gates say.
#[derive(Debug)]
pub enum Verdict {
    /// Run it.
    Pass,
    /// Do not run it now; try again later.
    Wait,
    /// Refuse it.
    Refuse(CommandError),
}

/// Asks the gates that are shut and concern `command`; `own` are those that the calling thread has
/// shut for itself. One branch when none does.
#[inline]
pub fn ask(node: &Node, session: &Session, command: &Registered, own: u32) -> Verdict {
    let shut = (node.shut_gates() | own) & command.gates.0;
    if shut == 0 && session.is_plain() {
        return Verdict::Pass;
    }
    ask_each(node, session, command, shut)
}

#[cold]
fn ask_each(node: &Node, session: &Session, command: &Registered, shut: u32) -> Verdict {
    if !session.authenticated && !command.flags.has(Flag::NoAuth) {
        return Verdict::Refuse(CommandError::NoAuth);
    }
    if session.queue.is_some() && command.flags.has(Flag::NoMulti) {
        return Verdict::Refuse(CommandError::NotInTransaction);
    }
    let looks_at_keys = [Flag::Write, Flag::MayReplicate, Flag::ReadOnly];
    if session.monitors && looks_at_keys.iter().any(|flag| command.flags.has(*flag)) {
        return Verdict::Refuse(CommandError::text("ERR Replica can't interact with the keyspace"));
    }
    for (gate, error) in &ORDER {
        if shut & gate != 0 {
            return Verdict::Refuse(error(node));
        }
    }
    let subscribes = session.is_subscriber_only() && !session.executing;
    if subscribes && !allowed_to_subscribers(command) {
        return Verdict::Refuse(CommandError::Subscribed(command.full_name.clone()));
    }
    let paused = shut & (PAUSED | PAUSED_WRITES) != 0;
    let queued = session.queue.is_some() && command.command.spec.name != "exec";
    if shut & FULL != 0 && !session.executing && !queued {
        return Verdict::Wait;
    }
    if paused && !session.executing && !queued && node.pause.holds(command, session) {
        return Verdict::Wait;
    }
    Verdict::Pass
}

fn allowed_to_subscribers(command: &Registered) -> bool {
    matches!(
        command.command.spec.name,
        "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "ping"
            | "quit"
            | "reset"
    )
}
