//! One world: a group of three nodes with their sentinels, clients, the network between them, and
//! the loop that makes events happen in order.
//!
//! Everything that is drawn comes from one generator, and every collection is ordered, so that the
//! seed alone decides the run.

use crate::client::Client;
use crate::fault::Trap;
use crate::ledger::Ledger;
use crate::mutation::Mutation;
use crate::network::{Network, Notice, Party, Payload, Purpose, Role};
use crate::node::Node;
use crate::queue::{Event, Part, Queue};
use crate::setup::{CLIENTS, NODES, Setup};
use crate::trace::Trace;
use base::random::Random;
use base::{Millis, RunId};

/// Where virtual time begins; not zero, for a machine may subtract.
const BEGINNING: Millis = Millis(10_000);

/// One world.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Millis,
    pub(crate) random: Random,
    pub(crate) setup: Setup,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) ledger: Ledger,
    pub(crate) trace: Trace,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) group: RunId,
    pub(crate) trap: Option<Trap>,
    /// Nodes that stay down until they are started by hand.
    pub(crate) kept_down: [bool; NODES],
    pub(crate) clients_write: bool,
    pub(crate) events: u64,
}

impl World {
    /// The world that follows from `seed`, with a rule broken if `mutation` says so.
    pub fn new(seed: u64, mutation: Option<Mutation>, trace: Trace) -> World {
        let mut random = Random::from_seed(seed);
        let setup = Setup::draw(&mut random);
        let group = RunId::generate(&mut random);
        let mut world = World {
            now: BEGINNING,
            setup,
            queue: Queue::default(),
            network: Network::default(),
            nodes: Vec::new(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            ledger: Ledger::default(),
            trace,
            mutation,
            group,
            trap: None,
            kept_down: [false; NODES],
            clients_write: true,
            events: 0,
            random,
        };
        world.trace.note(world.now, format_args!("seed {seed} {:?}", world.setup));
        for index in 0..NODES {
            let identity = RunId::generate(&mut world.random);
            world.nodes.push(Node::new(identity, index));
        }
        for index in 0..NODES {
            world.boot(index);
        }
        for client in 0..CLIENTS {
            world.client_wakes_at(client, 500);
        }
        world
    }

    /// The time in the world.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The events that happened.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Lets time pass until `done` or for `span`. True if `done` came. A violation ends it, too.
    pub(crate) fn run(&mut self, span: u64, done: impl Fn(&World) -> bool) -> bool {
        let until = self.now + Millis(span);
        while self.ledger.violation.is_none() {
            if done(self) {
                return true;
            }
            let Some((at, event)) = self.queue.next(until) else {
                self.now = until;
                return done(self);
            };
            self.now = at.max(self.now);
            self.happen(event);
        }
        false
    }

    /// Makes an event happen, or keeps it while the thread it is for sleeps.
    pub(crate) fn happen(&mut self, event: Event) {
        let target = match &event {
            Event::Notify { party, .. } => party.part(),
            Event::Timer { node, part, .. } => Some((*node, *part)),
            Event::Piece { node, .. }
            | Event::Loaded { node, .. }
            | Event::StartTurn { node, .. }
            | Event::Save { node, .. } => Some((*node, Part::Server)),
            _ => None,
        };
        if let Some((node, part)) = target
            && self.nodes[node].sleeps(part)
        {
            self.nodes[node].held.push_back((part, event));
            return;
        }
        self.events += 1;
        match event {
            Event::Packet { connection, to, packet } => self.packet_arrives(connection, to, packet),
            Event::ConnectTimeout { connection } => self.connect_timed_out(connection),
            Event::Notify { party, life, connection, role, notice } => {
                if self.life_of(party) == life {
                    self.notice_arrives(party, connection, role, notice);
                }
            }
            Event::Timer { node, part, life } => self.timer(node, part, life),
            Event::Piece { node, life, replica } if self.lives(node, life) => {
                self.send_piece(node, replica);
            }
            Event::Loaded { node, life, token } if self.lives(node, life) => {
                self.loaded(node, token);
            }
            Event::StartTurn { node, life } if self.lives(node, life) => self.start_turn(node),
            Event::Save { node, life } if self.lives(node, life) => self.save(node),
            Event::Piece { .. }
            | Event::Loaded { .. }
            | Event::StartTurn { .. }
            | Event::Save { .. } => {}
            Event::ClientTurn { client, turn } => self.client_turn(client, turn),
            Event::Fault(fault) => self.begin_fault(&fault),
            Event::Heal(fault) => self.end_fault(&fault),
            Event::KillSoon { node, life, down_for } => self.spring(node, life, down_for),
            Event::Restart { node } => self.restart(node),
        }
    }

    fn notice_arrives(&mut self, party: Party, connection: u64, role: Role, notice: Notice) {
        let what = match &notice {
            Notice::Opened => "opened",
            Notice::Closed => "closed",
            Notice::Data(Payload::Command(_)) => "command",
            Notice::Data(Payload::Reply(_)) => "reply",
            Notice::Data(Payload::Bytes(_)) => "bytes",
        };
        self.trace.note(self.now, format_args!("{party:?} {connection} {role:?} {what}"));
        match (party, role) {
            (Party::Watcher(node), Role::Caller(Purpose::Link(link))) => {
                self.watcher_link(node, connection, link, notice);
            }
            (Party::Watcher(node), _) => self.watcher_client(node, connection, notice),
            (Party::Server(node), Role::Caller(Purpose::Replication)) => {
                self.primary_link(node, connection, notice);
            }
            (Party::Server(node), Role::Caller(Purpose::Start(question))) => {
                self.start_answer(node, connection, question, notice);
            }
            (Party::Server(node), _) => self.session(node, connection, notice),
            (Party::Client(client), _) => self.client_notice(client, connection, notice),
        }
    }

    fn timer(&mut self, node: usize, part: Part, life: u64) {
        if !self.lives(node, life) {
            return;
        }
        match part {
            Part::Server => {
                let server = &mut self.nodes[node].server;
                server.armed = None;
                let now = self.now;
                if server.primary.poll_timeout().is_some_and(|at| at <= now) {
                    server.primary.handle_timeout(now);
                }
                if server.replica.poll_timeout().is_some_and(|at| at <= now) {
                    server.replica.handle_timeout(now);
                }
                self.server_turn(node);
            }
            Part::Watcher => {
                self.nodes[node].armed = None;
                let due = |world: &World| {
                    let at = world.nodes[node]
                        .sentinel
                        .as_ref()
                        .and_then(sentinel::Sentinel::poll_timeout);
                    at.is_some_and(|at| at <= world.now)
                };
                if due(self)
                    && let Some(sentinel) = &mut self.nodes[node].sentinel
                {
                    sentinel.handle_timeout(self.now);
                }
                self.watcher_turn(node);
                if due(self) {
                    self.violate(format!("the sentinel of node {node} spins: a timer stays due"));
                }
            }
        }
    }

    /// Plans a timer for a machine, if it wants one earlier than planned.
    pub(crate) fn arm(&mut self, node: usize, part: Part) {
        let now = self.now;
        let here = &mut self.nodes[node];
        let life = here.life;
        let (wanted, armed) = match part {
            Part::Server => {
                let machines =
                    [here.server.primary.poll_timeout(), here.server.replica.poll_timeout()];
                (machines.into_iter().flatten().min(), &mut here.server.armed)
            }
            Part::Watcher => {
                (here.sentinel.as_ref().and_then(sentinel::Sentinel::poll_timeout), &mut here.armed)
            }
        };
        let Some(at) = wanted else { return };
        let at = at.max(now + Millis(1));
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.queue.plan(at, Event::Timer { node, part, life });
        }
    }

    /// The life of the process at an end; clients live once.
    pub(crate) fn life_of(&self, party: Party) -> u64 {
        party.part().map_or(0, |(node, _)| self.nodes[node].life)
    }

    pub(crate) fn lives(&self, node: usize, life: u64) -> bool {
        self.nodes[node].alive && self.nodes[node].life == life
    }

    pub(crate) fn is_powered(&self, host: usize) -> bool {
        self.nodes.get(host).is_none_or(|node| node.powered)
    }

    /// True if a connection to `party` would be accepted by its system.
    pub(crate) fn listens(&self, party: Party) -> bool {
        match party {
            Party::Server(node) => self.nodes[node].alive && self.nodes[node].listening,
            Party::Watcher(node) => self.nodes[node].alive,
            Party::Client(_) => false,
        }
    }

    /// Records that an invariant does not hold. The first one ends the run.
    pub(crate) fn violate(&mut self, what: String) {
        self.trace.note(self.now, format_args!("VIOLATION {what}"));
        self.ledger.violation.get_or_insert(what);
    }
}
