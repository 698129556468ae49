//! Settings for tests of the server.

macro_rules! debug_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Tests" {
        /// Waits for each key that a save writes; negative is a part of a microsecond.
        rdb_key_save_delay: Number =
            Row::number("rdb-key-save-delay", 0, -INT - 1, INT).unit(Unit::Micros).hidden();
        /// Waits for each key that is loaded; negative is a part of a microsecond.
        key_load_delay: Number =
            Row::number("key-load-delay", 0, -INT - 1, INT).unit(Unit::Micros).hidden();
        /// How often loading pauses to answer clients.
        loading_process_events_interval_bytes: Number =
            Row::number("loading-process-events-interval-bytes", 2 * MB, KB, INT).hidden();
        /// Ends with an exit code instead of a signal after a bug.
        use_exit_on_panic: Flag = Row::flag("use-exit-on-panic", false).hidden();
        /// Lets DEBUG end the server.
        enable_debug_assert: Flag =
            Row::flag("enable-debug-assert", false).immutable().hidden();
        /// A period of the software watchdog; 0 switches it off.
        watchdog_period: Number =
            Row::number("watchdog-period", 0, 0, INT).unit(Unit::Millis).hidden();
        /// The file of requests and replies in a test.
        req_res_logfile: Text = Row::text("req-res-logfile", "").immutable().hidden();
        /// Words for tests.
        debug_context: Text = Row::text("debug-context", "").hidden();
    } } };
}
