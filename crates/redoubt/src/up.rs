//! `redoubt up`: a highly available group on this machine, in one command.
//!
//! N processes, each a server and its own sentinel, run from ordinary configuration files that can
//! also be run by hand. The supervisor starts them, shows them, restarts those that die, and stops
//! them in an order that loses nothing. It decides nothing about roles: that is the sentinels' work.

mod events;
mod layout;
mod observe;
mod supervise;
mod table;

use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

/// The most nodes of a group.
const NODES_MAX: u16 = 16;

/// Runs a highly available group on this machine: every node is a server and its own sentinel.
#[derive(Clone, Debug, Parser)]
#[command(name = "redoubt up", version)]
pub(crate) struct Options {
    /// Where the group keeps its data; kept between runs.
    #[arg(long, default_value = "redoubt-group")]
    pub(crate) dir: PathBuf,
    /// The first node's port; node i serves on this plus i.
    #[arg(long, default_value_t = 6379)]
    pub(crate) port: u16,
    /// The first sentinel's port; node i answers the Sentinel API on this plus i.
    #[arg(long, default_value_t = 26379)]
    pub(crate) sentinel_port: u16,
    /// How many nodes.
    #[arg(long, default_value_t = 3)]
    pub(crate) nodes: u16,
    /// The group's name, as sentinel clients ask for it.
    #[arg(long, default_value = "mymaster")]
    pub(crate) name: String,
    /// Milliseconds without an answer after which a node is taken to be down.
    #[arg(long, default_value_t = 1000)]
    pub(crate) down_after: u64,
    /// Milliseconds that a failover may take.
    #[arg(long, default_value_t = 10000)]
    pub(crate) failover_timeout: u64,
    /// Leave a node that dies as it is.
    #[arg(long)]
    pub(crate) no_restart: bool,
}

impl Options {
    /// The address that node `index` serves on.
    fn server(&self, index: u16) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.port + index)
    }

    /// How many sentinels must agree.
    fn quorum(&self) -> u16 {
        self.nodes / 2 + 1
    }

    fn check(&self) -> Result<(), String> {
        let fits = |first: u16| first > 0 && first.checked_add(self.nodes).is_some();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if self.nodes == 0 || self.nodes > NODES_MAX {
            return Err(format!("--nodes must be between 1 and {NODES_MAX}"));
        }
        if !fits(self.port) || !fits(self.sentinel_port) {
            return Err("the ports of all nodes must lie between 1 and 65535".to_owned());
        }
        if self.port.abs_diff(self.sentinel_port) < self.nodes {
            return Err("the servers' and the sentinels' ports overlap".to_owned());
        }
        if self.name.is_empty() || !self.name.bytes().all(word) {
            return Err("--name takes letters, digits, '.', '-' and '_'".to_owned());
        }
        if self.down_after == 0 || self.failover_timeout == 0 {
            return Err("--down-after and --failover-timeout take milliseconds above 0".to_owned());
        }
        Ok(())
    }
}

/// Runs a group; gives the exit code.
pub(crate) fn main(words: &[OsString]) -> i32 {
    let name = OsString::from("redoubt up");
    let options = match Options::try_parse_from(std::iter::once(&name).chain(words)) {
        Ok(options) => options,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let _ = error.print();
            return error.exit_code();
        }
    };
    let result = options
        .check()
        .and_then(|()| layout::prepare(&options))
        .and_then(|group| supervise::run(&options, &group));
    match result {
        Ok(()) => 0,
        Err(text) => crate::complain(&format!("redoubt up: {text}\n")),
    }
}
