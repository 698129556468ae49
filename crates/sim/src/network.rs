//! The simulated network: connections that behave as TCP does.
//!
//! Within a direction of a connection bytes arrive in order, once or not at all; between connections
//! there is no order. A lost packet is sent again and delays those behind it. A blocked path
//! swallows packets until it opens, then they are sent again; nobody is told. A process that dies
//! closes its connections, a host without power closes none, and whoever speaks to an end that is
//! gone is told so by a reset, if the host is there to tell.

use crate::queue::{Event, Part};
use crate::setup::{HOSTS, NODES, between};
use crate::world::World;
use base::Millis;
use sentinel::{LinkId, Reply};
use std::collections::BTreeMap;

/// A connection that is not open after this time is given up by who opens it: what a driver owes
/// machines whose link would otherwise hang for as long as the kernel tries.
pub(crate) const CONNECT_TIMEOUT_MS: u64 = 1_000;
/// The shortest time after which a lost packet is sent again.
const RESEND_MIN_MS: u64 = 200;
/// After a path opens, what was stalled on it is sent again within this time.
const RESEND_AFTER_HEAL_MS: u64 = 800;

/// Who holds an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Server(usize),
    Watcher(usize),
    Client(usize),
}

impl Party {
    pub(crate) fn host(self) -> usize {
        match self {
            Party::Server(node) | Party::Watcher(node) => node,
            Party::Client(client) => NODES + client,
        }
    }

    /// The node and its thread, unless it is a client.
    pub(crate) fn part(self) -> Option<(usize, Part)> {
        match self {
            Party::Server(node) => Some((node, Part::Server)),
            Party::Watcher(node) => Some((node, Part::Watcher)),
            Party::Client(_) => None,
        }
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Caller,
    Callee,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    fn index(self) -> usize {
        match self {
            Side::Caller => 0,
            Side::Callee => 1,
        }
    }
}

/// What a starting node asks of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Sentinel,
    Server,
}

/// Why the caller opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A sentinel's link.
    Link(LinkId),
    /// A replica's link to its primary.
    Replication,
    /// A client's.
    Client,
    /// A starting node's question.
    Start(Question),
}

/// What a party is to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Caller(Purpose),
    Callee,
}

/// What travels on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Command(Vec<Vec<u8>>),
    Reply(Reply),
    Bytes(Vec<u8>),
}

/// What travels between hosts.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Open,
    Opened,
    Data(Payload),
    Close,
    Reset,
}

/// What a process learns.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Opened,
    Closed,
    Data(Payload),
}

#[derive(Clone, Debug)]
struct Connection {
    parties: [Party; 2],
    /// The lives of the processes that hold the ends.
    lives: [u64; 2],
    purpose: Purpose,
    opened: bool,
    /// Which ends exist.
    ends: [bool; 2],
    /// When the last packet towards each end arrives.
    last_arrival: [Millis; 2],
}

#[derive(Clone, Debug)]
struct Stalled {
    connection: u64,
    to: Side,
    packet: Packet,
}

/// The state of the network.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// How many faults block the path from one host to another.
    blocked: [[u32; HOSTS]; HOSTS],
    stalled: BTreeMap<(usize, usize), Vec<Stalled>>,
    /// Extra latency of a host.
    pub(crate) slow: [u64; HOSTS],
}

impl World {
    /// Opens a connection; the caller will be told.
    pub(crate) fn open(&mut self, caller: Party, callee: Party, purpose: Purpose) -> u64 {
        let id = self.network.next_connection;
        self.network.next_connection += 1;
        let connection = Connection {
            parties: [caller, callee],
            lives: [self.life_of(caller), 0],
            purpose,
            opened: false,
            ends: [true, false],
            last_arrival: [Millis(0); 2],
        };
        self.network.connections.insert(id, connection);
        self.transmit(id, Side::Callee, Packet::Open);
        let at = self.now + Millis(CONNECT_TIMEOUT_MS);
        self.queue.plan(at, Event::ConnectTimeout { connection: id });
        id
    }

    /// Sends something on a connection. Nothing happens if our end is gone.
    pub(crate) fn send(&mut self, connection: u64, to: Side, payload: Payload) {
        let open = self.network.connections.get(&connection);
        if open.is_some_and(|open| open.ends[to.other().index()]) {
            self.transmit(connection, to, Packet::Data(payload));
        }
    }

    /// Closes our end of a connection; the process hears no more of it.
    pub(crate) fn close(&mut self, connection: u64, own: Side) {
        let Some(open) = self.network.connections.get_mut(&connection) else { return };
        if std::mem::take(&mut open.ends[own.index()]) {
            self.transmit(connection, own.other(), Packet::Close);
        }
    }

    fn transmit(&mut self, id: u64, to: Side, packet: Packet) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let from = connection.parties[to.other().index()].host();
        let target = connection.parties[to.index()].host();
        if self.network.blocked[from][target] > 0 {
            let stalled = Stalled { connection: id, to, packet };
            self.network.stalled.entry((from, target)).or_default().push(stalled);
            return;
        }
        let latency = self.latency(from, target);
        self.deliver(id, to, packet, latency);
    }

    fn deliver(&mut self, id: u64, to: Side, packet: Packet, latency: u64) {
        let at = self.now + Millis(latency);
        let Some(connection) = self.network.connections.get_mut(&id) else { return };
        let last = &mut connection.last_arrival[to.index()];
        *last = at.max(*last);
        let event = Event::Packet { connection: id, to, packet };
        self.queue.plan(*last, event);
    }

    fn latency(&mut self, from: usize, to: usize) -> u64 {
        if from == to {
            return 0;
        }
        let setup = &self.setup;
        let mut latency = setup.latency_min + self.random.below(setup.latency_spread + 1);
        latency += self.network.slow[from] + self.network.slow[to];
        let loss = self.setup.loss_one_in;
        let mut resend = RESEND_MIN_MS;
        while self.random.one_in(loss) {
            latency += resend;
            resend *= 2;
        }
        latency
    }

    /// A packet arrived at a host: what its system does, without asking the process.
    pub(crate) fn packet_arrives(&mut self, id: u64, to: Side, packet: Packet) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let party = connection.parties[to.index()];
        if !self.is_powered(party.host()) {
            return;
        }
        let end = connection.ends[to.index()];
        match packet {
            Packet::Open if self.listens(party) => {
                let life = self.life_of(party);
                if let Some(connection) = self.network.connections.get_mut(&id) {
                    connection.ends[to.index()] = true;
                    connection.lives[to.index()] = life;
                }
                self.transmit(id, to.other(), Packet::Opened);
            }
            Packet::Opened if end => {
                if let Some(connection) = self.network.connections.get_mut(&id) {
                    connection.opened = true;
                }
                self.notify(id, to, Notice::Opened);
            }
            Packet::Data(payload) if end => self.notify(id, to, Notice::Data(payload)),
            Packet::Open | Packet::Opened | Packet::Data(_) => {
                self.transmit(id, to.other(), Packet::Reset);
            }
            Packet::Close | Packet::Reset => {
                if end {
                    self.notify(id, to, Notice::Closed);
                }
                if let Some(connection) = self.network.connections.get_mut(&id) {
                    connection.ends[to.index()] = false;
                    // What is still under way the other way will be answered by a reset.
                    if !connection.ends[to.other().index()] {
                        self.network.connections.remove(&id);
                    }
                }
            }
        }
    }

    fn notify(&mut self, id: u64, side: Side, notice: Notice) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let party = connection.parties[side.index()];
        let life = connection.lives[side.index()];
        let role = match side {
            Side::Caller => Role::Caller(connection.purpose),
            Side::Callee => Role::Callee,
        };
        self.happen(Event::Notify { party, life, connection: id, role, notice });
    }

    /// Gives up a connection that is not open yet.
    pub(crate) fn connect_timed_out(&mut self, id: u64) {
        let Some(connection) = self.network.connections.get_mut(&id) else { return };
        if !connection.opened && connection.ends[0] {
            self.notify(id, Side::Caller, Notice::Closed);
            self.close(id, Side::Caller);
        }
    }

    /// Ends what a process held. Its peers are told only if the host is alive to tell them.
    pub(crate) fn drop_connections_of(&mut self, node: usize, told: bool) {
        let held = |party: Party| party.part().is_some_and(|(of, _)| of == node);
        for id in self.network.connections.keys().copied().collect::<Vec<_>>() {
            for side in [Side::Caller, Side::Callee] {
                let Some(connection) = self.network.connections.get_mut(&id) else { break };
                if !held(connection.parties[side.index()]) {
                    continue;
                }
                if told {
                    self.close(id, side);
                } else {
                    connection.ends[side.index()] = false;
                }
            }
        }
    }

    /// Resets every connection between two hosts, as a firewall that lost its table does.
    pub(crate) fn break_connections(&mut self, one: usize, other: usize) {
        for id in self.network.connections.keys().copied().collect::<Vec<_>>() {
            let Some(connection) = self.network.connections.get(&id) else { continue };
            let hosts = connection.parties.map(Party::host);
            if hosts == [one, other] || hosts == [other, one] {
                for side in [Side::Caller, Side::Callee] {
                    self.deliver(id, side, Packet::Reset, 0);
                }
            }
        }
    }

    /// The host that a connection leads to.
    pub(crate) fn callee_host(&self, connection: u64) -> Option<usize> {
        self.network.connections.get(&connection).map(|open| open.parties[1].host())
    }

    /// Blocks the path from one host to another.
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.network.blocked[from][to] += 1;
    }

    /// Takes one block away. What was stalled is sent again, in its order.
    pub(crate) fn unblock(&mut self, from: usize, to: usize) {
        let blocked = &mut self.network.blocked[from][to];
        *blocked = blocked.saturating_sub(1);
        if *blocked > 0 {
            return;
        }
        for stalled in self.network.stalled.remove(&(from, to)).unwrap_or_default() {
            let latency = between(&mut self.random, 0, RESEND_AFTER_HEAL_MS);
            self.deliver(stalled.connection, stalled.to, stalled.packet, latency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;

    /// A world in which two clients' hosts may speak to nobody but by these tests.
    fn world(seed: u64) -> World {
        let mut world = World::new(seed, None, Trace::new(None));
        world.clients_write = false;
        world.run(3_000, |_| false);
        world
    }

    fn count(world: &World) -> u64 {
        world.trace().lines()
    }

    #[test]
    fn packets_of_one_direction_keep_their_order() {
        let mut world = world(1);
        world.setup.latency_spread = 100;
        world.setup.loss_one_in = 3;
        let id = world.open(Party::Client(0), Party::Server(1), Purpose::Client);
        for step in 0..50 {
            let earlier = world.network.connections[&id].last_arrival[1];
            world.send(id, Side::Callee, Payload::Bytes(vec![step]));
            assert!(world.network.connections[&id].last_arrival[1] >= earlier);
        }
    }

    #[test]
    fn a_blocked_path_keeps_packets_until_it_opens() {
        let mut world = world(2);
        world.block(3, 1);
        world.block(3, 1);
        let id = world.open(Party::Client(0), Party::Server(1), Purpose::Client);
        world.run(CONNECT_TIMEOUT_MS / 2, |_| false);
        assert!(!world.network.connections[&id].opened);
        world.unblock(3, 1);
        assert_eq!(world.network.stalled.len(), 1, "blocked twice");
        world.unblock(3, 1);
        assert!(world.network.stalled.is_empty());
    }

    #[test]
    fn a_dead_process_is_told_of_and_a_dead_host_is_silent() {
        for (told, closed) in [(true, true), (false, false)] {
            let mut world = world(3);
            let id = world.open(Party::Client(0), Party::Server(1), Purpose::Client);
            world.run(400, |_| false);
            assert!(world.network.connections[&id].opened);
            world.kill(1, told, crate::fault::Survives::Nothing);
            world.run(400, |_| false);
            assert_eq!(!world.network.connections.contains_key(&id), closed);
        }
    }

    #[test]
    fn nothing_happens_twice_for_a_closed_end() {
        let mut world = world(4);
        let id = world.open(Party::Client(0), Party::Server(1), Purpose::Client);
        world.run(400, |_| false);
        world.close(id, Side::Caller);
        world.close(id, Side::Caller);
        world.run(400, |_| false);
        assert!(!world.network.connections.contains_key(&id));
        let lines = count(&world);
        world.send(id, Side::Callee, Payload::Bytes(vec![1]));
        assert_eq!(count(&world), lines);
    }
}
