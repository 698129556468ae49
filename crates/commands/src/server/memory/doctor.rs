//! The report of MEMORY DOCTOR: what is unusual about the memory of this node, and what helps.

use crate::server::info::facts::{Facts, Memory, ratio};
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// Nodes with less are not judged: fixed costs would look like faults.
const JUDGED_BYTES_MIN: u64 = 5 << 20;
/// Fragmented bytes below this are none of a fault.
const FRAGMENTED_BYTES_MIN: u64 = 10 << 20;
/// Bytes of a client's buffers that are large.
const CLIENT_BYTES_LARGE: u64 = 200 << 10;

/// Something unusual: whether it is there, its name, and what is to be said of it.
struct Finding {
    holds: fn(&Facts<'_>, &Memory) -> bool,
    name: &'static str,
    text: &'static str,
}

fn fragmented(larger: u64, smaller: u64, limit: f64) -> bool {
    larger.saturating_sub(smaller) > FRAGMENTED_BYTES_MIN && ratio(larger, smaller) > limit
}

const FINDINGS: &[Finding] = &[
    Finding {
        holds: |_, memory| ratio(memory.peak, memory.used) > 1.5,
        name: "Peak memory",
        text: "In the past this node used more than 150 % of the memory it uses now. The allocator may \
               hold memory for it that the system sees as used: that is harmless, and will be used again \
               before more is asked for.",
    },
    Finding {
        holds: |_, memory| fragmented(memory.rss, memory.used, 1.4),
        name: "High total RSS",
        text: "The resident memory is more than 1.4 times what the allocator has handed out. MEMORY PURGE \
               gives back what can be given back.",
    },
    Finding {
        holds: |_, memory| fragmented(memory.active, memory.used, 1.1),
        name: "High allocator fragmentation",
        text: "Pages of the allocator are partly empty, usually after many values of one size were \
               deleted. New values of that size fill them again.",
    },
    Finding {
        holds: |_, memory| fragmented(memory.resident, memory.active, 1.1),
        name: "High allocator RSS overhead",
        text: "The allocator keeps pages that are empty. MEMORY PURGE gives them back to the system.",
    },
    Finding {
        holds: |_, memory| fragmented(memory.rss, memory.resident, 1.1),
        name: "High process RSS overhead",
        text: "Memory that the allocator does not know is resident: stacks of threads, or the program \
               itself.",
    },
    Finding {
        holds: |facts, memory| {
            memory.clients / (facts.clients().len() as u64).max(1) > CLIENT_BYTES_LARGE
        },
        name: "Big client buffers",
        text: "The buffers of clients are large on average. CLIENT LIST shows whose; maxmemory-clients and \
               client-output-buffer-limit bound them.",
    },
    Finding {
        holds: |facts, memory| {
            let replicas = facts.replication().replicas.len() as u64;
            memory.replicas > 10 << 20 && replicas > 0
        },
        name: "Big replica buffers",
        text: "Replicas are behind, and what they lack is kept for them. INFO replication shows how far.",
    },
];

/// The report on a node.
pub(super) fn report(facts: &Facts<'_>) -> String {
    let memory = facts.memory();
    let startup = facts.node.stats.startup_memory.load(Ordering::Relaxed);
    if memory.used.saturating_sub(startup.min(memory.used)) < JUDGED_BYTES_MIN {
        return "This node is empty or holds very little: there is nothing to be judged yet.\n"
            .into();
    }
    let mut text = String::new();
    for finding in FINDINGS.iter().filter(|finding| (finding.holds)(facts, memory)) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, " * {}: {}\n", finding.name, finding.text);
    }
    if text.is_empty() {
        "No memory problem was found in this node.\n".into()
    } else {
        format!("These memory problems were found in this node:\n\n{text}")
    }
}
