//! What SENTINEL MASTERS, MASTER, REPLICAS, SENTINELS, INFO-CACHE and INFO show.
//!
//! Fields, their order and their names are stock's: monitoring tools and client libraries read
//! `flags`, `ip`, `port` and `runid` by name.

use super::{Refusal, ServerFacts};
use crate::action::Reply;
use crate::group::Group;
use crate::instance::{Instance, InstanceId, Reconf};
use crate::machine::{Sentinel, display_name, kind_word};
use base::Millis;
use std::fmt::Write as _;

/// The fields of one instance under construction.
#[derive(Default)]
struct Fields(Vec<(Reply, Reply)>);

impl Fields {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push((Reply::bulk(name), Reply::bulk(format!("{value}"))));
    }
}

impl Sentinel {
    /// The group of that name, or stock's refusal.
    pub(crate) fn group_named(&self, name: &[u8]) -> Result<(&String, &Group), Refusal> {
        let found = std::str::from_utf8(name).ok().and_then(|name| self.groups.get_key_value(name));
        found.ok_or_else(|| "ERR No such master with that name".to_owned())
    }

    pub(super) fn show_primaries(&self, now: Millis) -> Reply {
        Reply::Array(self.groups.values().map(|group| self.show_group(group, now)).collect())
    }

    pub(super) fn show_primary(&self, name: &[u8], now: Millis) -> Result<Reply, Refusal> {
        Ok(self.show_group(self.group_named(name)?.1, now))
    }

    pub(super) fn show_replicas(&self, name: &[u8], now: Millis) -> Result<Reply, Refusal> {
        let (_, group) = self.group_named(name)?;
        let shown = group
            .replicas
            .values()
            .filter(|&&id| self.at(id).replica().is_some_and(|facts| facts.announced));
        Ok(Reply::Array(shown.map(|&id| self.show(id, now)).collect()))
    }

    pub(super) fn show_sentinels(&self, name: &[u8], now: Millis) -> Result<Reply, Refusal> {
        let (_, group) = self.group_named(name)?;
        Ok(Reply::Array(group.sentinels.values().map(|&id| self.show(id, now)).collect()))
    }

    pub(super) fn primary_address(&self, name: &[u8]) -> Reply {
        let address = std::str::from_utf8(name).ok().and_then(|name| self.current_address(name));
        address.map_or(Reply::NullArray, |address| {
            Reply::Array(vec![Reply::bulk(&address.host), Reply::bulk(address.port.to_string())])
        })
    }

    pub(super) fn info_cache(&self, names: &[Vec<u8>], now: Millis) -> Reply {
        let mut reply = Vec::new();
        for name in names {
            let Ok((name, group)) = self.group_named(name) else { continue };
            let members = std::iter::once(group.primary).chain(group.replicas.values().copied());
            let cached = members.map(|id| {
                let instance = self.at(id);
                let age = instance.info_at.map_or(Millis(0), |at| now.since(at));
                let info = instance.info_at.map_or(Reply::Null, |_| Reply::bulk(&instance.info));
                Reply::Array(vec![Reply::Integer(signed(age)), info])
            });
            reply.extend([Reply::bulk(name), Reply::Array(cached.collect())]);
        }
        Reply::Array(reply)
    }

    /// The row of an instance in a list of replicas or sentinels.
    fn show(&self, id: InstanceId, now: Millis) -> Reply {
        self.show_as(id, None, now)
    }

    /// The row of a group. From its promotion on the promoted replica stands in it, with the epoch
    /// that made it primary: stock goes on showing the old address beside the new epoch until all
    /// replicas are moved.
    fn show_group(&self, group: &Group, now: Millis) -> Reply {
        self.show_as(group.current_primary(), Some(group), now)
    }

    fn show_as(&self, id: InstanceId, of: Option<&Group>, now: Millis) -> Reply {
        let instance = self.at(id);
        let mut fields = Fields::default();
        let name = if of.is_some() { instance.group.clone() } else { display_name(instance) };
        fields.add("name", name);
        fields.add("ip", &instance.address.host);
        fields.add("port", instance.address.port);
        fields.add("runid", instance.run_id.map(|id| id.to_string()).unwrap_or_default());
        fields.add("flags", self.flags(id, of));
        fields.add("link-pending-commands", instance.command.pending.len());
        fields.add("link-refcount", 1);
        if let Some(step) = of.and_then(Group::step) {
            fields.add("failover-state", step.word());
        }
        let pinged = instance.unanswered_ping.map_or(Millis(0), |at| now.since(at));
        fields.add("last-ping-sent", pinged);
        fields.add("last-ok-ping-reply", now.since(instance.last_available));
        fields.add("last-ping-reply", now.since(instance.last_pong));
        if let Some(since) = instance.down_since {
            fields.add("s-down-time", now.since(since));
        }
        if let Some(since) = of.and_then(|group| objectively_down(group, id)) {
            fields.add("o-down-time", now.since(since));
        }
        fields.add("down-after-milliseconds", self.down_after(id));
        if !instance.is_sentinel() {
            fields.add("info-refresh", instance.info_at.map_or(Millis(0), |at| now.since(at)));
            fields.add("role-reported", instance.role.word());
            fields.add("role-reported-time", now.since(instance.role_since));
        }
        match of {
            Some(group) => primary_fields(&mut fields, group),
            None => replica_fields(&mut fields, instance),
        }
        sentinel_fields(&mut fields, instance, now);
        Reply::Map(fields.0)
    }

    fn flags(&self, id: InstanceId, of: Option<&Group>) -> String {
        let instance = self.at(id);
        let reconf = instance.replica().map(|facts| facts.reconf);
        let failover = of.and_then(|group| group.failover);
        let promoted = of.is_none()
            && self.groups.get(&instance.group).is_some_and(|group| group.is_promoted(id));
        let flags = [
            ("s_down", instance.down_since.is_some()),
            ("o_down", of.is_some_and(|group| objectively_down(group, id).is_some())),
            (if of.is_some() { "master" } else { kind_word(instance) }, true),
            ("disconnected", instance.disconnected()),
            ("master_down", instance.peer().is_some_and(|facts| facts.says_down)),
            ("failover_in_progress", failover.is_some()),
            ("promoted", promoted),
            ("reconf_sent", matches!(reconf, Some(Reconf::Sent(_)))),
            ("reconf_inprog", reconf == Some(Reconf::InProgress)),
            ("reconf_done", reconf == Some(Reconf::Done)),
            ("force_failover", failover.is_some_and(|failover| failover.forced)),
            ("script_kill_sent", instance.script_kill_sent),
        ];
        let set: Vec<&str> =
            flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
        set.join(",")
    }

    /// INFO: the sections asked for, all by default.
    pub(super) fn info(&self, wanted: &[Vec<u8>], facts: &ServerFacts) -> Reply {
        let every = |section: &Vec<u8>| {
            ["all", "everything", "default"]
                .iter()
                .any(|w| section.eq_ignore_ascii_case(w.as_bytes()))
        };
        let all = wanted.is_empty() || wanted.iter().any(every);
        let wants = |name: &str| {
            all || wanted.iter().any(|section| section.eq_ignore_ascii_case(name.as_bytes()))
        };
        let mut text = String::new();
        for (title, lines) in [
            ("Server", &facts.server),
            ("Clients", &facts.clients),
            ("CPU", &facts.cpu),
            ("Stats", &facts.stats),
        ] {
            if wants(title) {
                begin_section(&mut text, title);
                for (name, value) in lines {
                    let _ = write!(text, "{name}:{value}\r\n");
                }
            }
        }
        if wants("Sentinel") {
            begin_section(&mut text, "Sentinel");
            self.info_sentinel(&mut text);
        }
        Reply::Text(text)
    }

    fn info_sentinel(&self, text: &mut String) {
        let _ = write!(
            text,
            "sentinel_masters:{}\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\n\
             sentinel_running_scripts:0\r\nsentinel_scripts_queue_length:0\r\n\
             sentinel_simulate_failure_flags:{}\r\n",
            self.groups.len(),
            self.simulate_failure
        );
        for (index, (name, group)) in self.groups.iter().enumerate() {
            let current = group.current_primary();
            let primary = self.at(current);
            let status = match (objectively_down(group, current), primary.down_since) {
                (Some(_), _) => "odown",
                (None, Some(_)) => "sdown",
                (None, None) => "ok",
            };
            let _ = write!(
                text,
                "master{index}:name={name},status={status},address={}:{},slaves={},sentinels={}\r\n",
                primary.address.host,
                primary.address.port,
                group.replicas.len(),
                group.sentinels.len() + 1
            );
        }
    }
}

/// Since when the instance is objectively down: only a primary can be.
fn objectively_down(group: &Group, id: InstanceId) -> Option<Millis> {
    group.objectively_down.filter(|_| group.primary == id)
}

fn begin_section(text: &mut String, title: &str) {
    if !text.is_empty() {
        text.push_str("\r\n");
    }
    let _ = write!(text, "# {title}\r\n");
}

fn primary_fields(fields: &mut Fields, group: &Group) {
    let settings = &group.settings;
    fields.add("config-epoch", group.config_epoch);
    fields.add("num-slaves", group.replicas.len());
    fields.add("num-other-sentinels", group.sentinels.len());
    fields.add("quorum", settings.quorum);
    fields.add("failover-timeout", settings.failover_timeout);
    fields.add("parallel-syncs", settings.parallel_syncs);
    for (name, script) in [
        ("notification-script", &settings.notification_script),
        ("client-reconfig-script", &settings.client_reconfig_script),
    ] {
        if !script.is_empty() {
            fields.add(name, String::from_utf8_lossy(script));
        }
    }
}

fn replica_fields(fields: &mut Fields, instance: &Instance) {
    let Some(facts) = instance.replica() else { return };
    let down_for = facts.link_down_for.map_or(-1000, signed);
    let (host, port) = facts.follows.as_ref().map_or(("?", 0), |at| (at.host.as_str(), at.port));
    fields.add("master-link-down-time", down_for);
    fields.add("master-link-status", if facts.link_up { "ok" } else { "err" });
    fields.add("master-host", host);
    fields.add("master-port", port);
    fields.add("slave-priority", facts.priority);
    fields.add("slave-repl-offset", facts.offset);
    fields.add("replica-announced", u8::from(facts.announced));
}

fn sentinel_fields(fields: &mut Fields, instance: &Instance, now: Millis) {
    let Some(facts) = instance.peer() else { return };
    fields.add("last-hello-message", now.since(instance.last_hello));
    fields.add("voted-leader", facts.leader.map_or_else(|| "?".to_owned(), |id| id.to_string()));
    fields.add("voted-leader-epoch", facts.leader_epoch);
}

fn signed(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
