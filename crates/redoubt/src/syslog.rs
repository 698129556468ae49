//! The system's log: each line a datagram to `/dev/log`, as syslog(3) sends it.
//!
//!     <PRIORITY>Mon DD HH:MM:SS IDENT[PID]: message
//!
//! Source: RFC 3164, section 4.1; the facilities and levels of syslog(3).

use conf::{Settings, SyslogFacility};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use tracing::Level;

/// Where the system takes lines.
const SOCKET: &str = "/dev/log";

/// Sends `message` there. A system without a log loses it.
pub(crate) fn write(settings: &Settings, level: Level, message: &str) {
    let line = line(settings, level, message);
    send(Path::new(SOCKET), line.as_bytes());
}

fn send(socket: &Path, line: &[u8]) {
    // A log that cannot be written must not stop the server.
    let _ = UnixDatagram::unbound().and_then(|sender| {
        // Nor may one that is full.
        sender.set_nonblocking(true)?;
        sender.send_to(line, socket)
    });
}

fn line(settings: &Settings, level: Level, message: &str) -> String {
    let severity = match level {
        Level::ERROR | Level::WARN => 4,
        Level::INFO => 5,
        Level::DEBUG => 6,
        Level::TRACE => 7,
    };
    let facility = match settings.syslog_facility.get() {
        SyslogFacility::User => 1,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    };
    format!(
        "<{}>{} {}[{}]: {message}",
        facility * 8 + severity,
        chrono::Local::now().format("%b %e %H:%M:%S"),
        settings.syslog_ident.string(),
        std::process::id(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_grave_it_is_and_whose() {
        let settings = Settings::default();
        settings.syslog_ident.set(b"cache"[..].into());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        for (level, priority) in [(Level::WARN, 132), (Level::INFO, 133), (Level::TRACE, 135)] {
            send(&path, line(&settings, level, "Ready").as_bytes());
            let mut bytes = [0; 200];
            let count = log.recv(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let tail = format!(" cache[{}]: Ready", std::process::id());
            assert!(text.starts_with(&format!("<{priority}>")) && text.ends_with(&tail), "{text}");
        }
    }
}
