//! A run: a group forms, then rounds of faults, each followed by healing and by the proof that the
//! group is whole again.
//!
//! A round: clients write; faults begin and end; then the network is whole and all threads run, one
//! node perhaps still dead, and within [`failover_bound`] all living sentinels must name one
//! living primary that takes writes. Then the last node is started, clients fall silent, and
//! within [`healing_bound`] there must be one primary on which all sentinels agree, and replicas
//! that equal it in offset and contents.

use crate::fault::{Fault, Kinds, draw_round};
use crate::mutation::Mutation;
use crate::queue::Event;
use crate::setup::{GROUP, NODES, Setup, between, host_of};
use crate::trace::Trace;
use crate::world::World;
use base::Millis;
use std::fmt::Write as _;

/// Rounds of one world, at most.
const ROUNDS_MAX: u64 = 3;
/// The group must have formed within this time.
const FORMING_BOUND_MS: u64 = 60_000;
/// Clients write undisturbed for at least so long before the first fault of a round.
const CALM_MS: u64 = 2_000;
/// How often the conditions for going on are looked at.
const LOOK_PERIOD_MS: u64 = 20;

/// What became of one run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The first invariant that did not hold, if any.
    pub violation: Option<String>,
    /// Failovers that were completed.
    pub failovers: u64,
    /// Rounds that were played.
    pub rounds: u64,
    /// Events that happened.
    pub events: u64,
    /// The hash of the trace.
    pub hash: u64,
    /// The kinds of faults.
    pub kinds: Kinds,
    /// Epochs whose votes were split.
    pub split_votes: u64,
    /// Milliseconds from each death of a primary to the first sentinel that named another.
    pub failover_times: Vec<u64>,
    /// Milliseconds from the end of each round's faults to a primary that all agree on.
    pub recovery_times: Vec<u64>,
    /// Rounds in which no replica could be promoted until the old primary came back.
    pub without_candidate: u64,
    /// Writes that were tried.
    pub tried: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that were lost.
    pub lost: u64,
    /// Of these, how many every node had held when the first fault of their round began.
    pub lost_old: u64,
    /// Full syncs.
    pub full_syncs: u64,
}

/// Plays the run of a seed.
pub fn play(seed: u64, mutation: Option<Mutation>, trace: Trace) -> Outcome {
    let mut world = World::new(seed, mutation, trace);
    let mut outcome = Outcome { seed, ..Outcome::default() };
    let rounds = between(&mut world.random, 1, ROUNDS_MAX);
    world.form();
    for _ in 0..rounds {
        if world.ledger.violation.is_some() {
            break;
        }
        world.round(&mut outcome);
    }
    world.finish(&mut outcome);
    outcome
}

/// The time within which a group with a majority of sentinels and a reachable replica fails over.
///
/// A voter leaves its candidate `failover-timeout` and three seconds; two leaders may fail in turn,
/// and lost elections are tried again after growing pauses.
pub fn failover_bound(setup: &Setup) -> u64 {
    setup.down_after * 2 + setup.failover_timeout * 2 + 25_000
}

/// The time within which a group without faults is whole: strays are corrected after two INFO
/// periods, half-open links are noticed after `repl-timeout`.
pub fn healing_bound(setup: &Setup) -> u64 {
    60_000 + setup.repl_timeout.0 * 2 + setup.failover_timeout * 3
}

impl World {
    fn finish(&mut self, outcome: &mut Outcome) {
        let ledger = &mut self.ledger;
        outcome.violation = ledger.violation.take();
        outcome.failovers = ledger.failovers();
        outcome.split_votes = ledger.split_votes();
        outcome.failover_times = std::mem::take(&mut ledger.failover_times);
        outcome.tried = ledger.tried;
        outcome.full_syncs = ledger.full_syncs;
        outcome.events = self.events;
        outcome.hash = self.trace.hash();
    }

    /// Runs until `done` at some look, at most `span`. True if it was.
    fn run_until(&mut self, span: u64, done: impl Fn(&World) -> bool) -> bool {
        let until = self.now + Millis(span);
        while self.now < until && self.ledger.violation.is_none() {
            if done(self) {
                return true;
            }
            self.run(LOOK_PERIOD_MS, |_| false);
        }
        self.ledger.violation.is_none() && done(self)
    }

    /// Lets time pass until the group has formed.
    pub(crate) fn form(&mut self) {
        if !self.run_until(FORMING_BOUND_MS, |world| world.is_formed() && world.is_served()) {
            self.violate("the group did not form".to_owned());
        }
    }

    fn round(&mut self, outcome: &mut Outcome) {
        outcome.rounds += 1;
        self.ledger.begin_round();
        self.clients_write = true;
        self.run(CALM_MS, |_| false);
        let faults = draw_round(&mut self.random, &self.setup);
        let span = faults.iter().map(|(at, fault)| at + fault.span).max().unwrap_or(0);
        self.begin_chaos(&faults);
        self.run(span + 1, |_| false);
        outcome.kinds = outcome.kinds.and(self.ledger.kinds);
        self.trap = None;
        self.recover(outcome);
        self.heal();
        self.count_losses(outcome);
        self.clean_up();
    }

    fn begin_chaos(&mut self, faults: &[(u64, Fault)]) {
        for (at, fault) in faults {
            self.queue.plan(self.now + Millis(*at), Event::Fault(*fault));
        }
    }

    /// The faults are over: the group must serve again soon, even without the node that is kept down.
    fn recover(&mut self, outcome: &mut Outcome) {
        let healed = self.now;
        let bound = failover_bound(&self.setup);
        let hopeless = self.ledger.count_of("-failover-abort-no-good-slave");
        if self.run_until(bound, World::is_served) {
            outcome.recovery_times.push(self.now.since(healed).0);
        } else if self.ledger.violation.is_none() {
            let aborted = self.ledger.count_of("-failover-abort-no-good-slave") > hopeless;
            if self.kept_down.contains(&true) && (aborted || self.nobody_listens()) {
                outcome.without_candidate += 1;
            } else {
                let state = self.describe();
                self.violate(format!("no primary {bound} ms after the faults: {state}"));
            }
        }
    }

    /// Everything runs again: the group must become whole.
    fn heal(&mut self) {
        if self.ledger.violation.is_some() {
            return;
        }
        for node in 0..NODES {
            if std::mem::take(&mut self.kept_down[node]) {
                self.restart(node);
            }
        }
        self.clients_write = false;
        let bound = healing_bound(&self.setup);
        if !self.run_until(bound, World::is_whole) && self.ledger.violation.is_none() {
            let state = self.describe();
            self.violate(format!("not whole {bound} ms after the faults: {state}"));
        }
    }

    fn count_losses(&mut self, outcome: &mut Outcome) {
        let Some(primary) = self.named_primary().filter(|_| self.ledger.violation.is_none()) else {
            return;
        };
        let keys = &self.nodes[primary].server.keys;
        let lost = |key: &&Vec<u8>| !keys.contains_key(*key);
        let acknowledged = &self.ledger.acknowledged;
        let lost_count = acknowledged.iter().filter(|key| lost(key)).count() as u64;
        let held_by_all = self.ledger.held_by_all.iter().flatten();
        let old = held_by_all.filter(lost).count() as u64;
        outcome.acknowledged += acknowledged.len() as u64;
        outcome.lost += lost_count;
        outcome.lost_old += old;
        let deaths = self.ledger.deaths.len();
        if old > 0 && deaths <= 1 {
            let text = format!("{old} writes were lost that all replicas held, {deaths} deaths");
            self.violate(text);
        }
        if let Some(node) = self.ledger.emptied.filter(|_| deaths <= 1) {
            self.violate(format!("node {node} was emptied by a restarted primary"));
        }
    }

    /// Deletes what the clients wrote, so that worlds do not grow.
    fn clean_up(&mut self) {
        let Some(primary) = self.named_primary().filter(|_| self.ledger.violation.is_none()) else {
            return;
        };
        let keys = self.nodes[primary].server.keys.keys();
        let written: Vec<Vec<u8>> =
            keys.filter(|key| key.starts_with(b"client")).cloned().collect();
        if !written.is_empty() {
            let words = std::iter::once(&b"DEL"[..]).chain(written.iter().map(Vec::as_slice));
            self.originate(primary, &words.collect::<Vec<_>>());
            self.server_turn(primary);
        }
    }

    /// True if every sentinel knows the others and both replicas.
    fn is_formed(&self) -> bool {
        self.nodes.iter().all(|node| {
            let config = node.sentinel.as_ref().map(sentinel::Sentinel::config);
            let group = config.as_ref().and_then(|config| config.groups.get(GROUP));
            group.is_some_and(|g| g.sentinels.len() == NODES - 1 && g.replicas.len() == NODES - 1)
        })
    }

    /// The one primary that all living sentinels name, if it is there and takes writes.
    fn served_by(&self) -> Option<usize> {
        let mut named = self.nodes.iter().filter_map(|node| {
            let (address, epoch) = node.sentinel.as_ref()?.primary_of(GROUP)?;
            Some((host_of(&address.host)?, epoch))
        });
        let first = named.next()?;
        let node = &self.nodes[first.0];
        let serves = node.alive && node.listening && node.server.follows.is_none();
        (serves && named.all(|other| other == first)).then_some(first.0)
    }

    fn is_served(&self) -> bool {
        self.served_by().is_some()
    }

    /// True if there is one primary, all agree on it, and both replicas equal it.
    fn is_whole(&self) -> bool {
        let Some(primary) = self.served_by() else { return false };
        let settled = |node: &crate::node::Node| {
            node.sentinel.as_ref().is_some_and(|s| !s.failover_in_progress(GROUP))
        };
        let ours = &self.nodes[primary].server;
        let equal = |index: usize| {
            let node = &self.nodes[index];
            let theirs = &node.server;
            node.alive
                && node.listening
                && theirs.follows == Some(primary)
                && theirs.replica.is_link_up()
                && theirs.log.end() == ours.log.end()
                && theirs.history.replid == ours.history.replid
                && theirs.digest == ours.digest
                && theirs.keys == ours.keys
        };
        self.nodes.iter().all(settled)
            && (0..NODES).filter(|&index| index != primary).all(equal)
            && self.is_formed()
    }

    /// True if no server has found its role yet.
    fn nobody_listens(&self) -> bool {
        !self.nodes.iter().any(|node| node.alive && node.listening)
    }

    /// The state of the group for a report.
    fn describe(&self) -> String {
        let mut text = String::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let named = node.sentinel.as_ref().and_then(|s| s.primary_of(GROUP));
            let named = named.map(|(address, epoch)| (host_of(&address.host), epoch));
            let server = &node.server;
            let _ = write!(
                text,
                "[{index}: alive {} listens {} follows {:?} link {} offset {} keys {} epoch {} \
                 names {named:?}] ",
                node.alive,
                node.listening,
                server.follows,
                server.replica.is_link_up(),
                server.log.end(),
                server.keys.len(),
                server.epoch,
            );
        }
        text
    }
}
