//! Settings of listening and of connections.

macro_rules! network_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Network" {
        /// Addresses to listen on. A `-` before an address allows it to be absent; `*` is every
        /// address.
        bind: List = Row::list("bind", &["*", "-::*"], parse::bind_addresses);
        /// The local address of connections that the server opens.
        bind_source_addr: Text = Row::text("bind-source-addr", "");
        /// The TCP port; 0 closes it.
        port: Number = Row::number("port", 6379, 0, 65535);
        /// The path of a Unix socket to listen on.
        unixsocket: Text = Row::text("unixsocket", "").immutable();
        /// The permissions of the Unix socket, in octal; 0 leaves them to the umask.
        unixsocketperm: Number =
            Row::number("unixsocketperm", 0, 0, 0o777).unit(Unit::Octal).immutable();
        /// The group of the Unix socket.
        unixsocketgroup: Text =
            Row::text("unixsocketgroup", "").immutable().not_built(Part::Sockets);
        /// Closes a client that was idle for so long; 0 never does.
        timeout: Number = Row::number("timeout", 0, 0, INT).unit(Unit::Seconds);
        /// The period of TCP keepalive probes; 0 sends none.
        tcp_keepalive: Number = Row::number("tcp-keepalive", 300, 0, INT).unit(Unit::Seconds);
        /// How many connections may wait to be accepted.
        tcp_backlog: Number = Row::number("tcp-backlog", 511, 0, INT).immutable();
        /// Answers only this machine while there is neither a password nor a `bind` for others.
        protected_mode: Flag = Row::flag("protected-mode", true);
        /// The mark (`SO_MARK`) of listening sockets; 0 sets none.
        socket_mark_id: Number =
            Row::number("socket-mark-id", 0, 0, UINT).immutable().not_built(Part::Sockets);
        /// How many connections one turn of a loop accepts.
        max_new_connections_per_cycle: Number =
            Row::number("max-new-connections-per-cycle", 10, 1, 1000);
        /// The port on which this server is its own sentinel; 0 switches the sentinel off.
        sentinel_port: Number = Row::number("sentinel-port", 0, 0, 65535).immutable().hidden();
        /// The password that clients of this server's own sentinel must give.
        sentinel_requirepass: Text =
            Row::text("sentinel-requirepass", "").sensitive().immutable().hidden();
    } } };
}
