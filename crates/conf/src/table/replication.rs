//! Settings of replication.

macro_rules! replication_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Replication" {
        /// The primary to copy: host and port. REPLICAOF changes it at run time.
        replicaof: Address =
            Row::new("replicaof", Kind::Address).aliases(&["slaveof"]).immutable();
        /// The password of the primary.
        masterauth: Text = Row::text("masterauth", "").foreign(&["primaryauth"]).sensitive();
        /// The user at the primary.
        masteruser: Text = Row::text("masteruser", "").foreign(&["primaryuser"]).sensitive();
        /// Answers reads while the link to the primary is down or the copy is being made.
        replica_serve_stale_data: Flag =
            Row::flag("replica-serve-stale-data", true).aliases(&["slave-serve-stale-data"]);
        /// Refuses writes on a replica.
        replica_read_only: Flag =
            Row::flag("replica-read-only", true).aliases(&["slave-read-only"]);
        /// The rank in a failover, lower first; 0 is never promoted.
        replica_priority: Number =
            Row::number("replica-priority", 100, 0, INT).aliases(&["slave-priority"]);
        /// The address that the primary and sentinels are told.
        replica_announce_ip: Text =
            Row::text("replica-announce-ip", "").aliases(&["slave-announce-ip"]);
        /// The port that the primary and sentinels are told; 0 is the port in use.
        replica_announce_port: Number =
            Row::number("replica-announce-port", 0, 0, 65535).aliases(&["slave-announce-port"]);
        /// Lets sentinels list this replica.
        replica_announced: Flag = Row::flag("replica-announced", true);
        /// Empties a replica in the background before a full synchronization.
        replica_lazy_flush: Flag =
            Row::flag("replica-lazy-flush", false).aliases(&["slave-lazy-flush"]);
        /// Goes on with replication when the disk refuses writes.
        replica_ignore_disk_write_errors: Flag =
            Row::flag("replica-ignore-disk-write-errors", false);
        /// How much of the stream is kept for replicas that come back.
        repl_backlog_size: Number = Row::bytes("repl-backlog-size", MB, 1, LONG);
        /// How long the backlog is kept without replicas; 0 keeps it.
        repl_backlog_ttl: Number =
            Row::number("repl-backlog-ttl", 3600, 0, LONG).unit(Unit::Seconds);
        /// When a silent replication link is given up.
        repl_timeout: Number = Row::number("repl-timeout", 60, 1, INT).unit(Unit::Seconds);
        /// How often the primary sends PING to its replicas.
        repl_ping_replica_period: Number = Row::number("repl-ping-replica-period", 10, 1, INT)
            .aliases(&["repl-ping-slave-period"]).unit(Unit::Seconds);
        /// Sends full synchronizations straight to the socket, without a file.
        repl_diskless_sync: Flag = Row::flag("repl-diskless-sync", true);
        /// How long a full synchronization waits for further replicas to share it.
        repl_diskless_sync_delay: Number =
            Row::number("repl-diskless-sync-delay", 5, 0, INT).unit(Unit::Seconds);
        /// How many waiting replicas start a full synchronization at once; 0 is no such number.
        repl_diskless_sync_max_replicas: Number =
            Row::number("repl-diskless-sync-max-replicas", 0, 0, INT);
        /// How a replica reads a full synchronization.
        repl_diskless_load: Choice<DisklessLoad> =
            Row::choice("repl-diskless-load", DisklessLoad::WORDS, DisklessLoad::Disabled.at());
        /// Lets the kernel delay small packets to replicas.
        repl_disable_tcp_nodelay: Flag = Row::flag("repl-disable-tcp-nodelay", false);
        /// How many good replicas a write needs; 0 is none.
        min_replicas_to_write: Number =
            Row::number("min-replicas-to-write", 0, 0, INT).aliases(&["min-slaves-to-write"]);
        /// How long the last acknowledgement of a good replica may be ago.
        min_replicas_max_lag: Number = Row::number("min-replicas-max-lag", 10, 0, INT)
            .aliases(&["min-slaves-max-lag"]).unit(Unit::Seconds);
        /// What happens when a replicated command fails.
        propagation_error_behavior: Choice<PropagationErrorBehavior> = Row::choice(
            "propagation-error-behavior",
            PropagationErrorBehavior::WORDS,
            PropagationErrorBehavior::Ignore.at(),
        );
        /// Sends a full synchronization and the stream beside it over two connections.
        dual_channel_replication_enabled: Flag =
            Row::flag("dual-channel-replication-enabled", false).not_built(Part::DualChannel);
    } } };
}
