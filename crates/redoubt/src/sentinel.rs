//! The driver of the sentinel machine: one thread that owns its listener, its links and its file.
//!
//! Embedded beside a server or alone, it is the same thread: it takes no lock of the engine, probes
//! its own server over TCP like any other instance, and remembers what it learned in a file of its
//! own. Embedded, that file is `sentinel-PORT.conf` in the data directory and overrides the `sentinel`
//! lines of redis.conf, which has another writer; alone, it is the configuration file itself, whose
//! other lines stay as they are.
//!
//! The machine's actions are performed in order (see the crate's README): a `Persist` that cannot be
//! made durable is reported to the machine before anything behind it happens.

mod client;
mod connection;
mod driver;
mod encode;
mod facts;
mod listen;
mod resolver;
mod session;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use ::sentinel::Line;
use ::sentinel::{Config, ConfigError};
use base::RunId;
use driver::Driver;
use rustix::event::{EventfdFlags, eventfd};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use thiserror::Error;

/// Clients served at once unless told otherwise.
pub(crate) const CLIENTS_MAX_DEFAULT: usize = 10_000;

/// How the thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// [`Handle::stop`] was called.
    Stopped,
    /// A client sent SHUTDOWN.
    Shutdown,
    /// `SENTINEL SIMULATE-FAILURE` struck: the process is to end with status 99, at once.
    Crash,
    /// The thread could not go on; the log says why.
    Failed,
}

/// What a sentinel is started with.
pub(crate) struct Options {
    /// Addresses to listen on, as `bind` writes them (`-` before an address that may be missing,
    /// `*` and `::*` for all). Empty for all.
    pub(crate) bind: Vec<String>,
    /// The port; 0 lets the system choose.
    pub(crate) port: u16,
    /// The `sentinel` lines of the configuration, without that first word.
    pub(crate) lines: Vec<Line>,
    /// The file that remembers the state.
    pub(crate) state: PathBuf,
    /// True if the state file also holds what `lines` were read from (a stand-alone sentinel).
    pub(crate) state_is_configuration: bool,
    /// The password clients must give; empty for none.
    pub(crate) password: Vec<u8>,
    /// Refuse clients from elsewhere while there is no password.
    pub(crate) protected_mode: bool,
    /// Clients served at once.
    pub(crate) clients_max: usize,
    /// Called by the thread when it ends.
    pub(crate) on_exit: Option<Box<dyn FnOnce(Exit) + Send>>,
}

impl Options {
    /// A sentinel inside a server: its state goes to `sentinel-PORT.conf` in `dir`.
    pub(crate) fn embedded(dir: &Path, port: u16, lines: Vec<Line>) -> Options {
        let state = dir.join(format!("sentinel-{port}.conf"));
        Options { state, state_is_configuration: false, ..Options::standalone(dir, port, lines) }
    }

    /// True if a client at `ip` is turned away by protected mode.
    pub(crate) fn refuses(&self, ip: IpAddr) -> bool {
        self.protected_mode && self.password.is_empty() && !ip.to_canonical().is_loopback()
    }

    /// A sentinel alone: its state is written to the configuration file at `path`.
    pub(crate) fn standalone(path: &Path, port: u16, lines: Vec<Line>) -> Options {
        Options {
            bind: Vec::new(),
            port,
            lines,
            state: path.to_owned(),
            state_is_configuration: true,
            password: Vec::new(),
            protected_mode: false,
            clients_max: CLIENTS_MAX_DEFAULT,
            on_exit: None,
        }
    }
}

/// Why a sentinel did not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// A `sentinel` line of the configuration: its index in [`Options::lines`].
    #[error("sentinel line {}: {error}", index + 1)]
    Line {
        /// Which line.
        index: usize,
        /// Why.
        error: ConfigError,
    },
    /// A line of the state file.
    #[error("{}, sentinel line {}: {error}", path.display(), index + 1)]
    State {
        /// The file.
        path: PathBuf,
        /// Which of its `sentinel` lines.
        index: usize,
        /// Why.
        error: ConfigError,
    },
    /// The state file cannot be read or written.
    #[error("Sentinel config file {} is not writable: {error}. Exiting...", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("Failed listening on port {port} (sentinel), {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// The port.
        port: u16,
        /// What the system says.
        error: std::io::Error,
    },
    /// The system gives no descriptors or no thread.
    #[error("the sentinel's thread cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// A running sentinel.
#[derive(Debug)]
pub(crate) struct Handle {
    thread: JoinHandle<Exit>,
    signal: Signal,
    id: RunId,
    addresses: Vec<SocketAddr>,
}

/// How other threads reach the driver.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    wake: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
}

impl Signal {
    fn new() -> std::io::Result<Signal> {
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Signal { wake: Arc::new(wake), stop: Arc::new(AtomicBool::new(false)) })
    }

    /// Makes the driver look at its flags and channels.
    pub(crate) fn wake(&self) {
        // A full counter means that a wake-up is pending already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Asks the driver to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }
}

impl Handle {
    /// This sentinel's identity.
    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// True once the thread has ended.
    #[cfg(test)]
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// A way to stop the sentinel from another thread, while this handle waits.
    pub(crate) fn signal(&self) -> Signal {
        self.signal.clone()
    }

    /// Ends the thread and waits for it.
    pub(crate) fn stop(self) -> Exit {
        self.signal.stop();
        self.wait()
    }

    /// Waits until the thread ends.
    pub(crate) fn wait(self) -> Exit {
        self.thread.join().unwrap_or(Exit::Failed)
    }
}

/// Starts a sentinel. When this returns it listens, and its identity is on disk.
///
/// # Errors
/// See [`StartError`].
pub(crate) fn start(options: Options) -> Result<Handle, StartError> {
    let config = configuration(&options)?;
    let signal = Signal::new()?;
    let driver = Driver::new(options, config, signal.clone())?;
    let id = driver.id();
    let addresses = driver.addresses();
    let thread = std::thread::Builder::new().name("sentinel".to_owned());
    let thread = thread.spawn(move || driver.run())?;
    Ok(Handle { thread, signal, id, addresses })
}

/// The configuration with the remembered state laid over it.
fn configuration(options: &Options) -> Result<Config, StartError> {
    let whole = |line: &Line| {
        let mut whole = vec![b"sentinel".to_vec()];
        whole.extend(line.iter().cloned());
        whole
    };
    let lines: Vec<Line> = options.lines.iter().map(whole).collect();
    let config =
        Config::parse(&lines).map_err(|(index, error)| StartError::Line { index, error })?;
    if options.state_is_configuration {
        return Ok(config);
    }
    let path = &options.state;
    let lines =
        state::read(path).map_err(|error| StartError::File { path: path.clone(), error })?;
    let state = Config::parse_state(&lines).map_err(|(index, error)| StartError::State {
        path: path.clone(),
        index,
        error,
    })?;
    Ok(config.overlay(state))
}
