//! Settings of the log.

macro_rules! logging_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Log" {
        /// The least level that is logged.
        loglevel: Choice<LogLevel> =
            Row::choice("loglevel", LogLevel::WORDS, LogLevel::Notice.at());
        /// The log file; empty is the standard output.
        logfile: Text = Row::text("logfile", "").immutable();
        /// Logs to syslog too.
        syslog_enabled: Flag = Row::flag("syslog-enabled", false).immutable();
        /// The name in syslog.
        syslog_ident: Text = Row::text("syslog-ident", "redis").immutable();
        /// The facility in syslog.
        syslog_facility: Choice<SyslogFacility> = Row::choice(
            "syslog-facility", SyslogFacility::WORDS, SyslogFacility::Local0.at(),
        ).immutable();
        /// The form of log lines.
        log_format: Choice<LogFormat> =
            Row::choice("log-format", LogFormat::WORDS, LogFormat::Legacy.at())
            .hidden().not_built(Part::LogFormats);
        /// The form of the time in log lines.
        log_timestamp_format: Choice<LogTimestampFormat> = Row::choice(
            "log-timestamp-format", LogTimestampFormat::WORDS, LogTimestampFormat::Legacy.at(),
        ).hidden().not_built(Part::LogFormats);
        /// Reports a crash in the log.
        crash_log_enabled: Flag = Row::flag("crash-log-enabled", true);
        /// Checks memory after a crash.
        crash_memcheck_enabled: Flag =
            Row::flag("crash-memcheck-enabled", true).not_built(Part::CrashReport);
        /// Keeps keys and values out of the log.
        hide_user_data_from_log: Flag = Row::flag("hide-user-data-from-log", true);
    } } };
}
