//! Settings of cluster mode.

macro_rules! cluster_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Cluster" {
        /// Runs as a node of a cluster.
        cluster_enabled: Flag =
            Row::flag("cluster-enabled", false).immutable().not_built(Part::Cluster);
        /// The file in which the node keeps the cluster's state.
        cluster_config_file: Text =
            Row::text("cluster-config-file", "nodes.conf").immutable().not_built(Part::Cluster);
        /// The port of the cluster bus; 0 is the port of clients plus 10000.
        cluster_port: Number =
            Row::number("cluster-port", 0, 0, 65535).immutable().not_built(Part::Cluster);
        /// How long a node is unreachable before it counts as failing.
        cluster_node_timeout: Number = Row::number("cluster-node-timeout", 15000, 0, LONG)
            .unit(Unit::Millis).not_built(Part::Cluster);
        /// How often a node pings a random other.
        cluster_ping_interval: Number = Row::number("cluster-ping-interval", 0, 0, LONG)
            .unit(Unit::Millis).hidden().not_built(Part::Cluster);
        /// How long a forgotten node stays unknown.
        cluster_blacklist_ttl: Number = Row::number("cluster-blacklist-ttl", 60, 0, LONG)
            .unit(Unit::Seconds).hidden().not_built(Part::Cluster);
        /// How old the data of a replica may be for a failover, in node timeouts; 0 is any age.
        cluster_replica_validity_factor: Number =
            Row::number("cluster-replica-validity-factor", 10, 0, INT)
            .aliases(&["cluster-slave-validity-factor"]).not_built(Part::Cluster);
        /// How many replicas a primary keeps when others need one.
        cluster_migration_barrier: Number =
            Row::number("cluster-migration-barrier", 1, 0, INT).not_built(Part::Cluster);
        /// Lets replicas move to primaries without one.
        cluster_allow_replica_migration: Flag =
            Row::flag("cluster-allow-replica-migration", true).not_built(Part::Cluster);
        /// Serves nothing while a slot has no owner.
        cluster_require_full_coverage: Flag =
            Row::flag("cluster-require-full-coverage", true).not_built(Part::Cluster);
        /// Never promotes this replica by itself.
        cluster_replica_no_failover: Flag = Row::flag("cluster-replica-no-failover", false)
            .aliases(&["cluster-slave-no-failover"]).not_built(Part::Cluster);
        /// Answers reads while the cluster is down.
        cluster_allow_reads_when_down: Flag =
            Row::flag("cluster-allow-reads-when-down", false).not_built(Part::Cluster);
        /// Serves sharded channels while the cluster is down.
        cluster_allow_pubsubshard_when_down: Flag =
            Row::flag("cluster-allow-pubsubshard-when-down", true).not_built(Part::Cluster);
        /// How much may wait to be sent to another node; 0 is no limit.
        cluster_link_sendbuf_limit: Number =
            Row::bytes("cluster-link-sendbuf-limit", 0, 0, LONG).not_built(Part::Cluster);
        /// The address that other nodes and clients are told.
        cluster_announce_ip: Text =
            Row::text("cluster-announce-ip", "").not_built(Part::Cluster);
        /// The IPv4 address that clients are told.
        cluster_announce_client_ipv4: Text =
            Row::text("cluster-announce-client-ipv4", "").hidden().not_built(Part::Cluster);
        /// The IPv6 address that clients are told.
        cluster_announce_client_ipv6: Text =
            Row::text("cluster-announce-client-ipv6", "").hidden().not_built(Part::Cluster);
        /// The port that other nodes and clients are told; 0 is the port in use.
        cluster_announce_port: Number =
            Row::number("cluster-announce-port", 0, 0, 65535).not_built(Part::Cluster);
        /// The TLS port that other nodes and clients are told; 0 is the port in use.
        cluster_announce_tls_port: Number =
            Row::number("cluster-announce-tls-port", 0, 0, 65535).not_built(Part::Cluster);
        /// The port of the bus that other nodes are told; 0 is the port in use.
        cluster_announce_bus_port: Number =
            Row::number("cluster-announce-bus-port", 0, 0, 65535).not_built(Part::Cluster);
        /// The host name that clients are told.
        cluster_announce_hostname: Text = Row::text("cluster-announce-hostname", "")
            .canon(parse::host_name).not_built(Part::Cluster);
        /// The name of the node in logs.
        cluster_announce_human_nodename: Text =
            Row::text("cluster-announce-human-nodename", "").not_built(Part::Cluster);
        /// What clients are given as the endpoint of a node.
        cluster_preferred_endpoint_type: Choice<EndpointType> = Row::choice(
            "cluster-preferred-endpoint-type", EndpointType::WORDS, EndpointType::Ip.at(),
        ).not_built(Part::Cluster);
        /// Counts the use of each slot.
        cluster_slot_stats_enabled: Flag =
            Row::flag("cluster-slot-stats-enabled", false).not_built(Part::Cluster);
    } } };
}
