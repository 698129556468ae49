//! One server or one sentinel: its folder, its settings, its process.

use crate::failure::{During, Outcome};
use crate::process::Process;
use crate::program::Program;
use crate::wait;
use crate::wire::{Reading, Wire};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long a server may take to answer after its start.
pub const START_MS: u64 = 15_000;
/// How long a reply may take.
pub const REPLY_MS: u64 = 5_000;

/// A server or a sentinel.
pub struct Node {
    /// Where it answers.
    pub port: u16,
    /// Its data, settings and log.
    pub folder: PathBuf,
    /// What it asks clients for.
    pub password: Option<String>,
    program: Program,
    is_sentinel: bool,
    process: Option<Process>,
}

impl Node {
    /// Starts a server in `folder` with `settings` beside those that every test wants.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn server(
        program: &Program,
        folder: &Path,
        port: u16,
        settings: &[String],
    ) -> Outcome<Node> {
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.display()),
            "save \"\"".to_owned(),
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        lines.extend_from_slice(settings);
        Node::launch(program, folder, port, &lines, false)
    }

    /// Starts a sentinel in `folder` that watches the server at `primary`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn sentinel(
        program: &Program,
        folder: &Path,
        port: u16,
        settings: &[String],
    ) -> Outcome<Node> {
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.display()),
        ];
        lines.extend_from_slice(settings);
        Node::launch(program, folder, port, &lines, true)
    }

    fn launch(
        program: &Program,
        folder: &Path,
        port: u16,
        lines: &[String],
        is_sentinel: bool,
    ) -> Outcome<Node> {
        fs::create_dir_all(folder)?;
        let password = lines.iter().find_map(|line| line.strip_prefix("requirepass "));
        let mut node = Node {
            port,
            folder: folder.to_path_buf(),
            password: password.map(str::to_owned),
            program: program.clone(),
            is_sentinel,
            process: None,
        };
        fs::write(node.settings(), lines.join("\n") + "\n")?;
        node.start()?;
        Ok(node)
    }

    /// The file of its settings.
    pub fn settings(&self) -> PathBuf {
        self.folder.join(if self.is_sentinel { "sentinel.conf" } else { "redis.conf" })
    }

    /// The file of what it says.
    pub fn log(&self) -> PathBuf {
        self.folder.join(if self.is_sentinel { "sentinel.log" } else { "server.log" })
    }

    /// Starts it again with the settings it has.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(&mut self) -> Outcome {
        self.launch_only()?;
        wait::until("a server's answer", START_MS, || self.ask(&["PING"]).ok())
            .map(drop)
            .during(|| format!("port {}, log {}", self.port, self.log().display()))
    }

    /// Starts it again without waiting for it to answer.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn launch_only(&mut self) -> Outcome {
        let settings = self.settings();
        let command: Command = if self.is_sentinel {
            self.program.sentinel(&settings)
        } else {
            self.program.server(&settings)
        };
        self.process = Some(Process::start(command, &self.log())?);
        Ok(())
    }

    /// A new connection.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn wire(&self) -> Outcome<Wire> {
        Wire::open(self.port, REPLY_MS, self.password.as_deref())
    }

    /// Asks one thing over a new connection and returns the reply's text.
    ///
    /// # Errors
    /// When it does not listen or answers with an error.
    pub fn ask(&self, words: &[&str]) -> Outcome<String> {
        Ok(self.wire()?.ok(words)?.text())
    }

    /// A field of INFO; empty while it does not answer.
    pub fn info(&self, section: &str, name: &str) -> String {
        self.wire().and_then(|mut wire| wire.info(section, name)).unwrap_or_default()
    }

    /// Its process, if it was not killed.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Kills it with -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Makes it a replica of the server at `port` and waits until it follows.
    ///
    /// # Errors
    /// When it does not.
    pub fn follow(&self, port: u16) -> Outcome {
        self.ask(&["REPLICAOF", "127.0.0.1", &port.to_string()])?;
        self.linked()
    }

    /// Waits until its link to its primary is up.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn linked(&self) -> Outcome {
        wait::until("a replica's link", 30_000, || {
            (self.info("replication", "master_link_status") == "up").then_some(())
        })
    }
}
