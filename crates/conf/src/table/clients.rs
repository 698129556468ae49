//! Settings of clients and their limits.

macro_rules! clients_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Clients and limits" {
        /// How many clients may be connected.
        maxclients: Number = Row::number("maxclients", 10000, 1, UINT);
        /// Closes clients that leave too much output unread: class, hard limit, soft limit,
        /// seconds.
        client_output_buffer_limit: OutputLimits =
            Row::new("client-output-buffer-limit", Kind::OutputLimits);
        /// How many bytes of one client's queries may wait.
        client_query_buffer_limit: Number =
            Row::bytes("client-query-buffer-limit", GB, MB, BULK_MAX);
        /// The longest argument of a command.
        proto_max_bulk_len: Number = Row::bytes("proto-max-bulk-len", 512 * MB, MB, BULK_MAX);
        /// Memory that all clients together may use, or a percentage of `maxmemory`; 0 is no limit.
        maxmemory_clients: Number = Row::bytes("maxmemory-clients", 0, -100, LONG)
            .unit(Unit::BytesOrPercent);
        /// The protocol version of a client that has not said HELLO.
        client_default_resp: Number =
            Row::number("client-default-resp", 2, 2, 3).immutable().hidden();
        /// How many databases there are.
        databases: Number = Row::number("databases", 16, 1, INT).immutable().foreign(&["dbnum"]);
        /// How many keys are remembered for client side caching.
        tracking_table_max_keys: Number =
            Row::number("tracking-table-max-keys", 1_000_000, 0, LONG);
        /// Reports the name and version of Redis to clients that insist on them.
        extended_redis_compatibility: Flag = Row::flag("extended-redis-compatibility", false);
        /// The classes of key events that are published.
        notify_keyspace_events: Text = Row::text("notify-keyspace-events", "")
            .canon(parse::keyspace_events);
        /// The locale of SORT ALPHA.
        locale_collate: Text = Row::text("locale-collate", "");
    } } };
}
