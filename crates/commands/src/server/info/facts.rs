//! What the fields of INFO are computed from, read once per INFO and only if a section asks.

use base::Millis;
use engine::Node;
use engine::client::ClientInfo;
use engine::evict::not_counted;
use engine::memory::used_memory;
use engine::replication::{Address, Link, ReplicaRow};
use psync::history::History;
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Looks at what is in use until two figures of it are of one moment.
const LOOKS_MAX: usize = 5;

/// The facts of one instant.
pub(in crate::server) struct Facts<'a> {
    pub(in crate::server) node: &'a Node,
    /// Monotonic.
    pub(in crate::server) now: Millis,
    memory: OnceCell<Memory>,
    replication: OnceCell<ReplicationFacts>,
    clients: OnceCell<Vec<Arc<ClientInfo>>>,
}

/// The memory of the process, in bytes.
pub(in crate::server) struct Memory {
    pub(in crate::server) used: u64,
    /// The part of it that is no reason to evict.
    pub(in crate::server) not_counted: u64,
    pub(in crate::server) peak: u64,
    pub(in crate::server) rss: u64,
    pub(in crate::server) active: u64,
    pub(in crate::server) resident: u64,
    pub(in crate::server) total_system: u64,
    /// Buffers of clients, without those of replicas, which read the log.
    pub(in crate::server) clients: u64,
    /// What the log holds, and what is on its way from it to replicas.
    pub(in crate::server) log: u64,
    /// The part of it that is there for slow replicas, beyond the backlog.
    pub(in crate::server) replicas: u64,
}

/// The node's place in replication.
pub(in crate::server) struct ReplicationFacts {
    pub(in crate::server) primary: Option<Address>,
    pub(in crate::server) history: History,
    pub(in crate::server) link: Link,
    pub(in crate::server) replicas: Vec<ReplicaRow>,
    pub(in crate::server) good_replicas: usize,
    pub(in crate::server) epoch: u64,
}

impl<'a> Facts<'a> {
    pub(in crate::server) fn new(node: &'a Node) -> Facts<'a> {
        Facts {
            node,
            now: base::clock::monotonic(),
            memory: OnceCell::new(),
            replication: OnceCell::new(),
            clients: OnceCell::new(),
        }
    }

    pub(in crate::server) fn memory(&self) -> &Memory {
        self.memory.get_or_init(|| {
            let (used, not_counted) = used_and_not_counted(self.node);
            let peak = self.node.stats.peak_memory.fetch_max(used, Ordering::Relaxed).max(used);
            let bytes = |read: Result<usize, tikv_jemalloc_ctl::Error>| {
                read.map_or(0, |bytes| bytes as u64)
            };
            let is_replica = |client: &&Arc<ClientInfo>| client.replica.load(Ordering::Relaxed);
            let clients = self.clients().iter().filter(|client| !is_replica(client));
            let log = self.node.log.memory() as u64;
            let backlog = self.node.log.backlog().map_or(0, |window| window.capacity);
            let replicas = self.node.log.lag_bytes().saturating_sub(backlog).min(log);
            let buffers = self.node.replication.output_buffer_bytes() as u64;
            Memory {
                used,
                not_counted,
                peak,
                rss: resident_bytes(),
                active: bytes(tikv_jemalloc_ctl::stats::active::read()),
                resident: bytes(tikv_jemalloc_ctl::stats::resident::read()),
                total_system: total_system_bytes(),
                clients: clients.map(|client| buffer_bytes(client)).sum(),
                log: log + buffers,
                replicas: replicas + buffers,
            }
        })
    }

    pub(in crate::server) fn replication(&self) -> &ReplicationFacts {
        self.replication.get_or_init(|| {
            let state = self.node.replication.state();
            ReplicationFacts {
                primary: state.primary.clone(),
                history: state.history,
                link: state.link.clone(),
                replicas: state.replicas.clone(),
                good_replicas: state.good_replicas,
                epoch: state.epoch,
            }
        })
    }

    pub(in crate::server) fn clients(&self) -> &[Arc<ClientInfo>] {
        self.clients.get_or_init(|| self.node.clients.all())
    }

    /// Seconds since the start.
    pub(in crate::server) fn uptime_s(&self) -> u64 {
        self.now.since(self.node.started).0 / 1000
    }
}

/// Bytes that a client's buffers hold.
fn buffer_bytes(client: &ClientInfo) -> u64 {
    let counters = [&client.query_buffer, &client.query_buffer_free, &client.output_bytes];
    counters.iter().map(|bytes| bytes.load(Ordering::Relaxed) as u64).sum()
}

/// The resident set, zero where the system does not tell.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

fn total_system_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    #[allow(clippy::useless_conversion, reason = "the field's width differs between systems")]
    let total = u64::try_from(info.totalram).unwrap_or(0);
    total * u64::from(info.mem_unit)
}

/// A counter's value.
pub(in crate::server) fn count(counter: &AtomicU64) -> String {
    counter.load(Ordering::Relaxed).to_string()
}

/// Bytes for people, as stock writes them: two decimals and a letter.
pub(in crate::server) fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 4] =
        [(1 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match UNITS.iter().find(|(size, _)| bytes >= *size) {
        Some(&(size, letter)) => format!("{:.2}{letter}", ratio(bytes, size)),
        None => format!("{bytes}B"),
    }
}

/// `part / whole`, zero if there is no whole.
#[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
pub(in crate::server) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// `yes` as 1.
pub(in crate::server) fn flag(holds: bool) -> String {
    u8::from(holds).to_string()
}

/// Bytes in use, and those of them that are no reason to evict: of one moment, unless they change all the
/// time.
fn used_and_not_counted(node: &Node) -> (u64, u64) {
    let mut before = not_counted(node);
    for _ in 0..LOOKS_MAX {
        let used = used_memory();
        let after = not_counted(node);
        if after == before {
            return (used, before);
        }
        before = after;
    }
    (used_memory(), before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        let rows = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (916_376, "894.90K"),
            (6_815_744, "6.50M"),
            (25_276_514_304, "23.54G"),
            (1 << 40, "1.00T"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(human(bytes), expected);
        }
    }

    #[test]
    fn the_system_tells_its_memory() {
        assert!(resident_bytes() > 0 && total_system_bytes() > resident_bytes());
    }
}
