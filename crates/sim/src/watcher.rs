//! The driver of the sentinels: performs their actions on the simulated network and disks.
//!
//! This is also where rules are broken on purpose and where votes and promotions are written down:
//! the ledger sees what leaves the machine for the wire, after a mutation has had its way.

use crate::mutation::Mutation;
use crate::network::{Notice, Party, Payload, Purpose, Side};
use crate::queue::Part;
use crate::setup::{GROUP, SENTINEL_PORT, host_name, host_of};
use crate::world::World;
use base::RunId;
use sentinel::{Action, Address, ClientId, LinkId, Reply, ServerFacts};

impl World {
    /// Performs what a sentinel wants done, and looks at what it now says.
    pub(crate) fn watcher_turn(&mut self, node: usize) {
        while let Some(action) =
            self.nodes[node].sentinel.as_mut().and_then(sentinel::Sentinel::poll_action)
        {
            self.perform_watcher(node, action);
        }
        if self.nodes[node].alive {
            self.note_configuration(node);
            self.take_epoch(node);
            self.arm(node, Part::Watcher);
        }
    }

    fn perform_watcher(&mut self, node: usize, action: Action) {
        match action {
            Action::Persist(lines) => self.persist_sentinel(node, lines),
            Action::Connect { link, address } => self.open_link(node, link, &address),
            Action::Send { link, command } => self.send_on_link(node, link, command),
            Action::Disconnect(link) => {
                if let Some(connection) = self.nodes[node].links.remove(&link) {
                    self.close(connection, Side::Caller);
                }
            }
            Action::Reply { client, reply, .. } => self.answer(node, client, reply),
            Action::Announce(event) => {
                self.trace.note(self.now, format_args!("S{node} {} {}", event.name, event.text));
                self.ledger.note_event(event.name);
            }
            Action::Log(_, text) => {
                self.trace.note(self.now, format_args!("S{node} log {text}"));
            }
            Action::Crash => self.violate(format!("sentinel {node} crashed unasked")),
        }
    }

    fn open_link(&mut self, node: usize, link: LinkId, address: &Address) {
        let Some(host) = host_of(&address.host) else {
            return self.violate(format!("sentinel {node} connects to {address}"));
        };
        let watcher = address.port == SENTINEL_PORT;
        let callee = if watcher { Party::Watcher(host) } else { Party::Server(host) };
        let connection = self.open(Party::Watcher(node), callee, Purpose::Link(link));
        self.nodes[node].links.insert(link, connection);
    }

    fn send_on_link(&mut self, node: usize, link: LinkId, command: Vec<Vec<u8>>) {
        let Some(&connection) = self.nodes[node].links.get(&link) else { return };
        self.trace.note(self.now, format_args!("S{node} {connection} > {}", shown(&command)));
        if let Some((epoch, _)) = plea(&command) {
            self.nodes[node].candidacy = Some(epoch);
            let candidate = self.sentinel_id(node);
            self.note_vote(node, epoch, candidate);
        }
        if let [word, no, _] = command.as_slice()
            && word == b"SLAVEOF"
            && no == b"NO"
            && let Some(target) = self.callee_host(connection)
        {
            self.note_order(node, target);
        }
        self.send(connection, Side::Callee, Payload::Command(command));
    }

    /// A server was told to be a primary: who says so must have been elected for it.
    fn note_order(&mut self, leader: usize, target: usize) {
        let Some(epoch) = self.nodes[leader].candidacy else {
            return self.violate(format!("sentinel {leader} promotes without a candidacy"));
        };
        let id = self.sentinel_id(leader);
        if let Err(what) = self.ledger.note_order(epoch, leader, id, target) {
            self.violate(what);
        }
    }

    fn note_vote(&mut self, voter: usize, epoch: u64, candidate: RunId) {
        if let Err(what) = self.ledger.note_vote(voter, epoch, candidate) {
            self.violate(what);
        }
        if candidate != self.sentinel_id(voter) {
            self.vote_was_given(voter);
        }
    }

    fn sentinel_id(&self, node: usize) -> RunId {
        self.nodes[node].sentinel.as_ref().map_or(RunId::zero(), sentinel::Sentinel::my_id)
    }

    fn note_configuration(&mut self, node: usize) {
        let Some(sentinel) = &self.nodes[node].sentinel else { return };
        let Some((address, epoch)) = sentinel.primary_of(GROUP) else {
            return self.violate(format!("sentinel {node} forgot the group"));
        };
        let Some(named) = host_of(&address.host) else {
            return self.violate(format!("sentinel {node} names {address}"));
        };
        match self.ledger.note_told(self.now, node, epoch, named) {
            Ok(true) => {
                self.trace.note(self.now, format_args!("epoch {epoch} belongs to node {named}"));
            }
            Ok(false) => {}
            Err(what) => self.violate(what),
        }
    }

    fn answer(&mut self, node: usize, client: ClientId, reply: Reply) {
        let Some((connection, command)) = self.nodes[node].questions.remove(&client.0) else {
            return;
        };
        let mut reply = reply;
        if let Some((epoch, candidate)) = plea(&command)
            && let Reply::Array(items) = &mut reply
            && let [_, leader, leader_epoch] = items.as_mut_slice()
        {
            if self.mutation == Some(Mutation::VoteTwice) {
                *leader = Reply::bulk(candidate.as_str());
                *leader_epoch = Reply::Integer(i64::try_from(epoch).unwrap_or(i64::MAX));
            }
            let voted = leader.as_bytes().and_then(RunId::parse);
            let voted_in = leader_epoch.as_integer().and_then(|e| u64::try_from(e).ok());
            if let (Some(voted), Some(voted_in)) = (voted, voted_in) {
                self.note_vote(node, voted_in, voted);
            }
        }
        self.send(connection, Side::Caller, Payload::Reply(reply));
    }

    /// Something happened on a connection that a sentinel opened.
    pub(crate) fn watcher_link(&mut self, node: usize, id: u64, link: LinkId, notice: Notice) {
        if self.nodes[node].links.get(&link) != Some(&id) {
            return;
        }
        let now = self.now;
        let opened = matches!(notice, Notice::Opened);
        let reply = match notice {
            Notice::Data(Payload::Reply(reply)) => Some(self.altered_reply(node, reply)),
            Notice::Closed => {
                self.nodes[node].links.remove(&link);
                None
            }
            _ => None,
        };
        let Some(sentinel) = &mut self.nodes[node].sentinel else { return };
        match reply {
            Some(reply) => sentinel.handle_reply(now, link, &reply),
            None if opened => sentinel.handle_connected(now, link, &host_name(node)),
            None => sentinel.handle_closed(now, link),
        }
        self.watcher_turn(node);
    }

    fn altered_reply(&self, node: usize, reply: Reply) -> Reply {
        match self.mutation {
            Some(Mutation::PromoteWithoutQuorum) => {
                let own = (self.sentinel_id(node), self.nodes[node].candidacy);
                crate::mutation::forged_vote(reply, own)
            }
            Some(Mutation::NoEpochCheck) => match &self.nodes[node].sentinel {
                Some(sentinel) => crate::mutation::ageless_message(reply, sentinel),
                None => reply,
            },
            _ => reply,
        }
    }

    /// Something happened on a connection to a sentinel: another sentinel, a client, a starting node.
    pub(crate) fn watcher_client(&mut self, node: usize, connection: u64, notice: Notice) {
        let Notice::Data(Payload::Command(command)) = notice else { return };
        let here = &mut self.nodes[node];
        let Some(sentinel) = &mut here.sentinel else { return };
        let question = here.next_question;
        here.next_question += 1;
        let command = match self.mutation {
            Some(Mutation::NoEpochCheck) => crate::mutation::ageless_command(command, sentinel),
            _ => command,
        };
        here.questions.insert(question, (connection, command.clone()));
        let facts = ServerFacts::default();
        let name = command.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        if sentinel::handles(&name) {
            sentinel.handle_command(self.now, ClientId(question), &command, &facts);
        } else {
            here.questions.remove(&question);
            self.send(connection, Side::Caller, Payload::Reply(Reply::ok()));
        }
        self.watcher_turn(node);
    }
}

/// The epoch and the candidate of a plea for votes.
fn plea(command: &[Vec<u8>]) -> Option<(u64, RunId)> {
    let [_, word, _, _, epoch, candidate] = command else { return None };
    if !word.eq_ignore_ascii_case(b"is-master-down-by-addr") {
        return None;
    }
    let epoch = std::str::from_utf8(epoch).ok()?.parse().ok()?;
    Some((epoch, RunId::parse(candidate)?))
}

/// A command as the trace shows it.
pub(crate) fn shown(command: &[Vec<u8>]) -> String {
    command.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
}
