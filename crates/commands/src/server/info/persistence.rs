//! INFO persistence. Nothing forks, so that fields of copy-on-write are zero; there is no append only
//! file yet.

use super::Field::{self, Always};
use super::facts::{Facts, flag};
use std::sync::atomic::Ordering;

pub(super) const FIELDS: &[Field] = &[
    Always("loading", |facts| flag(facts.node.loading.load(Ordering::Acquire))),
    Always("async_loading", |_| "0".into()),
    Always("current_cow_peak", |_| "0".into()),
    Always("current_cow_size", |_| "0".into()),
    Always("current_cow_size_age", |_| "0".into()),
    Always("current_fork_perc", progress_percent),
    Always("current_save_keys_processed", |facts| facts.node.saves.state().keys_saved.to_string()),
    Always("current_save_keys_total", |facts| total_keys(facts).to_string()),
    Always("rdb_changes_since_last_save", |facts| {
        let saved = facts.node.saves.state().saved_changes;
        facts.node.changes.load(Ordering::Relaxed).saturating_sub(saved).to_string()
    }),
    Always("rdb_bgsave_in_progress", |facts| flag(is_saving(facts))),
    Always("rdb_last_save_time", |facts| facts.node.saves.state().last_save_s.to_string()),
    Always("rdb_last_bgsave_status", |facts| {
        if facts.node.saves.state().last_ok { "ok" } else { "err" }.into()
    }),
    Always("rdb_last_bgsave_time_sec", |facts| {
        facts.node.saves.state().last_duration_s.to_string()
    }),
    Always("rdb_current_bgsave_time_sec", |facts| {
        let started = facts.node.saves.state().started;
        started.map_or_else(|| "-1".into(), |at| (facts.now.since(at).0 / 1000).to_string())
    }),
    Always("rdb_saves", |facts| facts.node.saves.state().saves.to_string()),
    Always("rdb_last_cow_size", |_| "0".into()),
    Always("rdb_last_load_keys_expired", |facts| facts.node.saves.state().loaded.1.to_string()),
    Always("rdb_last_load_keys_loaded", |facts| facts.node.saves.state().loaded.0.to_string()),
    Always("aof_enabled", |_| "0".into()),
    Always("aof_rewrite_in_progress", |_| "0".into()),
    Always("aof_rewrite_scheduled", |_| "0".into()),
    Always("aof_last_rewrite_time_sec", |_| "-1".into()),
    Always("aof_current_rewrite_time_sec", |_| "-1".into()),
    Always("aof_last_bgrewrite_status", |_| "ok".into()),
    Always("aof_rewrites", |_| "0".into()),
    Always("aof_rewrites_consecutive_failures", |_| "0".into()),
    Always("aof_last_write_status", |_| "ok".into()),
    Always("aof_last_cow_size", |_| "0".into()),
    Always("module_fork_in_progress", |_| "0".into()),
    Always("module_fork_last_cow_size", |_| "0".into()),
];

fn is_saving(facts: &Facts<'_>) -> bool {
    facts.node.saves.state().running.is_some()
}

/// The keys of all databases while a save runs, else zero.
fn total_keys(facts: &Facts<'_>) -> u64 {
    let mut keys = 0;
    if is_saving(facts) {
        facts.node.keyspace.each_shard(|_, shard| {
            keys += shard.dbs().map(|(_, db)| db.len() as u64).sum::<u64>();
        });
    }
    keys
}

fn progress_percent(facts: &Facts<'_>) -> String {
    let saved = facts.node.saves.state().keys_saved;
    let total = total_keys(facts);
    format!("{:.2}", (super::facts::ratio(saved, total) * 100.0).min(100.0))
}
