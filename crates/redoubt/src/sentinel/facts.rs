//! What INFO shows of the process: the sections Server, Clients, CPU and Stats.

use ::sentinel::ServerFacts;
use base::{RunId, clock};
use std::path::Path;

/// The version of Redis whose behaviour clients may expect.
pub(super) const REDIS_VERSION: &str = "7.2.4";

/// Counters of the driver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    pub(super) connections: u64,
    pub(super) commands: u64,
    pub(super) rejected: u64,
    pub(super) input_bytes: u64,
}

/// What does not change while the driver runs.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    pub(super) run_id: RunId,
    pub(super) port: u16,
    pub(super) config_file: &'a Path,
    pub(super) started_ms: u64,
}

pub(super) fn collect(origin: &Origin<'_>, stats: &Stats, clients: usize) -> ServerFacts {
    let uptime = clock::monotonic().0.saturating_sub(origin.started_ms) / 1000;
    let executable = std::env::current_exe().unwrap_or_default();
    let (user, system) = cpu_seconds();
    ServerFacts {
        server: vec![
            ("redis_version", REDIS_VERSION.to_owned()),
            ("server_name", "redoubt".to_owned()),
            ("redoubt_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("redis_git_sha1", "00000000".to_owned()),
            ("redis_git_dirty", "0".to_owned()),
            ("redis_mode", "sentinel".to_owned()),
            ("os", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("arch_bits", usize::BITS.to_string()),
            ("multiplexing_api", "epoll".to_owned()),
            ("process_id", std::process::id().to_string()),
            ("run_id", origin.run_id.to_string()),
            ("tcp_port", origin.port.to_string()),
            ("server_time_usec", clock::unix_us().to_string()),
            ("uptime_in_seconds", uptime.to_string()),
            ("uptime_in_days", (uptime / 86_400).to_string()),
            ("hz", "10".to_owned()),
            ("configured_hz", "10".to_owned()),
            ("executable", executable.display().to_string()),
            ("config_file", origin.config_file.display().to_string()),
        ],
        clients: vec![
            ("connected_clients", clients.to_string()),
            ("cluster_connections", "0".to_owned()),
            ("blocked_clients", "0".to_owned()),
        ],
        cpu: vec![
            ("used_cpu_sys", format!("{system:.6}")),
            ("used_cpu_user", format!("{user:.6}")),
        ],
        stats: vec![
            ("total_connections_received", stats.connections.to_string()),
            ("total_commands_processed", stats.commands.to_string()),
            ("total_net_input_bytes", stats.input_bytes.to_string()),
            ("rejected_connections", stats.rejected.to_string()),
        ],
    }
}

/// Processor seconds of this process in user and system mode, zero where the system hides them.
fn cpu_seconds() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold blanks; fields are counted behind it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap_or(0_u32));
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
    let mut next = || f64::from(ticks.next().unwrap_or(0)) / f64::from(per_second.max(1));
    (next(), next())
}
