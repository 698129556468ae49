//! Loading: errors, includes, order. Error texts were observed with Redis 7.0.15.

use super::*;
use crate::{Plain, table};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn load(lines: &str) -> Result<Loaded, LoadError> {
    Settings::load(&LoadRequest { stdin: Some(lines.to_owned()), ..LoadRequest::default() })
}

fn reason(lines: &str) -> String {
    let text = load(lines).unwrap_err().to_string();
    text.lines().last().unwrap_or_default().to_owned()
}

fn load_file(path: &Path) -> Result<Loaded, LoadError> {
    Settings::load(&LoadRequest { path: Some(path.to_path_buf()), ..LoadRequest::default() })
}

#[test]
fn an_error_names_file_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.conf");
    fs::write(&path, "# first\nport 1\nmaxclients abc\n").unwrap();
    let expected = format!(
        "\n*** FATAL CONFIG FILE ERROR (Redoubt {}) ***\n\
         Reading the configuration file {}, at line 3\n\
         >>> 'maxclients abc'\n\
         argument couldn't be parsed into an integer",
        env!("CARGO_PKG_VERSION"),
        path.display()
    );
    assert_eq!(load_file(&path).unwrap_err().to_string(), expected);

    let absent = dir.path().join("absent.conf");
    let expected = format!(
        "Fatal error, can't open config file '{}': No such file or directory",
        absent.display()
    );
    assert_eq!(load_file(&absent).unwrap_err().to_string(), expected);
}

#[test]
fn reasons_have_the_texts_of_stock() {
    for (lines, expected) in [
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("foo bar", "Bad directive or wrong number of arguments"),
        ("\"\" x", "Bad directive or wrong number of arguments"),
        ("rename-command FOO", "Bad directive or wrong number of arguments"),
        ("user", "Bad directive or wrong number of arguments"),
        ("loadmodule", "Bad directive or wrong number of arguments"),
        ("port \"1", "Unbalanced quotes in configuration line"),
        ("save 1", "Invalid save parameters"),
        ("port 65536", "argument must be between 0 and 65535 inclusive"),
        ("unixsocketperm 888", "argument couldn't be parsed as an octal number"),
        ("replicaof a 70000", "Invalid master port"),
        ("replicaof a", "wrong number of arguments"),
        ("slaveof no one x", "wrong number of arguments"),
        (
            "client-output-buffer-limit normal 0 0",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "shutdown-on-sigint",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "maxmemory-policy foo",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
             volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        ("sentinel monitor a b 1 2", "sentinel directive while not in sentinel mode"),
    ] {
        assert_eq!(reason(lines), expected, "{lines}");
    }
}

#[test]
fn the_arguments_come_last_and_are_named_in_errors() {
    let request = |arguments: &[&str]| LoadRequest {
        stdin: Some("port 1\nmaxmemory 1gb".to_owned()),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        ..LoadRequest::default()
    };
    let loaded = Settings::load(&request(&["--port", "2", "--maxmemory 700mb"])).unwrap();
    assert_eq!(loaded.settings.port.get(), 2);
    assert_eq!(loaded.settings.maxmemory.get(), 700 << 20);
    let error = Settings::load(&request(&["--hz", "10", "--port", "x"])).unwrap_err().to_string();
    assert!(error.contains("in the arguments, at line 2\n>>> 'port \"x\"'\n"), "{error}");
    assert!(Settings::load(&request(&["--port"])).is_err());
    assert!(Settings::load(&request(&["--nothing", "1"])).is_err());
}

#[test]
fn save_lines_replace_the_default_and_add_to_each_other() {
    let rules = |lines: &str| load(lines).unwrap().settings.save.get().to_vec();
    assert_eq!(rules(""), [(3600, 1), (300, 100), (60, 10000)]);
    assert_eq!(rules("save 1 2"), [(1, 2)]);
    assert_eq!(rules("save 1 2\nsave 3 4 5 6"), [(1, 2), (3, 4), (5, 6)]);
    assert_eq!(rules("save \"1 2\""), [(1, 2)]);
    assert_eq!(rules("save 1 2\nsave \"\""), []);
    assert_eq!(rules("save \"\"\nsave 3 4"), [(3, 4)]);
    assert_eq!(rules("save"), []);
}

#[test]
fn a_sentinel_line_needs_a_sentinel() {
    let line = "sentinel monitor m 127.0.0.1 6379 2";
    assert!(load(line).is_err());
    let loaded = load(&format!("{line}\nsentinel-port 26379")).unwrap();
    assert_eq!(loaded.sentinel.len(), 1);
    assert_eq!(loaded.settings.port.get(), 6379);
    let request = LoadRequest {
        stdin: Some(line.to_owned()),
        arguments: vec!["--sentinel".to_owned()],
        ..LoadRequest::default()
    };
    let loaded = Settings::load(&request).unwrap();
    assert!(loaded.sentinel_mode);
    assert_eq!(loaded.settings.port.get(), 26379);
    assert!(!loaded.settings.protected_mode.get());
}

#[test]
fn includes_are_read_in_place_patterns_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
    let here = dir.path().display().to_string();
    write("b.inc", "port 2\nhz 20\n".to_owned());
    write("a.inc", "port 1\nhz 30\nmaxclients 5\n".to_owned());
    write(
        "main.conf",
        format!("maxclients 1\ninclude \"{here}/*.inc\"\nhz 40\ninclude {here}/x*\n"),
    );
    let loaded = load_file(&dir.path().join("main.conf")).unwrap();
    assert_eq!(loaded.settings.port.get(), 2);
    assert_eq!(loaded.settings.hz.get(), 40);
    assert_eq!(loaded.settings.maxclients.get(), 5);
    assert_eq!(loaded.includes, [dir.path().join("a.inc"), dir.path().join("b.inc")]);

    write("absent.conf", format!("include {here}/absent\n"));
    let error = load_file(&dir.path().join("absent.conf")).unwrap_err().to_string();
    assert!(error.contains("absent.conf, at line 1"), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");

    write("loop.conf", format!("include {here}/loop.conf\n"));
    let error = load_file(&dir.path().join("loop.conf")).unwrap_err().to_string();
    assert!(error.ends_with("too many included files"), "{error}");

    write("bad.inc", "port x\n".to_owned());
    write("bad.conf", format!("port 1\ninclude {here}/bad.inc\n"));
    let error = load_file(&dir.path().join("bad.conf")).unwrap_err().to_string();
    assert!(error.contains("bad.inc, at line 1"), "{error}");
}

#[test]
fn lines_for_other_parts_are_handed_over() {
    let loaded =
        load("rename-command FLUSHALL \"\"\nRENAME-COMMAND config cfg\nloadmodule /m.so a b")
            .unwrap();
    let pair = |old: &str, new: &str| (old.as_bytes().to_vec(), new.as_bytes().to_vec());
    assert_eq!(loaded.renamed, [pair("FLUSHALL", ""), pair("config", "cfg")]);
    assert_eq!(loaded.modules[0].words.len(), 4);
    assert_eq!(loaded.modules[0].line_number, 3);
}

#[test]
fn processors_and_formats_are_looked_at() {
    for name in ["server-cpulist", "bio_cpulist", "aof-rewrite-cpulist", "bgsave_cpulist"] {
        for (list, is_taken) in [
            ("0,2-4", true),
            ("0-7:2", true),
            ("\"\"", true),
            ("4-2", false),
            ("all", false),
            ("2048", false),
        ] {
            let loaded = load(&format!("{name} {list}"));
            let warnings = loaded.ok().map(|loaded| loaded.warnings.len());
            assert_eq!(warnings, is_taken.then_some(0), "{name} {list}");
        }
        let text = reason(&format!("{name} x"));
        assert!(text.contains("argument must be a list of processors"), "{text}");
    }
    for (value, is_taken) in [
        ("false", true),
        ("no", true),
        ("0", true),
        ("\"\"", true),
        ("true", false),
        ("yes", false),
    ] {
        let loaded = load(&format!("df_snapshot_format {value}"));
        let warnings = loaded.ok().map(|loaded| loaded.warnings.len());
        assert_eq!(warnings, is_taken.then_some(0), "{value}");
    }
    let text = reason("df_snapshot_format true");
    assert!(text.contains("snapshots are RDB files"), "{text}");
}

#[test]
fn what_is_not_built_warns_once_and_not_when_switched_off() {
    let warnings = |lines: &str| -> Vec<&'static str> {
        load(lines).unwrap().warnings.iter().map(Warning::directive).collect()
    };
    let twice = "cluster-enabled yes\ncluster-enabled yes\nslaveof a 1";
    assert_eq!(warnings(twice), ["cluster-enabled"]);
    assert_eq!(warnings("appendonly yes\ncluster-enabled no\ntls-port 0"), [""; 0]);
    assert_eq!(warnings("tls-port 7000\ncluster-enabled yes").len(), 2);
    assert_eq!(warnings("lua-replicate-commands yes"), ["lua-replicate-commands"]);
}

/// What the test suite of Valkey writes for each server it starts.
#[test]
fn the_directives_of_the_peer_suite_load() {
    let lines = "always-show-logo yes\nnotify-keyspace-events KEA\ndaemonize no\npidfile /x.pid\n\
        port 6379\ntimeout 0\nbind 127.0.0.1\nloglevel verbose\nlogfile ''\ndatabases 16\n\
        latency-monitor-threshold 1\nrepl-diskless-sync-delay 0\nsave ''\nrdbcompression yes\n\
        dbfilename dump.rdb\ndir ./\nslave-serve-stale-data yes\nappendonly no\n\
        appendfsync everysec\nno-appendfsync-on-rewrite no\nactiverehashing yes\n\
        enable-protected-configs yes\nenable-debug-command yes\nenable-module-command yes\n\
        propagation-error-behavior panic\nshutdown-on-sigterm force\nenable-debug-assert yes\n\
        hide-user-data-from-log yes\nunixsocket /x.sock\ncluster-ping-interval 100\n";
    assert_eq!(load(lines).unwrap().settings.shutdown_on_sigterm.get().bits(), 8);
}

#[test]
fn the_directory_is_absolute_after_loading() {
    let here = std::env::current_dir().unwrap().display().to_string();
    assert_eq!(load("").unwrap().settings.dir.string(), here);
    assert_eq!(load("dir ./x").unwrap().settings.dir.string(), format!("{here}/x"));
    assert_eq!(load("dir /x").unwrap().settings.dir.string(), "/x");
}

fn any_line() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = table::ROWS.iter().map(|row| row.name).collect();
    let words = prop_oneof![
        "[0-9]{1,20}",
        "yes|no|on",
        "[0-9]{1,4}(k|kb|mb|gb|%)",
        "\"\"",
        "[ -~]{0,8}",
        "#",
        "'",
        "\"",
        "normal 0 0 0",
    ];
    let name = prop_oneof![
        proptest::sample::select(names).prop_map(ToOwned::to_owned),
        "user|loadmodule|sentinel|rename-command|logevel|[a-z]{1,5}",
    ];
    (name, proptest::collection::vec(words, 0..4))
        .prop_map(|(name, words)| format!("{name} {}", words.join(" ")))
}

proptest! {
    #[test]
    fn no_bytes_make_the_loader_panic(text: String) {
        let _ = load(&text);
    }

    #[test]
    fn no_lines_make_the_loader_panic(lines in proptest::collection::vec(any_line(), 0..8)) {
        let text = lines.join("\n");
        if let Ok(loaded) = load(&text) {
            let again: Vec<Plain> = loaded.settings.cells().iter().map(|cell| cell.plain()).collect();
            prop_assert_eq!(again.len(), table::ROWS.len());
        }
    }

    #[test]
    fn no_file_makes_the_loader_panic(bytes: Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.conf");
        fs::write(&path, bytes).unwrap();
        let _ = load_file(&path);
    }

    #[test]
    fn no_arguments_make_the_loader_panic(arguments: Vec<String>) {
        let (mut request, _) = LoadRequest::from_command_line(&arguments);
        request.path = None;
        let _ = Settings::load(&request);
    }
}
