//! Starting, watching, restarting and stopping the nodes.

use super::Options;
use super::events::{Story, address};
use super::layout::Group;
use super::observe::{NodeView, Observer};
use super::table;
use base::Millis;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The program that this process runs, whatever lies under its name by now: an upgrade replaces that
/// while the group runs, and its nodes stay of one version until the group is started again.
const PROGRAM: &str = "/proc/self/exe";
/// Between two looks at the group.
const LOOK_MS: u64 = 100;
/// The first wait before a restart; doubled each time a node dies young.
const BACKOFF_FIRST: Millis = Millis(500);
/// The longest wait before a restart.
const BACKOFF_MAX: Millis = Millis(10_000);
/// A node that has lived so long starts with the first wait again.
const LIVED: Millis = Millis(30_000);
/// A node that has not stopped by then is killed.
const STOP_MAX: Millis = Millis(60_000);
/// A group that is not whole by then says what is missing.
const READY_MAX: Millis = Millis(30_000);

/// One node's process.
struct Process {
    child: Option<Child>,
    started: Millis,
    backoff: Millis,
    restart_at: Option<Millis>,
}

/// Runs the group until a signal ends it.
///
/// # Errors
/// One line if a node cannot be started at all; the others have been stopped then.
pub(crate) fn run(options: &Options, group: &Group) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("cannot watch signals: {error}"))?;
    }
    let mut supervisor = Supervisor {
        options,
        group,
        processes: Vec::new(),
        observers: (0..options.nodes).map(|_| Observer::default()).collect(),
        views: vec![NodeView::default(); usize::from(options.nodes)],
        story: Story::default(),
        live: io::stdout().is_terminal(),
        table_lines: 0,
    };
    let result = supervisor.start_all();
    if result.is_ok() {
        supervisor.watch(&stop);
    }
    supervisor.stop_all();
    result
}

struct Supervisor<'a> {
    options: &'a Options,
    group: &'a Group,
    processes: Vec<Process>,
    observers: Vec<Observer>,
    views: Vec<NodeView>,
    story: Story,
    live: bool,
    table_lines: usize,
}

impl Supervisor<'_> {
    fn start_all(&mut self) -> Result<(), String> {
        for index in 0..self.group.nodes.len() {
            let child = self.spawn(index)?;
            let now = base::clock::monotonic();
            self.processes.push(Process {
                child: Some(child),
                started: now,
                backoff: BACKOFF_FIRST,
                restart_at: None,
            });
        }
        Ok(())
    }

    fn spawn(&self, index: usize) -> Result<Child, String> {
        let cannot = |error: io::Error| format!("cannot start node-{index}: {error}");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.group.nodes[index].join("redoubt.log"))
            .map_err(cannot)?;
        Command::new(PROGRAM)
            .arg0(std::env::args_os().next().unwrap_or_else(|| "redoubt".into()))
            .arg("server")
            .arg(self.group.config(index))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A group of its own, so that Ctrl-C reaches the supervisor alone.
            .process_group(0)
            .spawn()
            .map_err(cannot)
    }

    fn watch(&mut self, stop: &AtomicBool) {
        let began = base::clock::monotonic();
        let mut told_late = false;
        while !stop.load(Ordering::Acquire) {
            let now = base::clock::monotonic();
            self.reap(now);
            for index in 0..self.options.nodes {
                let observer = &mut self.observers[usize::from(index)];
                self.views[usize::from(index)] = observer.look(self.options, index);
            }
            let now = base::clock::monotonic();
            let lines = self.story.update(self.options, now, &self.views);
            self.tell(&lines);
            if self.story.becomes_ready(self.options, &self.views) {
                self.tell_ready();
                told_late = true;
            } else if !told_late && now.since(began) > READY_MAX {
                told_late = true;
                self.tell(&["the group is not whole yet; see the nodes' redoubt.log".to_owned()]);
            }
            if self.live {
                let drawn = table::draw(self.options, &self.views, &self.story, self.table_lines);
                self.table_lines = drawn.1;
                print(&drawn.0);
            }
            thread::sleep(Duration::from_millis(LOOK_MS));
        }
    }

    /// Takes note of nodes that have ended, and restarts those whose time has come.
    fn reap(&mut self, now: Millis) {
        for index in 0..self.processes.len() {
            let process = &mut self.processes[index];
            let ended = match &mut process.child {
                Some(child) => child.try_wait().ok().flatten(),
                None => None,
            };
            if let Some(status) = ended {
                process.child = None;
                let young = now.since(process.started) < LIVED;
                let wait = if young { process.backoff } else { BACKOFF_FIRST };
                process.backoff = Millis(wait.0 * 2).min(BACKOFF_MAX);
                let next = if self.options.no_restart {
                    "it is not restarted".to_owned()
                } else {
                    process.restart_at = Some(now + wait);
                    format!("restarting it in {} ms", wait.0)
                };
                let line = format!("node-{index} ended ({}); {next}", describe(status));
                self.story.node_ended(now, u16::try_from(index).unwrap_or(u16::MAX));
                self.tell(&[line]);
            }
            if self.processes[index].restart_at.is_some_and(|at| at <= now) {
                self.restart(index, now);
            }
        }
    }

    /// Starts a node again; if that cannot be done now, it is tried later, for the others run.
    fn restart(&mut self, index: usize, now: Millis) {
        let spawned = self.spawn(index);
        let process = &mut self.processes[index];
        match spawned {
            Ok(child) => {
                process.child = Some(child);
                process.started = now;
                process.restart_at = None;
            }
            Err(text) => {
                let wait = process.backoff;
                process.backoff = Millis(wait.0 * 2).min(BACKOFF_MAX);
                process.restart_at = Some(now + wait);
                self.tell(&[format!("{text}; trying again in {} ms", wait.0)]);
            }
        }
    }

    fn tell(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let erase = if self.table_lines > 0 {
            format!("\x1b[{}A\x1b[J", self.table_lines)
        } else {
            String::new()
        };
        self.table_lines = 0;
        print(&format!("{erase}{}\n", lines.join("\n")));
    }

    fn tell_ready(&mut self) {
        let Some(primary) = self.story.primary else { return };
        let options = self.options;
        let sentinels: Vec<u16> = (0..options.nodes).map(|i| options.sentinel_port + i).collect();
        let list = |form: &dyn Fn(&u16) -> String| {
            sentinels.iter().map(form).collect::<Vec<_>>().join(", ")
        };
        let name = &options.name;
        self.tell(&[
            format!("group {name} ready: primary {}", address(options, primary)),
            format!(
                "  redis-py  Sentinel([{}]).master_for('{name}')",
                list(&|port| format!("('127.0.0.1', {port})"))
            ),
            format!(
                "  ioredis   new Redis({{ sentinels: [{}], name: '{name}' }})",
                list(&|port| format!("{{ host: '127.0.0.1', port: {port} }}"))
            ),
            format!(
                "  go-redis  redis.NewFailoverClient(&redis.FailoverOptions{{MasterName: \"{name}\", \
                 SentinelAddrs: []string{{{}}}}})",
                list(&|port| format!("\"127.0.0.1:{port}\""))
            ),
        ]);
    }

    /// Stops the primary first, which waits for its replicas, then at once all others, so that no
    /// sentinel has time to call anybody down.
    fn stop_all(&mut self) {
        self.tell(&["stopping".to_owned()]);
        let first = self.story.primary.map(usize::from);
        if let Some(primary) = first {
            self.stop(&[primary]);
        }
        let others: Vec<usize> =
            (0..self.processes.len()).filter(|&index| Some(index) != first).collect();
        self.stop(&others);
        self.tell(&["stopped".to_owned()]);
    }

    fn stop(&mut self, nodes: &[usize]) {
        for &index in nodes {
            signal(self.processes.get(index), Signal::TERM);
        }
        let deadline = base::clock::monotonic() + STOP_MAX;
        for &index in nodes {
            let Some(process) = self.processes.get_mut(index) else { continue };
            let Some(mut child) = process.child.take() else { continue };
            while matches!(child.try_wait(), Ok(None)) {
                if base::clock::monotonic() > deadline {
                    // It has ended meanwhile, or ends now.
                    let _ = child.kill();
                    let _ = child.wait();
                    print(&format!("node-{index} did not stop in time and was killed\n"));
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn signal(process: Option<&Process>, signal: Signal) {
    let child = process.and_then(|process| process.child.as_ref());
    if let Some(pid) = child.and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?)) {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

fn print(text: &str) {
    let mut out = io::stdout();
    // Nobody can be told that standard output is closed.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
