//! INFO memory. Scripts and functions do not exist yet: their fields are zero, but for the libraries that are kept
//! without being run.

use super::Field::{self, Always};
use super::facts::{Facts, human, ratio};
use std::sync::atomic::Ordering;

pub(super) const FIELDS: &[Field] = &[
    Always("used_memory", |facts| facts.memory().used.to_string()),
    Always("used_memory_human", |facts| human(facts.memory().used)),
    Always("used_memory_rss", |facts| facts.memory().rss.to_string()),
    Always("used_memory_rss_human", |facts| human(facts.memory().rss)),
    Always("used_memory_peak", |facts| facts.memory().peak.to_string()),
    Always("used_memory_peak_human", |facts| human(facts.memory().peak)),
    Always("used_memory_peak_perc", |facts| percent(facts.memory().used, facts.memory().peak)),
    Always("used_memory_overhead", |facts| overhead(facts).to_string()),
    Always("used_memory_startup", |facts| startup(facts).to_string()),
    Always("used_memory_dataset", |facts| dataset(facts).to_string()),
    Always("used_memory_dataset_perc", |facts| {
        percent(dataset(facts), facts.memory().used.saturating_sub(startup(facts)))
    }),
    Always("allocator_allocated", |facts| facts.memory().used.to_string()),
    Always("allocator_active", |facts| facts.memory().active.to_string()),
    Always("allocator_resident", |facts| facts.memory().resident.to_string()),
    Always("allocator_muzzy", |_| "0".into()),
    Always("total_system_memory", |facts| facts.memory().total_system.to_string()),
    Always("total_system_memory_human", |facts| human(facts.memory().total_system)),
    Always("used_memory_lua", |_| "0".into()),
    Always("used_memory_vm_eval", |_| "0".into()),
    Always("used_memory_lua_human", |_| human(0)),
    Always("used_memory_scripts_eval", |_| "0".into()),
    Always("number_of_cached_scripts", |_| "0".into()),
    Always("number_of_functions", |_| "0".into()),
    Always("number_of_libraries", |facts| facts.node.functions.libraries().len().to_string()),
    Always("used_memory_vm_functions", |_| "0".into()),
    Always("used_memory_vm_total", |_| "0".into()),
    Always("used_memory_vm_total_human", |_| human(0)),
    Always("used_memory_functions", |facts| {
        facts.node.functions.libraries().codes().map(<[u8]>::len).sum::<usize>().to_string()
    }),
    Always("used_memory_scripts", |_| "0".into()),
    Always("used_memory_scripts_human", |_| human(0)),
    Always("maxmemory", |facts| facts.node.settings.maxmemory.get().to_string()),
    Always("maxmemory_human", |facts| human(facts.node.settings.maxmemory.count())),
    Always("maxmemory_policy", |facts| facts.node.settings.maxmemory_policy.get().to_string()),
    Always("allocator_frag_ratio", |facts| over(facts.memory().active, facts.memory().used)),
    Always("allocator_frag_bytes", |facts| beyond(facts.memory().active, facts.memory().used)),
    Always("allocator_rss_ratio", |facts| over(facts.memory().resident, facts.memory().active)),
    Always("allocator_rss_bytes", |facts| beyond(facts.memory().resident, facts.memory().active)),
    Always("rss_overhead_ratio", |facts| over(facts.memory().rss, facts.memory().resident)),
    Always("rss_overhead_bytes", |facts| beyond(facts.memory().rss, facts.memory().resident)),
    Always("mem_fragmentation_ratio", |facts| over(facts.memory().rss, facts.memory().used)),
    Always("mem_fragmentation_bytes", |facts| beyond(facts.memory().rss, facts.memory().used)),
    Always("mem_not_counted_for_evict", |facts| facts.memory().not_counted.to_string()),
    Always("mem_replication_backlog", |facts| {
        (facts.memory().log - facts.memory().replicas).to_string()
    }),
    Always("mem_total_replication_buffers", |facts| facts.memory().log.to_string()),
    Always("mem_clients_slaves", |facts| facts.memory().replicas.to_string()),
    Always("mem_clients_normal", |facts| facts.memory().clients.to_string()),
    Always("mem_cluster_links", |_| "0".into()),
    Always("mem_aof_buffer", |_| "0".into()),
    // A table grows by one bucket at a time.
    Always("mem_overhead_db_hashtable_rehashing", |_| "0".into()),
    Always("mem_allocator", |_| "jemalloc-5.3.0".into()),
    Always("active_defrag_running", |facts| facts.node.defrag.figures().running.to_string()),
    Always("lazyfree_pending_objects", |facts| facts.node.lazyfree.pending().to_string()),
    Always("lazyfreed_objects", |facts| facts.node.lazyfree.freed().to_string()),
];

pub(in crate::server) fn startup(facts: &Facts<'_>) -> u64 {
    facts.node.stats.startup_memory.load(Ordering::Relaxed).min(facts.memory().used)
}

pub(in crate::server) fn overhead(facts: &Facts<'_>) -> u64 {
    let memory = facts.memory();
    startup(facts) + memory.log + memory.clients
}

pub(in crate::server) fn dataset(facts: &Facts<'_>) -> u64 {
    facts.memory().used.saturating_sub(overhead(facts))
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", ratio(part, whole) * 100.0)
}

fn over(larger: u64, smaller: u64) -> String {
    format!("{:.2}", ratio(larger, smaller))
}

fn beyond(larger: u64, smaller: u64) -> String {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    (signed(larger) - signed(smaller)).to_string()
}
