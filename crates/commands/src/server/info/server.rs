//! INFO server.

use super::Field::{self, Always, When};
use engine::snapshot::REDIS_VERSION;
use std::sync::atomic::Ordering;

/// Redoubt's own version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) const FIELDS: &[Field] = &[
    Always("redis_version", |_| REDIS_VERSION.into()),
    Always("redis_git_sha1", |_| "00000000".into()),
    Always("redis_git_dirty", |_| "0".into()),
    Always("redis_build_id", |_| "0".into()),
    Always("redis_mode", |_| "standalone".into()),
    Always("os", |_| os()),
    Always("arch_bits", |_| usize::BITS.to_string()),
    Always("monotonic_clock", |_| "POSIX clock_gettime".into()),
    Always("multiplexing_api", |_| "epoll".into()),
    Always("atomicvar_api", |_| "rust".into()),
    Always("gcc_version", |_| "0.0.0".into()),
    Always("process_id", |_| std::process::id().to_string()),
    Always("process_supervised", |_| "no".into()),
    Always("run_id", |facts| facts.node.run_id.to_string()),
    Always("tcp_port", |facts| facts.node.settings.port.get().to_string()),
    Always("server_time_usec", |_| base::clock::unix_us().to_string()),
    Always("uptime_in_seconds", |facts| facts.uptime_s().to_string()),
    Always("uptime_in_days", |facts| (facts.uptime_s() / 86_400).to_string()),
    Always("hz", |facts| facts.node.settings.hz.get().to_string()),
    Always("configured_hz", |facts| facts.node.settings.hz.get().to_string()),
    Always("lru_clock", |_| ((base::clock::unix().0 / 1000) & 0x00ff_ffff).to_string()),
    Always("executable", |_| {
        std::env::current_exe().map_or_else(|_| String::new(), |path| path.display().to_string())
    }),
    Always("config_file", |facts| {
        facts.node.config_path.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }),
    Always("io_threads_active", |facts| super::facts::flag(facts.node.mailboxes().len() > 1)),
    When("shutdown_in_milliseconds", |facts| {
        let at = facts.node.stops_at_ms.load(Ordering::Acquire);
        (at > 0).then(|| at.saturating_sub(facts.now.0).to_string())
    }),
    Always("server_name", |_| "redoubt".into()),
    Always("redoubt_version", |_| VERSION.into()),
    Always("redoubt_node_id", |facts| facts.node.node_id.to_string()),
    Always("redoubt_epoch", |facts| facts.replication().epoch.to_string()),
];

fn os() -> String {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {} {}", text(name.sysname()), text(name.release()), text(name.machine()))
}
