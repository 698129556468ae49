//! Going into the background, and the pid file.
//!
//! There is no fork: the program starts itself once more, detached, with a mark in its environment;
//! the first process then ends. What it would have said on the terminal it has said before.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set in the process that is the daemon.
const MARK: &str = "REDOUBT_DAEMON";

/// Whether this process is the daemon already. Makes it the leader of a session of its own.
pub(crate) fn is_daemon() -> bool {
    let marked = std::env::var_os(MARK).is_some();
    if marked {
        // It fails only for a process that leads a session already.
        let _ = rustix::process::setsid();
    }
    marked
}

/// Starts the daemon, which reads `input` if its configuration comes from standard input.
///
/// # Errors
/// Those of starting a process, and of handing it that.
pub(crate) fn spawn(input: Option<&str>) -> io::Result<()> {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "redoubt".into());
    let mut command = Command::new(std::env::current_exe()?);
    std::os::unix::process::CommandExt::arg0(&mut command, name);
    let mut daemon = command
        .args(words)
        .env(MARK, "1")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    match (daemon.stdin.take(), input) {
        (Some(mut pipe), Some(input)) => pipe.write_all(input.as_bytes()),
        _ => Ok(()),
    }
}

/// A pid file, removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes this process's number into `path`.
    ///
    /// # Errors
    /// Those of writing the file.
    pub(crate) fn create(path: &Path) -> io::Result<PidFile> {
        fs::write(path, format!("{}\n", std::process::id()))?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it.
        let _ = fs::remove_file(&self.0);
    }
}
