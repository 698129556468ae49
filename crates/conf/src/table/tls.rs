//! Settings of TLS.

macro_rules! tls_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "TLS" {
        /// The TLS port; 0 closes it.
        tls_port: Number = Row::number("tls-port", 0, 0, 65535).not_built(Part::Tls);
        /// The certificate.
        tls_cert_file: Text = Row::text("tls-cert-file", "").not_built(Part::Tls);
        /// The key of the certificate.
        tls_key_file: Text = Row::text("tls-key-file", "").not_built(Part::Tls);
        /// The password of the key.
        tls_key_file_pass: Text =
            Row::text("tls-key-file-pass", "").sensitive().not_built(Part::Tls);
        /// The certificate of connections that the server opens.
        tls_client_cert_file: Text = Row::text("tls-client-cert-file", "").not_built(Part::Tls);
        /// The key of that certificate.
        tls_client_key_file: Text = Row::text("tls-client-key-file", "").not_built(Part::Tls);
        /// The password of that key.
        tls_client_key_file_pass: Text =
            Row::text("tls-client-key-file-pass", "").sensitive().not_built(Part::Tls);
        /// Parameters of Diffie-Hellman for old clients.
        tls_dh_params_file: Text = Row::text("tls-dh-params-file", "").not_built(Part::Tls);
        /// The authorities whose certificates are trusted, in a file.
        tls_ca_cert_file: Text = Row::text("tls-ca-cert-file", "").not_built(Part::Tls);
        /// The authorities whose certificates are trusted, in a directory.
        tls_ca_cert_dir: Text = Row::text("tls-ca-cert-dir", "").not_built(Part::Tls);
        /// Whether clients need a certificate.
        tls_auth_clients: Choice<TlsAuthClients> =
            Row::choice("tls-auth-clients", TlsAuthClients::WORDS, TlsAuthClients::Yes.at())
            .not_built(Part::Tls);
        /// Replicates over TLS.
        tls_replication: Flag = Row::flag("tls-replication", false).not_built(Part::Tls);
        /// Speaks TLS between cluster nodes.
        tls_cluster: Flag = Row::flag("tls-cluster", false).not_built(Part::Tls);
        /// The versions of TLS.
        tls_protocols: Text = Row::text("tls-protocols", "").not_built(Part::Tls);
        /// The ciphers of TLS 1.2.
        tls_ciphers: Text = Row::text("tls-ciphers", "").not_built(Part::Tls);
        /// The ciphers of TLS 1.3.
        tls_ciphersuites: Text = Row::text("tls-ciphersuites", "").not_built(Part::Tls);
        /// Lets the server choose the cipher.
        tls_prefer_server_ciphers: Flag =
            Row::flag("tls-prefer-server-ciphers", false).not_built(Part::Tls);
        /// Lets clients resume sessions.
        tls_session_caching: Flag = Row::flag("tls-session-caching", true).not_built(Part::Tls);
        /// How many sessions are kept; 0 is no limit.
        tls_session_cache_size: Number =
            Row::number("tls-session-cache-size", 20480, 0, INT).not_built(Part::Tls);
        /// How long a session is kept.
        tls_session_cache_timeout: Number =
            Row::number("tls-session-cache-timeout", 300, 0, INT)
            .unit(Unit::Seconds).not_built(Part::Tls);
        /// How many TLS connections one turn of a loop accepts.
        max_new_tls_connections_per_cycle: Number =
            Row::number("max-new-tls-connections-per-cycle", 1, 1, 1000).not_built(Part::Tls);
    } } };
}
