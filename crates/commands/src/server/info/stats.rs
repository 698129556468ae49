//! INFO stats.

use super::Field::{self, Always, When};
use super::facts::{Facts, count, ratio};
use engine::defrag::Figures;
use engine::pubsub::Kind;
use engine::stats::LoopStats;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const FIELDS: &[Field] = &[
    Always("total_connections_received", |facts| count(&facts.node.clients.accepted)),
    Always("total_commands_processed", |facts| sum(facts, |loops| &loops.processed)),
    Always("instantaneous_ops_per_sec", |facts| facts.node.stats.rates()[0].to_string()),
    Always("total_net_input_bytes", |facts| {
        let stats = &facts.node.stats;
        let replication = stats.repl_bytes_in.load(Ordering::Relaxed);
        (stats.sum(|loops| &loops.bytes_in) + replication).to_string()
    }),
    Always("total_net_output_bytes", |facts| {
        let stats = &facts.node.stats;
        let replication = stats.repl_bytes_out.load(Ordering::Relaxed);
        (stats.sum(|loops| &loops.bytes_out) + replication).to_string()
    }),
    Always("total_net_repl_input_bytes", |facts| count(&facts.node.stats.repl_bytes_in)),
    Always("total_net_repl_output_bytes", |facts| count(&facts.node.stats.repl_bytes_out)),
    Always("instantaneous_input_kbps", |facts| kilobytes(facts.node.stats.rates()[1])),
    Always("instantaneous_output_kbps", |facts| kilobytes(facts.node.stats.rates()[2])),
    Always("instantaneous_input_repl_kbps", |facts| kilobytes(facts.node.stats.rates()[5])),
    Always("instantaneous_output_repl_kbps", |facts| kilobytes(facts.node.stats.rates()[6])),
    Always("rejected_connections", |facts| count(&facts.node.clients.rejected)),
    Always("sync_full", |facts| count(&facts.node.stats.sync_full)),
    Always("sync_partial_ok", |facts| count(&facts.node.stats.sync_partial_ok)),
    Always("sync_partial_err", |facts| count(&facts.node.stats.sync_partial_err)),
    Always("expired_keys", |facts| count(&facts.node.stats.expired_keys)),
    // Of Redis 7.4, shown once it says something.
    When("expired_subkeys", |facts| {
        let expired = facts.node.stats.expired_subkeys.load(Ordering::Relaxed);
        (expired > 0).then(|| expired.to_string())
    }),
    Always("expired_stale_perc", |_| "0.00".into()),
    Always("expired_time_cap_reached_count", |_| "0".into()),
    Always("expire_cycle_cpu_milliseconds", |facts| {
        (facts.node.stats.expire_cycle_us.load(Ordering::Relaxed) / 1000).to_string()
    }),
    Always("evicted_keys", |facts| count(&facts.node.stats.evicted_keys)),
    Always("evicted_clients", |facts| count(&facts.node.clients.evicted)),
    Always("total_eviction_exceeded_time", |_| "0".into()),
    Always("current_eviction_exceeded_time", |_| "0".into()),
    Always("keyspace_hits", |facts| sum(facts, |loops| &loops.hits)),
    Always("keyspace_misses", |facts| sum(facts, |loops| &loops.misses)),
    Always("pubsub_channels", |facts| facts.node.pubsub.count(Kind::Channel).to_string()),
    Always("pubsub_patterns", |facts| facts.node.pubsub.count(Kind::Pattern).to_string()),
    Always("pubsubshard_channels", |facts| facts.node.pubsub.count(Kind::Shard).to_string()),
    Always("latest_fork_usec", |_| "0".into()),
    Always("total_forks", |_| "0".into()),
    Always("migrate_cached_sockets", |facts| {
        facts.node.moves.sockets.load(Ordering::Relaxed).to_string()
    }),
    Always("slave_expires_tracked_keys", |_| "0".into()),
    Always("active_defrag_hits", |facts| defrag(facts).hits.to_string()),
    Always("active_defrag_misses", |facts| defrag(facts).misses.to_string()),
    Always("active_defrag_key_hits", |facts| defrag(facts).key_hits.to_string()),
    Always("active_defrag_key_misses", |facts| defrag(facts).key_misses.to_string()),
    Always("total_active_defrag_time", |facts| defrag(facts).total_ms.to_string()),
    Always("current_active_defrag_time", |facts| defrag(facts).current_ms.to_string()),
    Always("tracking_total_keys", |facts| facts.node.tracking.counts().0.to_string()),
    Always("tracking_total_items", |facts| facts.node.tracking.counts().1.to_string()),
    Always("tracking_total_prefixes", |facts| facts.node.tracking.counts().2.to_string()),
    Always("unexpected_error_replies", |_| "0".into()),
    Always("total_error_replies", |facts| sum(facts, |loops| &loops.errors)),
    Always("dump_payload_sanitizations", |_| "0".into()),
    Always("total_reads_processed", |facts| sum(facts, |loops| &loops.reads)),
    Always("total_writes_processed", |facts| sum(facts, |loops| &loops.writes)),
    Always("io_threaded_reads_processed", |_| "0".into()),
    Always("io_threaded_writes_processed", |_| "0".into()),
    Always("reply_buffer_shrinks", |_| "0".into()),
    Always("reply_buffer_expands", |_| "0".into()),
    Always("client_query_buffer_limit_disconnections", |facts| {
        count(&facts.node.stats.query_buffer_limit_disconnections)
    }),
    Always("client_output_buffer_limit_disconnections", |facts| {
        count(&facts.node.stats.output_buffer_limit_disconnections)
    }),
    Always("eventloop_cycles", |facts| facts.node.stats.cycles().to_string()),
    Always("eventloop_duration_sum", |facts| sum(facts, |loops| &loops.cycle_us)),
    Always("eventloop_duration_cmd_sum", |facts| sum(facts, |loops| &loops.command_us)),
    Always("instantaneous_eventloop_cycles_per_sec", |facts| {
        facts.node.stats.rates()[3].to_string()
    }),
    Always("instantaneous_eventloop_duration_usec", |facts| {
        let [.., cycles, micros] = facts.node.stats.rates();
        (micros / cycles.max(1)).to_string()
    }),
];

/// INFO debug: figures of the loops that only an explicit question shows.
pub(super) const DEBUG_FIELDS: &[Field] = &[
    Always("eventloop_duration_aof_sum", |_| "0".into()),
    Always("eventloop_duration_cron_sum", |facts| sum(facts, |loops| &loops.cron_us)),
    Always("eventloop_duration_max", |facts| {
        facts.node.stats.max(|loops| &loops.cycle_us_max).to_string()
    }),
    Always("eventloop_cpu_max", |facts| {
        facts.node.stats.max(|loops| &loops.cycle_cpu_us_max).to_string()
    }),
    Always("eventloop_cpu_long", |facts| sum(facts, |loops| &loops.cycles_cpu_long)),
    Always("eventloop_cmd_per_cycle_max", |facts| {
        facts.node.stats.max(|loops| &loops.commands_per_cycle_max).to_string()
    }),
];

fn defrag(facts: &Facts<'_>) -> Figures {
    facts.node.defrag.figures()
}

fn sum(facts: &Facts<'_>, counter: fn(&LoopStats) -> &AtomicU64) -> String {
    facts.node.stats.sum(counter).to_string()
}

fn kilobytes(bytes_per_s: u64) -> String {
    format!("{:.2}", ratio(bytes_per_s, 1024))
}
