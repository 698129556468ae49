//! Programs that run beside us and die with us.
//!
//! Each gets a process group of its own. Whatever ends the task (return, panic, Ctrl-C, SIGTERM), the
//! groups that are still registered are killed; only SIGKILL of the task itself leaves them behind.

use crate::failure::{During, Outcome};
use crate::wait;
use base::lock::{Mutex, Rank};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::{process, thread};

/// How long programs may take to end when the task itself is told to.
const INTERRUPT_MS: u64 = 5_000;
/// How long a program may take to end after SIGTERM.
const END_MS: u64 = 15_000;

static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(Rank::Leaf, BTreeSet::new());

/// Kills everything on the signals that end a program.
///
/// # Errors
/// When the signals cannot be watched.
pub fn guard() -> Outcome {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // `redoubt up` has programs of its own to stop, and must be asked.
            for last in [Signal::TERM, Signal::KILL] {
                GROUPS.lock().iter().for_each(|&group| signal_group(group, last));
                let alive = || GROUPS.lock().iter().any(|&group| is_alive(group));
                let _ = wait::until("their end", INTERRUPT_MS, || (!alive()).then_some(()));
            }
            process::exit(128 + signal);
        }
    });
    Ok(())
}

/// A running program.
pub struct Process {
    child: Child,
    group: i32,
    asked_first: bool,
}

impl Process {
    /// Starts `command`, its output going to the file `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Outcome<Process> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Process::spawn(command)
    }

    /// Starts `command` with pipes for its standard input and output; its errors go to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn piped(mut command: Command, log: &Path) -> Outcome<Process> {
        let errors = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        Process::spawn(command)
    }

    fn spawn(mut command: Command) -> Outcome<Process> {
        command.process_group(0);
        let child =
            command.spawn().during(|| command.get_program().to_string_lossy().into_owned())?;
        let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
        GROUPS.lock().insert(group);
        Ok(Process { child, group, asked_first: false })
    }

    /// The same, but dropping it asks it to end first: it has programs of its own to stop.
    pub fn asking_first(mut self) -> Process {
        self.asked_first = true;
        self
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once; dropping it tells the program that there is no more.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not, for `limit_ms`.
    pub fn wait(&mut self, limit_ms: u64) -> Outcome<ExitStatus> {
        wait::until("the end of a program", limit_ms, || self.ended())
    }

    /// Sends it `signal`, if it still runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            signal_process(self.group, signal);
        }
    }

    /// Asks it to end and waits until it did.
    ///
    /// # Errors
    /// When it does not end.
    pub fn terminate(&mut self) -> Outcome<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(END_MS)
    }

    /// Kills it with -9, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.asked_first {
            let _ = self.terminate();
        }
        signal_group(self.group, Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
        GROUPS.lock().remove(&self.group);
    }
}

/// Sends `signal` to the process with this id. True if there is one.
pub fn signal_process(id: i32, signal: Signal) -> bool {
    Pid::from_raw(id).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Whether there is a process with this id that is not a zombie.
pub fn is_alive(id: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with('Z')
}

fn signal_group(group: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(group) {
        let _ = kill_process_group(pid, signal);
    }
}
