//! Giving a group's name to another primary, and telling servers whom to follow.
//!
//! A switch keeps the connections: the instances change their kinds and forget what they reported,
//! not how they are reached. A leader tells the old primary at once to follow the new one if it can
//! be reached: a primary that was only paused, or replaced by a user's order, then stops taking
//! writes when it wakes instead of after the eight seconds that a stray is given.

use crate::action::Level;
use crate::address::Address;
use crate::group::Failover;
use crate::instance::{Instance, InstanceId, Kind, Purpose, ReplicaFacts};
use crate::machine::Sentinel;
use base::Millis;

impl Sentinel {
    /// The last step of a failover.
    pub(crate) fn finish_failover(&mut self, name: &str, failover: Failover, now: Millis) {
        let Some(group) = self.groups.get(name) else { return };
        let Some(promoted) = failover.promoted else { return };
        let old_id = group.primary;
        let old = self.at(old_id).address.clone();
        let new = self.at(promoted).address.clone();
        self.announce_switch(name, &old, &new);
        self.switch_primary(name, &new, now);
        let old_id = self.groups.get(name).and_then(|group| group.replicas.get(&old)).copied();
        if let Some(old_id) = old_id
            && self.send_follow(old_id, Some(&new))
        {
            self.event(Level::Notice, "+convert-to-slave", old_id);
        }
    }

    pub(crate) fn announce_switch(&mut self, name: &str, old: &Address, new: &Address) {
        self.announce(Level::Warning, "+switch-master", format!("{name} {old} {new}"));
    }

    /// Makes `new` the primary of the group: the old one becomes a replica, and whatever was known
    /// about roles, health and a failover is forgotten. The sentinels stay.
    pub(crate) fn switch_primary(&mut self, name: &str, new: &Address, now: Millis) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.objectively_down = None;
        group.failover = None;
        group.start_at = None;
        group.lost_elections = 0;
        group.reboot = None;
        group.not_before = now;
        group.deferred_until = now;
        let old_primary = group.primary;
        let known = group.replicas.remove(new);
        let mut replicas = std::mem::take(&mut group.replicas);
        let sentinels: Vec<InstanceId> = group.sentinels.values().copied().collect();
        let primary = known.unwrap_or_else(|| InstanceId(self.fresh_number()));
        self.instances
            .entry(primary)
            .or_insert_with(|| Instance::new(Kind::Primary, name, new.clone(), now));
        self.recast(primary, Kind::Primary, now);
        let old_address = self.at(old_primary).address.clone();
        replicas.insert(old_address, old_primary);
        for &id in replicas.values() {
            self.recast(id, Kind::Replica(ReplicaFacts::new(now)), now);
        }
        for peer in sentinels {
            if let Some(facts) = self.at_mut(peer).peer_mut() {
                facts.says_down = false;
            }
        }
        let added: Vec<InstanceId> = replicas.values().copied().collect();
        if let Some(group) = self.groups.get_mut(name) {
            group.primary = primary;
            group.replicas = replicas;
        }
        for id in added {
            self.event(Level::Notice, "+slave", id);
        }
        self.persist();
        for id in self.replicas_of(name).into_iter().chain([primary]) {
            self.request_info(id, now);
        }
        self.send_hello_to_all(name, now);
    }

    /// Gives an instance another kind; only its address and its connections stay.
    fn recast(&mut self, id: InstanceId, kind: Kind, now: Millis) {
        let old = self.at_mut(id);
        let mut fresh = Instance::new(kind, &old.group, old.address.clone(), now);
        fresh.command = std::mem::take(&mut old.command);
        fresh.subscription = std::mem::take(&mut old.subscription);
        fresh.last_reconnect = old.last_reconnect;
        fresh.refused = old.refused;
        fresh.last_ping = old.last_ping;
        *old = fresh;
    }

    /// True for one instance, and for two that are one server under two addresses.
    pub(crate) fn are_one_server(&self, one: InstanceId, other: InstanceId) -> bool {
        let run_id = self.at(one).run_id;
        one == other || (run_id.is_some() && run_id == self.at(other).run_id)
    }

    /// True if `address` is that of a server which `id` is too, under another address.
    fn leads_to_itself(&self, id: InstanceId, address: &Address) -> bool {
        let Some(group) = self.groups.get(&self.at(id).group) else { return false };
        let mut members = group.replicas.values().chain([&group.primary]);
        let named = members.find(|&&member| self.at(member).address == *address);
        named.is_some_and(|&named| self.are_one_server(id, named))
    }

    /// Tells a server to follow `primary`, or to be one. In a transaction, so that it cannot obey
    /// half of it: it writes the order to its configuration and drops its clients, who then ask
    /// a sentinel again. False if it cannot be reached, or is that primary itself.
    pub(crate) fn send_follow(&mut self, id: InstanceId, primary: Option<&Address>) -> bool {
        if !self.at(id).command.up || primary.is_some_and(|at| self.leads_to_itself(id, at)) {
            return false;
        }
        let (host, port) = primary.map_or_else(
            || (b"NO".to_vec(), b"ONE".to_vec()),
            |primary| (primary.host.clone().into_bytes(), primary.port.to_string().into_bytes()),
        );
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut commands: Vec<(&str, Vec<Vec<u8>>)> = vec![
            ("MULTI", Vec::new()),
            ("SLAVEOF", vec![host, port]),
            ("CONFIG", words(&["REWRITE"])),
            ("CLIENT", words(&["KILL", "TYPE", "normal"])),
            ("CLIENT", words(&["KILL", "TYPE", "pubsub"])),
            ("EXEC", Vec::new()),
        ];
        for (name, args) in &mut commands {
            let mut command = vec![self.command_name(id, name)];
            command.append(args);
            self.send(id, Purpose::Ignored, command);
        }
        true
    }

    /// Forgets replicas, sentinels and health of a group: `SENTINEL RESET`.
    pub(crate) fn reset_group(&mut self, name: &str, now: Millis) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let others: Vec<InstanceId> =
            group.replicas.values().chain(group.sentinels.values()).copied().collect();
        group.replicas.clear();
        group.sentinels.clear();
        group.objectively_down = None;
        group.failover = None;
        group.start_at = None;
        group.lost_elections = 0;
        group.reboot = None;
        group.not_before = now;
        group.deferred_until = now;
        let primary = group.primary;
        for id in others {
            self.remove_instance(id);
        }
        self.close_links(primary);
        self.recast(primary, Kind::Primary, now);
        self.at_mut(primary).last_reconnect = None;
        self.event(Level::Warning, "+reset-master", primary);
        self.persist();
    }
}
