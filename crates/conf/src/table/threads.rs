//! Settings of threads and processors.

macro_rules! threads_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Threads" {
        /// How many loops serve clients. Without this directive there is one for each core.
        io_threads: Number = Row::number("io-threads", 1, 1, 128)
            .immutable()
            .foreign(&["server-threads", "proactor_threads"]);
        /// What moves bytes: `epoll`, `io_uring` (Linux 6.1), or the better of what is allowed.
        io_backend: Choice<IoBackend> =
            Row::choice("io-backend", IoBackend::WORDS, IoBackend::Epoll.at())
            .immutable().hidden();
        /// Reading in threads. Every loop reads its own clients, so that this changes nothing.
        io_threads_do_reads: Flag = Row::flag("io-threads-do-reads", false);
        /// How many events justify a further thread. Loops are fixed, so that this changes nothing.
        events_per_io_thread: Number =
            Row::number("events-per-io-thread", 2, 0, INT).hidden();
        /// How many commands are prefetched together.
        prefetch_batch_max_size: Number =
            Row::number("prefetch-batch-max-size", 16, 0, 128).not_built(Part::Threads);
        /// The processors of the loops and of replication, as `0,2-4` or `0-7:2`.
        server_cpulist: Text = Row::text("server-cpulist", "")
            .aliases(&["server_cpulist"]).canon(parse::processors).immutable();
        /// The processors of the threads that write the append-only file and free values.
        bio_cpulist: Text = Row::text("bio-cpulist", "")
            .aliases(&["bio_cpulist"]).canon(parse::processors).immutable();
        /// The processors of rewriting the append-only file; else those of `server-cpulist`.
        aof_rewrite_cpulist: Text = Row::text("aof-rewrite-cpulist", "")
            .aliases(&["aof_rewrite_cpulist"]).canon(parse::processors).immutable();
        /// The processors of background saves and of full syncs; else those of `server-cpulist`.
        bgsave_cpulist: Text = Row::text("bgsave-cpulist", "")
            .aliases(&["bgsave_cpulist"]).canon(parse::processors).immutable();
    } } };
}
