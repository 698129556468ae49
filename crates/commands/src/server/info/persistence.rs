//! INFO persistence. Nothing forks; in place of what copy-on-write would cost stands the memory of what
//! writers had to save ahead of the saver.

use super::Field::{self, Always, When};
use super::facts::{Facts, flag};
use engine::append_only;
use engine::loading::LoadProgress;
use std::sync::atomic::Ordering;

pub(super) const FIELDS: &[Field] = &[
    Always("loading", |facts| flag(facts.node.loading.load(Ordering::Acquire))),
    Always("async_loading", |_| "0".into()),
    Always("current_cow_peak", ahead_bytes),
    Always("current_cow_size", ahead_bytes),
    Always("current_cow_size_age", |_| "0".into()),
    Always("current_fork_perc", progress_percent),
    Always("current_save_keys_processed", |facts| facts.node.saves.state().keys_saved.to_string()),
    Always("current_save_keys_total", |facts| facts.node.saves.state().keys_total.to_string()),
    Always("rdb_changes_since_last_save", |facts| {
        let saved = facts.node.saves.state().saved_changes;
        facts.node.changes.load(Ordering::Relaxed).saturating_sub(saved).to_string()
    }),
    Always("rdb_bgsave_in_progress", |facts| flag(is_saving(facts))),
    Always("rdb_last_save_time", |facts| facts.node.saves.state().last_save_s.to_string()),
    Always("rdb_last_bgsave_status", |facts| status(facts.node.saves.state().last_ok)),
    Always("rdb_last_bgsave_time_sec", |facts| {
        facts.node.saves.state().last_duration_s.to_string()
    }),
    Always("rdb_current_bgsave_time_sec", |facts| {
        let started = facts.node.saves.state().started;
        started.map_or_else(|| "-1".into(), |at| (facts.now.since(at).0 / 1000).to_string())
    }),
    Always("rdb_saves", |facts| facts.node.saves.state().saves.to_string()),
    Always("rdb_last_cow_size", |facts| facts.node.saves.state().last_ahead_bytes.to_string()),
    Always("rdb_last_load_keys_expired", |facts| facts.node.saves.state().loaded.1.to_string()),
    Always("rdb_last_load_keys_loaded", |facts| facts.node.saves.state().loaded.0.to_string()),
    Always("aof_enabled", |facts| flag(facts.node.settings.appendonly.get())),
    Always("aof_rewrite_in_progress", |facts| flag(facts.node.append_only.facts().is_rewriting())),
    Always("aof_rewrite_scheduled", |facts| {
        flag(facts.node.append_only.facts().scheduled.is_some())
    }),
    Always("aof_last_rewrite_time_sec", |facts| {
        facts.node.append_only.facts().last_rewrite_s.to_string()
    }),
    Always("aof_current_rewrite_time_sec", |facts| {
        let began = facts.node.append_only.facts().rewrite_began;
        began.map_or_else(|| "-1".into(), |at| (facts.now.since(at).0 / 1000).to_string())
    }),
    Always("aof_last_bgrewrite_status", |facts| {
        status(facts.node.append_only.facts().last_rewrite_ok)
    }),
    Always("aof_rewrites", |facts| facts.node.append_only.facts().rewrites.to_string()),
    Always("aof_rewrites_consecutive_failures", |facts| {
        facts.node.append_only.facts().failures.to_string()
    }),
    Always("aof_last_write_status", |facts| status(facts.node.append_only.facts().error.is_none())),
    Always("aof_last_cow_size", |_| "0".into()),
    Always("module_fork_in_progress", |_| "0".into()),
    Always("module_fork_last_cow_size", |_| "0".into()),
    When("aof_current_size", |facts| when_open(facts, |file| file.size.to_string())),
    When("aof_base_size", |facts| when_open(facts, |file| file.base_size.to_string())),
    When("aof_pending_rewrite", |facts| when_open(facts, |file| flag(file.scheduled.is_some()))),
    When("aof_buffer_length", |facts| {
        let end = facts.node.log.end();
        when_open(facts, |file| end.0.saturating_sub(file.written.0).to_string())
    }),
    When("aof_pending_bio_fsync", |facts| {
        when_open(facts, |file| flag(file.synced < file.written))
    }),
    When("aof_delayed_fsync", |facts| when_open(facts, |file| file.delayed_syncs.to_string())),
    When("loading_start_time", |facts| while_loading(facts, |load| load.began_s.to_string())),
    When("loading_total_bytes", |facts| while_loading(facts, |load| load.total_bytes.to_string())),
    When("loading_rdb_used_mem", |facts| while_loading(facts, |_| "0".into())),
    When("loading_loaded_bytes", |facts| {
        while_loading(facts, |load| load.loaded_bytes.to_string())
    }),
    When("loading_loaded_perc", |facts| {
        while_loading(facts, |load| {
            format!("{}.{:02}", load.basis_points / 100, load.basis_points % 100)
        })
    }),
    When("loading_eta_seconds", |facts| {
        while_loading(facts, |load| load.eta_s.map_or_else(|| "-1".into(), |s| s.to_string()))
    }),
];

/// A field of the load under way, if there is one.
fn while_loading(facts: &Facts<'_>, field: impl Fn(&LoadProgress) -> String) -> Option<String> {
    facts.node.loading.load(Ordering::Acquire).then(|| field(&facts.node.load.progress()))
}

fn status(is_ok: bool) -> String {
    if is_ok { "ok" } else { "err" }.into()
}

/// A field of the append-only file, if there is one.
fn when_open(facts: &Facts<'_>, field: impl Fn(&append_only::Facts) -> String) -> Option<String> {
    let file = facts.node.append_only.facts();
    file.is_open.then(|| field(&file))
}

fn is_saving(facts: &Facts<'_>) -> bool {
    facts.node.saves.state().running.is_some()
}

/// What writers have saved ahead of the save under way.
fn ahead_bytes(facts: &Facts<'_>) -> String {
    let state = facts.node.saves.state();
    state.running.as_ref().map_or(0, |walk| walk.ahead_bytes()).to_string()
}

fn progress_percent(facts: &Facts<'_>) -> String {
    let state = facts.node.saves.state();
    let part = super::facts::ratio(state.keys_saved, state.keys_total);
    format!("{:.2}", (part * 100.0).min(100.0))
}
