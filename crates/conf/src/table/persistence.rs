//! Settings of snapshots and of the append only file.

macro_rules! persistence_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Persistence" {
        /// Saves after so many seconds if there were so many changes: pairs of both.
        save: SaveRules = Row::new("save", Kind::SaveRules);
        /// The directory of everything that is saved.
        dir: Text = Row::text("dir", ".").protected();
        /// The file of the snapshot.
        dbfilename: Text =
            Row::text("dbfilename", "dump.rdb").canon(parse::db_file_name).protected();
        /// Compresses strings in snapshots.
        rdbcompression: Flag = Row::flag("rdbcompression", true);
        /// Ends snapshots with a checksum and tests it when loading.
        rdbchecksum: Flag = Row::flag("rdbchecksum", true).immutable();
        /// Deletes the snapshots of full synchronizations where nothing else is saved. They go from socket
        /// to socket and leave no files, so that this changes nothing.
        rdb_del_sync_files: Flag = Row::flag("rdb-del-sync-files", false);
        /// Forces a snapshot to disk piece by piece while it is written.
        rdb_save_incremental_fsync: Flag = Row::flag("rdb-save-incremental-fsync", true);
        /// Keeps values and data of modules in snapshots as they are, and writes them back, instead of
        /// leaving them out. This server understands none of them.
        rdb_keep_unknown_modules: Flag =
            Row::flag("rdb-keep-unknown-modules", false).hidden();
        /// Refuses writes after a background save failed.
        stop_writes_on_bgsave_error: Flag = Row::flag("stop-writes-on-bgsave-error", true);
        /// Logs every write to a file.
        appendonly: Flag = Row::flag("appendonly", false);
        /// The base name of the append only files.
        appendfilename: Text = Row::text("appendfilename", "appendonly.aof")
            .canon(parse::append_file_name).immutable();
        /// The directory of the append only files, below `dir`.
        appenddirname: Text = Row::text("appenddirname", "appendonlydir")
            .canon(parse::append_dir_name).immutable();
        /// How often the append only file is forced to disk.
        appendfsync: Choice<AppendFsync> =
            Row::choice("appendfsync", AppendFsync::WORDS, AppendFsync::Everysec.at());
        /// Does not force the append only file to disk during saves.
        no_appendfsync_on_rewrite: Flag =
            Row::flag("no-appendfsync-on-rewrite", false);
        /// Rewrites the append only file when it has grown by so much.
        auto_aof_rewrite_percentage: Number =
            Row::number("auto-aof-rewrite-percentage", 100, 0, INT)
            .unit(Unit::Percent);
        /// The least size at which the append only file is rewritten.
        auto_aof_rewrite_min_size: Number =
            Row::bytes("auto-aof-rewrite-min-size", 64 * MB, 0, LONG);
        /// Loads an append only file whose end is missing.
        aof_load_truncated: Flag = Row::flag("aof-load-truncated", true);
        /// Begins a rewritten append only file with a snapshot.
        aof_use_rdb_preamble: Flag =
            Row::flag("aof-use-rdb-preamble", true);
        /// Writes the time into the append only file.
        aof_timestamp_enabled: Flag =
            Row::flag("aof-timestamp-enabled", false);
        /// Forces a rewritten append only file to disk piece by piece.
        aof_rewrite_incremental_fsync: Flag =
            Row::flag("aof-rewrite-incremental-fsync", true);
        /// Keeps append only files that are no longer needed.
        aof_disable_auto_gc: Flag =
            Row::flag("aof-disable-auto-gc", false);
    } } };
}
