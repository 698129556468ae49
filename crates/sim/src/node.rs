//! A node: a process with a server thread and a sentinel thread, and the disk that outlives it.

use crate::fault::Survives;
use crate::mutation::Mutation;
use crate::queue::{Event, Part};
use crate::server::{Server, Snapshot};
use crate::setup::{GROUP, NODES, SENTINEL_PORT, SERVER_PORT, host_name};
use crate::start::Starting;
use crate::world::World;
use base::random::Random;
use base::{Millis, RunId};
use sentinel::{Config, Line, LinkId, Options, Sentinel};
use std::collections::{BTreeMap, VecDeque};

/// What outlives the process.
#[derive(Debug)]
pub(crate) struct Disk {
    /// The sentinel's state, as its last `Persist` left it.
    pub(crate) sentinel: Vec<Line>,
    /// Whom the configuration file says to follow.
    pub(crate) follows: Option<usize>,
    /// The node's epoch.
    pub(crate) epoch: u64,
    /// The saved data set.
    pub(crate) snapshot: Option<Snapshot>,
    /// Writes of the sentinel's state fail.
    pub(crate) fails: u32,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    /// The node, for life.
    pub(crate) identity: RunId,
    /// Counts the processes.
    pub(crate) life: u64,
    pub(crate) alive: bool,
    /// Its host has power.
    pub(crate) powered: bool,
    pub(crate) listening: bool,
    /// How many faults keep the server's and the sentinel's thread from running.
    pub(crate) pauses: [u32; 2],
    /// What happened while they slept.
    pub(crate) held: VecDeque<(Part, Event)>,
    pub(crate) disk: Disk,
    pub(crate) server: Server,
    pub(crate) sentinel: Option<Sentinel>,
    pub(crate) starting: Option<Starting>,
    /// The sentinel's links and their connections.
    pub(crate) links: BTreeMap<LinkId, u64>,
    /// Commands that the sentinel has not answered, and whose they are.
    pub(crate) questions: BTreeMap<u64, (u64, Vec<Vec<u8>>)>,
    pub(crate) next_question: u64,
    /// The epoch in which the sentinel last pleaded for votes.
    pub(crate) candidacy: Option<u64>,
    /// When the sentinel's timer is planned.
    pub(crate) armed: Option<Millis>,
}

impl Node {
    /// A node that was never started. The first is the primary of the others.
    pub(crate) fn new(identity: RunId, index: usize) -> Node {
        Node {
            identity,
            life: 0,
            alive: false,
            powered: true,
            listening: false,
            pauses: [0; 2],
            held: VecDeque::new(),
            disk: Disk {
                sentinel: Vec::new(),
                follows: (index != 0).then_some(0),
                epoch: 0,
                snapshot: None,
                fails: 0,
            },
            server: Server::dead(),
            sentinel: None,
            starting: None,
            links: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_question: 0,
            candidacy: None,
            armed: None,
        }
    }

    pub(crate) fn sleeps(&self, part: Part) -> bool {
        self.pauses[usize::from(part == Part::Watcher)] > 0
    }
}

impl World {
    /// Starts a node for the first time, in the role its configuration gives it.
    pub(crate) fn boot(&mut self, index: usize) {
        self.start_process(index);
        let follows = self.nodes[index].disk.follows;
        self.open_for_business(index, follows);
        if index == 0 {
            self.seed_data(index);
        }
    }

    /// Starts a dead node again; its server does not listen until it knows its role.
    pub(crate) fn restart(&mut self, index: usize) {
        if self.nodes[index].alive || self.kept_down[index] {
            return;
        }
        self.trace.note(self.now, format_args!("node {index} starts"));
        self.nodes[index].powered = true;
        self.start_process(index);
        self.begin_start(index);
    }

    fn start_process(&mut self, index: usize) {
        let machine_seed = self.random.next_u64();
        if self.ledger.kinds.disks {
            self.ledger.excuse(index);
        }
        let config = self.sentinel_config(index);
        let options = Options { config, port: SENTINEL_PORT, own_password: Vec::new() };
        let sentinel = Sentinel::new(options, Random::from_seed(machine_seed), self.now);
        let server = self.fresh_server(index);
        let node = &mut self.nodes[index];
        node.life += 1;
        node.alive = true;
        node.listening = false;
        node.server = server;
        node.sentinel = Some(sentinel);
        node.armed = None;
        node.candidacy = None;
        if self.setup.save_period > 0 {
            let life = self.nodes[index].life;
            let at = self.now + Millis(self.setup.save_period);
            self.queue.plan(at, Event::Save { node: index, life });
        }
        self.watcher_turn(index);
    }

    fn sentinel_config(&mut self, index: usize) -> Config {
        let lines = if self.nodes[index].disk.sentinel.is_empty() {
            self.first_lines()
        } else {
            self.nodes[index].disk.sentinel.clone()
        };
        match Config::parse(&lines) {
            Ok(config) => config,
            Err((at, error)) => {
                let line = lines.get(at).map(|line| {
                    line.iter().map(|w| String::from_utf8_lossy(w)).collect::<Vec<_>>().join(" ")
                });
                self.violate(format!("a sentinel cannot read its own state: {error}: {line:?}"));
                Config::default()
            }
        }
    }

    fn first_lines(&self) -> Vec<Line> {
        let (down, failover) = (self.setup.down_after, self.setup.failover_timeout);
        let quorum = NODES / 2 + 1;
        let texts = [
            format!("sentinel monitor {GROUP} {} {SERVER_PORT} {quorum}", host_name(0)),
            format!("sentinel down-after-milliseconds {GROUP} {down}"),
            format!("sentinel failover-timeout {GROUP} {failover}"),
        ];
        texts.iter().map(|text| text.split(' ').map(|w| w.as_bytes().to_vec()).collect()).collect()
    }

    /// Ends a process. `told`: the system lives on and closes its connections.
    pub(crate) fn kill(&mut self, index: usize, told: bool, survives: Survives) {
        if !self.nodes[index].alive {
            return;
        }
        self.trace.note(self.now, format_args!("node {index} dies told={told} {survives:?}"));
        self.ledger.note_death(self.now, index, self.named_primary() == Some(index));
        self.drop_connections_of(index, told);
        let node = &mut self.nodes[index];
        node.alive = false;
        node.powered = told;
        node.listening = false;
        node.sentinel = None;
        node.server = Server::dead();
        node.starting = None;
        node.links.clear();
        node.questions.clear();
        node.held.clear();
        if survives == Survives::Nothing {
            node.disk.snapshot = None;
        }
    }

    /// Makes lines durable, unless the disk fails or a rule is broken.
    pub(crate) fn persist_sentinel(&mut self, index: usize, lines: Vec<Line>) {
        if self.nodes[index].disk.fails > 0 {
            if let Some(sentinel) = &mut self.nodes[index].sentinel {
                sentinel.handle_persist_failed(self.now);
            }
            return;
        }
        let disk = &mut self.nodes[index].disk.sentinel;
        *disk = match self.mutation {
            Some(Mutation::VoteNotDurable) => crate::mutation::without_vote(disk, lines),
            _ => lines,
        };
    }

    /// Lets a thread run again: what it missed comes at once, in order, before anything new.
    pub(crate) fn wake(&mut self, index: usize, part: Part) {
        if self.nodes[index].sleeps(part) {
            return;
        }
        let held = std::mem::take(&mut self.nodes[index].held);
        for (of, event) in held {
            if of == part {
                self.happen(event);
            } else {
                self.nodes[index].held.push_back((of, event));
            }
        }
    }

    /// The node that the most recent configuration of any living sentinel names.
    pub(crate) fn named_primary(&self) -> Option<usize> {
        let named = self.nodes.iter().filter_map(|node| node.sentinel.as_ref()?.primary_of(GROUP));
        let (address, _) = named.max_by_key(|(_, epoch)| *epoch)?;
        crate::setup::host_of(&address.host)
    }
}
