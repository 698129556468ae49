//! The process: its title, where its threads run, stops by signal, called off and insisted on, and what a background save says
//! of itself.

use crate::server::{Client, Server, request, wait_until};
use resp::value::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

fn ok() -> Value {
    Value::Simple("OK".into())
}

#[test]
fn a_signal_is_called_off() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let nothing = Value::Error("ERR No shutdown in progress.".into());
    assert_eq!(client.call(&["shutdown", "abort"]), nothing);
    for _ in 0..2 {
        client.call(&["debug", "pause-cron", "1"]);
        server.signal("TERM");
        // It arrives when it arrives.
        while client.call(&["shutdown", "abort"]) == nothing {}
        client.call(&["debug", "pause-cron", "0"]);
        assert_eq!(client.call(&["ping"]), Value::Simple("PONG".into()));
    }
    // Each was taken up by now, and none of them has ended it.
    server.signal("TERM");
    assert_eq!(server.code(), Some(0));
}

#[test]
fn the_title_is_what_the_template_says() {
    let server = Server::start(&[]);
    assert_eq!(server.title(), format!("{} 127.0.0.1:{}", Server::program(), server.port));
    let long = "x".repeat(400);
    server.connect().set("proc-title-template", &format!("{long} {{port}}"));
    assert_eq!(server.title(), format!("{long} {}", server.port));
    server.connect().set("proc-title-template", "short");
    assert_eq!(server.title(), "short");
}

#[test]
fn a_second_interrupt_ends_a_save_at_once() {
    let mut server = Server::start(&["--save", "900 1"]);
    let mut client = server.connect();
    for number in 0..100 {
        client.call(&["set", &number.to_string(), "v"]);
    }
    client.set("rdb-key-save-delay", "10000000");
    server.signal("INT");
    server.wait_for_file("temp-", true);
    server.signal("INT");
    assert_eq!(server.code(), Some(1));
    server.wait_for_file("temp-", false);
    server.wait_for_file("dump.rdb", false);
}

/// The pause of a stop is not that of clients: what is acknowledged during the last save would be lost.
#[test]
fn nobody_lifts_the_pause_of_a_stop() {
    let mut server = Server::start(&[]);
    let mut control = server.connect();
    for number in 0..100 {
        control.call(&["set", &number.to_string(), "v"]);
    }
    control.set("rdb-key-save-delay", "10000000");
    let (mut stopping, mut writer) = (server.connect(), server.connect());
    stopping.send(&request(&["shutdown", "save"]));
    server.wait_for_file("temp-", true);
    assert_eq!(control.call(&["client", "pause", "100000", "write"]), ok());
    assert_eq!(control.call(&["client", "unpause"]), ok());
    writer.send(&request(&["set", "late", "v"]));
    // It waits, and so does who has asked for the stop.
    server.wait_for_parked(1);
    control.set("rdb-key-save-delay", "0");
    assert!(writer.rest().is_empty(), "what the file lacks is acknowledged");
    assert_eq!(server.code(), Some(0));
}

#[test]
fn a_stop_that_fails_leaves_the_pause_of_clients() {
    let server = Server::start(&[]);
    // The snapshot cannot take this name.
    std::fs::create_dir(server.dir.path().join("dump.rdb")).unwrap();
    let (mut control, mut writer) = (server.connect(), server.connect());
    assert_eq!(control.call(&["client", "pause", "100000", "write"]), ok());
    let failed = "ERR Errors trying to SHUTDOWN. Check logs.";
    assert_eq!(control.call(&["shutdown", "save"]), Value::Error(failed.into()));
    control.send(&request(&["set", "k", "v"]));
    writer.send(&request(&["incr", "n"]));
    // There is nobody else who waits.
    server.wait_for_parked(1);
    assert_eq!(server.connect().call(&["client", "unpause"]), ok());
    assert_eq!((control.reply(), writer.reply()), (ok(), Value::Integer(1)));
}

#[test]
fn a_save_tells_how_far_it_is_and_what_was_saved_ahead() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for number in 0..1000 {
        client.call(&["set", &format!("k{number}"), &"A".repeat(500)]);
    }
    client.set("rdb-key-save-delay", "10000000");
    assert_eq!(server.info("current_cow_size"), 0);
    client.call(&["bgsave"]);
    assert_eq!(server.info("current_save_keys_total"), 1000);
    for number in 0..1000 {
        client.call(&["setrange", &format!("k{number}"), "0", "B"]);
    }
    // The walk stands at its first keys.
    let ahead = server.info("current_cow_size");
    assert!(ahead > 900 * 500, "{ahead}");
    client.set("rdb-key-save-delay", "0");
    server.wait_for_info("rdb_bgsave_in_progress", 0);
    assert_eq!(server.info("rdb_last_cow_size"), ahead);
    assert_eq!(server.info("current_cow_size"), 0);
    assert_eq!(server.info("rdb_saves"), 1);
}

/// The processors of a thread or process, by its file under `/proc`.
fn processors(status: &str) -> String {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap_or_default().trim().to_owned()
}

#[test]
fn threads_run_on_the_processors_that_are_named() {
    let all = processors("/proc/thread-self/status");
    let first: String = all.chars().take_while(char::is_ascii_digit).collect();
    for (setting, bound, free) in [
        ("server-cpulist", &["loop-0", "loop-1", "repl-link", "repl-replicas"][..], "redoubt"),
        ("server_cpulist", &["saver", "aof-rewrite"], "aof"),
        ("bgsave-cpulist", &["saver"], "loop-0"),
        ("aof-rewrite-cpulist", &["aof-rewrite"], "aof"),
        ("bio-cpulist", &["aof", "freeing"], "loop-0"),
    ] {
        let server = Server::start(&[&format!("--{setting}"), &first, "--appendonly", "yes"]);
        let mut client = server.connect();
        client.call(&["set", "key", "value"]);
        for thread in bound {
            // A thread that saves is there while it has to wait at a key.
            client.set("rdb-key-save-delay", "100000000");
            match *thread {
                "saver" => drop(client.call(&["bgsave"])),
                "aof-rewrite" => drop(client.call(&["bgrewriteaof"])),
                "freeing" => free_a_set(&mut client),
                _ => {}
            }
            server.wait_for_thread(thread, &first, processors);
            client.set("rdb-key-save-delay", "0");
            server.wait_for_info("rdb_bgsave_in_progress", 0);
            server.wait_for_info("aof_rewrite_in_progress", 0);
        }
        server.wait_for_thread(free, &all, processors);
    }
}

/// Has a large set freed behind.
fn free_a_set(client: &mut Client<TcpStream>) {
    let members: Vec<String> = (0..10_000).map(|number| format!("member:{number}")).collect();
    let words = ["sadd", "set"].into_iter().chain(members.iter().map(String::as_str));
    client.call(&words.collect::<Vec<_>>());
    assert_eq!(client.call(&["unlink", "set"]), Value::Integer(1));
}

#[test]
fn a_load_waits_for_each_key_until_it_is_told_not_to() {
    let primary = Server::start(&[]);
    let mut client = primary.connect();
    for number in 0..100 {
        client.call(&["set", &number.to_string(), "v"]);
    }
    client.call(&["save"]);
    // An hour for each key.
    let replica = Server::start(&["--key-load-delay", "2147483647"]);
    let mut to = replica.connect();
    to.call(&["replicaof", "127.0.0.1", &primary.port.to_string()]);
    replica.wait_for_info("master_sync_in_progress", 1);
    to.set("key-load-delay", "0");
    replica.wait_for_info("master_sync_in_progress", 0);
    assert_eq!(to.call(&["dbsize"]), Value::Integer(100));
}

#[test]
fn a_hangup_is_passed_over() {
    let mut server = Server::start(&[]);
    server.signal("HUP");
    server.signal("TERM");
    assert_eq!(server.code(), Some(0), "of the second signal");
}

#[test]
fn a_log_that_cannot_be_opened_ends_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (_, said) = Server::start_in(dir, &["--logfile", "absent/log"]).err().unwrap();
    assert!(said.contains("Can't open the log file: No such file or directory"), "{said}");
}

#[test]
fn a_daemon_reads_what_came_from_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let path = dir.path().to_str().unwrap();
    let lines = format!("daemonize yes\nport {port}\nrequirepass secret\ndir {path}\nsave \"\"\n");
    let mut starter = Command::new(Server::program())
        .args(["server", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    starter.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(starter.wait().unwrap().success());
    let mut stream = None;
    let connects = || {
        stream = TcpStream::connect(("127.0.0.1", port)).ok();
        stream.is_some()
    };
    wait_until(connects, || "the daemon listens nowhere".to_owned());
    let mut client = Client::new(stream.unwrap());
    assert!(matches!(client.call(&["ping"]), Value::Error(_)), "without the password");
    assert_eq!(client.call(&["auth", "secret"]), ok());
    client.send(&request(&["shutdown", "nosave"]));
    assert!(client.rest().is_empty());
}
