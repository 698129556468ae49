//! The connections to instances: opening, the periodic commands, and the replies.
//!
//! A primary or replica has a command link and a link subscribed to the hello channel; another
//! sentinel has a command link. Replies come back in the order of the commands, so each link keeps
//! what its coming replies answer. A link is retried every ping period or more often, and closed by us when it is
//! old enough and silent.

use crate::action::{Action, Level, LinkId, Reply};
use crate::address::Address;
use crate::hello::{HELLO_CHANNEL, Hello};
use crate::instance::{InstanceId, Link, PENDING_MAX, Purpose, Reconf, ReplicaFacts};
use crate::machine::Sentinel;
use base::Millis;

/// Tries to connect within `down-after-milliseconds`.
const RETRIES_PER_DOWN_AFTER: u64 = 5;
/// INFO period of a replica whose primary is down or being replaced, or whose link is down.
pub const INFO_PERIOD_ALERT_MS: u64 = 1_000;
/// INFO period of a replica that is being moved to the promoted one.
pub const INFO_PERIOD_MOVING_MS: u64 = 250;
/// INFO period of the replica that is being promoted.
pub const INFO_PERIOD_PROMOTION_MS: u64 = 100;
/// Silent publish periods after which a subscription is opened anew.
pub const SILENT_PUBLISH_PERIODS_MAX: u64 = 3;

impl Sentinel {
    /// Opens missing links, closes silent ones, sends what is due.
    pub(crate) fn tend_links(&mut self, id: InstanceId, now: Millis) {
        self.close_silent_links(id, now);
        self.reconnect(id, now);
        self.send_periodic(id, now);
    }

    /// A link was closed, or could not be opened. A lost one is opened anew at once.
    pub(crate) fn link_closed(&mut self, id: InstanceId, link: LinkId, now: Millis) {
        let is_command = self.at(id).command.id == Some(link);
        let state = self.link_mut(id, is_command);
        let was_up = state.up;
        state.clear();
        let instance = self.at_mut(id);
        instance.refused |= !was_up;
        if was_up {
            instance.closed_at = now;
        }
        let text = format!("{} #connection closed", self.describe(id));
        let kind = if is_command { "-cmd-link-reconnection" } else { "-pubsub-link-reconnection" };
        self.announce(Level::Debug, kind, text);
        if was_up {
            self.reconnect(id, now);
        }
    }

    fn reconnect(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        let wants_subscription = !instance.is_sentinel() && instance.subscription.id.is_none();
        let wants_command = instance.command.id.is_none();
        if instance.address.port == 0 || (!wants_command && !wants_subscription) {
            return;
        }
        // Several tries within `down-after`: a server that starts a moment after its sentinel is not
        // to be called down for having refused the first.
        let pause = self.periods.ping.min(Millis(self.down_after(id).0 / RETRIES_PER_DOWN_AFTER));
        if instance.last_reconnect.is_some_and(|last| now.since(last) < pause) {
            return;
        }
        self.at_mut(id).last_reconnect = Some(now);
        if wants_command {
            let link = self.open_link(id);
            self.at_mut(id).command.id = Some(link);
        }
        if wants_subscription {
            let link = self.open_link(id);
            self.at_mut(id).subscription.id = Some(link);
        }
    }

    fn open_link(&mut self, id: InstanceId) -> LinkId {
        let link = LinkId(self.fresh_number());
        self.links.insert(link, id);
        let address = self.at(id).address.clone();
        self.actions.push_back(Action::Connect { link, address });
        link
    }

    /// A link is open: authenticate, say who we are, and ask or subscribe at once.
    pub(crate) fn link_opened(&mut self, id: InstanceId, link: LinkId, host: &str, now: Millis) {
        let is_command = self.at(id).command.id == Some(link);
        self.at_mut(id).refused = false;
        let state = self.link_mut(id, is_command);
        state.up = true;
        host.clone_into(&mut state.local_host);
        state.connected_at = now;
        state.last_activity = now;
        self.authenticate(id, is_command);
        let suffix = if is_command { "cmd" } else { "pubsub" };
        let name = format!("sentinel-{}-{suffix}", &self.my_id.as_str()[..8]);
        let client = self.command_name(id, "CLIENT");
        self.send_on(
            id,
            is_command,
            Purpose::Ignored,
            vec![client, b"SETNAME".to_vec(), name.into()],
        );
        if is_command {
            self.send_ping(id, now);
            self.request_info(id, now);
        } else {
            let subscribe = self.command_name(id, "SUBSCRIBE");
            let command = vec![subscribe, HELLO_CHANNEL.into()];
            self.send_on(id, false, Purpose::Ignored, command);
        }
    }

    fn authenticate(&mut self, id: InstanceId, is_command: bool) {
        let instance = self.at(id);
        let (user, password) = if instance.is_sentinel() {
            let set = !self.settings.sentinel_pass.is_empty();
            let password =
                if set { self.settings.sentinel_pass.clone() } else { self.own_password.clone() };
            (self.settings.sentinel_user.clone(), password)
        } else {
            let Some(group) = self.groups.get(&instance.group) else { return };
            (group.settings.auth_user.clone(), group.settings.auth_pass.clone())
        };
        if password.is_empty() {
            return;
        }
        let mut command = vec![self.command_name(id, "AUTH")];
        if !user.is_empty() {
            command.push(user);
        }
        command.push(password);
        self.send_on(id, is_command, Purpose::Ignored, command);
    }

    /// A reply came on one of the links.
    pub(crate) fn reply_arrived(
        &mut self,
        id: InstanceId,
        link: LinkId,
        reply: &Reply,
        now: Millis,
    ) {
        let instance = self.at_mut(id);
        if instance.command.id != Some(link) {
            instance.subscription.last_activity = now;
            if let Some(text) = hello_of(reply) {
                let text = text.to_vec();
                self.hello_arrived(&text, now);
            }
            return;
        }
        instance.command.last_activity = now;
        match instance.command.pending.pop_front() {
            Some(Purpose::Ping) => self.pong_arrived(id, reply, now),
            Some(Purpose::Info) => self.info_arrived(id, reply, now),
            Some(Purpose::AskDown) => self.down_answer_arrived(id, reply, now),
            Some(Purpose::Publish) => {
                if !matches!(reply, Reply::Error(_)) {
                    self.at_mut(id).last_publish = Some(now);
                }
            }
            Some(Purpose::Ignored) => {}
            // A reply nobody asked for: the stream cannot be trusted any longer.
            None => self.drop_link(link),
        }
    }

    fn pong_arrived(&mut self, id: InstanceId, reply: &Reply, now: Millis) {
        let text = reply.as_text().unwrap_or_default().to_owned();
        let instance = self.at_mut(id);
        instance.last_pong = now;
        let valid = match reply {
            Reply::Status(status) => status == "PONG",
            Reply::Error(error) => error.starts_with("LOADING") || error.starts_with("MASTERDOWN"),
            _ => false,
        };
        if valid {
            instance.last_available = now;
            instance.unanswered_ping = None;
        } else if text.starts_with("BUSY")
            && instance.down_since.is_some()
            && !instance.script_kill_sent
        {
            instance.script_kill_sent = true;
            let script = self.command_name(id, "SCRIPT");
            self.send(id, Purpose::Ignored, vec![script, b"KILL".to_vec()]);
        }
    }

    fn send_periodic(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        if !instance.command.up || instance.command.pending.len() >= PENDING_MAX {
            return;
        }
        let info_period = self.info_period(id);
        let instance = self.at(id);
        let info_due = instance.info_at.is_none_or(|at| now.since(at) > info_period)
            && instance.info_sent.is_none_or(|at| now.since(at) >= info_period);
        let down_after = self.down_after(id);
        let ping_period = self.periods.ping.min(down_after);
        let ping_due = now.since(instance.last_pong) > ping_period
            && now.since(instance.last_ping) > Millis(ping_period.0 / 2);
        let hello_due = instance.last_publish.is_none_or(|at| now.since(at) > self.periods.publish);
        if info_due {
            self.request_info(id, now);
        }
        if ping_due {
            self.send_ping(id, now);
        }
        if hello_due {
            self.send_hello(id, now);
        }
    }

    fn info_period(&self, id: InstanceId) -> Millis {
        let instance = self.at(id);
        let Some(group) = self.groups.get(&instance.group) else { return self.periods.info };
        if group.is_promoted(id) {
            return Millis(INFO_PERIOD_PROMOTION_MS);
        }
        let moving =
            |facts: &ReplicaFacts| matches!(facts.reconf, Reconf::Sent(_) | Reconf::InProgress);
        if instance.replica().is_some_and(moving) {
            return Millis(INFO_PERIOD_MOVING_MS);
        }
        let alert = group.objectively_down.is_some()
            || group.failover.is_some()
            || group.reboot.is_some()
            || self.at(group.primary).down_since.is_some();
        let detached =
            instance.replica().is_some_and(|facts| facts.link_down_for != Some(Millis(0)));
        // A primary without replicas is asked often: were it lost before it names them, nobody could
        // be promoted. Stock learns of them up to ten seconds late.
        let unattended = group.reboot.is_some() || group.replicas.is_empty();
        let watch_closely = if instance.is_primary() { unattended } else { alert };
        if watch_closely || detached {
            Millis(INFO_PERIOD_ALERT_MS).min(self.periods.info)
        } else {
            self.periods.info
        }
    }

    /// The silence after which an instance counts as down: its group's setting.
    pub(crate) fn down_after(&self, id: InstanceId) -> Millis {
        let group = self.groups.get(&self.at(id).group);
        group.map_or(self.periods.default_down_after, |group| group.settings.down_after)
    }

    fn send_ping(&mut self, id: InstanceId, now: Millis) {
        let ping = self.command_name(id, "PING");
        if self.send(id, Purpose::Ping, vec![ping]) {
            let instance = self.at_mut(id);
            instance.last_ping = now;
            instance.unanswered_ping.get_or_insert(now);
        }
    }

    /// Asks a primary or replica for INFO unless an answer is already on its way.
    pub(crate) fn request_info(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        if instance.is_sentinel() || instance.command.pending.contains(&Purpose::Info) {
            return;
        }
        let info = self.command_name(id, "INFO");
        if self.send(id, Purpose::Info, vec![info]) {
            self.at_mut(id).info_sent = Some(now);
        }
    }

    /// Publishes our hello on an instance. The time is noted now and again when it is confirmed.
    pub(crate) fn send_hello(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        let (Some(group), Some(primary)) =
            (self.groups.get(&instance.group), self.current_address(&instance.group))
        else {
            return;
        };
        let announced = &self.settings.announce_ip;
        let local = &instance.command.local_host;
        let host = if announced.is_empty() { local } else { announced };
        let port =
            if self.settings.announce_port == 0 { self.port } else { self.settings.announce_port };
        let hello = Hello {
            sender: Address::new(host.clone(), port),
            id: self.my_id,
            current_epoch: self.current_epoch,
            group: instance.group.clone(),
            primary,
            config_epoch: group.config_epoch,
        };
        let publish = self.command_name(id, "PUBLISH");
        let command = vec![publish, HELLO_CHANNEL.into(), hello.to_text().into()];
        if self.send(id, Purpose::Publish, command) {
            self.at_mut(id).last_publish = Some(now);
        }
    }

    /// Publishes our hello everywhere at once: the configuration has changed.
    pub(crate) fn send_hello_to_all(&mut self, name: &str, now: Millis) {
        let members = self.groups.get(name).map(crate::group::Group::members).unwrap_or_default();
        for id in members {
            self.send_hello(id, now);
        }
    }

    fn close_silent_links(&mut self, id: InstanceId, now: Millis) {
        let instance = self.at(id);
        let half = Millis(self.down_after(id).0 / 2);
        let old =
            |link: &Link| link.up && now.since(link.connected_at) > self.periods.min_link_reconnect;
        let unanswered = instance.unanswered_ping.is_some_and(|since| now.since(since) > half)
            && now.since(instance.last_pong) > half;
        let quiet_max = Millis(self.periods.publish.0 * SILENT_PUBLISH_PERIODS_MAX);
        let quiet = now.since(instance.subscription.last_activity) > quiet_max;
        let command = instance.command.id.filter(|_| old(&instance.command) && unanswered);
        let subscription =
            instance.subscription.id.filter(|_| old(&instance.subscription) && quiet);
        for link in [command, subscription].into_iter().flatten() {
            self.drop_link(link);
        }
    }

    /// Sends a command on the command link. False if it is not open.
    pub(crate) fn send(&mut self, id: InstanceId, why: Purpose, command: Vec<Vec<u8>>) -> bool {
        self.send_on(id, true, why, command)
    }

    fn send_on(
        &mut self,
        id: InstanceId,
        is_command: bool,
        why: Purpose,
        command: Vec<Vec<u8>>,
    ) -> bool {
        let state = self.link_mut(id, is_command);
        let Some(link) = state.id.filter(|_| state.up) else { return false };
        if is_command {
            state.pending.push_back(why);
        }
        self.actions.push_back(Action::Send { link, command });
        true
    }

    fn link_mut(&mut self, id: InstanceId, is_command: bool) -> &mut Link {
        let instance = self.at_mut(id);
        if is_command { &mut instance.command } else { &mut instance.subscription }
    }

    /// What the instance calls a command: servers may have renamed it, sentinels never do.
    pub(crate) fn command_name(&self, id: InstanceId, command: &str) -> Vec<u8> {
        let instance = self.at(id);
        let group = self.groups.get(&instance.group).filter(|_| !instance.is_sentinel());
        group.map_or_else(|| command.into(), |group| group.settings.command_name(command))
    }
}

/// The payload of a message on the hello channel.
fn hello_of(reply: &Reply) -> Option<&[u8]> {
    let Reply::Array(items) = reply else { return None };
    let [kind, channel, payload] = items.as_slice() else { return None };
    let ours = kind.as_bytes()? == b"message" && channel.as_bytes()? == HELLO_CHANNEL.as_bytes();
    payload.as_bytes().filter(|_| ours)
}
