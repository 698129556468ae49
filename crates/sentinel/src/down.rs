//! Down for us (subjectively), down for enough of us (objectively), and the question between.
//!
//! An instance is subjectively down after `down-after` without a valid answer to a ping. A primary
//! is so too if it has reported to be a replica for `down-after` and two INFO periods, or if it came
//! back from a restart with less data than a replica holds (`guard.rs`). It is objectively down once
//! `quorum` sentinels, ours included, say so; answers older than five ask periods do not count.

use crate::action::{Level, Reply};
use crate::group::{Reboot, Step};
use crate::instance::{InstanceId, Purpose, Role};
use crate::machine::Sentinel;
use base::{Millis, RunId};

/// Ask periods after which another sentinel's answer is forgotten.
pub const ANSWER_PERIODS_MAX: u64 = 5;
/// While a primary is down only for us, others are asked at least this often: they may find it down
/// a moment later, and each round that they are not asked lengthens the failover.
pub const ASK_PERIOD_SUSPECT_MS: u64 = 200;

impl Sentinel {
    /// Decides whether an instance is down for us.
    pub(crate) fn check_subjective(&mut self, id: InstanceId, now: Millis) {
        let down_after = self.down_after(id);
        let instance = self.at(id);
        let silent = instance.silent_since().is_some_and(|since| now.since(since) > down_after);
        let patience = Millis(down_after.0 + self.periods.info.0 * 2);
        let demoted = instance.is_primary()
            && instance.role == Role::Replica
            && now.since(instance.role_since) > patience;
        let poorer = instance.is_primary()
            && self.groups.get(&instance.group).and_then(|group| group.reboot)
                == Some(Reboot::Poorer);
        let down = silent || demoted || poorer;
        if down == instance.down_since.is_some() {
            return;
        }
        let instance = self.at_mut(id);
        if down {
            instance.down_since = Some(now);
            self.event(Level::Warning, "+sdown", id);
        } else {
            instance.down_since = None;
            instance.up_since = Some(now);
            instance.script_kill_sent = false;
            self.event(Level::Warning, "-sdown", id);
        }
    }

    /// Everything that follows from the state of a group's primary.
    pub(crate) fn check_primary(&mut self, name: &str, now: Millis) {
        self.forget_old_answers(name, now);
        self.check_objective(name, now);
        self.start_failover_if_needed(name, now);
        self.ask_others(name, now);
        self.advance_failover(name, now);
    }

    fn forget_old_answers(&mut self, name: &str, now: Millis) {
        let old = Millis(self.periods.ask.0 * ANSWER_PERIODS_MAX);
        let peers: Vec<InstanceId> = self
            .groups
            .get(name)
            .map(|g| g.sentinels.values().copied().collect())
            .unwrap_or_default();
        for peer in peers {
            if let Some(facts) = self.at_mut(peer).peer_mut()
                && facts.last_answer.is_some_and(|at| now.since(at) > old)
            {
                facts.says_down = false;
                facts.leader = None;
                facts.last_answer = None;
            }
        }
    }

    fn check_objective(&mut self, name: &str, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        let says_down =
            |&&id: &&InstanceId| self.at(id).peer().is_some_and(|facts| facts.says_down);
        let others = group.sentinels.values().filter(says_down).count();
        let down = self.at(group.primary).down_since.is_some();
        let quorum = group.settings.quorum;
        let reached = down && others + 1 >= usize::try_from(quorum).unwrap_or(usize::MAX);
        let primary = group.primary;
        if reached == group.objectively_down.is_some() {
            return;
        }
        let Some(group) = self.groups.get_mut(name) else { return };
        group.objectively_down = reached.then_some(now);
        group.start_at = None;
        if reached {
            let text = format!("{} #quorum {}/{quorum}", self.describe(primary), others + 1);
            self.announce(Level::Warning, "+odown", text);
        } else {
            group.lost_elections = 0;
            self.event(Level::Warning, "-odown", primary);
        }
    }

    /// Asks every reachable sentinel, where it is due, whether the primary is down for it too.
    pub(crate) fn ask_others(&mut self, name: &str, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        if self.at(group.primary).down_since.is_none() {
            return;
        }
        let suspect = group.objectively_down.is_none() || group.step() == Some(Step::WaitStart);
        let brisk = self.periods.ask.min(Millis(ASK_PERIOD_SUSPECT_MS));
        let period = if suspect { brisk } else { self.periods.ask };
        let due = |&id: &InstanceId| {
            let facts = self.at(id).peer();
            facts.is_some_and(|facts| facts.last_asked.is_none_or(|at| now.since(at) >= period))
        };
        let peers: Vec<InstanceId> = group.sentinels.values().copied().filter(due).collect();
        for peer in peers {
            self.ask(name, peer, now);
        }
    }

    /// Asks every reachable sentinel at once: a candidate pleads for votes.
    pub(crate) fn plead(&mut self, name: &str, now: Millis) {
        let peers: Vec<InstanceId> = self
            .groups
            .get(name)
            .map(|g| g.sentinels.values().copied().collect())
            .unwrap_or_default();
        for peer in peers {
            self.ask(name, peer, now);
        }
    }

    fn ask(&mut self, name: &str, peer: InstanceId, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        if self.at(peer).command.pending.contains(&Purpose::AskDown) && group.failover.is_none() {
            return;
        }
        let address = &self.at(group.primary).address;
        let candidate = group.failover.map(|_| self.my_id);
        let epoch = group.failover.map_or(self.current_epoch, |failover| failover.epoch);
        let command = vec![
            b"SENTINEL".to_vec(),
            b"is-master-down-by-addr".to_vec(),
            address.host.clone().into_bytes(),
            address.port.to_string().into_bytes(),
            epoch.to_string().into_bytes(),
            candidate.map_or_else(|| b"*".to_vec(), |id| id.as_str().as_bytes().to_vec()),
        ];
        if self.at(peer).command.pending.len() < crate::instance::PENDING_MAX
            && self.send(peer, Purpose::AskDown, command)
            && let Some(facts) = self.at_mut(peer).peer_mut()
        {
            facts.last_asked = Some(now);
        }
    }

    /// A sentinel answered `is-master-down-by-addr`: `[down, leader or *, leader's epoch]`.
    pub(crate) fn down_answer_arrived(&mut self, id: InstanceId, reply: &Reply, now: Millis) {
        let Reply::Array(items) = reply else { return };
        let [Reply::Integer(down), leader, Reply::Integer(epoch)] = items.as_slice() else {
            return;
        };
        let leader = leader.as_bytes().and_then(RunId::parse);
        let epoch = u64::try_from(*epoch).unwrap_or(0);
        let voter = crate::machine::display_name(self.at(id));
        let name = self.at(id).group.clone();
        let Some(facts) = self.at_mut(id).peer_mut() else { return };
        facts.last_answer = Some(now);
        facts.says_down = *down == 1;
        if let Some(leader) = leader {
            let news = facts.leader_epoch != epoch || facts.leader != Some(leader);
            facts.leader = Some(leader);
            facts.leader_epoch = epoch;
            if news {
                self.log(Level::Warning, format!("{voter} voted for {leader} {epoch}"));
            }
        }
        self.check_objective(&name, now);
        self.start_failover_if_needed(&name, now);
        self.advance_failover(&name, now);
    }
}
