//! The group on disk: `DIR/node-i/` with `redoubt.conf`, `redoubt.pid`, `redoubt.log` and the data.
//!
//! Configuration is written only where there is none, for the nodes rewrite it themselves when roles
//! change. `DIR/up.lock` is locked while a supervisor runs.

use super::Options;
use rustix::fs::{FlockOperation, flock};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// A prepared group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Each node's directory.
    pub(crate) nodes: Vec<PathBuf>,
    /// Locked until it is dropped.
    _lock: File,
}

impl Group {
    /// The configuration file of node `index`.
    pub(crate) fn config(&self, index: usize) -> PathBuf {
        self.nodes[index].join("redoubt.conf")
    }
}

/// Makes or takes over the directory, checks the ports, writes missing configuration.
///
/// # Errors
/// One line that says what is in the way; nothing is running then.
pub(crate) fn prepare(options: &Options) -> Result<Group, String> {
    let shown = options.dir.display();
    fs::create_dir_all(&options.dir)
        .map_err(|error| format!("cannot make the directory {shown}: {error}"))?;
    let dir = options
        .dir
        .canonicalize()
        .map_err(|error| format!("cannot use the directory {shown}: {error}"))?;
    let lock = lock(&dir)?;
    for index in 0..options.nodes {
        for port in [options.port + index, options.sentinel_port + index] {
            TcpListener::bind(("127.0.0.1", port))
                .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
        }
    }
    let mut nodes = Vec::new();
    for index in 0..options.nodes {
        let node = dir.join(format!("node-{index}"));
        prepare_node(options, index, &node)?;
        nodes.push(node);
    }
    Ok(Group { nodes, _lock: lock })
}

fn lock(dir: &Path) -> Result<File, String> {
    let path = dir.join("up.lock");
    let cannot =
        |error: io::Error| format!("cannot write to the directory {}: {error}", dir.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(cannot)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        // The number is only there to help; without it the message still says what is wrong.
        let _ = file.read_to_string(&mut holder);
        return Err(format!(
            "the group in {} is already running (process {})",
            dir.display(),
            holder.trim()
        ));
    }
    file.set_len(0).map_err(cannot)?;
    writeln!(file, "{}", std::process::id()).map_err(cannot)?;
    Ok(file)
}

fn prepare_node(options: &Options, index: u16, node: &Path) -> Result<(), String> {
    let shown = node.display();
    fs::create_dir_all(node).map_err(|error| format!("cannot make {shown}: {error}"))?;
    let path = node.join("redoubt.conf");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let port = options.port + index;
            let wanted = [
                format!("port {port}"),
                format!("sentinel-port {}", options.sentinel_port + index),
            ];
            let has = |line: &String| text.lines().any(|found| found.trim() == line);
            if wanted.iter().all(has) {
                Ok(())
            } else {
                Err(format!(
                    "{} belongs to a group on other ports; use those, or another --dir",
                    path.display()
                ))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::write(&path, configuration(options, index, node))
                .map_err(|error| format!("cannot write {}: {error}", path.display()))
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn configuration(options: &Options, index: u16, node: &Path) -> String {
    let (name, dir) = (&options.name, node.display());
    let (port, sentinel_port) = (options.port + index, options.sentinel_port + index);
    let (first_host, first_port) = options.server(0);
    let mut text = format!(
        "# Written by `redoubt up`; run it by hand with: redoubt server {dir}/redoubt.conf\n\
         port {port}\n\
         bind 127.0.0.1\n\
         dir \"{dir}\"\n\
         pidfile \"{dir}/redoubt.pid\"\n\
         logfile \"{dir}/redoubt.log\"\n\
         repl-diskless-sync-delay 0\n\
         sentinel-port {sentinel_port}\n\
         sentinel monitor {name} {first_host} {first_port} {}\n\
         sentinel down-after-milliseconds {name} {}\n\
         sentinel failover-timeout {name} {}\n\
         sentinel parallel-syncs {name} 1\n",
        options.quorum(),
        options.down_after,
        options.failover_timeout,
    );
    if index > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "replicaof {first_host} {first_port}");
    }
    text
}
