//! The sentinel of a server process: beside the server, or instead of it.

use super::{Ready, guard, last_words};
use crate::sentinel::{self, Exit, Options};
use conf::Settings;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::thread;

/// The exit status of a sentinel that was told to fail.
const CRASH_STATUS: i32 = 99;

/// What the guard must know of the sentinel that runs beside this server.
pub(crate) fn beside(settings: &Settings, handle: &sentinel::Handle) -> guard::Beside {
    guard::Beside {
        addresses: handle.addresses().to_vec(),
        password: settings.sentinel_requirepass.string(),
    }
}

/// Starts the sentinel beside a server, if the configuration asks for one.
///
/// # Errors
/// A line for the log.
pub(crate) fn start_beside(ready: &Ready) -> Result<Option<sentinel::Handle>, String> {
    let settings = &ready.settings;
    let port = u16::try_from(settings.sentinel_port.get()).unwrap_or(0);
    if port == 0 {
        return Ok(None);
    }
    let lines = ready.loaded.sentinel.clone();
    // Absolute, for CONFIG SET dir changes the directory of the process.
    let dir = std::env::current_dir()
        .map_err(|error| format!("cannot use the data directory: {error}"))?;
    let options = options_beside(settings, Options::embedded(&dir, port, lines));
    sentinel::start(options).map(Some).map_err(|error| error.to_string())
}

/// What the settings of a server say about the sentinel beside it.
fn options_beside(settings: &Settings, options: Options) -> Options {
    Options {
        bind: addresses(settings),
        password: settings.sentinel_requirepass.get().to_vec(),
        // Whoever gave the server a password means it to be reached, and the other sentinels must
        // reach this one.
        protected_mode: settings.protected_mode.get() && settings.requirepass.get().is_empty(),
        ..options
    }
}

/// Runs a stand-alone sentinel until it is told to stop; gives the exit code.
pub(crate) fn run(ready: Ready) -> i32 {
    let settings = &ready.settings;
    let Some(path) = &ready.loaded.path else {
        last_words("Sentinel needs config file on disk, can't start without one. Exiting...");
        return 1;
    };
    let port = u16::try_from(settings.port.get()).unwrap_or(0);
    let options = Options {
        bind: addresses(settings),
        password: settings.requirepass.get().to_vec(),
        protected_mode: settings.protected_mode.get(),
        clients_max: usize::try_from(settings.maxclients.get()).unwrap_or(usize::MAX),
        ..Options::standalone(path, port, ready.loaded.sentinel.clone())
    };
    let handle = match sentinel::start(options) {
        Ok(handle) => handle,
        Err(error) => {
            last_words(&error.to_string());
            return 1;
        }
    };
    tracing::info!("Sentinel ID is {}", handle.id());
    let signal = handle.signal();
    let watching =
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).and_then(|mut signals| {
            let body = move || {
                if signals.forever().next().is_some() {
                    tracing::warn!("Received a signal, scheduling shutdown...");
                    signal.stop();
                }
            };
            thread::Builder::new().name("signals".into()).spawn(body)
        });
    if let Err(error) = watching {
        last_words(&format!("cannot watch signals: {error}"));
        return 1;
    }
    let code = match handle.wait() {
        Exit::Stopped | Exit::Shutdown => 0,
        Exit::Crash => CRASH_STATUS,
        Exit::Failed => 1,
    };
    drop(ready.pid_file);
    code
}

fn addresses(settings: &Settings) -> Vec<String> {
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    settings.bind.get().iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use conf::LoadRequest;
    use std::net::IpAddr;
    use std::path::Path;

    #[test]
    fn the_sentinels_of_a_group_with_a_password_let_each_other_in() {
        let elsewhere: IpAddr = "198.51.100.7".parse().unwrap();
        let here: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        for (text, refuses) in [
            ("", true),
            ("protected-mode no", false),
            ("requirepass secret", false),
            ("sentinel-requirepass secret", false),
            ("requirepass secret\nsentinel-requirepass other", false),
        ] {
            let stdin = Some(format!("bind * -::*\n{text}"));
            let request = LoadRequest { stdin, ..LoadRequest::default() };
            let settings = Settings::load(&request).unwrap().settings;
            let options = Options::embedded(Path::new("."), 0, Vec::new());
            let options = options_beside(&settings, options);
            assert_eq!(options.refuses(elsewhere), refuses, "{text}");
            assert!(!options.refuses(here), "{text}");
        }
    }
}
