//! Settings of the command logs and of latency records.

macro_rules! latency_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Slow log and latency" {
        /// Commands that take longer are recorded; 0 records all, -1 none.
        slowlog_log_slower_than: Number =
            Row::number("slowlog-log-slower-than", 10000, -1, LONG).unit(Unit::Micros)
            .foreign(&["commandlog-execution-slower-than"]);
        /// How many slow commands are remembered.
        slowlog_max_len: Number = Row::number("slowlog-max-len", 128, 0, LONG)
            .foreign(&["commandlog-slow-execution-max-len"]);
        /// Commands of as many bytes or more are recorded; -1 none.
        commandlog_request_larger_than: Number =
            Row::number("commandlog-request-larger-than", 1 << 20, -1, LONG);
        /// How many large commands are remembered.
        commandlog_large_request_max_len: Number =
            Row::number("commandlog-large-request-max-len", 128, 0, LONG);
        /// Commands with a reply of as many bytes or more are recorded; -1 none.
        commandlog_reply_larger_than: Number =
            Row::number("commandlog-reply-larger-than", 1 << 20, -1, LONG);
        /// How many commands with large replies are remembered.
        commandlog_large_reply_max_len: Number =
            Row::number("commandlog-large-reply-max-len", 128, 0, LONG);
        /// Delays from here on are recorded as events; 0 records none.
        latency_monitor_threshold: Number =
            Row::number("latency-monitor-threshold", 0, 0, LONG).unit(Unit::Millis);
        /// Measures the latency of each command.
        latency_tracking: Flag =
            Row::flag("latency-tracking", true);
        /// The percentiles that INFO shows.
        latency_tracking_info_percentiles: List = Row::list(
            "latency-tracking-info-percentiles", &["50", "99", "99.9"], parse::percentiles,
        );
    } } };
}
