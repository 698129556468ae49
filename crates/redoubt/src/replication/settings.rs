//! What redis.conf says, in the words of the machines.

use base::Millis;
use conf::Settings;
use engine::Node;
use psync::primary::PrimarySettings;
use psync::replica::ReplicaSettings;

/// The walks that full syncs may have at once; saves and other walks need room beside them.
const CUTS_MAX: usize = 2;

fn seconds(value: i64) -> Millis {
    Millis(value.unsigned_abs().saturating_mul(1000))
}

/// How much of the stream is kept for replicas that come back.
pub(super) fn backlog_bytes(node: &Node) -> u64 {
    node.settings.repl_backlog_size.get().unsigned_abs()
}

/// For the machine that follows a primary.
pub(super) fn of_replica(node: &Node) -> ReplicaSettings {
    let settings: &Settings = &node.settings;
    let announced = settings.replica_announce_port.get();
    let port = if announced > 0 { announced } else { settings.port.get() };
    let text = |text: &conf::Text| Some(text.get().to_vec()).filter(|text| !text.is_empty());
    ReplicaSettings {
        listening_port: u16::try_from(port).unwrap_or(0),
        announce_ip: Some(settings.replica_announce_ip.string()).filter(|ip| !ip.is_empty()),
        user: text(&settings.masteruser),
        password: text(&settings.masterauth),
        timeout: seconds(settings.repl_timeout.get()),
        identity: Some(node.identity()),
        guard: true,
    }
}

/// For the machine that serves replicas.
pub(super) fn of_primary(node: &Node) -> PrimarySettings {
    let settings: &Settings = &node.settings;
    PrimarySettings {
        timeout: seconds(settings.repl_timeout.get()),
        ping_period: seconds(settings.repl_ping_replica_period.get()),
        diskless: settings.repl_diskless_sync.get(),
        diskless_delay: seconds(settings.repl_diskless_sync_delay.get()),
        diskless_max_replicas: usize::try_from(settings.repl_diskless_sync_max_replicas.get())
            .unwrap_or(0),
        backlog_bytes: backlog_bytes(node),
        backlog_ttl: seconds(settings.repl_backlog_ttl.get()),
        cuts_max: CUTS_MAX,
        identity: Some(node.identity()),
    }
}
