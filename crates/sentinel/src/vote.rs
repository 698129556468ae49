//! Votes: who may lead a failover.
//!
//! A sentinel votes once per epoch and group, for the first that asks, and its vote is durable
//! before it is told to anybody. A candidate leads if it has the votes of more than half of all known
//! sentinels (itself included, reachable or not) and of at least `quorum` of them, all in the epoch
//! of its candidacy. Two leaders in one epoch are thus impossible while sentinels keep their disks.
//!
//! One rule beyond stock: a sentinel that leads a failover and has not yet seen its replica promoted
//! gives no vote in a later epoch, so that two leaders do not promote two replicas. It is bounded by
//! the failover's own deadline, and withholding a vote is always safe.

use crate::action::Level;
use crate::group::Step;
use crate::machine::Sentinel;
use base::{Millis, RunId};
use std::collections::BTreeMap;

/// A voter leaves its candidate the failover timeout and this margin before it starts on its own.
pub const VOTER_MARGIN_MS: u64 = 2_000;
/// Random part of every delay before a candidacy, so that candidates do not start in step.
pub const DESYNC_MS: u64 = 1_000;

/// How an election stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// This candidate has the votes it needs.
    Elected(RunId),
    /// Votes are still to come.
    Open,
    /// Everyone who can be reached has answered and nobody has enough.
    Split,
}

impl Sentinel {
    /// Votes for `candidate` in `epoch` unless this epoch's vote is given. Answers the vote that
    /// stands, with its epoch; none while the state on disk is behind.
    pub(crate) fn vote(
        &mut self,
        name: &str,
        epoch: u64,
        candidate: RunId,
        now: Millis,
    ) -> (Option<RunId>, u64) {
        // A vote that is only in memory would be forgotten by a crash, and given again.
        if self.is_unsaved() {
            return (None, 0);
        }
        if epoch <= self.current_epoch.saturating_add(crate::peers::EPOCH_JUMP_MAX) {
            self.adopt_epoch(epoch);
            self.vote_once(name, epoch, candidate, now);
        }
        let group = self.groups.get(name);
        group.map_or((None, 0), |group| (group.leader, group.leader_epoch))
    }

    fn vote_once(&mut self, name: &str, epoch: u64, candidate: RunId, now: Millis) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let leading = matches!(
            group.step(),
            Some(Step::SelectReplica | Step::SendPromotion | Step::WaitPromotion)
        );
        if group.leader_epoch >= epoch || epoch < self.current_epoch || leading {
            return;
        }
        group.leader = Some(candidate);
        group.leader_epoch = epoch;
        if candidate != self.my_id {
            let patience = group.settings.failover_timeout + Millis(VOTER_MARGIN_MS);
            group.deferred_until = now + patience + Millis(self.random.below(DESYNC_MS));
            group.start_at = None;
        }
        self.persist();
        self.announce(Level::Warning, "+vote-for-leader", format!("{candidate} {epoch}"));
    }

    /// Counts the votes of `epoch`.
    pub(crate) fn tally(&self, name: &str, epoch: u64) -> Tally {
        let Some(group) = self.groups.get(name) else { return Tally::Split };
        let mut votes: BTreeMap<RunId, usize> = BTreeMap::new();
        let mut awaited = false;
        for &id in group.sentinels.values() {
            let peer = self.at(id);
            let Some(facts) = peer.peer() else { continue };
            match facts.leader {
                Some(leader) if facts.leader_epoch == epoch => {
                    *votes.entry(leader).or_default() += 1;
                }
                _ => {
                    awaited |=
                        facts.leader_epoch <= epoch && peer.command.up && peer.down_since.is_none();
                }
            }
        }
        if let Some(own) = group.leader.filter(|_| group.leader_epoch == epoch) {
            *votes.entry(own).or_default() += 1;
        }
        let needed = self.votes_needed(name);
        let winner = votes.iter().find(|&(_, &count)| count >= needed);
        match winner {
            Some((&winner, _)) => Tally::Elected(winner),
            None if awaited => Tally::Open,
            None => Tally::Split,
        }
    }

    /// When a failover of our own may start: not while a lost attempt is paid for, and not while the
    /// candidate we voted for may be at work, unless its process is known to be gone.
    pub(crate) fn may_start_at(&self, name: &str) -> Millis {
        let Some(group) = self.groups.get(name) else { return Millis(u64::MAX) };
        let elected = group.leader.and_then(|leader| group.sentinels.get(&leader));
        let gone = elected.is_some_and(|&id| {
            let peer = self.at(id);
            peer.refused && peer.down_since.is_some()
        });
        if gone { group.not_before } else { group.not_before.max(group.deferred_until) }
    }

    /// The votes a leader of `name` needs: more than half of all, and the quorum.
    pub(crate) fn votes_needed(&self, name: &str) -> usize {
        self.groups.get(name).map_or(usize::MAX, |group| {
            let voters = group.sentinels.len() + 1;
            let quorum = usize::try_from(group.settings.quorum).unwrap_or(usize::MAX);
            (voters / 2 + 1).max(quorum)
        })
    }

    /// The sentinels that can be reached now, ourselves included.
    pub(crate) fn usable_sentinels(&self, name: &str) -> usize {
        self.groups.get(name).map_or(0, |group| {
            let usable = group.sentinels.values().filter(|&&id| {
                let peer = self.at(id);
                peer.down_since.is_none() && peer.command.up
            });
            usable.count() + 1
        })
    }
}
