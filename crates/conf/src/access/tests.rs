//! CONFIG GET and SET. Expected texts and values were observed with Redis 7.0.15.

use super::*;
use proptest::prelude::*;

fn set(settings: &Settings, pairs: &[(&str, &str)]) -> Result<(), String> {
    settings.set(pairs).map(|_| ()).map_err(|error| error.to_string())
}

fn shown(settings: &Settings, name: &str) -> String {
    let found = settings.get(&[name]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).unwrap()
}

#[test]
fn values_are_shown_as_stock_shows_them() {
    let settings = Settings::new();
    for (name, given, expected) in [
        ("maxmemory", "1k", "1000"),
        ("maxmemory", "1kb", "1024"),
        ("maxmemory", "2Gb", "2147483648"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "1mb", "1048576"),
        ("save", "", ""),
        ("save", "1 2 3 4", "1 2 3 4"),
        ("save", "900 1", "900 1"),
        (
            "client-output-buffer-limit",
            "replica 1gb 512mb 10",
            "normal 0 0 0 slave 1073741824 536870912 10 pubsub 33554432 8388608 60",
        ),
        ("notify-keyspace-events", "KEA", "AKE"),
        // Stock 7.0.15 forgets the n here.
        ("notify-keyspace-events", "KEAn", "AnKE"),
        ("notify-keyspace-events", "g$lshzxetdKm", "AKm"),
        ("notify-keyspace-events", "nmKElx", "lxnKEm"),
        ("shutdown-on-sigint", "nosave now", "nosave now"),
        ("shutdown-on-sigint", "default", "default"),
        ("latency-tracking-info-percentiles", "50.0 99.90", "50 99.9"),
        ("latency-tracking-info-percentiles", "", ""),
        ("loglevel", "VERBOSE", "verbose"),
        ("appendonly", "YES", "yes"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("list-max-listpack-size", "-5", "-5"),
        ("requirepass", "a b", "a b"),
        ("slave-priority", "7", "7"),
    ] {
        assert_eq!(set(&settings, &[(name, given)]), Ok(()), "{name} {given}");
        assert_eq!(shown(&settings, name), expected, "{name} {given}");
    }
    assert_eq!(settings.replica_priority.get(), 7);
    assert_eq!(settings.maxmemory_clients.get(), 1 << 20);
    assert_eq!(settings.loglevel.get(), crate::LogLevel::Verbose);
}

/// Setting, value, reason.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("maxclients", "abc", "argument couldn't be parsed into an integer"),
    ("timeout", "010", "argument couldn't be parsed into an integer"),
    ("timeout", "+1", "argument couldn't be parsed into an integer"),
    ("maxmemory", "abc", "argument must be a memory value"),
    ("maxmemory", "-1", "argument must be a memory value"),
    ("maxmemory", "1.5mb", "argument must be a memory value"),
    ("maxmemory", "1 mb", "argument must be a memory value"),
    ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
    ("maxmemory-clients", "x%", "argument must be a memory or percent value"),
    ("maxmemory-clients", "-5", "argument must be a memory or percent value"),
    ("hz", "-1", "argument must be between 0 and 2147483647 inclusive"),
    ("maxclients", "4294967296", "argument must be between 1 and 4294967295 inclusive"),
    (
        "list-max-listpack-size",
        "99999999999",
        "argument must be between -2147483648 and 2147483647 inclusive",
    ),
    ("proto-max-bulk-len", "10", "argument must be between 1048576 and 4293918720 inclusive"),
    ("proto-max-bulk-len", "4gb", "argument must be between 1048576 and 4293918720 inclusive"),
    ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
    ("appendfsync", "foo", "argument(s) must be one of the following: everysec, always, no"),
    (
        "shutdown-on-sigint",
        "foo",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    (
        "shutdown-on-sigint",
        "",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    (
        "shutdown-on-sigint",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    ("save", "900", "Invalid save parameters"),
    ("save", "0 1", "Invalid save parameters"),
    (
        "client-output-buffer-limit",
        "normal 1 2",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "master 0 0 0",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "normal 1gb a 0",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    (
        "oom-score-adj-values",
        "1 2 3000",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    ("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
    ("proc-title-template", "{foo}", "template format is invalid or contains unknown variables"),
    (
        "cluster-announce-hostname",
        "a_b",
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    ),
    ("daemonize", "yes", "can't set immutable config"),
    ("replicaof", "a 1", "can't set immutable config"),
    ("dir", "/", "can't set protected config"),
];

#[test]
fn refusals_have_the_texts_of_stock() {
    let settings = Settings::new();
    for (name, given, reason) in REFUSALS {
        let text = format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(set(&settings, &[(name, given)]), Err(text));
    }
}

#[test]
fn several_pairs_are_set_together_or_not_at_all() {
    let settings = Settings::new();
    let rows =
        settings.set(&[("maxmemory", "3mb"), ("SLAVE-priority", "2"), ("save", "")]).unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names, ["maxmemory", "replica-priority", "save"]);
    let failed = |pairs: &[(&str, &str)], text: &str| {
        assert_eq!(set(&settings, pairs), Err(text.to_owned()));
        assert_eq!(settings.maxmemory.get(), 3 << 20);
    };
    failed(&[("foo", "bar")], "Unknown option or number of arguments for CONFIG SET - 'foo'");
    failed(
        &[("maxmemory", "1"), ("foo", "2")],
        "Unknown option or number of arguments for CONFIG SET - 'foo'",
    );
    failed(
        &[("maxmemory", "1"), ("maxmemory", "2")],
        "CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate parameter",
    );
    failed(
        &[("maxmemory", "1"), ("timeout", "x")],
        "CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
    );
}

#[test]
fn a_change_can_be_undone() {
    let settings = Settings::new();
    let change = settings.change(&[("port", "1"), ("save", "1 1")], Caller::Remote).unwrap();
    assert_eq!(settings.port.get(), 1);
    settings.undo(change);
    assert_eq!(settings.port.get(), 6379);
    assert_eq!(settings.save.get().len(), 3);
}

#[test]
fn protected_settings_open_to_whom_they_should() {
    for (mode, local, remote) in [
        (ProtectedAction::No, false, false),
        (ProtectedAction::Local, true, false),
        (ProtectedAction::Yes, true, true),
    ] {
        let settings = Settings::new();
        settings.enable_protected_configs.set(mode);
        let works = |caller| settings.change(&[("dbfilename", "x.rdb")], caller).is_ok();
        assert_eq!((works(Caller::Local), works(Caller::Remote)), (local, remote), "{mode}");
    }
}

#[test]
fn patterns_find_visible_names_and_names_find_everything() {
    let settings = Settings::new();
    let names = |patterns: &[&str]| -> Vec<&'static str> {
        settings.get(patterns).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&["*slave-priority*"]), ["slave-priority"]);
    assert_eq!(names(&["watchdog-perio?"]), [""; 0]);
    assert_eq!(names(&["watchdog-period"]), ["watchdog-period"]);
    assert_eq!(names(&["server-thread[s]"]), [""; 0]);
    assert_eq!(names(&["server-threads"]), ["server-threads"]);
    assert_eq!(names(&["PORT", "por*", "port"]), ["port"]);
    assert_eq!(names(&["nothing"]), [""; 0]);
    assert_eq!(names(&["slowlog-max-len", "hz"]), ["hz", "slowlog-max-len"]);
}

proptest! {
    #[test]
    fn what_is_shown_can_be_set_again(at in 0..ROWS.len(), value in "[a-z0-9% ]{0,12}|[0-9]{1,6}(kb)?") {
        let row = &ROWS[at];
        let settings = Settings::new();
        settings.enable_protected_configs.set(ProtectedAction::Yes);
        if row.mutability == Mutability::Immutable || settings.set(&[(row.name, &value)]).is_err() {
            return Ok(());
        }
        let first = settings.get(&[row.name]);
        let other = Settings::new();
        other.enable_protected_configs.set(ProtectedAction::Yes);
        let again = other.set(&[(row.name, &first[0].1)]);
        prop_assert!(again.is_ok(), "{}: {:?}", row.name, again);
        prop_assert_eq!(other.get(&[row.name]), first);
    }
}
