//! What was seen from outside, and the invariants over it.
//!
//! The ledger sees what crosses the wire and what is told to clients, never the inside of a machine:
//!
//! - a sentinel votes for one candidate per epoch, over all its lives;
//! - a promotion is ordered only by who has a majority of the votes of its epoch, and each epoch
//!   has one leader and one promoted node;
//! - whoever names a primary for an epoch names the node promoted in that epoch, and a sentinel's
//!   epochs do not go back;
//! - whoever holds so many bytes of a history holds the same data.

use crate::fault::Kinds;
use crate::setup::NODES;
use base::{Millis, Offset, RunId};
use std::collections::{BTreeMap, BTreeSet};

/// The votes that make a leader.
const MAJORITY: usize = NODES / 2 + 1;

#[derive(Clone, Copy, Debug)]
struct Order {
    leader: usize,
    target: usize,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) violation: Option<String>,
    votes: BTreeMap<(usize, u64), RunId>,
    orders: BTreeMap<u64, Order>,
    /// The primary of each epoch that somebody named.
    told: BTreeMap<u64, usize>,
    /// The epoch that each sentinel last named.
    last_told: [u64; NODES],
    contents: BTreeMap<(RunId, Offset), u64>,
    /// Acknowledged writes of this round.
    pub(crate) acknowledged: Vec<Vec<u8>>,
    pub(crate) tried: u64,
    pub(crate) full_syncs: u64,
    /// When the primary died, if nobody has taken its place.
    primary_died: Option<Millis>,
    /// Milliseconds from a primary's death to the first sentinel that names another.
    pub(crate) failover_times: Vec<u64>,
    /// Kinds of faults in this round.
    pub(crate) kinds: Kinds,
    /// Nodes that died in this round, each time.
    pub(crate) deaths: Vec<usize>,
    pub(crate) emptied: Option<usize>,
    /// Acknowledged writes that all nodes held when the first fault began; `None` before it.
    pub(crate) held_by_all: Option<BTreeSet<Vec<u8>>>,
    /// Events of sentinels, counted by name.
    pub(crate) announced: BTreeMap<&'static str, u64>,
}

impl Ledger {
    /// A vote was told, or a candidate pleaded and thereby voted for itself.
    pub(crate) fn note_vote(
        &mut self,
        voter: usize,
        epoch: u64,
        candidate: RunId,
    ) -> Result<(), String> {
        let known = *self.votes.entry((voter, epoch)).or_insert(candidate);
        if known == candidate {
            return Ok(());
        }
        Err(format!("sentinel {voter} voted twice in epoch {epoch}: {known} and {candidate}"))
    }

    /// A leader orders a promotion.
    pub(crate) fn note_order(
        &mut self,
        epoch: u64,
        leader: usize,
        id: RunId,
        target: usize,
    ) -> Result<(), String> {
        let of_epoch = self.votes.range((0, 0)..).filter(|((_, of), _)| *of == epoch);
        let votes = of_epoch.filter(|(_, candidate)| **candidate == id).count();
        if votes < MAJORITY {
            return Err(format!(
                "sentinel {leader} promotes node {target} in epoch {epoch} with {votes} votes"
            ));
        }
        let known = *self.orders.entry(epoch).or_insert(Order { leader, target });
        if (known.leader, known.target) == (leader, target) {
            return Ok(());
        }
        Err(format!(
            "two promotions in epoch {epoch}: node {} by sentinel {}, node {target} by sentinel \
             {leader}",
            known.target, known.leader
        ))
    }

    /// A sentinel names `primary` for `epoch`. True if nobody did before.
    pub(crate) fn note_told(
        &mut self,
        now: Millis,
        sentinel: usize,
        epoch: u64,
        primary: usize,
    ) -> Result<bool, String> {
        let before = std::mem::replace(&mut self.last_told[sentinel], epoch);
        if before > epoch {
            return Err(format!("sentinel {sentinel} went back from epoch {before} to {epoch}"));
        }
        if let Some(&known) = self.told.get(&epoch) {
            if known == primary {
                return Ok(false);
            }
            return Err(format!(
                "two primaries in epoch {epoch}: node {known} and, says sentinel {sentinel}, node \
                 {primary}"
            ));
        }
        if epoch > 0 && self.orders.get(&epoch).is_none_or(|order| order.target != primary) {
            return Err(format!(
                "sentinel {sentinel} names node {primary} for epoch {epoch}, in which it was not \
                 promoted"
            ));
        }
        self.told.insert(epoch, primary);
        if let Some(died) = self.primary_died.take().filter(|_| epoch > 0) {
            self.failover_times.push(now.since(died).0);
        }
        Ok(true)
    }

    /// A node holds `offset` bytes of a history with this digest.
    pub(crate) fn note_contents(
        &mut self,
        node: usize,
        replid: RunId,
        offset: Offset,
        digest: u64,
    ) -> Result<(), String> {
        let known = *self.contents.entry((replid, offset)).or_insert(digest);
        if known == digest {
            return Ok(());
        }
        Err(format!("node {node} holds other data at {offset} of history {replid} than others did"))
    }

    pub(crate) fn note_acknowledged(&mut self, key: Vec<u8>) {
        self.acknowledged.push(key);
    }

    pub(crate) fn note_death(&mut self, now: Millis, node: usize, was_primary: bool) {
        self.deaths.push(node);
        if was_primary {
            self.primary_died.get_or_insert(now);
        }
    }

    /// A sentinel starts again, and its disk may not have taken what it last said.
    pub(crate) fn excuse(&mut self, sentinel: usize) {
        self.last_told[sentinel] = 0;
    }

    pub(crate) fn note_emptied(&mut self, node: usize) {
        self.emptied = Some(node);
    }

    pub(crate) fn note_event(&mut self, name: &'static str) {
        *self.announced.entry(name).or_default() += 1;
    }

    pub(crate) fn count_of(&self, name: &'static str) -> u64 {
        self.announced.get(name).copied().unwrap_or(0)
    }

    /// The failovers that were completed: new epochs in which somebody named a primary.
    pub(crate) fn failovers(&self) -> u64 {
        self.told.keys().filter(|&&epoch| epoch > 0).count() as u64
    }

    /// Epochs whose votes went to more than one candidate.
    pub(crate) fn split_votes(&self) -> u64 {
        let mut candidates: BTreeMap<u64, BTreeSet<RunId>> = BTreeMap::new();
        for (&(_, epoch), &candidate) in &self.votes {
            candidates.entry(epoch).or_default().insert(candidate);
        }
        candidates.values().filter(|candidates| candidates.len() > 1).count() as u64
    }

    /// A round begins: what belonged to the last one is forgotten.
    pub(crate) fn begin_round(&mut self) {
        self.acknowledged.clear();
        self.contents.clear();
        self.kinds = Kinds::default();
        self.deaths.clear();
        self.emptied = None;
        self.held_by_all = None;
        self.primary_died = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> RunId {
        RunId::parse(&[digit; 40]).unwrap()
    }

    #[test]
    fn one_vote_per_sentinel_and_epoch() {
        let mut ledger = Ledger::default();
        for (voter, epoch, candidate, fits) in
            [(0, 1, b'a', true), (0, 1, b'a', true), (0, 1, b'b', false), (0, 2, b'b', true)]
        {
            assert_eq!(
                ledger.note_vote(voter, epoch, id(candidate)).is_ok(),
                fits,
                "{voter} {epoch}"
            );
        }
        assert_eq!(ledger.split_votes(), 0);
        ledger.note_vote(1, 2, id(b'a')).unwrap();
        assert_eq!(ledger.split_votes(), 1);
    }

    #[test]
    fn an_order_needs_a_majority_and_is_the_only_one_of_its_epoch() {
        let mut ledger = Ledger::default();
        ledger.note_vote(0, 1, id(b'a')).unwrap();
        assert!(ledger.note_order(1, 0, id(b'a'), 2).is_err(), "one vote of three");
        ledger.note_vote(1, 1, id(b'a')).unwrap();
        assert!(ledger.note_order(1, 0, id(b'a'), 2).is_ok());
        assert!(ledger.note_order(1, 0, id(b'a'), 2).is_ok(), "said again");
        assert!(ledger.note_order(1, 0, id(b'a'), 1).is_err(), "another node");
        assert!(ledger.note_order(2, 0, id(b'a'), 2).is_err(), "votes of another epoch");
    }

    #[test]
    fn who_is_named_was_promoted_and_epochs_do_not_go_back() {
        let mut ledger = Ledger::default();
        let now = Millis(0);
        assert_eq!(ledger.note_told(now, 0, 0, 0), Ok(true));
        assert_eq!(ledger.note_told(now, 1, 0, 0), Ok(false));
        assert!(ledger.note_told(now, 1, 0, 1).is_err(), "two primaries in one epoch");
        assert!(ledger.note_told(now, 0, 1, 1).is_err(), "nobody was promoted");
        for voter in 0..2 {
            ledger.note_vote(voter, 2, id(b'a')).unwrap();
        }
        ledger.note_order(2, 0, id(b'a'), 1).unwrap();
        assert!(ledger.note_told(now, 0, 2, 2).is_err(), "another one was promoted");
        assert_eq!(ledger.note_told(now, 0, 2, 1), Ok(true));
        assert!(ledger.note_told(now, 0, 0, 0).is_err(), "it knew better");
        assert_eq!(ledger.failovers(), 1);
    }

    #[test]
    fn one_history_has_one_content() {
        let mut ledger = Ledger::default();
        assert!(ledger.note_contents(0, id(b'a'), Offset(5), 1).is_ok());
        assert!(ledger.note_contents(1, id(b'a'), Offset(5), 1).is_ok());
        assert!(ledger.note_contents(1, id(b'b'), Offset(5), 2).is_ok());
        assert!(ledger.note_contents(2, id(b'a'), Offset(5), 2).is_err());
    }
}
