//! The log: lines as stock writes them, for people and tools that grep them.
//!
//!     PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL message
//!
//! ROLE is M (primary), S (replica), X (sentinel); LEVEL is `.` debug, `-` verbose, `*` notice, `#`
//! warning. The file is opened anew for each line, so that it can be rotated under the server.

use crate::syslog;
use conf::{LogLevel, Settings};
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

static ROLE: AtomicU8 = AtomicU8::new(b'M');
static SETTINGS: OnceLock<Arc<Settings>> = OnceLock::new();

/// Shows in every line what the process is: `M`, `S` or `X`.
pub(crate) fn set_role(role: u8) {
    ROLE.store(role, Ordering::Relaxed);
}

/// Begins to log as `settings` say. Once per process.
///
/// # Errors
/// When the file cannot be opened: nobody would hear of anything.
pub(crate) fn start(settings: &Arc<Settings>) -> io::Result<()> {
    let path = settings.logfile.get();
    if !path.is_empty() {
        open(&path)?;
    }
    let _first_wins = SETTINGS.set(Arc::clone(settings));
    let subscriber = tracing_subscriber::registry().with(Lines);
    // A second start keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

fn open(path: &[u8]) -> io::Result<File> {
    let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
    OpenOptions::new().append(true).create(true).open(path)
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(settings) = SETTINGS.get() else { return };
        let level = *event.metadata().level();
        if !event.metadata().target().starts_with("mio") && wanted(level, settings.loglevel.get()) {
            let mut message = Message(String::new());
            event.record(&mut message);
            write_line(settings, level, &message.0);
        }
    }
}

fn wanted(level: Level, setting: LogLevel) -> bool {
    let most = match setting {
        LogLevel::Debug => Level::TRACE,
        LogLevel::Verbose => Level::DEBUG,
        LogLevel::Notice => Level::INFO,
        LogLevel::Nothing => return false,
        LogLevel::Warning => Level::WARN,
    };
    level <= most
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}={value:?}"),
        };
    }
}

fn write_line(settings: &Settings, level: Level, message: &str) {
    let mark = match level {
        Level::ERROR | Level::WARN => '#',
        Level::INFO => '*',
        Level::DEBUG => '-',
        Level::TRACE => '.',
    };
    let line = format!(
        "{}:{} {} {mark} {message}\n",
        std::process::id(),
        char::from(ROLE.load(Ordering::Relaxed)),
        chrono::Local::now().format("%d %b %Y %H:%M:%S%.3f"),
    );
    let path = settings.logfile.get();
    let result = if path.is_empty() {
        io::stdout().write_all(line.as_bytes())
    } else {
        open(&path).and_then(|mut file| file.write_all(line.as_bytes()))
    };
    // A log that cannot be written must not stop the server.
    let _ = result;
    if settings.syslog_enabled.get() {
        syslog::write(settings, level, message);
    }
}
