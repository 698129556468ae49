//! The first lines of the log, which people and test harnesses look for.

use conf::Settings;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// The line of `--version`, in the shape that scripts parse.
pub(crate) fn version_line() -> String {
    format!(
        "Redis server v={} sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=redoubt-{}\n",
        engine::snapshot::REDIS_VERSION,
        env!("CARGO_PKG_VERSION")
    )
}

/// Says that the program starts, with which configuration, and who it is.
pub(crate) fn announce(settings: &Settings, path: Option<&Path>, sentinel: bool) {
    let pid = std::process::id();
    tracing::info!("oO0OoO0OoO0Oo Redoubt is starting oO0OoO0OoO0Oo");
    tracing::info!(
        "Redis version={}, bits=64, Redoubt version={}, modified=0, pid={pid}, just started",
        engine::snapshot::REDIS_VERSION,
        env!("CARGO_PKG_VERSION")
    );
    if let Some(path) = path {
        tracing::info!("Configuration loaded from {}", path.display());
    } else {
        tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use redoubt server /path/to/redis.conf"
        );
    }
    let logs_to_output = settings.logfile.get().is_empty();
    if logs_to_output && (settings.always_show_logo.get() || std::io::stdout().is_terminal()) {
        let mode = if sentinel { "sentinel" } else { "standalone" };
        let text = format!(
            "\n    Redoubt {} (64 bit)\n    Running in {mode} mode\n    Port: {}\n    PID: {pid}\n\n",
            env!("CARGO_PKG_VERSION"),
            settings.port.get(),
        );
        // A closed standard output is no reason not to serve.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}
