//! Settings of `KeyDB` and Dragonfly, so that their files and command lines load.
//!
//! Names that mean what one of our settings means are `foreign` names of that setting instead.

macro_rules! foreign_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "KeyDB" {
        /// Accepts writes while being a replica.
        active_replica: Flag =
            Row::flag("active-replica", false).hidden().not_built(Part::ActiveActive);
        /// Copies several primaries.
        multi_master: Flag =
            Row::flag("multi-master", false).hidden().not_built(Part::ActiveActive);
        /// Does not pass on what came from another primary.
        multi_master_no_forward: Flag =
            Row::flag("multi-master-no-forward", false).hidden().not_built(Part::ActiveActive);
        /// A second store behind memory: kind, path and options.
        storage_provider: List =
            Row::list("storage-provider", &[], parse::any_words)
            .hidden().not_built(Part::Tiering);
        /// A snapshot in S3.
        db_s3_object: Text =
            Row::text("db-s3-object", "").hidden().not_built(Part::Tiering);
        /// Ties each thread to a processor.
        server_thread_affinity: Flag =
            Row::flag("server-thread-affinity", false).hidden().not_built(Part::CpuAffinity);
        /// How many clients justify a further thread.
        min_clients_per_thread: Number =
            Row::number("min-clients-per-thread", 20, 1, 400).hidden().not_built(Part::Threads);
        /// Saves in a child process. Nothing forks, so that this changes nothing.
        use_fork: Flag = Row::flag("use-fork", true).hidden();
    } "Dragonfly" {
        /// When to save, as a cron expression of five fields, in UTC; beside the rules of `save`.
        snapshot_cron: Text =
            Row::text("snapshot_cron", "").canon(parse::schedule).hidden();
        /// Saves in Dragonfly's own format. Snapshots are RDB files, so that only `false` is taken.
        df_snapshot_format: Text =
            Row::text("df_snapshot_format", "").canon(parse::dragonfly_format).hidden();
        /// Evicts keys near the memory limit.
        cache_mode: Text = Row::text("cache_mode", "").hidden().not_built(Part::Eviction);
        /// Emulates a cluster.
        cluster_mode: Text = Row::text("cluster_mode", "").hidden().not_built(Part::Cluster);
        /// A second port for administrators.
        admin_port: Text = Row::text("admin_port", "").hidden().not_built(Part::Http);
        /// The address of that port.
        admin_bind: Text = Row::text("admin_bind", "").hidden().not_built(Part::Http);
        /// Answers HTTP on the main port.
        primary_port_http_enabled: Text =
            Row::text("primary_port_http_enabled", "").hidden().not_built(Part::Http);
        /// Files of a second store behind memory.
        tiered_prefix: Text =
            Row::text("tiered_prefix", "").hidden().not_built(Part::Tiering);
        /// Loops that only serve connections.
        conn_io_threads: Text =
            Row::text("conn_io_threads", "").hidden().not_built(Part::Threads);
        /// Flags of scripts.
        default_lua_flags: Text =
            Row::text("default_lua_flags", "").hidden().not_built(Part::Scripting);
    } } };
}
