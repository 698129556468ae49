//! Settings of the process: starting, its periodic work, stopping.

macro_rules! lifecycle_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Process" {
        /// Runs in the background.
        daemonize: Flag = Row::flag("daemonize", false).immutable();
        /// The supervisor that started the server.
        supervised: Choice<Supervised> =
            Row::choice("supervised", Supervised::WORDS, Supervised::No.at())
            .immutable().not_built(Part::Supervision);
        /// The file that holds the process id while the server runs.
        pidfile: Text = Row::text("pidfile", "").immutable();
        /// How often periodic work is done in a second.
        hz: Number = Row::number("hz", 10, 0, INT);
        /// Does periodic work more often while there are many clients.
        dynamic_hz: Flag = Row::flag("dynamic-hz", true);
        /// Shows the logo even when the log is not a terminal.
        always_show_logo: Flag = Row::flag("always-show-logo", false).immutable();
        /// Changes the title of the process.
        set_proc_title: Flag = Row::flag("set-proc-title", true).immutable();
        /// The title of the process.
        proc_title_template: Text =
            Row::text("proc-title-template", "{title} {listen-addr} {server-mode}")
            .canon(parse::title_template);
        /// How long a shutdown waits for replicas to catch up; 0 does not wait.
        shutdown_timeout: Number =
            Row::number("shutdown-timeout", 10, 0, INT).unit(Unit::Seconds);
        /// What SIGINT does.
        shutdown_on_sigint: Shutdown = Row::new("shutdown-on-sigint", Kind::Shutdown);
        /// What SIGTERM does.
        shutdown_on_sigterm: Shutdown = Row::new("shutdown-on-sigterm", Kind::Shutdown);
        /// How the kernel's choice of a process to kill is steered.
        oom_score_adj: Choice<OomScoreAdj> =
            Row::choice("oom-score-adj", OomScoreAdj::WORDS, OomScoreAdj::No.at());
        /// The scores of a primary, a replica and a background process.
        oom_score_adj_values: List =
            Row::list("oom-score-adj-values", &["0", "200", "800"], parse::oom_values);
        /// Switches transparent huge pages off for this process.
        disable_thp: Flag = Row::flag("disable-thp", true).immutable();
        /// Warnings of the start that do not stop it.
        ignore_warnings: Text = Row::text("ignore-warnings", "");
        /// Grows and shrinks tables in the background.
        activerehashing: Flag = Row::flag("activerehashing", true);
        /// Where the server stands, for clients that prefer a near one.
        availability_zone: Text =
            Row::text("availability-zone", "").not_built(Part::AvailabilityZone);
    } } };
}
