//! What can be configured: per sentinel, per group, and the periods that `SENTINEL DEBUG` changes.
//!
//! The tables here are read by the configuration parser, the rewrite, `SENTINEL SET`, `SENTINEL
//! CONFIG` and `SENTINEL DEBUG`, so that each setting is named once.

use base::Millis;
use std::collections::BTreeMap;

/// Settings of the sentinel itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The host that hellos carry instead of the one observed.
    pub announce_ip: String,
    /// The port that hellos carry; 0 for the listening port.
    pub announce_port: u16,
    /// Accept host names as addresses.
    pub resolve_hostnames: bool,
    /// Kept for the configuration file: addresses are always announced as they were configured.
    pub announce_hostnames: bool,
    /// Refuse `SENTINEL SET` of script paths.
    pub deny_scripts_reconfig: bool,
    /// The user that this sentinel authenticates as with other sentinels.
    pub sentinel_user: Vec<u8>,
    /// The password that this sentinel sends to other sentinels; empty for none.
    pub sentinel_pass: Vec<u8>,
}

impl Settings {
    /// The defaults of stock.
    pub fn new() -> Settings {
        Settings { deny_scripts_reconfig: true, ..Settings::default() }
    }
}

/// Settings of one monitored group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Sentinels that must find the primary down.
    pub quorum: u32,
    /// Silence after which an instance counts as down.
    pub down_after: Millis,
    /// The bound of each stage of a failover.
    pub failover_timeout: Millis,
    /// Replicas moved to the new primary at once.
    pub parallel_syncs: u32,
    /// The user for AUTH with the group's servers; empty for the default user.
    pub auth_user: Vec<u8>,
    /// The password for AUTH with the group's servers; empty for none.
    pub auth_pass: Vec<u8>,
    /// Kept for the configuration file.
    pub notification_script: Vec<u8>,
    /// Kept for the configuration file.
    pub client_reconfig_script: Vec<u8>,
    /// Commands that the group's servers know by another name (upper case to other name).
    pub renamed_commands: BTreeMap<String, Vec<u8>>,
    /// Kept for the configuration file; the guard of `guard.rs` is used instead.
    pub master_reboot_down_after: Millis,
}

impl GroupSettings {
    /// The defaults of stock, with `periods` as `SENTINEL DEBUG` may have changed them.
    pub fn new(quorum: u32, periods: &Periods) -> GroupSettings {
        GroupSettings {
            quorum,
            down_after: periods.default_down_after,
            failover_timeout: periods.default_failover_timeout,
            parallel_syncs: 1,
            auth_user: Vec::new(),
            auth_pass: Vec::new(),
            notification_script: Vec::new(),
            client_reconfig_script: Vec::new(),
            renamed_commands: BTreeMap::new(),
            master_reboot_down_after: Millis(0),
        }
    }

    /// The name the group's servers know `command` by.
    pub fn command_name(&self, command: &str) -> Vec<u8> {
        self.renamed_commands.get(command).cloned().unwrap_or_else(|| command.as_bytes().to_vec())
    }
}

/// Periods and bounds, as `SENTINEL DEBUG` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Between two INFO of a healthy instance.
    pub info: Millis,
    /// Between two PING.
    pub ping: Millis,
    /// Between two questions about a primary that is down.
    pub ask: Millis,
    /// Between two hellos.
    pub publish: Millis,
    /// `down-after-milliseconds` of new groups.
    pub default_down_after: Millis,
    /// `failover-timeout` of new groups.
    pub default_failover_timeout: Millis,
    /// Timers this late mean that the process slept: suspicion starts afresh.
    pub tilt_trigger: Millis,
    /// Shown only: TILT is not entered.
    pub tilt_period: Millis,
    /// How long a moved replica may take before the next one is moved.
    pub replica_reconf_timeout: Millis,
    /// A link younger than this is not closed for silence.
    pub min_link_reconnect: Millis,
    /// How long a candidate waits for votes at most.
    pub election_timeout: Millis,
    /// Shown only.
    pub script_max_runtime: Millis,
    /// Shown only.
    pub script_retry_delay: Millis,
}

impl Default for Periods {
    fn default() -> Periods {
        Periods {
            info: Millis(10_000),
            ping: Millis(1_000),
            ask: Millis(1_000),
            publish: Millis(2_000),
            default_down_after: Millis(30_000),
            default_failover_timeout: Millis(180_000),
            tilt_trigger: Millis(2_000),
            tilt_period: Millis(30_000),
            replica_reconf_timeout: Millis(10_000),
            min_link_reconnect: Millis(15_000),
            election_timeout: Millis(10_000),
            script_max_runtime: Millis(60_000),
            script_retry_delay: Millis(30_000),
        }
    }
}

impl Periods {
    /// Every period with its name, in the order in which `SENTINEL DEBUG` lists them.
    pub fn table(&mut self) -> [(&'static str, &mut Millis); 13] {
        [
            ("info-period", &mut self.info),
            ("ping-period", &mut self.ping),
            ("ask-period", &mut self.ask),
            ("publish-period", &mut self.publish),
            ("default-down-after", &mut self.default_down_after),
            ("default-failover-timeout", &mut self.default_failover_timeout),
            ("tilt-trigger", &mut self.tilt_trigger),
            ("tilt-period", &mut self.tilt_period),
            ("slave-reconf-timeout", &mut self.replica_reconf_timeout),
            ("min-link-reconnect-period", &mut self.min_link_reconnect),
            ("election-timeout", &mut self.election_timeout),
            ("script-max-runtime", &mut self.script_max_runtime),
            ("script-retry-delay", &mut self.script_retry_delay),
        ]
    }
}
