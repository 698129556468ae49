//! Settings of memory, eviction, expiry and freeing.

macro_rules! memory_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Memory" {
        /// How much memory the data may use; 0 is no limit.
        maxmemory: Number = Row::bytes("maxmemory", 0, 0, LONG);
        /// What happens when memory runs out.
        maxmemory_policy: Choice<MaxmemoryPolicy> = Row::choice(
            "maxmemory-policy", MaxmemoryPolicy::WORDS, MaxmemoryPolicy::Noeviction.at(),
        );
        /// How many keys are sampled for each eviction.
        maxmemory_samples: Number = Row::number("maxmemory-samples", 5, 1, INT);
        /// How hard eviction tries before it lets a write pass.
        maxmemory_eviction_tenacity: Number =
            Row::number("maxmemory-eviction-tenacity", 10, 0, 100);
        /// Leaves eviction on a replica to its primary.
        replica_ignore_maxmemory: Flag =
            Row::flag("replica-ignore-maxmemory", true).aliases(&["slave-ignore-maxmemory"]);
        /// How slowly the frequency counter of a key grows.
        lfu_log_factor: Number = Row::number("lfu-log-factor", 10, 0, INT);
        /// How long it takes the frequency counter of a key to lose one.
        lfu_decay_time: Number = Row::number("lfu-decay-time", 1, 0, INT).unit(Unit::Minutes);
        /// How hard the server looks for expired keys.
        active_expire_effort: Number = Row::number("active-expire-effort", 1, 1, 10);
        /// Frees evicted values in the background.
        lazyfree_lazy_eviction: Flag = Row::flag("lazyfree-lazy-eviction", true);
        /// Frees expired values in the background.
        lazyfree_lazy_expire: Flag = Row::flag("lazyfree-lazy-expire", true);
        /// Frees values that a command replaces in the background.
        lazyfree_lazy_server_del: Flag = Row::flag("lazyfree-lazy-server-del", true);
        /// Makes DEL free in the background like UNLINK.
        lazyfree_lazy_user_del: Flag = Row::flag("lazyfree-lazy-user-del", true);
        /// Makes FLUSHALL and FLUSHDB free in the background.
        lazyfree_lazy_user_flush: Flag = Row::flag("lazyfree-lazy-user-flush", true);
        /// Moves values together to give memory back.
        activedefrag: Flag = Row::flag("activedefrag", false);
        /// Fragmentation below which nothing is moved.
        active_defrag_ignore_bytes: Number =
            Row::bytes("active-defrag-ignore-bytes", 100 * MB, 1, LONG);
        /// Fragmentation at which moving begins.
        active_defrag_threshold_lower: Number =
            Row::number("active-defrag-threshold-lower", 10, 0, 1000)
            .unit(Unit::Percent);
        /// Fragmentation at which moving is at its fastest.
        active_defrag_threshold_upper: Number =
            Row::number("active-defrag-threshold-upper", 100, 0, 1000)
            .unit(Unit::Percent);
        /// Processor time of moving at the lower threshold.
        active_defrag_cycle_min: Number = Row::number("active-defrag-cycle-min", 1, 1, 99)
            .unit(Unit::Percent);
        /// Processor time of moving at the upper threshold.
        active_defrag_cycle_max: Number = Row::number("active-defrag-cycle-max", 25, 1, 99)
            .unit(Unit::Percent);
        /// Elements above which a collection is moved in steps.
        active_defrag_max_scan_fields: Number =
            Row::number("active-defrag-max-scan-fields", 1000, 1, LONG);
        /// Lets the allocator purge memory in a thread of its own.
        jemalloc_bg_thread: Flag = Row::flag("jemalloc-bg-thread", true);
    } } };
}
