//! The process: its title, stops by signal, called off and insisted on, and what a background save says
//! of itself.

use crate::server::Server;
use resp::value::Value;

#[test]
fn a_signal_is_called_off() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
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
