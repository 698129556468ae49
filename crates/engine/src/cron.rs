//! Housekeeping of the node, ten times a second, on the first loop.

use crate::node::Node;
use crate::snapshot;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One round: derived state, rates, save rules.
pub fn tick(node: &Arc<Node>) {
    if node.cron_paused.load(Ordering::Relaxed) {
        return;
    }
    let was_paused = node.shut_gates() & (crate::gates::PAUSED | crate::gates::PAUSED_WRITES) != 0;
    node.refresh();
    let paused = node.shut_gates() & (crate::gates::PAUSED | crate::gates::PAUSED_WRITES) != 0;
    if was_paused && !paused {
        node.wake_loops();
    }
    node.stats.sample(base::clock::monotonic().0);
    let used = node.memory.confirm();
    node.stats.peak_memory.fetch_max(used.unsigned_abs(), Ordering::Relaxed);
    node.defrag.tick(node);
    let limit = node.settings.maxmemory.get();
    if limit > 0 && used > limit && node.originates() {
        node.memory.evicting.store(true, Ordering::Relaxed);
    }
    if node.append_only.is_due(node, base::clock::monotonic())
        && !node.loading.load(Ordering::Acquire)
    {
        let alone = node.keyspace.gate.exclusive();
        if node.append_only.rewrite(node, &alone).is_err() {
            tracing::warn!("a rewrite is due but too many snapshots are under way");
        }
    }
    node.saves.follow(&node.settings.snapshot_cron.get(), base::clock::unix());
    let rules = node.settings.save.get();
    let changes = node.changes.load(Ordering::Relaxed);
    if node.saves.is_due(&rules, changes, base::clock::unix().0 / 1000)
        && !node.loading.load(Ordering::Acquire)
    {
        let alone = node.keyspace.gate.exclusive();
        if snapshot::save_in_background(node, &alone).is_err() {
            tracing::warn!("a save is due but too many snapshots are under way");
        }
    }
}
