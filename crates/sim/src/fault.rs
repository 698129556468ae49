//! The faults: what is drawn, how it begins and how it ends.
//!
//! A round of a world has one fault that hits the primary and several others, at drawn times, so
//! that they meet. Their spans are bounded: afterwards the network is whole and every thread runs.

use crate::queue::{Event, Part};
use crate::setup::{HOSTS, NODES, Setup, between, pick};
use crate::world::World;
use base::Millis;
use base::random::Random;

/// Faults begin within this time of a round.
const ROUND_START_SPREAD_MS: u64 = 3_000;
/// More faults than the one on the primary, at most.
const MORE_FAULTS_MAX: u64 = 5;
/// The trap springs within this time after a vote.
const TRAP_DELAY_MS: u64 = 3;

/// What a killed node finds on its disk when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    /// The data set as it was last saved. The sentinel's state always survives.
    LastSave,
    /// Nothing of the data set.
    Nothing,
}

/// Whom a fault hits, found out when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Primary,
    /// The first or second of the others.
    Other(usize),
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The process ends at once. `told`: its system closes the connections; otherwise its host has
    /// lost power. `keep`: it is not started again before the group had to do without it.
    Kill { told: bool, survives: Survives, keep: bool },
    /// The server's, the sentinel's or both threads do not run.
    Pause { parts: [bool; 2] },
    /// The node is cut off, with some clients perhaps; one way only the packets it sends are lost.
    Isolate { clients: [bool; 2], one_way: bool },
    /// Packets from the node to another are lost.
    Deaf { to: usize },
    /// Its packets take longer.
    Slow { extra: u64 },
    /// Its connections to another node are reset.
    Flap { with: usize },
    /// Its sentinel's state cannot be saved.
    DiskFails,
    /// The next sentinel that gives its vote to another is killed just after, and comes back soon.
    KillVoter,
}

/// A fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// The node that was hit, once it has begun.
    pub(crate) node: usize,
    /// How long it lasts.
    pub(crate) span: u64,
}

/// A vote will be followed by a crash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    down_for: u64,
}

/// The kinds of faults of one round or run, for the statistics.
#[allow(clippy::struct_excessive_bools, reason = "they are four independent facts to be counted")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Packets were blocked between hosts.
    pub partitions: bool,
    /// Threads did not run.
    pub pauses: bool,
    /// Processes died.
    pub crashes: bool,
    /// Disks failed.
    pub disks: bool,
}

impl Kinds {
    /// Both together.
    pub(crate) fn and(self, other: Kinds) -> Kinds {
        Kinds {
            partitions: self.partitions || other.partitions,
            pauses: self.pauses || other.pauses,
            crashes: self.crashes || other.crashes,
            disks: self.disks || other.disks,
        }
    }
}

impl Fault {
    fn new(kind: Kind, target: Target, span: u64) -> Fault {
        Fault { kind, target, node: 0, span }
    }

    pub(crate) fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::default();
        match self.kind {
            Kind::Kill { .. } | Kind::KillVoter => kinds.crashes = true,
            Kind::Pause { .. } => kinds.pauses = true,
            Kind::Isolate { .. } | Kind::Deaf { .. } => kinds.partitions = true,
            Kind::DiskFails => kinds.disks = true,
            Kind::Slow { .. } | Kind::Flap { .. } => {}
        }
        kinds
    }
}

/// The faults of a round, with the times at which they begin.
pub(crate) fn draw_round(random: &mut Random, setup: &Setup) -> Vec<(u64, Fault)> {
    let first = draw_on_primary(random, setup);
    let mut faults = vec![(between(random, 0, ROUND_START_SPREAD_MS), first)];
    for _ in 0..between(random, 1, MORE_FAULTS_MAX) {
        let fault = draw_other(random, setup);
        faults.push((between(random, 0, ROUND_START_SPREAD_MS), fault));
    }
    faults
}

/// A fault that should make the group fail over.
fn draw_on_primary(random: &mut Random, setup: &Setup) -> Fault {
    let enough = setup.down_after * 3 + 2_000;
    let kind = match random.below(10) {
        0..6 => draw_kill(random),
        6..8 => Kind::Pause { parts: pick(random, &[[true, true], [true, false]]) },
        _ => draw_isolation(random),
    };
    let span = match kind {
        // Now and then so quickly back that nobody notices.
        Kind::Kill { .. } if random.one_in(4) => between(random, 20, setup.down_after),
        _ => between(random, enough, enough * 3),
    };
    Fault::new(kind, Target::Primary, span)
}

fn draw_other(random: &mut Random, setup: &Setup) -> Fault {
    let others = [Target::Primary, Target::Other(0), Target::Other(1), Target::Other(0)];
    let target = pick(random, &others);
    let peer = usize::try_from(random.below(NODES as u64)).unwrap_or(0);
    let kind = match random.below(12) {
        0 | 1 => Kind::Pause { parts: pick(random, &[[true, true], [true, false], [false, true]]) },
        2 | 3 => draw_isolation(random),
        4 | 5 => Kind::Deaf { to: peer },
        6 => Kind::Slow { extra: between(random, 5, 300) },
        7 => Kind::Flap { with: peer },
        8 => Kind::DiskFails,
        9 => draw_kill(random),
        _ => Kind::KillVoter,
    };
    let span = match kind {
        Kind::KillVoter => between(random, 1, 300),
        Kind::Pause { .. } if random.one_in(2) => between(random, 10, setup.down_after),
        _ => between(random, 50, setup.down_after * 4),
    };
    Fault::new(kind, target, span)
}

fn draw_kill(random: &mut Random) -> Kind {
    Kind::Kill {
        told: !random.one_in(3),
        survives: pick(random, &[Survives::LastSave, Survives::Nothing]),
        keep: random.one_in(2),
    }
}

fn draw_isolation(random: &mut Random) -> Kind {
    let clients = [random.one_in(3), random.one_in(3)];
    Kind::Isolate { clients, one_way: random.one_in(3) }
}

impl World {
    /// A fault begins; when it will end is planned.
    pub(crate) fn begin_fault(&mut self, fault: &Fault) {
        let primary = self.named_primary().unwrap_or(0);
        let node = match fault.target {
            Target::Primary => primary,
            Target::Other(index) => (primary + 1 + index) % NODES,
        };
        let fault = Fault { node, ..*fault };
        self.trace.note(self.now, format_args!("fault {fault:?}"));
        self.note_held_by_all();
        self.ledger.kinds = self.ledger.kinds.and(fault.kinds());
        let end = self.now + Millis(fault.span);
        match fault.kind {
            Kind::Kill { told, survives, keep } => {
                if !self.nodes[node].alive {
                    return;
                }
                self.kill(node, told, survives);
                if keep && !self.kept_down.contains(&true) {
                    self.kept_down[node] = true;
                } else {
                    self.queue.plan(end, Event::Restart { node });
                }
                return;
            }
            Kind::Flap { with } => return self.break_connections(node, with),
            Kind::KillVoter => {
                self.trap = Some(Trap { down_for: fault.span });
                return;
            }
            Kind::Slow { extra } => self.network.slow[node] += extra,
            Kind::DiskFails => self.nodes[node].disk.fails += 1,
            Kind::Pause { parts } => {
                for (index, paused) in parts.into_iter().enumerate() {
                    self.nodes[node].pauses[index] += u32::from(paused);
                }
            }
            Kind::Isolate { .. } | Kind::Deaf { .. } => {
                for (from, to) in paths(&fault) {
                    self.block(from, to);
                }
            }
        }
        self.queue.plan(end, Event::Heal(fault));
    }

    /// At the first fault of a round: what everybody holds may not be lost lightly.
    fn note_held_by_all(&mut self) {
        if self.ledger.held_by_all.is_none() {
            let held = |key: &&Vec<u8>| self.nodes.iter().all(|n| n.server.keys.contains_key(*key));
            let keys = self.ledger.acknowledged.iter();
            self.ledger.held_by_all = Some(keys.filter(held).cloned().collect());
        }
    }

    /// A fault ends.
    pub(crate) fn end_fault(&mut self, fault: &Fault) {
        self.trace.note(self.now, format_args!("healed {fault:?}"));
        let node = fault.node;
        match fault.kind {
            Kind::Slow { extra } => self.network.slow[node] -= extra,
            Kind::DiskFails => self.nodes[node].disk.fails -= 1,
            Kind::Pause { parts } => {
                for (index, paused) in parts.into_iter().enumerate() {
                    self.nodes[node].pauses[index] -= u32::from(paused);
                }
                self.wake(node, Part::Server);
                self.wake(node, Part::Watcher);
            }
            Kind::Isolate { .. } | Kind::Deaf { .. } => {
                for (from, to) in paths(fault) {
                    self.unblock(from, to);
                }
            }
            Kind::Kill { .. } | Kind::Flap { .. } | Kind::KillVoter => {}
        }
    }

    /// A sentinel gave its vote to another: if a trap is set, it does not live long.
    pub(crate) fn vote_was_given(&mut self, node: usize) {
        if let Some(trap) = self.trap.take() {
            let life = self.nodes[node].life;
            let at = self.now + Millis(between(&mut self.random, 0, TRAP_DELAY_MS));
            self.queue.plan(at, Event::KillSoon { node, life, down_for: trap.down_for });
        }
    }

    pub(crate) fn spring(&mut self, node: usize, life: u64, down_for: u64) {
        if self.lives(node, life) {
            self.kill(node, true, Survives::LastSave);
            self.queue.plan(self.now + Millis(down_for), Event::Restart { node });
        }
    }
}

/// The directed paths between hosts that a fault blocks.
fn paths(fault: &Fault) -> Vec<(usize, usize)> {
    let node = fault.node;
    match fault.kind {
        Kind::Deaf { to } if to != node => vec![(node, to)],
        Kind::Isolate { clients, one_way } => {
            let inside = |host: usize| {
                host == node || host.checked_sub(NODES).is_some_and(|client| clients[client])
            };
            let pairs = (0..HOSTS).flat_map(|from| (0..HOSTS).map(move |to| (from, to)));
            pairs.filter(|&(a, b)| inside(a) != inside(b) && (!one_way || inside(a))).collect()
        }
        _ => Vec::new(),
    }
}
