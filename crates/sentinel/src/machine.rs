//! The sentinel as a state machine: what goes in, what comes out, and who owns which instance.
//!
//! Inputs are `handle_*` calls with the time of the event; outputs are the actions of
//! [`Sentinel::poll_action`], to be performed strictly in order, and the time of the next
//! [`Sentinel::handle_timeout`]. No clock, socket, disk or random source is read, and all maps are
//! ordered: the same inputs and seed give the same outputs, byte for byte.
//!
//! Invariants: an [`InstanceId`] held by a group is in `instances`; a [`LinkId`] in `links` is the
//! `id` of exactly one link of that instance; a vote or an epoch that leaves in an action has a
//! `Persist` before it.

use crate::action::{Action, Event, Level, LinkId, Reply};
use crate::address::Address;
use crate::config::{Config, GroupConfig};
use crate::group::{Group, MEMBERS_MAX};
use crate::instance::{Instance, InstanceId, Kind, ReplicaFacts, SentinelFacts};
use crate::settings::{Periods, Settings};
use base::random::Random;
use base::{Millis, RunId};
use std::collections::{BTreeMap, VecDeque};

/// The shortest time between two turns of the timers.
pub const TICK_MIN_MS: u64 = 50;
/// The random part of it, which keeps several sentinels from acting in step.
pub const TICK_SPREAD_MS: u64 = 50;
/// After a failed `Persist`, the time until it is tried again.
pub const PERSIST_RETRY_MS: u64 = 1_000;

/// What a machine starts from.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configuration with the remembered state.
    pub config: Config,
    /// The port this sentinel listens on.
    pub port: u16,
    /// This sentinel's own password: sent to other sentinels where `sentinel-pass` is not set, as
    /// stock does.
    pub own_password: Vec<u8>,
}

/// A sentinel without I/O.
#[derive(Debug)]
pub struct Sentinel {
    pub(crate) settings: Settings,
    pub(crate) periods: Periods,
    pub(crate) my_id: RunId,
    pub(crate) port: u16,
    pub(crate) own_password: Vec<u8>,
    pub(crate) current_epoch: u64,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) links: BTreeMap<LinkId, InstanceId>,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) random: Random,
    pub(crate) simulate_failure: u8,
    next_id: u64,
    next_tick: Millis,
    /// When the timers last ran.
    last_tick: Millis,
    /// The last `Persist` failed; tried again at this time, and no vote is given until it works.
    unsaved: Option<Millis>,
}

impl Sentinel {
    /// A sentinel that starts at `now`; all its chance comes from `random`.
    pub fn new(options: Options, random: Random, now: Millis) -> Sentinel {
        let mut random = random;
        let config = options.config;
        let fresh_id = RunId::generate(&mut random);
        let mut sentinel = Sentinel {
            settings: config.settings,
            periods: Periods::default(),
            my_id: config.my_id.unwrap_or(fresh_id),
            port: options.port,
            own_password: options.own_password,
            current_epoch: config.current_epoch,
            groups: BTreeMap::new(),
            instances: BTreeMap::new(),
            links: BTreeMap::new(),
            actions: VecDeque::new(),
            random,
            simulate_failure: 0,
            next_id: 0,
            next_tick: now,
            last_tick: now,
            unsaved: None,
        };
        for group in config.groups.into_values() {
            sentinel.add_group(group, now);
        }
        sentinel.persist();
        sentinel.log(Level::Warning, format!("Sentinel ID is {}", sentinel.my_id));
        let names: Vec<String> = sentinel.groups.keys().cloned().collect();
        for name in names {
            sentinel.announce_monitor(&name);
        }
        sentinel
    }

    /// This sentinel's identity.
    pub fn my_id(&self) -> RunId {
        self.my_id
    }

    /// The highest epoch this sentinel has seen.
    pub fn current_epoch(&self) -> u64 {
        self.current_epoch
    }

    /// The primary of `group` as clients are told it, and the epoch of that knowledge.
    pub fn primary_of(&self, group: &str) -> Option<(Address, u64)> {
        let epoch = self.groups.get(group)?.config_epoch;
        Some((self.current_address(group)?, epoch))
    }

    /// The names of the monitored groups.
    pub fn group_names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    /// True while this sentinel leads, or tries to lead, a failover of `group`.
    pub fn failover_in_progress(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| group.failover.is_some())
    }

    /// The settings of the sentinel itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The next action to perform. O(1).
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Sentinel::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let starts = self.groups.values().filter_map(|group| group.start_at);
        Some(starts.fold(self.next_tick, Millis::min))
    }

    /// Runs every timer that is due. O(instances).
    pub fn handle_timeout(&mut self, now: Millis) {
        self.next_tick = now + Millis(TICK_MIN_MS + self.random.below(TICK_SPREAD_MS));
        if now.since(self.last_tick) > self.periods.tilt_trigger {
            self.forgive(now);
        }
        self.last_tick = now;
        if self.unsaved.is_some_and(|at| now >= at) {
            self.unsaved = None;
            self.persist();
        }
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            let members = self.groups.get(&name).map(Group::members).unwrap_or_default();
            for id in members {
                self.tend_links(id, now);
                self.check_subjective(id, now);
            }
            self.judge_reboot(&name, now);
            self.check_primary(&name, now);
        }
    }

    /// This process did not run for a while: the silence it sees may be its own. Suspicion starts
    /// afresh, where stock would enter TILT and judge nothing for 30 seconds.
    fn forgive(&mut self, now: Millis) {
        let slept = now.since(self.last_tick);
        self.log(Level::Warning, format!("Not scheduled for {slept} ms: silence is judged afresh"));
        for instance in self.instances.values_mut() {
            instance.last_available = now;
            instance.unanswered_ping = instance.unanswered_ping.map(|_| now);
            if let Some(facts) = instance.peer_mut() {
                facts.says_down = false;
            }
        }
    }

    /// A connection that `Connect` asked for is open; `local_host` is our end of it.
    pub fn handle_connected(&mut self, now: Millis, link: LinkId, local_host: &str) {
        if let Some(&id) = self.links.get(&link) {
            self.link_opened(id, link, local_host, now);
        }
    }

    /// A connection was closed by the other end, or could not be opened.
    pub fn handle_closed(&mut self, now: Millis, link: LinkId) {
        if let Some(id) = self.links.remove(&link) {
            self.link_closed(id, link, now);
        }
    }

    /// A reply, or a pushed message, arrived on `link`.
    pub fn handle_reply(&mut self, now: Millis, link: LinkId, reply: &Reply) {
        if let Some(&id) = self.links.get(&link) {
            self.reply_arrived(id, link, reply, now);
        }
    }

    /// The `Persist` taken last could not be made durable. Nothing that vouches for its state may
    /// leave: answers that carry a vote become errors, questions of a candidate are withheld by
    /// closing their links, and the write is tried again after [`PERSIST_RETRY_MS`].
    pub fn handle_persist_failed(&mut self, now: Millis) {
        self.unsaved = Some(now + Millis(PERSIST_RETRY_MS));
        let queued = std::mem::take(&mut self.actions);
        for action in queued {
            match action {
                Action::Reply { client, vouches: true, .. } => {
                    let reply = Reply::Error("MISCONF The state could not be saved".to_owned());
                    self.actions.push_back(Action::Reply { client, reply, vouches: false });
                }
                Action::Send { link, ref command } if is_candidates_question(command) => {
                    self.drop_link(link);
                }
                Action::Persist(_) => {}
                other => self.actions.push_back(other),
            }
        }
        for group in self.groups.values_mut() {
            if group.step() == Some(crate::group::Step::WaitStart) {
                group.failover = None;
                group.not_before = now + Millis(PERSIST_RETRY_MS);
            }
        }
    }

    /// True while the state on disk is behind: no vote is given and no election started.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.unsaved.is_some()
    }

    /// The state as configuration lines would carry it.
    pub fn config(&self) -> Config {
        let group = |(name, group): (&String, &Group)| {
            let replicas = self.known_replicas(group);
            let peers = group.sentinels.iter();
            let sentinels = peers.map(|(id, &at)| (self.at(at).address.clone(), *id));
            let config = GroupConfig {
                name: name.clone(),
                primary: self.current_address(name).unwrap_or_else(|| Address::new("", 0)),
                settings: group.settings.clone(),
                config_epoch: group.config_epoch,
                leader_epoch: group.leader_epoch,
                replicas,
                sentinels: sentinels.filter(|(address, _)| address.port != 0).collect(),
            };
            (name.clone(), config)
        };
        Config {
            settings: self.settings.clone(),
            my_id: Some(self.my_id),
            current_epoch: self.current_epoch,
            groups: self.groups.iter().map(group).collect(),
        }
    }

    /// The replicas to write down: while the promoted one is already told to clients, the old
    /// primary takes its place in the list.
    fn known_replicas(&self, group: &Group) -> Vec<Address> {
        let primary = &self.at(group.primary).address;
        let current = self.promoted_address(group);
        let others = group.replicas.keys().filter(|&address| Some(address) != current);
        let mut replicas: Vec<Address> = others.cloned().collect();
        if current.is_some() {
            replicas.push(primary.clone());
        }
        replicas
    }

    /// Queues the whole state to be made durable before whatever is queued next.
    pub(crate) fn persist(&mut self) {
        let lines = self.config().to_lines();
        if let Some(Action::Persist(last)) = self.actions.back_mut() {
            *last = lines;
        } else {
            self.actions.push_back(Action::Persist(lines));
        }
    }

    pub(crate) fn log(&mut self, level: Level, text: String) {
        self.actions.push_back(Action::Log(level, text));
    }

    pub(crate) fn announce(&mut self, level: Level, name: &'static str, text: String) {
        self.actions.push_back(Action::Announce(Event { level, name, text }));
    }

    /// Announces an event about an instance, which stands first in the message.
    pub(crate) fn event(&mut self, level: Level, name: &'static str, id: InstanceId) {
        let text = self.describe(id);
        self.announce(level, name, text);
    }

    /// An instance as events write it: kind, name and address, then its primary.
    pub(crate) fn describe(&self, id: InstanceId) -> String {
        let instance = self.at(id);
        let name = display_name(instance);
        let kind = kind_word(instance);
        let address = &instance.address;
        if instance.is_primary() {
            return format!("{kind} {name} {address}");
        }
        let primary = self.groups.get(&instance.group).map(|group| self.at(group.primary));
        let of = primary.map_or_else(String::new, |primary| primary.address.to_string());
        format!("{kind} {name} {address} @ {} {of}", instance.group)
    }

    pub(crate) fn at(&self, id: InstanceId) -> &Instance {
        self.instances.get(&id).expect("an instance id is held only while the instance exists")
    }

    pub(crate) fn at_mut(&mut self, id: InstanceId) -> &mut Instance {
        self.instances.get_mut(&id).expect("an instance id is held only while the instance exists")
    }

    pub(crate) fn fresh_number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The promoted replica, once other sentinels are told of it.
    fn promoted_address(&self, group: &Group) -> Option<&Address> {
        group.announced_promotion().map(|id| &self.at(id).address)
    }

    /// The primary of a group as clients and other sentinels are told it.
    pub(crate) fn current_address(&self, name: &str) -> Option<Address> {
        Some(self.at(self.groups.get(name)?.current_primary()).address.clone())
    }

    /// Begins to monitor a group.
    pub(crate) fn add_group(&mut self, config: GroupConfig, now: Millis) {
        let primary = self.add_instance(Kind::Primary, &config.name, config.primary, now);
        let mut group = Group::new(config.settings, primary);
        group.config_epoch = config.config_epoch;
        group.leader_epoch = config.leader_epoch;
        let name = config.name;
        self.groups.insert(name.clone(), group);
        for address in config.replicas {
            self.add_replica(&name, address, now);
        }
        for (address, id) in config.sentinels {
            if id != self.my_id {
                self.add_peer(&name, address, id, now);
            }
        }
    }

    /// Stops monitoring a group.
    pub(crate) fn remove_group(&mut self, name: &str) {
        let Some(group) = self.groups.get(name) else { return };
        for id in group.members() {
            self.remove_instance(id);
        }
        self.groups.remove(name);
    }

    pub(crate) fn announce_monitor(&mut self, name: &str) {
        let Some(group) = self.groups.get(name) else { return };
        let text = format!("{} quorum {}", self.describe(group.primary), group.settings.quorum);
        self.announce(Level::Warning, "+monitor", text);
    }

    fn add_instance(&mut self, kind: Kind, group: &str, at: Address, now: Millis) -> InstanceId {
        let id = InstanceId(self.fresh_number());
        self.instances.insert(id, Instance::new(kind, group, at, now));
        id
    }

    /// Adds a replica; `None` if it is known, is the primary, or there are too many.
    pub(crate) fn add_replica(
        &mut self,
        name: &str,
        address: Address,
        now: Millis,
    ) -> Option<InstanceId> {
        let group = self.groups.get(name)?;
        if group.replicas.contains_key(&address)
            || group.replicas.len() >= MEMBERS_MAX
            || self.at(group.primary).address == address
        {
            return None;
        }
        let kind = Kind::Replica(ReplicaFacts::new(now));
        let id = self.add_instance(kind, name, address.clone(), now);
        self.groups.get_mut(name)?.replicas.insert(address, id);
        Some(id)
    }

    /// Adds another sentinel; `None` if its identity is known or there are too many.
    pub(crate) fn add_peer(
        &mut self,
        name: &str,
        address: Address,
        run_id: RunId,
        now: Millis,
    ) -> Option<InstanceId> {
        let group = self.groups.get(name)?;
        if group.sentinels.contains_key(&run_id) || group.sentinels.len() >= MEMBERS_MAX {
            return None;
        }
        let kind = Kind::Sentinel(SentinelFacts::default());
        let id = self.add_instance(kind, name, address, now);
        self.at_mut(id).run_id = Some(run_id);
        self.groups.get_mut(name)?.sentinels.insert(run_id, id);
        Some(id)
    }

    /// Forgets an instance and closes its links. The caller has taken it out of its group.
    pub(crate) fn remove_instance(&mut self, id: InstanceId) {
        self.close_links(id);
        self.instances.remove(&id);
    }

    /// Closes whatever links an instance has.
    pub(crate) fn close_links(&mut self, id: InstanceId) {
        let instance = self.at_mut(id);
        let open = [instance.command.clear(), instance.subscription.clear()];
        for link in open.into_iter().flatten() {
            self.links.remove(&link);
            self.actions.push_back(Action::Disconnect(link));
        }
    }

    /// Closes one link.
    pub(crate) fn drop_link(&mut self, link: LinkId) {
        let Some(id) = self.links.remove(&link) else { return };
        let instance = self.at_mut(id);
        if instance.command.id == Some(link) {
            instance.command.clear();
        } else {
            instance.subscription.clear();
        }
        self.actions.push_back(Action::Disconnect(link));
    }
}

/// The name of an instance: its group's, its address, or its run id.
pub(crate) fn display_name(instance: &Instance) -> String {
    match instance.kind {
        Kind::Primary => instance.group.clone(),
        Kind::Replica(_) => instance.address.name(),
        Kind::Sentinel(_) => {
            instance.run_id.map_or_else(|| instance.address.name(), |id| id.to_string())
        }
    }
}

/// The kind of an instance as events and flags write it.
pub(crate) fn kind_word(instance: &Instance) -> &'static str {
    match instance.kind {
        Kind::Primary => "master",
        Kind::Replica(_) => "slave",
        Kind::Sentinel(_) => "sentinel",
    }
}

/// True for `SENTINEL is-master-down-by-addr ip port epoch runid` with a run id: a plea for votes.
fn is_candidates_question(command: &[Vec<u8>]) -> bool {
    command.get(1).is_some_and(|word| word == b"is-master-down-by-addr")
        && command.get(5).is_some_and(|id| id != b"*")
}
