//! How a node starts again: it asks before it serves.
//!
//! The sentinel of the node runs from the first moment, the server listens only once its role is
//! known. The node asks the other sentinels for the group's primary and believes the newest
//! configuration among theirs and its own sentinel's.
//!
//! - Another node is primary: follow it. What this node holds is kept until it is replaced as a whole.
//! - This node is primary: ask the other servers how much they hold. If one holds more, stay away:
//!   the sentinels will find this node down and promote a better one, whom it follows then. If none
//!   does, serve; but only after all have answered, or one has and the patience is over.
//!
//! This is the guard against the primary that restarts without its data within `down-after` and
//! empties its replicas, of which no sentinel would notice anything.

use crate::network::{Notice, Party, Payload, Purpose, Question, Side};
use crate::queue::Event;
use crate::setup::{GROUP, NODES, host_of};
use crate::world::World;
use base::Millis;
use sentinel::Reply;
use std::collections::BTreeMap;

/// Between two rounds of questions.
const ASK_PERIOD_MS: u64 = 200;
/// An answer older than this is asked for again, and not believed any more.
const ANSWER_AGE_MAX_MS: u64 = 2_000;
/// How long answers of all are waited for, in `down-after`s.
const PATIENCE_DOWN_AFTERS: u64 = 3;

/// What a starting node has learned.
#[derive(Debug)]
pub(crate) struct Starting {
    since: Millis,
    /// Open questions, by connection.
    asked: BTreeMap<u64, usize>,
    /// Which primary each other sentinel names, the epoch, and when it said so.
    named: BTreeMap<usize, (usize, u64, Millis)>,
    /// How far each other server's data go, and when it said so.
    offsets: BTreeMap<usize, (u64, Millis)>,
}

impl World {
    pub(crate) fn begin_start(&mut self, node: usize) {
        self.nodes[node].starting = Some(Starting {
            since: self.now,
            asked: BTreeMap::new(),
            named: BTreeMap::new(),
            offsets: BTreeMap::new(),
        });
        self.start_turn(node);
    }

    /// Asks whoever has not answered lately.
    pub(crate) fn start_turn(&mut self, node: usize) {
        let Some(starting) = &self.nodes[node].starting else { return };
        let fresh = |at: Millis| self.now.since(at) < Millis(ANSWER_AGE_MAX_MS / 2);
        let mut questions = Vec::new();
        for peer in (0..NODES).filter(|&peer| peer != node) {
            if starting.named.get(&peer).is_none_or(|answer| !fresh(answer.2)) {
                questions.push((peer, Question::Sentinel));
            }
            if starting.offsets.get(&peer).is_none_or(|answer| !fresh(answer.1)) {
                questions.push((peer, Question::Server));
            }
        }
        for (peer, question) in questions {
            let callee = match question {
                Question::Sentinel => Party::Watcher(peer),
                Question::Server => Party::Server(peer),
            };
            let connection = self.open(Party::Server(node), callee, Purpose::Start(question));
            if let Some(starting) = &mut self.nodes[node].starting {
                starting.asked.insert(connection, peer);
            }
        }
        let life = self.nodes[node].life;
        self.queue.plan(self.now + Millis(ASK_PERIOD_MS), Event::StartTurn { node, life });
        self.decide_start(node);
    }

    /// Something happened on a connection of a starting node.
    pub(crate) fn start_answer(&mut self, node: usize, id: u64, what: Question, notice: Notice) {
        let now = self.now;
        let Some(starting) = &mut self.nodes[node].starting else {
            return self.close(id, Side::Caller);
        };
        let Some(&peer) = starting.asked.get(&id) else { return };
        match notice {
            Notice::Opened => {
                let words: &[&str] = match what {
                    Question::Sentinel => &["SENTINEL", "MASTER", GROUP],
                    Question::Server => &["INFO", "replication"],
                };
                let command = words.iter().map(|word| word.as_bytes().to_vec()).collect();
                return self.send(id, Side::Callee, Payload::Command(command));
            }
            Notice::Closed => {
                starting.asked.remove(&id);
            }
            Notice::Data(Payload::Reply(reply)) => {
                starting.asked.remove(&id);
                match what {
                    Question::Sentinel => {
                        if let Some((primary, epoch)) = named(&reply) {
                            starting.named.insert(peer, (primary, epoch, now));
                        }
                    }
                    Question::Server => {
                        if let Some(offset) = offset(&reply) {
                            starting.offsets.insert(peer, (offset, now));
                        }
                    }
                }
                self.close(id, Side::Caller);
            }
            Notice::Data(_) => {}
        }
        self.decide_start(node);
    }

    fn decide_start(&mut self, node: usize) {
        let here = &self.nodes[node];
        let Some(starting) = &here.starting else { return };
        let valid = |at: Millis| self.now.since(at) <= Millis(ANSWER_AGE_MAX_MS);
        let answers = starting.named.values().filter(|answer| valid(answer.2));
        let others: Vec<(u64, usize)> = answers.map(|answer| (answer.1, answer.0)).collect();
        if others.is_empty() {
            return;
        }
        let own = here.sentinel.as_ref().and_then(|sentinel| sentinel.primary_of(GROUP));
        let own = own.and_then(|(address, epoch)| Some((epoch, host_of(&address.host)?)));
        let Some((_, primary)) = others.into_iter().chain(own).max() else { return };
        if primary != node {
            return self.open_for_business(node, Some(primary));
        }
        let held = here.server.log.end().0;
        let offsets = starting.offsets.values().filter(|answer| valid(answer.1));
        let offsets: Vec<u64> = offsets.map(|answer| answer.0).collect();
        let patient = Millis(self.setup.down_after * PATIENCE_DOWN_AFTERS);
        let waited = self.now.since(starting.since) > patient;
        let enough = offsets.len() + 1 == NODES || (waited && !offsets.is_empty());
        if enough && offsets.iter().all(|&offset| offset <= held) {
            self.open_for_business(node, None);
        }
    }
}

/// Which node a sentinel's answer to MASTER names, and the epoch.
fn named(reply: &Reply) -> Option<(usize, u64)> {
    let Reply::Map(fields) = reply else { return None };
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key.as_text() == Some(name));
        found.and_then(|(_, value)| value.as_text())
    };
    let epoch = field("config-epoch")?.parse().ok()?;
    Some((host_of(field("ip")?)?, epoch))
}

/// The offset in a server's INFO.
fn offset(reply: &Reply) -> Option<u64> {
    let mut lines = reply.as_text()?.split("\r\n");
    lines.find_map(|line| line.strip_prefix("master_repl_offset:")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Survives;
    use crate::server::BASE_KEYS;
    use crate::trace::Trace;

    /// The primary is killed, loses its data and is back within `down-after`. What the group holds
    /// in the end, and whether a replica was emptied on the way.
    fn fast_restart(seed: u64, asks: bool) -> (usize, bool) {
        let mut world = World::new(seed, None, Trace::new(None));
        world.form();
        world.run(2_000, |_| false);
        world.kill(0, true, Survives::Nothing);
        world.run(100, |_| false);
        world.restart(0);
        if !asks {
            world.open_for_business(0, None);
        }
        world.run(60_000, |_| false);
        assert_eq!(world.ledger.violation, None, "seed {seed}");
        let primary = world.named_primary().unwrap();
        (world.nodes[primary].server.keys.len(), world.ledger.emptied.is_some())
    }

    #[test]
    fn a_primary_that_lost_its_data_and_restarts_at_once_empties_nobody() {
        for seed in 0..20 {
            let (keys, emptied) = fast_restart(seed, true);
            assert!(!emptied, "seed {seed}");
            assert!(keys as u64 >= BASE_KEYS, "seed {seed}: {keys} keys");
        }
    }

    #[test]
    fn without_asking_it_empties_the_others() {
        assert!((0..20).any(|seed| fast_restart(seed, false).1));
    }
}
