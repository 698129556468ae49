//! A highly available group under test: three servers and three sentinels, of Redoubt or of stock.
//!
//! Redoubt's is what `redoubt up` starts; stock's is put together here from the same parts, a server
//! and a sentinel being one node that dies as a whole, so that both meet the same fault.

use crate::failure::{During, Failure, Outcome, ensure};
use crate::node::Node;
use crate::process::{self, Process};
use crate::program::{Kind, Program};
use crate::wire::{Reading, Wire};
use crate::{ports, wait};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};

/// Servers, and as many sentinels.
pub const NODES: u16 = 3;
/// How long a group may take until every node is where it belongs.
const READY_MS: u64 = 45_000;
/// How long a question may take.
const ASK_MS: u64 = 1_000;

/// How a group is set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Milliseconds without an answer until a sentinel thinks a node down.
    pub down_after_ms: u64,
    /// Milliseconds a failover may take.
    pub failover_timeout_ms: u64,
    /// Passwords of servers and of sentinels.
    pub passwords: Option<(String, String)>,
    /// Whether `up` restarts nodes that die.
    pub restart: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { down_after_ms: 1000, failover_timeout_ms: 10_000, passwords: None, restart: true }
    }
}

/// A running group.
pub struct Group {
    /// The first server's port; the others follow.
    pub port: u16,
    /// The first sentinel's port; the others follow.
    pub sentinel_port: u16,
    options: Options,
    folder: PathBuf,
    members: Members,
}

enum Members {
    Up(Process),
    Parts { servers: Vec<Node>, sentinels: Vec<Node> },
}

impl Group {
    /// Starts a group in `folder` and waits until it can serve.
    ///
    /// # Errors
    /// When it does not come about.
    pub fn start(program: &Program, folder: &Path, options: &Options) -> Outcome<Group> {
        if program.kind == Kind::Stock {
            return Group::of_parts(program, [program; NODES as usize], folder, options);
        }
        let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
        fs::create_dir_all(folder)?;
        let up = up(program, folder, port, sentinel_port, options)?;
        Group::finish(port, sentinel_port, Members::Up(up), folder, options)
    }

    /// Starts servers of one program and sentinels of others, each pair being a node.
    ///
    /// # Errors
    /// When it does not come about.
    pub fn of_parts(
        servers: &Program,
        sentinels: [&Program; NODES as usize],
        folder: &Path,
        options: &Options,
    ) -> Outcome<Group> {
        let (port, sentinel_port) = (ports::free(NODES)?, ports::free(NODES)?);
        let (mut server_nodes, mut sentinel_nodes) = (Vec::new(), Vec::new());
        for (node, sentinel) in (0..NODES).zip(sentinels) {
            let folder = folder.join(format!("node-{node}"));
            let settings = server_settings(node, port, options);
            server_nodes.push(Node::server(servers, &folder, port + node, &settings)?);
            let settings = sentinel_settings(port, options);
            sentinel_nodes.push(Node::sentinel(
                sentinel,
                &folder,
                sentinel_port + node,
                &settings,
            )?);
        }
        let members = Members::Parts { servers: server_nodes, sentinels: sentinel_nodes };
        Group::finish(port, sentinel_port, members, folder, options)
    }

    fn finish(
        port: u16,
        sentinel_port: u16,
        members: Members,
        folder: &Path,
        options: &Options,
    ) -> Outcome<Group> {
        let group = Group {
            port,
            sentinel_port,
            options: options.clone(),
            folder: folder.to_path_buf(),
            members,
        };
        group.ready().during(|| format!("see the logs in {}", folder.display()))?;
        Ok(group)
    }

    /// `host:port` of every sentinel, separated by commas.
    pub fn sentinels(&self) -> String {
        let ports = (0..NODES).map(|node| format!("127.0.0.1:{}", self.sentinel_port + node));
        ports.collect::<Vec<_>>().join(",")
    }

    /// The passwords of servers and sentinels.
    pub fn passwords(&self) -> (Option<&str>, Option<&str>) {
        match &self.options.passwords {
            None => (None, None),
            Some((server, sentinel)) => (Some(server), Some(sentinel)),
        }
    }

    /// A connection to node `node`'s server.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn server(&self, node: u16) -> Outcome<Wire> {
        Wire::open(self.port + node, ASK_MS, self.passwords().0)
    }

    /// A connection to node `node`'s sentinel.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn sentinel(&self, node: u16) -> Outcome<Wire> {
        Wire::open(self.sentinel_port + node, ASK_MS, self.passwords().1)
    }

    /// The node that every sentinel takes for the primary, once the whole group is in order.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn ready(&self) -> Outcome<u16> {
        let mut last = String::new();
        let found = wait::until("a group in order", READY_MS, || {
            self.in_order().map_err(|failure| last = failure.to_string()).ok()
        });
        found.map_err(|failure| Failure::new(format!("{failure}: {last}")))
    }

    /// The primary, if all nodes have their roles and all sentinels know it.
    fn in_order(&self) -> Outcome<u16> {
        let mut primary = None;
        for node in 0..NODES {
            let mut wire = self.server(node)?;
            match wire.info("replication", "role")?.as_str() {
                "master" if primary.is_none() => primary = Some(node),
                "slave" => {
                    let link = wire.info("replication", "master_link_status")?;
                    ensure(link == "up", || format!("node {node}: link {link}"))?;
                }
                role => return Err(Failure::new(format!("node {node}: role {role}"))),
            }
        }
        let primary = primary.ok_or_else(|| Failure::new("no primary"))?;
        for node in 0..NODES {
            self.sentinel_in_order(node, self.port + primary)?;
        }
        Ok(primary)
    }

    fn sentinel_in_order(&self, node: u16, primary: u16) -> Outcome {
        let mut wire = self.sentinel(node)?;
        let master = wire.ok(&["SENTINEL", "MASTER", "mymaster"])?;
        let others = (NODES - 1).to_string();
        let rows = [
            ("port", primary.to_string()),
            ("flags", "master".to_owned()),
            ("num-slaves", others.clone()),
            ("num-other-sentinels", others),
        ];
        for (name, wanted) in rows {
            let found = master.field(name);
            ensure(found == wanted, || format!("sentinel {node}: {name} is {found}"))?;
        }
        for replica in wire.ok(&["SENTINEL", "REPLICAS", "mymaster"])?.items() {
            let (flags, link) = (replica.field("flags"), replica.field("master-link-status"));
            let fine = flags == "slave"
                && link == "ok"
                && replica.field("master-port") == primary.to_string();
            ensure(fine, || format!("sentinel {node}: a replica is {flags}, link {link}"))?;
        }
        for sentinel in wire.ok(&["SENTINEL", "SENTINELS", "mymaster"])?.items() {
            let flags = sentinel.field("flags");
            ensure(flags == "sentinel", || format!("sentinel {node}: a sentinel is {flags}"))?;
        }
        Ok(())
    }

    /// Kills a whole node with -9: the server and its sentinel.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&mut self, node: u16) -> Outcome {
        match &mut self.members {
            Members::Up(_) => {
                let id = pid_of(&self.folder, self.port + node)?;
                ensure(process::signal_process(id, Signal::KILL), || format!("no process {id}"))
            }
            Members::Parts { servers, sentinels } => {
                let at = usize::from(node);
                for member in [&mut servers[at], &mut sentinels[at]] {
                    member.process().into_iter().for_each(|process| process.signal(Signal::KILL));
                }
                Ok(())
            }
        }
    }

    /// Brings a killed node back, where nobody else does, and waits for order.
    ///
    /// # Errors
    /// When order does not return.
    pub fn heal(&mut self, node: u16) -> Outcome<u16> {
        if let Members::Parts { servers, sentinels } = &mut self.members {
            let at = usize::from(node);
            for member in [&mut servers[at], &mut sentinels[at]] {
                member.kill();
                member.launch_only()?;
            }
        }
        self.ready().during(|| format!("see the logs in {}", self.folder.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Members::Up(up) = &mut self.members else { return };
        if up.terminate().is_ok() {
            return;
        }
        for node in 0..NODES {
            if let Ok(id) = pid_of(&self.folder, self.port + node) {
                process::signal_process(id, Signal::KILL);
            }
        }
    }
}

/// The process id in the `redoubt.pid` of the node whose settings name `port`.
pub fn pid_of(folder: &Path, port: u16) -> Outcome<i32> {
    let line = format!("port {port}");
    for entry in fs::read_dir(folder)? {
        let node = entry?.path();
        let settings = fs::read_to_string(node.join("redoubt.conf")).unwrap_or_default();
        if settings.lines().any(|found| found.trim() == line) {
            let text = fs::read_to_string(node.join("redoubt.pid"))?;
            return text.trim().parse().during(|| "redoubt.pid".to_owned());
        }
    }
    Err(Failure::new(format!("no node in {} has port {port}", folder.display())))
}

fn up(
    program: &Program,
    folder: &Path,
    port: u16,
    sentinel_port: u16,
    options: &Options,
) -> Outcome<Process> {
    let mut command = program.command();
    command.arg("up").arg("--dir").arg(folder);
    command.args(["--port", &port.to_string(), "--sentinel-port", &sentinel_port.to_string()]);
    command.args(["--nodes", &NODES.to_string()]);
    command.args(["--down-after", &options.down_after_ms.to_string()]);
    command.args(["--failover-timeout", &options.failover_timeout_ms.to_string()]);
    if !options.restart {
        command.arg("--no-restart");
    }
    let log = folder.with_extension("log");
    Ok(Process::start(command, &log)?.asking_first())
}

fn server_settings(node: u16, primary: u16, options: &Options) -> Vec<String> {
    let mut settings = Vec::new();
    if let Some((password, _)) = &options.passwords {
        settings.push(format!("requirepass {password}"));
        settings.push(format!("masterauth {password}"));
    }
    if node > 0 {
        settings.push(format!("replicaof 127.0.0.1 {primary}"));
    }
    settings
}

/// The settings of a sentinel that watches `mymaster` at `primary` with a quorum of two.
fn sentinel_settings(primary: u16, options: &Options) -> Vec<String> {
    let mut settings = vec![
        format!("sentinel monitor mymaster 127.0.0.1 {primary} 2"),
        format!("sentinel down-after-milliseconds mymaster {}", options.down_after_ms),
        format!("sentinel failover-timeout mymaster {}", options.failover_timeout_ms),
        "sentinel parallel-syncs mymaster 1".to_owned(),
    ];
    if let Some((server, sentinel)) = &options.passwords {
        settings.push(format!("sentinel auth-pass mymaster {server}"));
        settings.push(format!("requirepass {sentinel}"));
    }
    settings
}
