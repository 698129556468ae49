//! The sample files of the guide load as they stand, and warn about exactly what is said here.

use conf::{LoadRequest, Loaded, MaxmemoryPolicy, Settings, Warning};
use std::path::PathBuf;

fn load(name: &str) -> Loaded {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/guide").join(name);
    let sentinel_mode = name == "sentinel.conf";
    let request = LoadRequest { path: Some(path.clone()), sentinel_mode, ..LoadRequest::default() };
    let loaded = Settings::load(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(loaded.path, Some(path));
    loaded
}

fn check(name: &str, warnings: &[&str]) -> Loaded {
    let loaded = load(name);
    let found: Vec<&str> = loaded.warnings.iter().map(Warning::directive).collect();
    assert_eq!(found, warnings, "{name}");
    loaded
}

#[test]
fn the_backlog_sample_loads() {
    let settings = check("backlog.conf", &["repl-diskless-sync-period"]).settings;
    assert_eq!(settings.repl_backlog_size.get(), 256 << 20);
    assert_eq!(settings.repl_diskless_load.get(), conf::DisklessLoad::OnEmptyDb);
}

#[test]
fn the_master_sample_loads() {
    let settings = check("master.conf", &[]).settings;
    assert_eq!(*settings.bind.get(), vec![b"0.0.0.0".to_vec()]);
    assert!(!settings.protected_mode.get());
    assert_eq!(&*settings.requirepass.get(), b"strong_master_password");
    assert_eq!(*settings.save.get(), vec![(900, 1), (300, 10), (60, 10000)]);
    assert_eq!(settings.min_replicas_to_write.get(), 1);
    assert_eq!(settings.min_replicas_max_lag.get(), 10);
}

#[test]
fn the_replica_sample_loads() {
    let settings = check("replica.conf", &[]).settings;
    let primary = settings.replicaof.get().unwrap();
    assert_eq!((primary.host.as_str(), primary.port), ("master-host", 6379));
    assert_eq!(&*settings.masterauth.get(), b"strong_master_password");
}

#[test]
fn the_sentinel_sample_loads_and_names_the_misspelt_directive() {
    let loaded = check("sentinel.conf", &["logevel"]);
    assert_eq!(
        loaded.warnings[0].to_string(),
        "Configuration line 22: 'logevel' is ignored: did you mean 'loglevel'?"
    );
    let lines: Vec<(usize, String)> = loaded
        .sentinel
        .iter()
        .map(|line| {
            let words = line.arguments.iter().map(|word| String::from_utf8_lossy(word));
            (line.line_number, words.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let line = |number, text: &str| (number, text.to_owned());
    assert_eq!(
        lines,
        [
            line(7, "monitor mymaster 10.0.1.10 6379 2"),
            line(9, "auth-pass mymaster strong_master_password"),
            line(11, "down-after-milliseconds mymaster 5000"),
            line(12, "failover-timeout mymaster 60000"),
            line(13, "parallel-syncs mymaster 1"),
            line(15, "deny-scripts-reconfig yes"),
        ]
    );
    assert_eq!(loaded.settings.port.get(), 26379);
}

#[test]
fn the_cluster_sample_loads() {
    let warnings = ["cluster-enabled", "cluster-config-file", "cluster-node-timeout"];
    assert!(check("cluster.conf", &warnings).settings.cluster_enabled.get());
}

#[test]
fn the_hybrid_persistence_sample_loads() {
    let loaded = check("persistence.conf", &[]);
    assert!(loaded.settings.appendonly.get() && loaded.settings.aof_use_rdb_preamble.get());
    assert_eq!(&*loaded.settings.dir.get(), b"/data/redis");
    assert_eq!(*loaded.settings.save.get(), vec![(900, 1), (300, 10), (60, 10000)]);
}

#[test]
fn the_memory_sample_loads() {
    let settings = check("memory.conf", &["active-defrag-enabled"]).settings;
    assert_eq!(settings.maxmemory.get(), 6 << 30);
    assert_eq!(settings.maxmemory_policy.get(), MaxmemoryPolicy::AllkeysLru);
}

#[test]
fn the_tls_sample_loads_and_keeps_the_users() {
    let warnings = [
        "tls-port",
        "tls-cert-file",
        "tls-key-file",
        "tls-ca-cert-file",
        "tls-auth-clients",
        "tls-replication",
        "tls-cluster",
        "tls-protocols",
        "user",
        "aclfile",
    ];
    let loaded = check("tls.conf", &warnings);
    assert_eq!(loaded.settings.port.get(), 0);
    assert_eq!(loaded.users.len(), 5);
    let default: Vec<&[u8]> = loaded.users[0].words.iter().map(Vec::as_slice).collect();
    assert_eq!(default, [b"user".as_slice(), b"default", b"off"]);
}

#[test]
fn the_modules_sample_loads_and_keeps_the_paths() {
    assert_eq!(check("modules.conf", &["loadmodule"]).modules.len(), 3);
}

#[test]
fn the_memory_optimisation_sample_loads() {
    let settings = check("memory-optimisation.conf", &[]).settings;
    assert!(settings.lazyfree_lazy_user_flush.get());
    assert_eq!(settings.hash_max_listpack_entries.get(), 128);
}

#[test]
fn the_keydb_sample_loads() {
    let loaded = check("keydb.conf", &["active-replica"]);
    assert_eq!(loaded.settings.io_threads.get(), 4);
    assert!(loaded.says("io-threads"));
    assert!(loaded.settings.replicaof.get().is_some());
}

#[test]
fn the_arguments_of_the_dragonfly_samples_load() {
    let arguments = [
        "--maxmemory=12gb",
        "--proactor_threads=8",
        "--requirepass=strong_password",
        "--snapshot_cron=*/30 * * * *",
    ];
    let check = |arguments: &[&str], warnings: &[&str]| {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let loaded = Settings::load(&LoadRequest { arguments, ..LoadRequest::default() }).unwrap();
        let found: Vec<&str> = loaded.warnings.iter().map(Warning::directive).collect();
        assert_eq!(found, warnings);
        assert_eq!(loaded.settings.maxmemory.get(), 12 << 30);
        assert_eq!(loaded.settings.io_threads.get(), 8);
        assert_eq!(&*loaded.settings.requirepass.get(), b"strong_password");
    };
    check(&arguments, &[]);
    let words =
        "--maxmemory 12gb --proactor_threads 8 --dbfilename dump.rdb --requirepass strong_password";
    check(&words.split(' ').collect::<Vec<_>>(), &[]);
}
