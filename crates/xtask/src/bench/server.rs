//! A server on one cpu, stopped while it is not its turn, and the CPU time it used.

use crate::failure::{During, Failure, Outcome};
use crate::node::Node;
use crate::program::Program;
use crate::{ports, wait};
use base::Processors;
use rustix::process::Signal;
use std::fs;
use std::path::Path;

/// Runs a program so that it has its share of a cpu, and takes it from nobody when it wakes: a replica that
/// did would take the generator's at each write.
const AS_BATCH: [&str; 3] = ["chrt", "--batch", "0"];
/// How long a replica may take to catch up after a measurement.
const CATCH_UP_MS: u64 = 120_000;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The name a table shows.
    pub label: String,
    /// What runs.
    pub program: &'a Program,
    /// The cpu of all its threads; all cpus if there is none.
    pub cpu: Option<usize>,
    /// Settings beside those of every server here, the number of loops among them.
    pub settings: Vec<String>,
    /// The cpu of a replica of the same program, if it has one.
    pub replica_cpu: Option<usize>,
}

impl<'a> Start<'a> {
    /// One loop on `cpu`, no file, no replica.
    pub fn new(label: impl Into<String>, program: &'a Program, cpu: usize) -> Start<'a> {
        let settings = vec!["io-threads 1".to_owned(), "appendonly no".to_owned()];
        Start { label: label.into(), program, cpu: Some(cpu), settings, replica_cpu: None }
    }
}

/// A running server.
pub struct Server {
    /// The name a table shows.
    pub label: String,
    node: Node,
    replica: Option<Node>,
}

/// Binds the calling thread, and what it starts from now on, to one cpu.
///
/// # Errors
/// When there is no such cpu.
pub fn pin(cpu: usize) -> Outcome {
    bind(&cpu.to_string())
}

/// Lets the calling thread, and what it starts from now on, run on any cpu.
///
/// # Errors
/// When the kernel refuses.
pub fn unpin() -> Outcome {
    bind("0-1023")
}

fn bind(list: &str) -> Outcome {
    let cpus = Processors::parse(list.as_bytes());
    let cpus = cpus.ok_or_else(|| Failure::new(format!("no list of cpus: {list}")))?;
    cpus.bind_thread().during(|| format!("cpu {list} cannot be had; two are needed"))
}

fn place(cpu: Option<usize>) -> Outcome {
    cpu.map_or_else(unpin, pin)
}

impl Server {
    /// Starts a server in `folder`, and its replica.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(start: Start<'_>, folder: &Path) -> Outcome<Server> {
        place(start.cpu)?;
        let node = Node::server(start.program, folder, ports::free(1)?, &start.settings)?;
        let mut server = Server { label: start.label, node, replica: None };
        if let Some(cpu) = start.replica_cpu {
            pin(cpu)?;
            let settings = ["io-threads 1".to_owned(), "appendonly no".to_owned()];
            let folder = folder.join("replica");
            let program = start.program.under(AS_BATCH.map(str::to_owned).into());
            let replica = Node::server(&program, &folder, ports::free(1)?, &settings)?;
            replica.follow(server.node.port)?;
            server.replica = Some(replica);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.node.port
    }

    /// The server itself.
    pub fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    /// Stops it until [`Server::resume`], when its replica has all it has.
    ///
    /// # Errors
    /// When the replica does not catch up.
    pub fn pause(&mut self) -> Outcome {
        self.caught_up()?;
        self.signal(Signal::STOP);
        Ok(())
    }

    /// Lets it run.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn caught_up(&self) -> Outcome {
        let Some(replica) = &self.replica else { return Ok(()) };
        wait::until("a replica that has everything", CATCH_UP_MS, || {
            let offset = |node: &Node| node.info("replication", "master_repl_offset");
            let end = offset(&self.node);
            (!end.is_empty() && end == offset(replica)).then_some(())
        })
    }

    fn signal(&mut self, signal: Signal) {
        for node in [Some(&mut self.node), self.replica.as_mut()].into_iter().flatten() {
            if let Some(process) = node.process() {
                process.signal(signal);
            }
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
