//! Leading a failover: from the first vote to the new primary under the group's name.
//!
//! ```text
//! WaitStart -> SelectReplica -> SendPromotion -> WaitPromotion -> Reconfigure -> UpdateConfig
//! ```
//!
//! Steps and their bounds are stock's; two waits are shorter. An election that nobody can win any
//! more is given up at once and tried again after a random back-off that doubles, where stock waits
//! twice the failover timeout; and each step follows the reply that allows it, not the next tick.
//! Before the choice every healthy replica is asked for INFO, so that offsets are compared as they
//! are after the primary's death; [`INFO_WAIT_MAX_MS`] bounds that wait.

use crate::action::{Action, Level};
use crate::choose::{Bounds, Candidate, choose};
use crate::group::{Failover, Step};
use crate::instance::{InstanceId, Reconf, Role};
use crate::machine::Sentinel;
use crate::vote::{DESYNC_MS, Tally};
use base::Millis;

/// A candidacy begins within this time after the primary was found objectively down.
pub const START_SPREAD_MS: u64 = 150;
/// The least wait before the next candidacy after a lost election.
pub const RETRY_MIN_MS: u64 = 250;
/// The random part of that wait; it doubles with every election lost in a row.
pub const RETRY_SPREAD_MS: u64 = 1_000;
/// Doublings at most.
pub const RETRY_DOUBLINGS_MAX: u32 = 5;
/// The wait after a failover that found no replica to promote.
pub const NO_REPLICA_RETRY_MS: u64 = 5_000;
/// How long fresh INFO of the replicas is waited for before the choice.
pub const INFO_WAIT_MAX_MS: u64 = 300;
/// How long a primary counts as having been down if nobody knows.
const UNKNOWN_SPAN: Millis = Millis(u64::MAX);
/// Steps taken in one call at most; each moves the failover forward, and there are six.
const STEPS_MAX: usize = 8;
/// `SENTINEL SIMULATE-FAILURE crash-after-election`.
pub(crate) const CRASH_AFTER_ELECTION: u8 = 1;
/// `SENTINEL SIMULATE-FAILURE crash-after-promotion`.
pub(crate) const CRASH_AFTER_PROMOTION: u8 = 2;

impl Sentinel {
    /// Starts a candidacy if the primary is objectively down and it is our time.
    pub(crate) fn start_failover_if_needed(&mut self, name: &str, now: Millis) {
        let usable = self.usable_sentinels(name) >= self.votes_needed(name);
        let spread = Millis(self.random.below(START_SPREAD_MS));
        let unsaved = self.is_unsaved();
        let not_before = self.may_start_at(name);
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.objectively_down.is_none() || group.failover.is_some() || unsaved {
            group.start_at = None;
            return;
        }
        // An earlier draw of the start holds only while nothing stands in its way.
        if now < not_before || !usable {
            group.start_at = None;
        }
        if now < not_before {
            if group.delay_logged != Some(not_before) {
                group.delay_logged = Some(not_before);
                let wait = not_before.since(now);
                let text =
                    format!("Next failover delay: I will not start a failover for {wait} ms");
                self.log(Level::Warning, text);
            }
            return;
        }
        // Without a majority in reach no election can be won; epochs are not spent on it.
        if !usable {
            return;
        }
        let start_at = *group.start_at.get_or_insert(now + spread);
        if now >= start_at {
            self.start_failover(name, false, now);
        }
    }

    /// Starts a failover: a candidacy in a new epoch, or, if `forced` by a user, the real thing.
    pub(crate) fn start_failover(&mut self, name: &str, forced: bool, now: Millis) {
        let epoch = self.current_epoch.saturating_add(1);
        let desync = Millis(self.random.below(DESYNC_MS));
        let Some(group) = self.groups.get_mut(name) else { return };
        group.failover = Some(Failover {
            epoch,
            started: now,
            step: Step::WaitStart,
            step_since: now,
            forced,
            promoted: None,
        });
        group.start_at = None;
        group.not_before = now + Millis(group.settings.failover_timeout.0 * 2) + desync;
        let primary = group.primary;
        self.adopt_epoch(epoch);
        self.event(Level::Warning, "+try-failover", primary);
        self.vote(name, epoch, self.my_id, now);
        if !forced {
            self.plead(name, now);
        }
        self.advance_failover(name, now);
    }

    /// Takes every step that is possible now.
    pub(crate) fn advance_failover(&mut self, name: &str, now: Millis) {
        for _ in 0..STEPS_MAX {
            let Some(failover) = self.groups.get(name).and_then(|group| group.failover) else {
                return;
            };
            match failover.step {
                Step::WaitStart => self.wait_start(name, failover, now),
                Step::SelectReplica => self.select_replica(name, failover, now),
                Step::SendPromotion => self.send_promotion(name, failover, now),
                Step::WaitPromotion => self.wait_promotion(name, failover, now),
                Step::Reconfigure => self.reconfigure(name, failover, now),
                Step::UpdateConfig => self.finish_failover(name, failover, now),
            }
            let step = self.groups.get(name).and_then(crate::group::Group::step);
            if step == Some(failover.step) {
                return;
            }
        }
    }

    fn enter(&mut self, name: &str, step: Step, now: Millis) {
        if let Some(group) = self.groups.get_mut(name)
            && let Some(failover) = group.failover.as_mut()
        {
            failover.step = step;
            failover.step_since = now;
        }
    }

    fn wait_start(&mut self, name: &str, failover: Failover, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        let primary = group.primary;
        if !failover.forced {
            let patience = self.periods.election_timeout.min(group.settings.failover_timeout);
            let led_by_other = match self.tally(name, failover.epoch) {
                Tally::Elected(leader) if leader == self.my_id => None,
                Tally::Elected(_) => Some(true),
                Tally::Open if now.since(failover.started) <= patience => return,
                Tally::Open | Tally::Split => Some(false),
            };
            if let Some(led_by_other) = led_by_other {
                self.lose_election(name, led_by_other, now);
                return;
            }
        }
        self.event(Level::Warning, "+elected-leader", primary);
        if self.simulate_failure & CRASH_AFTER_ELECTION != 0 {
            self.actions.push_back(Action::Crash);
        }
        self.event(Level::Warning, "+failover-state-select-slave", primary);
        self.enter(name, Step::SelectReplica, now);
        let replicas = self.replicas_of(name);
        for id in replicas {
            self.request_info(id, now);
        }
    }

    /// Ends a candidacy. With another leader elected it is left the time it may need; if nobody
    /// was, the next try comes soon, at a random time.
    fn lose_election(&mut self, name: &str, led_by_other: bool, now: Millis) {
        let spread = self.random.below(RETRY_SPREAD_MS);
        let Some(group) = self.groups.get_mut(name) else { return };
        let doublings = group.lost_elections.min(RETRY_DOUBLINGS_MAX);
        let longest = group.settings.failover_timeout.0 * 2;
        let soon = (RETRY_MIN_MS + (spread << doublings)).min(longest);
        let wait = if led_by_other {
            group.settings.failover_timeout.0 + crate::vote::VOTER_MARGIN_MS + spread
        } else {
            soon
        };
        group.lost_elections = group.lost_elections.saturating_add(1);
        self.abort(name, "-failover-abort-not-elected", now + Millis(wait));
    }

    fn abort(&mut self, name: &str, event: &'static str, not_before: Millis) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.failover = None;
        group.start_at = None;
        group.not_before = not_before;
        let primary = group.primary;
        self.event(Level::Warning, event, primary);
        for id in self.replicas_of(name) {
            if let Some(facts) = self.at_mut(id).replica_mut() {
                facts.reconf = Reconf::None;
            }
        }
    }

    fn select_replica(&mut self, name: &str, failover: Failover, now: Millis) {
        let replicas = self.replicas_of(name);
        let stale = |&id: &InstanceId| {
            let replica = self.at(id);
            replica.command.up
                && replica.down_since.is_none()
                && replica.info_at.is_none_or(|at| at < failover.step_since)
        };
        let waited = now.since(failover.step_since);
        if replicas.iter().any(stale) && waited < Millis(INFO_WAIT_MAX_MS) {
            return;
        }
        let Some(chosen) = self.chosen_replica(name, now) else {
            let Some(group) = self.groups.get(name) else { return };
            let wait = Millis(NO_REPLICA_RETRY_MS.min(group.settings.failover_timeout.0 * 2));
            let desync = Millis(self.random.below(DESYNC_MS));
            self.abort(name, "-failover-abort-no-good-slave", now + wait + desync);
            return;
        };
        self.event(Level::Warning, "+selected-slave", chosen);
        self.event(Level::Notice, "+failover-state-send-slaveof-noone", chosen);
        if let Some(group) = self.groups.get_mut(name)
            && let Some(failover) = group.failover.as_mut()
        {
            failover.promoted = Some(chosen);
        }
        self.enter(name, Step::SendPromotion, now);
    }

    /// The replica that would be promoted now.
    pub(crate) fn chosen_replica(&self, name: &str, now: Millis) -> Option<InstanceId> {
        let group = self.groups.get(name)?;
        let primary = self.at(group.primary);
        // A primary that never answered since we started may have been down for any time before.
        let absent =
            |since| if primary.info_at.is_some() { now.since(since) } else { UNKNOWN_SPAN };
        // One that has turned replica left its replicas when it did, and is found down later.
        let turned = (primary.role == Role::Replica).then_some(primary.role_since);
        let gone_since = |since: Millis| turned.map_or(since, |turned| turned.min(since));
        let primary_down_for = primary.down_since.map(gone_since).map(absent);
        let bounds = Bounds {
            ping_period: self.periods.ping,
            info_period: self.periods.info,
            down_after: group.settings.down_after,
            primary_down_for,
        };
        let candidate = |&id: &InstanceId| {
            let replica = self.at(id);
            let facts = replica.replica()?;
            // What was said on an earlier connection may be about a process that is no more.
            let heard = replica.info_at.filter(|&at| at >= replica.command.connected_at);
            Some(Candidate {
                id,
                down: replica.down_since.is_some(),
                connected: replica.command.up,
                priority: facts.priority,
                silent_for: now.since(replica.last_available),
                info_age: heard.map(|at| now.since(at)),
                link_down_for: facts.link_down_for,
                offset: match replica.role {
                    Role::Replica => facts.offset,
                    // Another leader may have promoted it.
                    Role::Primary => facts.offset.max(replica.stream_offset),
                },
                run_id: replica.run_id,
                never_synced: self.never_synced(id),
            })
        };
        let candidates: Vec<_> = group.replicas.values().filter_map(candidate).collect();
        choose(&candidates, &bounds)
    }

    fn send_promotion(&mut self, name: &str, failover: Failover, now: Millis) {
        let Some(promoted) = failover.promoted else { return };
        if !self.send_follow(promoted, None) {
            self.abort_if_late(name, failover, now);
            return;
        }
        self.event(Level::Notice, "+failover-state-wait-promotion", promoted);
        self.enter(name, Step::WaitPromotion, now);
        self.request_info(promoted, now);
    }

    fn wait_promotion(&mut self, name: &str, failover: Failover, now: Millis) {
        self.abort_if_late(name, failover, now);
    }

    fn abort_if_late(&mut self, name: &str, failover: Failover, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        if now.since(failover.step_since) > group.settings.failover_timeout {
            let not_before = group.not_before;
            self.abort(name, "-failover-abort-slave-timeout", not_before);
        }
    }

    /// The promoted replica reports to be a primary: from now on the others are told of it.
    pub(crate) fn promotion_seen(&mut self, name: &str, id: InstanceId, now: Millis) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let Some(failover) = group.failover else { return };
        group.config_epoch = failover.epoch;
        let primary = group.primary;
        self.enter(name, Step::Reconfigure, now);
        self.persist();
        self.event(Level::Warning, "+promoted-slave", id);
        if self.simulate_failure & CRASH_AFTER_PROMOTION != 0 {
            self.actions.push_back(Action::Crash);
        }
        self.event(Level::Warning, "+failover-state-reconf-slaves", primary);
        self.send_hello_to_all(name, now);
    }

    fn reconfigure(&mut self, name: &str, failover: Failover, now: Millis) {
        let Some(promoted) = failover.promoted else { return };
        let Some(group) = self.groups.get(name) else { return };
        let primary = group.primary;
        let parallel = usize::try_from(group.settings.parallel_syncs).unwrap_or(usize::MAX);
        let timeout = group.settings.failover_timeout;
        let is_other = |&id: &InstanceId| !self.are_one_server(id, promoted);
        let others: Vec<InstanceId> = self.replicas_of(name).into_iter().filter(is_other).collect();
        let address = self.at(promoted).address.clone();
        self.give_up_slow_replicas(&others, now);
        let moving = others.iter().filter(|&&id| self.is_moving(id)).count();
        let mut room = parallel.saturating_sub(moving);
        for &id in &others {
            if room > 0 && self.is_unmoved(id) && self.send_follow(id, Some(&address)) {
                self.set_reconf(id, Reconf::Sent(now), "+slave-reconf-sent");
                self.request_info(id, now);
                room -= 1;
            }
        }
        let unfinished = others.iter().any(|&id| self.is_unfinished(id));
        if unfinished && now.since(failover.step_since) <= timeout {
            return;
        }
        if unfinished {
            self.event(Level::Warning, "+failover-end-for-timeout", primary);
            for &id in others.iter().filter(|&&id| self.is_unmoved(id)).collect::<Vec<_>>() {
                if self.send_follow(id, Some(&address)) {
                    self.event(Level::Notice, "+slave-reconf-sent-be", id);
                }
            }
        }
        self.event(Level::Warning, "+failover-end", primary);
        self.enter(name, Step::UpdateConfig, now);
    }

    fn give_up_slow_replicas(&mut self, others: &[InstanceId], now: Millis) {
        for &id in others {
            let Some(facts) = self.at(id).replica() else { continue };
            if let Reconf::Sent(at) = facts.reconf
                && now.since(at) > self.periods.replica_reconf_timeout
            {
                self.set_reconf(id, Reconf::Done, "-slave-reconf-sent-timeout");
            }
        }
    }

    fn is_moving(&self, id: InstanceId) -> bool {
        let reconf = self.at(id).replica().map(|facts| facts.reconf);
        matches!(reconf, Some(Reconf::Sent(_) | Reconf::InProgress))
    }

    fn is_unmoved(&self, id: InstanceId) -> bool {
        let replica = self.at(id);
        replica.down_since.is_none()
            && replica.replica().is_some_and(|facts| facts.reconf == Reconf::None)
    }

    fn is_unfinished(&self, id: InstanceId) -> bool {
        let replica = self.at(id);
        replica.down_since.is_none()
            && replica.replica().is_some_and(|facts| facts.reconf != Reconf::Done)
    }

    pub(crate) fn replicas_of(&self, name: &str) -> Vec<InstanceId> {
        self.groups.get(name).map(|g| g.replicas.values().copied().collect()).unwrap_or_default()
    }
}
