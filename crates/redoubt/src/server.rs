//! `redoubt server`: from the command line to the last byte saved.
//!
//! Order of a start: configuration, directory, log, a look whether the ports can be had, the sentinel
//! if there is one, the question to the sentinels who may serve ([`guard`]), listening sockets, loops
//! (answering LOADING), data, replication, service. A stop goes back the same way, saving between.

mod banner;
mod data;
mod guard;
mod oom;
mod sentinel_mode;
mod services;
mod shutdown;
mod signals;
mod start;

use crate::title::Title;
use crate::{daemon, logging};
use conf::{LoadRequest, Loaded, Settings};
use data::StartOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const USAGE: &str = "\
Usage: redoubt server [/path/to/redis.conf] [options] [-]
       redoubt server - (read config from stdin)
       redoubt server -v or --version
       redoubt server -h or --help
       redoubt server --check-config /path/to/redis.conf
       redoubt server ... --allow-empty-start (start without data that cannot be understood)
       redoubt server ... --restore-to SECONDS (load the append-only file up to that Unix time)

Examples:
       redoubt server (run the server with default conf)
       echo 'maxmemory 128mb' | redoubt server -
       redoubt server /etc/redis/6379.conf
       redoubt server --port 7777
       redoubt server --port 7777 --replicaof 127.0.0.1 8888
       redoubt server /etc/myredis.conf --loglevel verbose -

Sentinel mode:
       redoubt server /etc/sentinel.conf --sentinel
";

/// Runs the program; gives its exit code.
///
/// `name` is what it was called as.
pub(crate) fn main(name: &str, arguments: &[String], sentinel: bool) -> i32 {
    match arguments.first().map(String::as_str) {
        Some("-v" | "--version") => return crate::say(&banner::version_line()),
        Some("-h" | "--help") => return crate::say(USAGE),
        Some("--check-config") => return check_config(&arguments[1..], sentinel),
        _ => {}
    }
    let mut arguments = arguments.to_vec();
    let prepared = StartOptions::take(&mut arguments).and_then(|start| {
        let loaded = load(&arguments, sentinel)?;
        prepare(name, loaded, start)
    });
    match prepared {
        Ok(Some(ready)) if ready.loaded.sentinel_mode => sentinel_mode::run(ready),
        Ok(Some(ready)) => start::run(ready),
        Ok(None) => 0,
        Err(text) => crate::complain(&format!("{text}\n")),
    }
}

/// A configuration whose process is set up: directory, session, log.
pub(crate) struct Ready {
    pub(crate) settings: Arc<Settings>,
    pub(crate) loaded: LoadedRest,
    pub(crate) title: Arc<Title>,
    pub(crate) start: StartOptions,
    pub(crate) pid_file: Option<daemon::PidFile>,
}

/// What a configuration says besides its settings.
pub(crate) struct LoadedRest {
    pub(crate) path: Option<PathBuf>,
    pub(crate) sentinel_mode: bool,
    pub(crate) sentinel: Vec<Vec<Vec<u8>>>,
    pub(crate) renamed: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) says_io_threads: bool,
}

/// Goes to `dir`, whose absolute path that is from then on, as stock shows and writes it.
///
/// # Errors
/// Those of the system.
fn enter_directory(settings: &Settings) -> io::Result<()> {
    let dir = settings.dir.string();
    if !dir.is_empty() {
        std::env::set_current_dir(&dir)?;
    }
    let absolute = std::env::current_dir()?;
    settings.dir.set(absolute.into_os_string().into_encoded_bytes().into());
    Ok(())
}

/// The configuration, and what of it came from standard input, if it was asked for.
fn load(arguments: &[String], sentinel: bool) -> Result<(Loaded, Option<String>), String> {
    let (mut request, wants_stdin) = LoadRequest::from_command_line(arguments);
    request.sentinel_mode |= sentinel;
    if wants_stdin {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read the configuration from stdin: {error}"))?;
        request.stdin = Some(text);
    }
    let loaded = Settings::load(&request).map_err(|error| error.to_string())?;
    Ok((loaded, request.stdin))
}

fn check_config(arguments: &[String], sentinel: bool) -> i32 {
    match load(arguments, sentinel) {
        Ok((loaded, _)) => {
            let warnings: Vec<String> =
                loaded.warnings.iter().map(|warning| format!("WARNING: {warning}\n")).collect();
            let warnings = warnings.concat();
            crate::say(&format!("{warnings}configuration is valid\n"))
        }
        Err(text) => crate::complain(&format!("{text}\n")),
    }
}

/// Goes to the data directory and, if asked to, into the background. `None` if this process has
/// handed over to the daemon.
fn prepare(
    name: &str,
    (loaded, stdin): (Loaded, Option<String>),
    start: StartOptions,
) -> Result<Option<Ready>, String> {
    let path = loaded.path.clone();
    let says_io_threads = loaded.says("io-threads");
    let settings = Arc::new(loaded.settings);
    if settings.daemonize.get() && !daemon::is_daemon() {
        // The daemon reads it once more.
        if path.as_ref().is_some_and(|path| !path.is_file()) {
            return Err("daemonize needs a configuration that can be read twice".to_owned());
        }
        let spawned = daemon::spawn(stdin.as_deref());
        return spawned
            .map(|()| None)
            .map_err(|error| format!("cannot go into the background: {error}"));
    }
    enter_directory(&settings).map_err(|error| {
        format!("Can't chdir to '{}': {}", settings.dir.string(), base::reason(&error))
    })?;
    logging::start(&settings)
        .map_err(|error| format!("Can't open the log file: {}", base::reason(&error)))?;
    signals::ignore_hangups().map_err(|error| format!("cannot ignore SIGHUP: {error}"))?;
    logging::set_role(if loaded.sentinel_mode { b'X' } else { b'M' });
    let pid_file = write_pid_file(&settings);
    banner::announce(&settings, path.as_deref(), loaded.sentinel_mode);
    for warning in &loaded.warnings {
        tracing::warn!("WARNING: {warning}");
    }
    let mode = if loaded.sentinel_mode { "[sentinel]" } else { "" };
    let title = Title { name: name.to_owned(), config: path.clone(), mode };
    title.show(&settings);
    let rest = LoadedRest {
        path,
        sentinel_mode: loaded.sentinel_mode,
        sentinel: loaded.sentinel.into_iter().map(|line| line.arguments).collect(),
        renamed: loaded.renamed,
        says_io_threads,
    };
    Ok(Some(Ready { settings, loaded: rest, title: Arc::new(title), start, pid_file }))
}

fn write_pid_file(settings: &Settings) -> Option<daemon::PidFile> {
    let path = settings.pidfile.get();
    let path = match &*path {
        b"" if settings.daemonize.get() => b"/var/run/redis.pid",
        b"" => return None,
        path => path,
    };
    let path = String::from_utf8_lossy(path).into_owned();
    daemon::PidFile::create(Path::new(&path))
        .inspect_err(|error| tracing::warn!("Failed to write PID file {path}: {error}"))
        .ok()
}

/// Writes to standard error when there is no log yet; nobody can be told that it is closed.
pub(crate) fn last_words(text: &str) {
    tracing::error!("{text}");
    let _ = writeln!(std::io::stderr(), "{text}");
}
