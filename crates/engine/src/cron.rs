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
    node.saves.follow(&node.settings.snapshot_cron.get(), base::clock::unix());
    if node.loading.load(Ordering::Acquire) || node.pause.is_stopping() {
        // A stop saves by itself, and waits for whatever is under way.
        return;
    }
    if node.append_only.is_due(node, base::clock::monotonic()) {
        let alone = node.keyspace.gate.exclusive();
        if node.append_only.rewrite(node, &alone).is_err() {
            tracing::warn!("a rewrite is due but too many snapshots are under way");
        }
    }
    let rules = node.settings.save.get();
    let changes = node.changes.load(Ordering::Relaxed);
    if node.saves.is_due(&rules, changes, base::clock::unix().0 / 1000) {
        let alone = node.keyspace.gate.exclusive();
        if snapshot::save_in_background(node, &alone).is_err() {
            tracing::warn!("a save is due but too many snapshots are under way");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::disk::Disk;
    use base::disk::memory::MemoryDisk;
    use conf::Settings;

    #[test]
    fn no_save_begins_in_the_middle_of_a_stop() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let node = Node::new(Arc::new(Settings::default()), None, &[], &[], 1, None);
        let node = Arc::new(node.another(Arc::clone(&node.settings), disk, 1));
        node.saves.state().scheduled = true;
        node.pause.begin_stop();
        tick(&node);
        assert!(node.saves.state().scheduled);
        node.pause.end_stop();
        tick(&node);
        assert!(!node.saves.state().scheduled);
    }
}
