//! The `sentinel ...` lines of a configuration file: reading them, and writing the state back.
//!
//! A file carries what the user configured and what the sentinel learned (`myid`, epochs, known
//! replicas and sentinels) in the same lines; a rewrite gives both back, so that a stock sentinel
//! can take over the file and the other way round. Lines may come in any order: those that name a
//! group are applied after all `monitor` lines.
//!
//! Durable here: `myid`, `current-epoch` and per group `config-epoch`, `leader-epoch` (this
//! sentinel's vote; the candidate it voted for is not written, as in stock, because the epoch alone
//! forbids a second vote).

use crate::action::Line;
use crate::address::{Address, parse_host, parse_port};
use crate::settings::{GroupSettings, Periods, Settings};
use base::{Millis, RunId};
use std::collections::BTreeMap;

/// Groups in one configuration at most.
pub const GROUPS_MAX: usize = 10_000;
/// The longest name of a group, in bytes.
pub const NAME_LEN_MAX: usize = 256;

/// The longest span that can be set: ten years. Sums and products of a few never overflow.
pub const TIME_MAX_MS: u64 = 10 * 365 * 86_400_000;

/// Why a line was refused. The texts are stock's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The directive is not one of a sentinel, or has a wrong number of arguments.
    #[error("Unrecognized sentinel configuration statement.")]
    Unrecognized,
    /// `monitor` with a quorum below 1.
    #[error("Quorum must be 1 or greater.")]
    Quorum,
    /// A port that is none.
    #[error("Invalid port number")]
    Port,
    /// A host that is no address.
    #[error("Can't resolve instance hostname.")]
    Host,
    /// `monitor` of a name that is taken.
    #[error("Duplicate master name.")]
    DuplicateGroup,
    /// A line about a group that no `monitor` line names.
    #[error("No such master with specified name.")]
    UnknownGroup,
    /// A number that is none, or not positive.
    #[error("negative or zero time parameter.")]
    Number,
    /// A `yes` or `no` that is neither.
    #[error("Please specify yes or no for the {0} option.")]
    YesNo(&'static str),
    /// `myid` of the wrong length.
    #[error("Malformed Sentinel id in myid option.")]
    Id,
    /// A name with blanks, control characters or of silly length.
    #[error("Invalid master name.")]
    Name,
    /// More groups than [`GROUPS_MAX`].
    #[error("Too many masters.")]
    TooMany,
}

/// Who has written lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    User,
    State,
}

/// A group as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// Its name.
    pub name: String,
    /// Its primary.
    pub primary: Address,
    /// Its settings.
    pub settings: GroupSettings,
    /// The epoch of the configuration.
    pub config_epoch: u64,
    /// The epoch of this sentinel's last vote.
    pub leader_epoch: u64,
    /// Replicas seen before.
    pub replicas: Vec<Address>,
    /// Sentinels seen before.
    pub sentinels: Vec<(Address, RunId)>,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Settings of the sentinel itself.
    pub settings: Settings,
    /// This sentinel's identity; drawn at the first start.
    pub my_id: Option<RunId>,
    /// The highest epoch seen.
    pub current_epoch: u64,
    /// The groups, by name.
    pub groups: BTreeMap<String, GroupConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config { settings: Settings::new(), my_id: None, current_epoch: 0, groups: BTreeMap::new() }
    }
}

impl Config {
    /// Reads lines, each beginning with the token `sentinel`.
    ///
    /// # Errors
    /// The index of the refused line, and why.
    pub fn parse(lines: &[Line]) -> Result<Config, (usize, ConfigError)> {
        Config::parse_from(lines, Source::User)
    }

    /// The same for lines that only [`Config::to_lines`] has written: a primary known by its name
    /// stays known after `resolve-hostnames` was switched off.
    ///
    /// # Errors
    /// The index of the refused line, and why.
    pub fn parse_state(lines: &[Line]) -> Result<Config, (usize, ConfigError)> {
        Config::parse_from(lines, Source::State)
    }

    fn parse_from(lines: &[Line], source: Source) -> Result<Config, (usize, ConfigError)> {
        let mut config = Config::default();
        for rank in 0..3 {
            for (index, line) in lines.iter().enumerate() {
                let Some(words) = line.get(1..).filter(|words| !words.is_empty()) else {
                    return Err((index, ConfigError::Unrecognized));
                };
                let directive = words[0].to_ascii_lowercase();
                if order(&directive) == rank {
                    config
                        .apply(&directive, &words[1..], source)
                        .map_err(|error| (index, error))?;
                }
            }
        }
        Ok(config)
    }

    /// Lays the remembered state over the configured lines: identity and epochs are taken from
    /// `state`, and so is every group that `state` knows.
    pub fn overlay(mut self, state: Config) -> Config {
        if state.my_id.is_some() {
            self.settings = state.settings;
            self.my_id = state.my_id;
        }
        self.current_epoch = self.current_epoch.max(state.current_epoch);
        self.groups.extend(state.groups);
        self
    }

    fn apply(
        &mut self,
        directive: &[u8],
        args: &[Vec<u8>],
        source: Source,
    ) -> Result<(), ConfigError> {
        match (directive, args) {
            (b"monitor", [name, host, port, quorum]) => {
                let names = self.settings.resolve_hostnames || source == Source::State;
                self.monitor(name, address(host, port, names), quorum)
            }
            (b"myid", [id]) => {
                self.my_id = Some(RunId::parse(id).ok_or(ConfigError::Id)?);
                Ok(())
            }
            (b"current-epoch", [epoch]) => {
                self.current_epoch = self.current_epoch.max(number(epoch)?);
                Ok(())
            }
            (_, [value]) if order(directive) == 0 => self.setting(directive, value),
            (_, [name, rest @ ..]) if order(directive) == 2 => {
                let names = self.settings.resolve_hostnames;
                let name = std::str::from_utf8(name).map_err(|_| ConfigError::UnknownGroup)?;
                let group = self.groups.get_mut(name).ok_or(ConfigError::UnknownGroup)?;
                group.apply(directive, rest, names)
            }
            _ => Err(ConfigError::Unrecognized),
        }
    }

    fn setting(&mut self, directive: &[u8], value: &[u8]) -> Result<(), ConfigError> {
        let settings = &mut self.settings;
        match directive {
            b"announce-ip" => {
                settings.announce_ip = String::from_utf8_lossy(value).into_owned();
            }
            b"announce-port" => settings.announce_port = parse_announce_port(value)?,
            b"resolve-hostnames" => {
                settings.resolve_hostnames = yes_no(value, "resolve-hostnames")?;
            }
            b"announce-hostnames" => {
                settings.announce_hostnames = yes_no(value, "announce-hostnames")?;
            }
            b"deny-scripts-reconfig" => {
                settings.deny_scripts_reconfig = yes_no(value, "deny-scripts-reconfig")?;
            }
            b"sentinel-user" => settings.sentinel_user = value.to_vec(),
            b"sentinel-pass" => settings.sentinel_pass = value.to_vec(),
            _ => return Err(ConfigError::Unrecognized),
        }
        Ok(())
    }

    fn monitor(
        &mut self,
        name: &[u8],
        primary: Result<Address, ConfigError>,
        quorum: &[u8],
    ) -> Result<(), ConfigError> {
        let name = parse_name(name).ok_or(ConfigError::Name)?;
        let quorum: u32 = text_number(quorum).ok_or(ConfigError::Quorum)?;
        if quorum == 0 {
            return Err(ConfigError::Quorum);
        }
        let primary = primary?;
        if self.groups.contains_key(&name) {
            return Err(ConfigError::DuplicateGroup);
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err(ConfigError::TooMany);
        }
        let group = GroupConfig {
            name: name.clone(),
            primary,
            settings: GroupSettings::new(quorum, &Periods::default()),
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        };
        self.groups.insert(name, group);
        Ok(())
    }

    /// The lines that [`Config::parse`] reads back to an equal value.
    pub fn to_lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(id) = &self.my_id {
            lines.push(words(&["myid", id.as_str()]));
        }
        self.settings_lines(&mut lines);
        for group in self.groups.values() {
            group.to_lines(&mut lines);
        }
        lines.push(words(&["current-epoch", &self.current_epoch.to_string()]));
        lines
    }

    fn settings_lines(&self, lines: &mut Vec<Line>) {
        let (settings, fresh) = (&self.settings, Settings::new());
        let flag = |value: bool| if value { "yes" } else { "no" };
        if settings.deny_scripts_reconfig != fresh.deny_scripts_reconfig {
            lines.push(words(&["deny-scripts-reconfig", flag(settings.deny_scripts_reconfig)]));
        }
        if settings.resolve_hostnames {
            lines.push(words(&["resolve-hostnames", "yes"]));
        }
        if settings.announce_hostnames {
            lines.push(words(&["announce-hostnames", "yes"]));
        }
        if !settings.announce_ip.is_empty() {
            lines.push(words(&["announce-ip", &settings.announce_ip]));
        }
        if settings.announce_port != 0 {
            lines.push(words(&["announce-port", &settings.announce_port.to_string()]));
        }
        for (directive, value) in
            [("sentinel-user", &settings.sentinel_user), ("sentinel-pass", &settings.sentinel_pass)]
        {
            if !value.is_empty() {
                lines.push(bytes(&[directive.as_bytes(), value]));
            }
        }
    }
}

impl GroupConfig {
    fn apply(
        &mut self,
        directive: &[u8],
        args: &[Vec<u8>],
        names: bool,
    ) -> Result<(), ConfigError> {
        let settings = &mut self.settings;
        match (directive, args) {
            (b"down-after-milliseconds", [value]) => settings.down_after = positive_time(value)?,
            (b"failover-timeout", [value]) => settings.failover_timeout = positive_time(value)?,
            (b"parallel-syncs", [value]) => {
                settings.parallel_syncs = text_number(value).ok_or(ConfigError::Number)?;
            }
            (b"auth-pass", [value]) => settings.auth_pass.clone_from(value),
            (b"auth-user", [value]) => settings.auth_user.clone_from(value),
            (b"notification-script", [value]) => settings.notification_script.clone_from(value),
            (b"client-reconfig-script", [value]) => {
                settings.client_reconfig_script.clone_from(value);
            }
            (b"master-reboot-down-after-period", [value]) => {
                settings.master_reboot_down_after = Millis(number(value)?);
            }
            (b"rename-command", [from, to]) => {
                let from = String::from_utf8_lossy(from).to_uppercase();
                settings.renamed_commands.insert(from, to.clone());
            }
            (b"config-epoch", [value]) => self.config_epoch = number(value)?,
            (b"leader-epoch", [value]) => self.leader_epoch = number(value)?,
            (b"known-replica" | b"known-slave", [host, port]) => {
                self.replicas.extend(learned(host, port, names)?);
            }
            (b"known-sentinel", [host, port, id]) => {
                let id = RunId::parse(id).ok_or(ConfigError::Id)?;
                self.sentinels.extend(learned(host, port, names)?.map(|address| (address, id)));
            }
            _ => return Err(ConfigError::Unrecognized),
        }
        Ok(())
    }

    fn to_lines(&self, lines: &mut Vec<Line>) {
        let name = self.name.as_str();
        let settings = &self.settings;
        let fresh = GroupSettings::new(settings.quorum, &Periods::default());
        let (port, quorum) = (self.primary.port.to_string(), settings.quorum.to_string());
        lines.push(words(&["monitor", name, &self.primary.host, &port, &quorum]));
        for (directive, value, default) in [
            ("down-after-milliseconds", settings.down_after, fresh.down_after),
            ("failover-timeout", settings.failover_timeout, fresh.failover_timeout),
            (
                "master-reboot-down-after-period",
                settings.master_reboot_down_after,
                fresh.master_reboot_down_after,
            ),
        ] {
            if value != default {
                lines.push(words(&[directive, name, &value.to_string()]));
            }
        }
        if settings.parallel_syncs != fresh.parallel_syncs {
            lines.push(words(&["parallel-syncs", name, &settings.parallel_syncs.to_string()]));
        }
        for (directive, value) in [
            ("notification-script", &settings.notification_script),
            ("client-reconfig-script", &settings.client_reconfig_script),
            ("auth-pass", &settings.auth_pass),
            ("auth-user", &settings.auth_user),
        ] {
            if !value.is_empty() {
                lines.push(bytes(&[directive.as_bytes(), name.as_bytes(), value]));
            }
        }
        for (from, to) in &settings.renamed_commands {
            lines.push(bytes(&[b"rename-command", name.as_bytes(), from.as_bytes(), to]));
        }
        lines.push(words(&["config-epoch", name, &self.config_epoch.to_string()]));
        lines.push(words(&["leader-epoch", name, &self.leader_epoch.to_string()]));
        for replica in &self.replicas {
            lines.push(words(&["known-replica", name, &replica.host, &replica.port.to_string()]));
        }
        for (peer, id) in &self.sentinels {
            let port = peer.port.to_string();
            lines.push(words(&["known-sentinel", name, &peer.host, &port, id.as_str()]));
        }
    }
}

/// 0: settings, which decide how addresses are read; 1: groups; 2: lines about a group.
fn order(directive: &[u8]) -> u8 {
    match directive {
        b"monitor" => 1,
        b"myid"
        | b"current-epoch"
        | b"announce-ip"
        | b"announce-port"
        | b"resolve-hostnames"
        | b"announce-hostnames"
        | b"deny-scripts-reconfig"
        | b"sentinel-user"
        | b"sentinel-pass" => 0,
        _ => 2,
    }
}

/// A group's name: UTF-8 without blanks and control characters.
pub(crate) fn parse_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let fits = !name.is_empty() && name.len() <= NAME_LEN_MAX && name.chars().all(plain);
    fits.then(|| name.to_owned())
}

/// A number written in decimal digits.
pub(crate) fn text_number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A port to announce: 0 means "the listening port".
pub(crate) fn parse_announce_port(text: &[u8]) -> Result<u16, ConfigError> {
    text_number(text).ok_or(ConfigError::Port)
}

fn number(text: &[u8]) -> Result<u64, ConfigError> {
    text_number(text).ok_or(ConfigError::Number)
}

/// A span of milliseconds, not zero and at most [`TIME_MAX_MS`].
pub(crate) fn parse_time(text: &[u8]) -> Option<Millis> {
    text_number(text).filter(|time| (1..=TIME_MAX_MS).contains(time)).map(Millis)
}

fn positive_time(text: &[u8]) -> Result<Millis, ConfigError> {
    parse_time(text).ok_or(ConfigError::Number)
}

fn yes_no(text: &[u8], directive: &'static str) -> Result<bool, ConfigError> {
    match text.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(ConfigError::YesNo(directive)),
    }
}

fn address(host: &[u8], port: &[u8], names: bool) -> Result<Address, ConfigError> {
    let port = parse_port(port).ok_or(ConfigError::Port)?;
    Ok(Address::new(parse_host(host, names).ok_or(ConfigError::Host)?, port))
}

/// The address of a member that a sentinel has learned. One by a name is forgotten unless names may be
/// resolved: members are learned anew, and a sentinel must start from whatever it wrote down before.
fn learned(host: &[u8], port: &[u8], names: bool) -> Result<Option<Address>, ConfigError> {
    let address = address(host, port, true)?;
    Ok(Some(address).filter(|address| names || address.is_numeric()))
}

fn words(tokens: &[&str]) -> Line {
    bytes(&tokens.iter().map(|token| token.as_bytes()).collect::<Vec<_>>())
}

fn bytes(tokens: &[&[u8]]) -> Line {
    let head = std::iter::once(b"sentinel".as_slice());
    head.chain(tokens.iter().copied()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        let line = |line: &str| line.split_whitespace().map(|w| w.as_bytes().to_vec()).collect();
        text.lines().filter(|l| !l.trim().is_empty()).map(line).collect()
    }

    const STOCK_REWRITE: &str = "
        sentinel down-after-milliseconds mymaster 1000
        sentinel myid 94de61466a262747b3ecb1c9172b3285c2b28c7c
        sentinel monitor mymaster 127.0.0.1 7102 2
        sentinel failover-timeout mymaster 10000
        sentinel auth-pass mymaster strong_master_password
        sentinel parallel-syncs mymaster 2
        sentinel rename-command mymaster CONFIG guessme
        sentinel config-epoch mymaster 1
        sentinel leader-epoch mymaster 1
        sentinel current-epoch 1
        sentinel known-replica mymaster 127.0.0.1 7101
        sentinel known-sentinel mymaster 127.0.0.1 7104 6aece6c90e8228a0de7657afdc7a1d93446e15d0
        sentinel sentinel-user x
        sentinel deny-scripts-reconfig no";

    #[test]
    fn a_file_rewritten_by_stock_is_read_and_given_back() {
        let config = Config::parse(&lines(STOCK_REWRITE)).unwrap();
        let group = &config.groups["mymaster"];
        assert_eq!(group.primary, Address::new("127.0.0.1", 7102));
        assert_eq!(group.settings.down_after, Millis(1000));
        assert_eq!(group.settings.command_name("CONFIG"), b"guessme");
        assert_eq!((group.config_epoch, group.leader_epoch, config.current_epoch), (1, 1, 1));
        assert_eq!(group.replicas, [Address::new("127.0.0.1", 7101)]);
        assert_eq!(group.sentinels.len(), 1);
        assert!(!config.settings.deny_scripts_reconfig);
        assert_eq!(Config::parse(&config.to_lines()).unwrap(), config);
    }

    #[test]
    fn bad_lines_are_refused_with_their_index() {
        let monitor = "sentinel monitor a 127.0.0.1 1 1\n";
        for (text, index, error) in [
            ("sentinel", 0, ConfigError::Unrecognized),
            ("sentinel nonsense a b", 0, ConfigError::UnknownGroup),
            ("sentinel monitor a 127.0.0.1 1 0", 0, ConfigError::Quorum),
            ("sentinel monitor a 127.0.0.1 70000 1", 0, ConfigError::Port),
            ("sentinel monitor a somewhere 1 1", 0, ConfigError::Host),
            ("sentinel myid 12", 0, ConfigError::Id),
            ("sentinel resolve-hostnames maybe", 0, ConfigError::YesNo("resolve-hostnames")),
            ("sentinel auth-pass b x", 0, ConfigError::UnknownGroup),
        ] {
            assert_eq!(Config::parse(&lines(text)), Err((index, error)), "{text}");
        }
        for (text, error) in [
            ("sentinel monitor a 127.0.0.1 1 1", ConfigError::DuplicateGroup),
            ("sentinel down-after-milliseconds a 0", ConfigError::Number),
            ("sentinel down-after-milliseconds a x", ConfigError::Number),
            ("sentinel nonsense a b", ConfigError::Unrecognized),
        ] {
            let both = lines(&format!("{monitor}{text}"));
            assert_eq!(Config::parse(&both), Err((1, error)), "{text}");
        }
    }

    #[test]
    fn state_overrides_what_was_configured() {
        let base = Config::parse(&lines(
            "sentinel monitor a 127.0.0.1 1 1\nsentinel monitor b 127.0.0.1 2 1",
        ))
        .unwrap();
        let state = Config::parse(&lines(STOCK_REWRITE.replace("mymaster", "a").as_str())).unwrap();
        let both = base.overlay(state.clone());
        assert_eq!(both.my_id, state.my_id);
        assert_eq!(both.groups["a"].primary.port, 7102);
        assert_eq!(both.groups["b"].primary.port, 2);
    }
}
