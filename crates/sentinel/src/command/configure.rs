//! Commands that change what is monitored and how: MONITOR, REMOVE, RESET, SET, CONFIG.
//!
//! SET and CONFIG SET check every pair before they apply one, so that a refused command changes
//! nothing; stock keeps the pairs before the refused one.

use super::{Refusal, printable};
use crate::action::{Level, Reply};
use crate::address::{Address, parse_host};
use crate::config::{
    GROUPS_MAX, GroupConfig, parse_announce_port, parse_name, parse_time, text_number,
};
use crate::instance::InstanceId;
use crate::machine::Sentinel;
use crate::settings::{GroupSettings, Settings};
use base::{Millis, glob};

const SCRIPTS_DENIED: &str = "ERR Reconfiguration of scripts path is denied for security reasons. \
    Check the deny-scripts-reconfig configuration directive in your Sentinel configuration";

impl Sentinel {
    pub(super) fn monitor(&mut self, args: &[Vec<u8>], now: Millis) -> Result<Reply, Refusal> {
        let quorum: i64 = text_number(&args[3]).ok_or("ERR Invalid quorum")?;
        let port: i64 = text_number(&args[2]).ok_or("ERR Invalid port")?;
        let quorum = u32::try_from(quorum).ok().filter(|&quorum| quorum > 0);
        let quorum = quorum.ok_or("ERR Quorum must be 1 or greater.")?;
        let host = parse_host(&args[1], self.settings.resolve_hostnames)
            .ok_or("ERR Invalid IP address or hostname specified")?;
        let port = u16::try_from(port).ok().filter(|&port| port != 0);
        let port = port.ok_or("ERR Invalid port number")?;
        let name = parse_name(&args[0]).ok_or("ERR Invalid master name")?;
        if self.groups.contains_key(&name) {
            return Err("ERR Duplicate master name.".to_owned());
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err("ERR Too many masters".to_owned());
        }
        let config = GroupConfig {
            name: name.clone(),
            primary: Address::new(host, port),
            settings: GroupSettings::new(quorum, &self.periods),
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        };
        self.add_group(config, now);
        self.persist();
        self.announce_monitor(&name);
        Ok(Reply::ok())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Result<Reply, Refusal> {
        let (name, group) = self.group_named(name)?;
        let (name, primary) = (name.clone(), group.primary);
        self.event(Level::Warning, "-monitor", primary);
        self.remove_group(&name);
        self.persist();
        Ok(Reply::ok())
    }

    pub(super) fn reset_matching(&mut self, pattern: &[u8], now: Millis) -> Reply {
        let matching = |name: &&String| glob::matches(pattern, name.as_bytes(), false);
        let names: Vec<String> = self.groups.keys().filter(matching).cloned().collect();
        for name in &names {
            self.reset_group(name, now);
        }
        Reply::Integer(i64::try_from(names.len()).unwrap_or(i64::MAX))
    }

    pub(super) fn set(&mut self, args: &[Vec<u8>]) -> Result<Reply, Refusal> {
        let (name, group) = self.group_named(&args[0])?;
        let (name, primary) = (name.clone(), group.primary);
        let mut settings = group.settings.clone();
        let mut changes: Vec<String> = Vec::new();
        let mut rest = &args[1..];
        while let Some(option) = rest.first() {
            let option = printable(option).to_lowercase();
            let used = self.set_one(&mut settings, &option, &rest[1..])?;
            let shown = match option.as_str() {
                "auth-pass" => "******".to_owned(),
                _ => rest[1..=used].iter().map(|v| printable(v)).collect::<Vec<_>>().join(" "),
            };
            changes.push(format!("{option} {shown}"));
            rest = &rest[1 + used..];
        }
        if let Some(group) = self.groups.get_mut(&name) {
            let auth_changed = group.settings.auth_pass != settings.auth_pass
                || group.settings.auth_user != settings.auth_user;
            group.settings = settings;
            let servers: Vec<InstanceId> =
                group.replicas.values().copied().chain([primary]).collect();
            for id in servers.into_iter().filter(|_| auth_changed) {
                self.close_links(id);
            }
        }
        self.persist();
        for change in changes {
            let text = format!("{} {change}", self.describe(primary));
            self.announce(Level::Warning, "+set", text);
        }
        Ok(Reply::ok())
    }

    /// Applies one option and answers how many values it took.
    fn set_one(
        &self,
        settings: &mut GroupSettings,
        option: &str,
        values: &[Vec<u8>],
    ) -> Result<usize, Refusal> {
        let unknown =
            || format!("ERR Unknown option or number of arguments for SENTINEL SET '{option}'");
        let value = values.first().ok_or_else(unknown)?;
        let invalid =
            || format!("ERR Invalid argument '{}' for SENTINEL SET '{option}'", printable(value));
        let time = || parse_time(value).ok_or_else(invalid);
        let count = || text_number(value).filter(|&n: &u32| n > 0).ok_or_else(invalid);
        let script = || {
            let denied = self.settings.deny_scripts_reconfig;
            if denied { Err(SCRIPTS_DENIED.to_owned()) } else { Ok(value.clone()) }
        };
        match option {
            "down-after-milliseconds" => settings.down_after = time()?,
            "failover-timeout" => settings.failover_timeout = time()?,
            "parallel-syncs" => settings.parallel_syncs = count()?,
            "quorum" => settings.quorum = count()?,
            "notification-script" => settings.notification_script = script()?,
            "client-reconfig-script" => settings.client_reconfig_script = script()?,
            "auth-pass" => settings.auth_pass.clone_from(value),
            "auth-user" => settings.auth_user.clone_from(value),
            "master-reboot-down-after-period" => {
                settings.master_reboot_down_after = Millis(text_number(value).ok_or_else(invalid)?);
            }
            "rename-command" => {
                let to = values.get(1).ok_or_else(unknown)?;
                let from = printable(value).to_uppercase();
                if from.is_empty() || to.is_empty() {
                    return Err(invalid());
                }
                if from.as_bytes().eq_ignore_ascii_case(to) {
                    settings.renamed_commands.remove(&from);
                } else {
                    settings.renamed_commands.insert(from, to.clone());
                }
                return Ok(2);
            }
            _ => return Err(unknown()),
        }
        Ok(1)
    }

    pub(super) fn global_config(&mut self, args: &[Vec<u8>]) -> Result<Reply, Refusal> {
        match args[0].to_ascii_lowercase().as_slice() {
            b"get" => Ok(self.config_get(&args[1..])),
            b"set" if args.len() >= 3 => self.config_set(&args[1..]),
            _ => Err("ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / \
                      SET <param> <value> [<param> <value> ...] are supported."
                .to_owned()),
        }
    }

    fn config_get(&self, patterns: &[Vec<u8>]) -> Reply {
        let settings = &self.settings;
        let flag = |value: bool| if value { "yes" } else { "no" };
        let table: [(&str, Vec<u8>); 6] = [
            ("resolve-hostnames", flag(settings.resolve_hostnames).into()),
            ("announce-hostnames", flag(settings.announce_hostnames).into()),
            ("announce-ip", settings.announce_ip.clone().into()),
            ("announce-port", settings.announce_port.to_string().into()),
            ("sentinel-user", settings.sentinel_user.clone()),
            ("sentinel-pass", settings.sentinel_pass.clone()),
        ];
        let wanted = |name: &str| {
            let matches = |pattern: &Vec<u8>| glob::matches(pattern, name.as_bytes(), true);
            patterns.iter().any(matches)
        };
        let rows = table.into_iter().filter(|(name, _)| wanted(name));
        Reply::Map(rows.map(|(name, value)| (Reply::bulk(name), Reply::Bulk(value))).collect())
    }

    fn config_set(&mut self, pairs: &[Vec<u8>]) -> Result<Reply, Refusal> {
        let mut settings = self.settings.clone();
        for pair in pairs.chunks(2) {
            let Some(value) = pair.get(1) else {
                let option = printable(&pair[0]);
                return Err(format!("ERR Missing argument '{option}' value"));
            };
            config_set_one(&mut settings, &pair[0], value)?;
        }
        let credentials = settings.sentinel_user != self.settings.sentinel_user
            || settings.sentinel_pass != self.settings.sentinel_pass;
        self.settings = settings;
        if credentials {
            let peers = self.groups.values().flat_map(|group| group.sentinels.values());
            let peers: Vec<InstanceId> = peers.copied().collect();
            for peer in peers {
                self.close_links(peer);
            }
        }
        self.persist();
        Ok(Reply::ok())
    }
}

fn config_set_one(settings: &mut Settings, option: &[u8], value: &[u8]) -> Result<(), Refusal> {
    let option = printable(option).to_lowercase();
    let invalid = || {
        let value = printable(value);
        format!("ERR Invalid value '{value}' to SENTINEL CONFIG SET '{option}'")
    };
    let flag = || match value.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(invalid()),
    };
    match option.as_str() {
        "resolve-hostnames" => settings.resolve_hostnames = flag()?,
        "announce-hostnames" => settings.announce_hostnames = flag()?,
        "announce-ip" if value.is_empty() => settings.announce_ip.clear(),
        "announce-ip" => settings.announce_ip = parse_host(value, true).ok_or_else(invalid)?,
        "announce-port" => {
            settings.announce_port = parse_announce_port(value).map_err(|_| invalid())?;
        }
        "sentinel-user" => settings.sentinel_user = value.to_vec(),
        "sentinel-pass" => settings.sentinel_pass = value.to_vec(),
        _ => return Err(format!("ERR Invalid argument '{option}' to SENTINEL CONFIG SET")),
    }
    Ok(())
}
