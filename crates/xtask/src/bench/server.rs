//! A server on one cpu, stopped while it is not its turn, and the CPU time it used.

use crate::failure::{During, Failure, Outcome};
use crate::node::Node;
use crate::ports;
use crate::program::Program;
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use std::path::Path;

/// A running server.
pub struct Server {
    /// The name a table shows.
    pub label: String,
    node: Node,
}

/// Binds the calling thread, and what it starts from now on, to one cpu.
///
/// # Errors
/// When there is no such cpu.
pub fn pin(cpu: usize) -> Outcome {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).during(|| format!("cpu {cpu} cannot be had; two are needed"))
}

impl Server {
    /// Starts `program` on `cpu` with one event loop and without persistence.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(label: String, program: &Program, folder: &Path, cpu: usize) -> Outcome<Server> {
        pin(cpu)?;
        let settings = ["io-threads 1".to_owned(), "appendonly no".to_owned()];
        let node = Node::server(program, folder, ports::free(1)?, &settings)?;
        Ok(Server { label, node })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.node.port
    }

    /// Stops it until [`Server::resume`].
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets it run.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(process) = self.node.process() {
            process.signal(signal);
        }
    }

    /// Nanoseconds that all its threads ran so far.
    ///
    /// # Errors
    /// When the kernel has no scheduler statistics, or the server is gone.
    pub fn cpu_ns(&mut self) -> Outcome<u64> {
        let id = self.node.process().map(|process| process.id());
        let id = id.ok_or_else(|| Failure::new("the server is gone"))?;
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{id}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let ran = text.split_whitespace().next().unwrap_or_default();
            sum += ran.parse::<u64>().during(|| "schedstat".to_owned())?;
        }
        Ok(sum)
    }
}
