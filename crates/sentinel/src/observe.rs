//! Acting on an INFO reply: new replicas, changed roles, finished promotions, strays brought back.
//!
//! A server that contradicts the configuration is corrected only after [`STRAY_PUBLISH_PERIODS`]
//! hello periods, so that news of a later configuration, which would explain it, arrives first.

use crate::action::{Level, Reply};
use crate::address::Address;
use crate::group::{Group, MEMBERS_MAX, Reboot, Step};
use crate::info::{Report, parse};
use crate::instance::{INFO_BYTES_MAX, Instance, InstanceId, Kind, Reconf, Role};
use crate::machine::Sentinel;
use base::Millis;

/// Hello periods that a server may contradict the configuration before it is corrected.
pub const STRAY_PUBLISH_PERIODS: u64 = 4;

impl Sentinel {
    /// An instance answered INFO.
    pub(crate) fn info_arrived(&mut self, id: InstanceId, reply: &Reply, now: Millis) {
        let text = match reply {
            Reply::Bulk(bytes) => bytes.as_slice(),
            Reply::Text(text) => text.as_bytes(),
            _ => return,
        };
        let report = parse(text);
        let instance = self.at_mut(id);
        instance.info = text[..text.len().min(INFO_BYTES_MAX)].to_vec();
        instance.info_at = Some(now);
        instance.keys = report.keys;
        instance.loading = report.loading;
        instance.replids.clone_from(&report.replids);
        instance.stream_offset = report.primary_offset.unwrap_or(0);
        let group = instance.group.clone();
        self.note_run_id(id, &report, now);
        self.note_listed_replicas(id, &report, now);
        note_replication(self.at_mut(id), &report, now);
        self.note_role(id, &report, now);
        self.act_on_role(id, now);
        self.judge_reboot(&group, now);
        self.advance_failover(&group, now);
    }

    fn note_run_id(&mut self, id: InstanceId, report: &Report, now: Millis) {
        let Some(new) = report.run_id else { return };
        let instance = self.at_mut(id);
        let known = instance.run_id.replace(new);
        if known.is_none_or(|known| known == new) {
            return;
        }
        let (primary, group) = (instance.is_primary(), instance.group.clone());
        self.event(Level::Notice, "+reboot", id);
        if primary && let Some(group) = self.groups.get_mut(&group) {
            group.reboot = Some(Reboot::Judging(now));
            let replicas: Vec<InstanceId> = group.replicas.values().copied().collect();
            for replica in replicas {
                self.request_info(replica, now);
            }
        }
    }

    fn note_listed_replicas(&mut self, id: InstanceId, report: &Report, now: Millis) {
        if !self.at(id).is_primary() || report.role != Some(Role::Primary) {
            return;
        }
        let group = self.at(id).group.clone();
        for address in &report.replicas {
            if !self.settings.resolve_hostnames && !address.is_numeric() {
                self.refuse_name(&group, address);
                continue;
            }
            if let Some(replica) = self.add_replica(&group, address.clone(), now) {
                self.event(Level::Notice, "+slave", replica);
                self.persist();
            }
        }
    }

    /// A primary lists a replica by a name that may not be resolved: it is passed over, as in stock,
    /// and the log says so once.
    fn refuse_name(&mut self, group: &str, address: &Address) {
        let Some(group) = self.groups.get_mut(group) else { return };
        if group.refused.len() < MEMBERS_MAX && group.refused.insert(address.clone()) {
            let host = &address.host;
            let text = format!(
                "Replica {address} is not monitored: '{host}' is a name, and resolve-hostnames is off"
            );
            self.log(Level::Warning, text);
        }
    }

    fn note_role(&mut self, id: InstanceId, report: &Report, now: Millis) {
        let Some(role) = report.role else { return };
        let instance = self.at_mut(id);
        if role == instance.role {
            return;
        }
        instance.role = role;
        instance.role_since = now;
        if let Some(facts) = instance.replica_mut() {
            facts.conf_changed_at = now;
        }
        let expected = instance.is_primary() == (role == Role::Primary);
        let name = if expected { "+role-change" } else { "-role-change" };
        let text = format!("{} new reported role is {}", self.describe(id), role.word());
        self.announce(Level::Verbose, name, text);
    }

    fn act_on_role(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        if !matches!(instance.kind, Kind::Replica(_)) {
            return;
        }
        match instance.role {
            Role::Primary => self.replica_says_primary(id, now),
            Role::Replica => {
                self.correct_followed(id, now);
                self.note_reconfiguration(id);
            }
        }
    }

    fn replica_says_primary(&mut self, id: InstanceId, now: Millis) {
        let name = self.at(id).group.clone();
        let Some(group) = self.groups.get(&name) else { return };
        if group.is_promoted(id) {
            if group.step() == Some(Step::WaitPromotion) {
                self.promotion_seen(&name, id, now);
            }
            return;
        }
        let wait = Millis(self.periods.publish.0 * STRAY_PUBLISH_PERIODS);
        if self.primary_looks_sane(group, now)
            && self.reachable_for(id, wait, now)
            && now.since(self.at(id).role_since) > wait
        {
            let primary = self.at(group.primary).address.clone();
            if self.send_follow(id, Some(&primary)) {
                self.event(Level::Notice, "+convert-to-slave", id);
            }
        }
    }

    fn correct_followed(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        let (Some(facts), Some(group)) = (instance.replica(), self.groups.get(&instance.group))
        else {
            return;
        };
        let primary = &self.at(group.primary).address;
        let Some(followed) = facts.follows.as_ref().filter(|&followed| followed != primary) else {
            return;
        };
        let wait = Millis(self.periods.publish.0 * STRAY_PUBLISH_PERIODS);
        let stray = group.promoted_or_none(followed, self).is_none()
            && self.primary_looks_sane(group, now)
            && self.reachable_for(id, wait, now)
            && now.since(facts.conf_changed_at) > wait;
        if stray {
            let primary = primary.clone();
            if self.send_follow(id, Some(&primary)) {
                self.event(Level::Notice, "+fix-slave-config", id);
            }
        }
    }

    /// A replica told to follow the promoted one reports that it does, then that it is in sync.
    fn note_reconfiguration(&mut self, id: InstanceId) {
        let instance = self.at(id);
        let (Some(facts), Some(group)) = (instance.replica(), self.groups.get(&instance.group))
        else {
            return;
        };
        let promoted = group.failover.and_then(|failover| failover.promoted);
        let Some(promoted) = promoted.map(|promoted| &self.at(promoted).address) else { return };
        let follows = facts.follows.as_ref() == Some(promoted);
        let up = facts.link_up;
        if matches!(facts.reconf, Reconf::Sent(_)) && follows {
            self.set_reconf(id, Reconf::InProgress, "+slave-reconf-inprog");
        }
        let in_progress =
            self.at(id).replica().is_some_and(|facts| facts.reconf == Reconf::InProgress);
        if in_progress && up && follows {
            self.set_reconf(id, Reconf::Done, "+slave-reconf-done");
        }
    }

    pub(crate) fn set_reconf(&mut self, id: InstanceId, reconf: Reconf, event: &'static str) {
        if let Some(facts) = self.at_mut(id).replica_mut() {
            facts.reconf = reconf;
        }
        self.event(Level::Notice, event, id);
    }

    /// True if the primary plainly is one: up, says so, and has said so lately.
    fn primary_looks_sane(&self, group: &Group, now: Millis) -> bool {
        let primary = self.at(group.primary);
        let fresh = Millis(self.periods.info.0 * 2);
        primary.role == Role::Primary
            && primary.down_since.is_none()
            && group.objectively_down.is_none()
            && primary.info_at.is_some_and(|at| now.since(at) < fresh)
    }

    /// True if the instance has not been down within the last `span`.
    fn reachable_for(&self, id: InstanceId, span: Millis, now: Millis) -> bool {
        let instance = self.at(id);
        instance.down_since.is_none()
            && instance.up_since.is_none_or(|since| now.since(since) > span)
    }
}

impl Group {
    /// The address `followed` if it is the replica being promoted.
    fn promoted_or_none<'a>(&self, followed: &'a Address, of: &Sentinel) -> Option<&'a Address> {
        let promoted = self.failover.and_then(|failover| failover.promoted)?;
        (&of.at(promoted).address == followed).then_some(followed)
    }
}

fn note_replication(instance: &mut Instance, report: &Report, now: Millis) {
    let Some(facts) = instance.replica_mut() else { return };
    if let Some(priority) = report.priority {
        facts.priority = priority;
    }
    if let Some(announced) = report.announced {
        facts.announced = announced;
    }
    if report.role != Some(Role::Replica) {
        return;
    }
    facts.offset = report.replica_offset.unwrap_or(facts.offset);
    facts.link_up = report.link_up.unwrap_or(facts.link_up);
    facts.link_down_for = match report.link_down_seconds {
        None => Some(Millis(0)),
        Some(seconds) => u64::try_from(seconds).ok().map(|s| Millis(s.saturating_mul(1000))),
    };
    if let (Some(host), Some(port)) = (&report.primary_host, report.primary_port) {
        let follows = Address::new(host.clone(), port);
        if facts.follows.as_ref() != Some(&follows) {
            facts.follows = Some(follows);
            facts.conf_changed_at = now;
        }
    }
}
