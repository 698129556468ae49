//! Fields that end: replies as the documentation of Redis 7.4 and 8.0 states them, what is logged, what
//! is told.

use crate::harness::Server;
use crate::traces::{events, listener};

const FAR: &str = "66666666666000";

fn array(codes: &[i64]) -> String {
    codes.iter().fold(format!("*{}\r\n", codes.len()), |all, code| format!("{all}:{code}\r\n"))
}

#[test]
fn expiries_are_set_and_removed() {
    let mut server = Server::new();
    let missing = "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n";
    let many = "-ERR The `numfields` parameter must match the number of arguments\r\n";
    let few = "-ERR Number of fields must be a positive integer\r\n";
    for (line, expected) in [
        ("hset h a 1 b 2 c 3", ":3\r\n"),
        ("object encoding h", "$8\r\nlistpack\r\n"),
        ("hexpire h 100 fields 2 a x", &array(&[1, -2])),
        ("object encoding h", "$9\r\nhashtable\r\n"),
        ("hexpire none 100 fields 2 a x", &array(&[-2, -2])),
        ("httl h fields 3 a b x", &array(&[100, -1, -2])),
        ("httl none fields 1 a", &array(&[-2])),
        ("hexpire h 50 nx fields 2 a b", &array(&[0, 1])),
        ("hexpire h 200 xx fields 2 a c", &array(&[1, 0])),
        ("hexpire h 100 gt fields 3 a b c", &array(&[0, 1, 0])),
        ("hexpire h 150 lt fields 3 a b c", &array(&[1, 0, 1])),
        ("hpexpireat h 66666666666000 fields 1 a", &array(&[1])),
        ("hexpiretime h fields 1 a", &array(&[66_666_666_666])),
        ("hpexpiretime h fields 1 a", &array(&[66_666_666_666_000])),
        ("hexpireat h 66666666665 fields 1 a", &array(&[1])),
        ("hpexpiretime h fields 1 a", &array(&[66_666_666_665_000])),
        ("hpersist h fields 3 a x a", &array(&[1, -2, -1])),
        ("hpersist h fields 1 a", &array(&[-1])),
        ("hpersist none fields 1 a", &array(&[-2])),
        ("hexpire h 0 fields 2 a a", &array(&[2, -2])),
        ("hpexpireat h 1 fields 2 b c", &array(&[2, 2])),
        ("exists h", ":0\r\n"),
        ("hexpire h 10 2 a", "-ERR wrong number of arguments for 'hexpire' command\r\n"),
        ("hexpire h 10 2 a b c", "-ERR unknown argument: 2\r\n"),
        ("hexpire h 10 nx nx nx", missing),
        ("hexpire h 10 fields 0 a", "-ERR Parameter `numFields` should be greater than 0\r\n"),
        ("hexpire h 10 fields 2 a", "-ERR wrong number of arguments for 'hexpire' command\r\n"),
        ("hexpire h 10 fields 1 a b", "-ERR unknown argument: b\r\n"),
        ("hexpire h x fields 1 a", "-ERR value is not an integer or out of range\r\n"),
        ("hexpire h -1 fields 1 a", "-ERR invalid expire time, must be >= 0\r\n"),
        (
            "hexpire h 9223372036854775807 fields 1 a",
            "-ERR invalid expire time in 'hexpire' command\r\n",
        ),
        ("httl h fields 0 a", few),
        ("httl h fields 1 a b", many),
        ("httl h field 1 a", missing),
        ("set k v", "+OK\r\n"),
        (
            "hexpire k 1 fields 1 a",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        ),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn writing_a_field_removes_its_expiry_and_adding_to_it_does_not() {
    let mut server = Server::new();
    server.line("hset h a 1");
    server.line("hexpire h 100 fields 1 a");
    server.check("hincrby h a 1", ":2\r\n");
    server.check("httl h fields 1 a", &array(&[100]));
    server.check("hincrbyfloat h a 1", "$1\r\n3\r\n");
    server.check("httl h fields 1 a", &array(&[100]));
    server.check("hset h a 1", ":0\r\n");
    server.check("httl h fields 1 a", &array(&[-1]));
}

#[test]
fn values_with_expiries() {
    let mut server = Server::new();
    for (line, expected) in [
        ("hsetex h fxx ex 100 fields 1 a 1", ":0\r\n"),
        ("exists h", ":0\r\n"),
        ("hsetex h fnx ex 100 fields 2 a 1 b 2", ":1\r\n"),
        ("httl h fields 2 a b", &array(&[100, 100])),
        ("hsetex h fnx fields 2 a 1 c 2", ":0\r\n"),
        ("hsetex h keepttl fields 2 a 2 c 3", ":1\r\n"),
        ("httl h fields 2 a c", &array(&[100, -1])),
        ("hgetex h persist fields 2 a x", "*2\r\n$1\r\n2\r\n$-1\r\n"),
        ("hgetex h ex 50 fields 1 c", "*1\r\n$1\r\n3\r\n"),
        ("hgetex h fields 1 c", "*1\r\n$1\r\n3\r\n"),
        ("httl h fields 2 a c", &array(&[-1, 50])),
        ("hgetdel h fields 3 a a x", "*3\r\n$1\r\n2\r\n$-1\r\n$-1\r\n"),
        ("hgetex h pxat 1 fields 2 b c", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("exists h", ":0\r\n"),
        ("hsetex h pxat 1 fields 1 a 1", ":1\r\n"),
        ("exists h", ":0\r\n"),
        ("hgetdel h fields 1 a", "*1\r\n$-1\r\n"),
        (
            "hsetex h fnx fxx fields 1 a 1",
            "-ERR Only one of FXX or FNX arguments can be specified\r\n",
        ),
        (
            "hsetex h ex 1 px 1 fields 1 a 1",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n",
        ),
        ("hsetex h xx fields 1 a 1", ":0\r\n"),
        ("hsetex h nx fields 1 a 1", ":1\r\n"),
        ("hsetex h nx fields 1 b 1", ":0\r\n"),
        ("hsetex h xx fnx px 5000 fields 1 b 1", ":1\r\n"),
        ("hsetex h nx xx fields 1 a 1", "-ERR syntax error\r\n"),
        ("hsetex h what fields 1 a 1", "-ERR unknown argument: what\r\n"),
        ("hsetex h fields 0 a 1", "-ERR invalid number of fields\r\n"),
        ("hsetex h fields 2 a 1 b", "-ERR wrong number of arguments for 'hsetex' command\r\n"),
        ("hsetex h fields 1 a 1 b", "-ERR unknown argument: b\r\n"),
        ("hgetex h ex -1 fields 1 a", "-ERR invalid expire time, must be >= 0\r\n"),
        ("hgetex h ex 1 fields 2 a", "-ERR wrong number of arguments for 'hgetex' command\r\n"),
        ("hgetex h fields 1 a b", "-ERR unknown argument: b\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn members_of_keydb() {
    let mut server = Server::new();
    server.line("hset h a 1 b 2");
    for (line, expected) in [
        ("expiremember h a 100", ":1\r\n"),
        ("httl h fields 1 a", &*array(&[100])),
        ("expiremember h a 5000 ms", ":1\r\n"),
        ("httl h fields 1 a", &array(&[5])),
        ("expiremember h a 5 days", "-ERR syntax error\r\n"),
        ("expiremember h x 100", ":0\r\n"),
        ("expiremember none x 100", ":0\r\n"),
        ("pexpiremember h a 3000", ":1\r\n"),
        ("expirememberat h a 66666666666", ":1\r\n"),
        ("hpexpiretime h fields 1 a", &array(&[66_666_666_666_000])),
        ("pexpirememberat h a 1", ":1\r\n"),
        ("hlen h", ":1\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn the_log_says_instants_and_removals() {
    let mut server = Server::new();
    let expire = format!("HPEXPIREAT h {FAR} FIELDS 2 a b");
    server.line("hset h a 1 b 2 c 3 d 4");
    server.check_log("hexpireat h 66666666666 fields 3 a b x", &[&expire]);
    server.check_log("hexpire h 100 nx fields 1 a", &[]);
    server.check_log("hpersist h fields 3 a c x", &["HPERSIST h FIELDS 1 a"]);
    server.line("hexpire h 100 fields 1 a");
    server.check_log("hpersist h fields 3 a x a", &["HPERSIST h FIELDS 1 a"]);
    server.check_log("hexpire h 0 fields 2 a x", &["HDEL h a"]);
    server.check_log("hgetdel h fields 2 c x", &["HDEL h c"]);
    server.check_log("hgetdel h fields 2 c x", &[]);
    server.check_log("hgetex h fields 1 b", &[]);
    server.check_log("hgetex h persist fields 1 b", &["HPERSIST h FIELDS 1 b"]);
    server.check_log(
        "hgetex h exat 66666666666 fields 2 b d",
        &[&format!("HPEXPIREAT h {FAR} FIELDS 2 b d")],
    );
    server.check_log("hsetex h fields 1 b 5", &["HSET h b 5"]);
    server.check_log("hsetex h keepttl fields 1 d 5", &["HSETEX h KEEPTTL FIELDS 1 d 5"]);
    server.check_log(
        "hsetex h exat 66666666666 fields 1 b 5",
        &[&format!("HSETEX h PXAT {FAR} FIELDS 1 b 5")],
    );
    server.check_log("hsetex h exat 1 fields 2 b 5 x 1", &["HDEL h b"]);
    server.check_log("hsetex none exat 1 fields 1 a 5", &[]);
}

/// As Redis 8.4 has it.
#[test]
fn fields_are_named_anywhere_among_the_options() {
    let mut server = Server::new();
    let twice = "-ERR FIELDS keyword specified multiple times\r\n";
    let several = "-ERR Multiple condition flags specified\r\n";
    for (line, expected) in [
        ("hsetex h fields 1 a 1 fxx", ":0\r\n"),
        ("hsetex h fields 2 a 1 fxx 2 fnx ex 100", ":1\r\n"),
        ("hmget h a fxx", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
        ("httl h fields 2 a fxx", &*array(&[100, 100])),
        ("hsetex h ex 50 fields 1 a 1 xx", ":1\r\n"),
        ("hsetex h fields 1 fxx 3 keepttl", ":1\r\n"),
        ("httl h fields 2 a fxx", &array(&[50, 100])),
        ("hgetex h fields 1 a persist", "*1\r\n$1\r\n1\r\n"),
        ("hgetex h fields 1 fxx ex 20", "*1\r\n$1\r\n3\r\n"),
        ("httl h fields 2 a fxx", &array(&[-1, 20])),
        ("hpexpire h 100000 fields 2 a fxx nx", &array(&[1, 0])),
        ("hexpire h 30 fields 1 fxx GT", &array(&[1])),
        ("httl h fields 2 a fxx", &array(&[100, 30])),
        ("hpexpire h fields 1 a nx", "-ERR value is not an integer or out of range\r\n"),
        ("hsetex h fields 1 a 1 fields 1 b 1", twice),
        ("hgetex h fields 1 a fields 1 b", twice),
        ("hexpire h 10 fields 1 a fields 1 b", twice),
        ("hexpire h 10 nx xx fields 1 a", several),
        ("hexpire h 10 gt fields 1 a lt", several),
        ("hexpire h 10 what fields 1 a", "-ERR unknown argument: what\r\n"),
        ("hgetex h keepttl fields 1 a", "-ERR unknown argument: keepttl\r\n"),
        ("httl h fields 2 a fxx", &array(&[100, 30])),
        ("command getkeys hsetex h fields 1 a 1 fxx", "*1\r\n$1\r\nh\r\n"),
        ("command getkeys hgetex h fields 1 a persist", "*1\r\n$1\r\nh\r\n"),
        ("command getkeys hpexpire h 100 fields 1 a nx", "*1\r\n$1\r\nh\r\n"),
    ] {
        server.check(line, expected);
    }
}

/// As Redis 7.4 has it: 46 bits of milliseconds.
#[test]
fn an_expiry_of_a_field_has_a_limit() {
    let mut server = Server::new();
    let last = array(&[(1 << 46) - 1]);
    let invalid = |name: &str| format!("-ERR invalid expire time in '{name}' command\r\n");
    for (line, expected) in [
        ("hset h a 1", ":1\r\n"),
        ("hpexpireat h 70368744177664 fields 1 a", &*invalid("hpexpireat")),
        ("hpexpire h 70368744177663 fields 1 a", &invalid("hpexpire")),
        ("hexpireat h 70368744178 fields 1 a", &invalid("hexpireat")),
        ("hexpire h 70368744177 fields 1 a", &invalid("hexpire")),
        ("hgetex h pxat 70368744177664 fields 1 a", &invalid("hgetex")),
        ("hsetex h px 70368744177663 fields 1 a 2", &invalid("hsetex")),
        ("pexpirememberat h a 70368744177664", &invalid("pexpirememberat")),
        ("hpexpireat none 70368744177664 fields 1 a", &invalid("hpexpireat")),
        ("hpexpiretime h fields 1 a", &array(&[-1])),
        ("hget h a", "$1\r\n1\r\n"),
        ("hpexpireat h 70368744177663 fields 1 a", &array(&[1])),
        ("hpexpiretime h fields 1 a", &last),
        ("hset h a 1", ":0\r\n"),
        ("hgetex h pxat 70368744177663 fields 1 a", "*1\r\n$1\r\n1\r\n"),
        ("hpexpiretime h fields 1 a", &last),
        ("hsetex h pxat 70368744177663 fields 1 b 1", ":1\r\n"),
        ("hpexpiretime h fields 1 b", &last),
        ("hset h a 1", ":0\r\n"),
        ("pexpirememberat h a 70368744177663", ":1\r\n"),
        ("hpexpiretime h fields 1 a", &last),
        ("sadd s a", ":1\r\n"),
        ("pexpirememberat s a 70368744177664", ":1\r\n"),
    ] {
        server.check(line, expected);
    }
}

/// A file is loaded over such a link as well.
#[test]
fn a_primary_may_go_beyond_the_limit() {
    let mut server = Server::new();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    server.apply(&mut link, "hset h a 1");
    server.apply(&mut link, "hpexpireat h 99999999999000 fields 1 a");
    server.apply(&mut link, "hsetex h PXAT 99999999999000 FIELDS 1 b 1");
    server.check("hpexpiretime h fields 2 a b", &array(&[99_999_999_999_000, 99_999_999_999_000]));
}

/// As Redis's own tests of keyspace events have it.
#[test]
fn setting_what_has_passed_tells_of_the_setting_and_the_removal() {
    let mut server = Server::new();
    let (_listener, mailbox) = listener(&server);
    let (both, emptied) = (&["0 hset h", "0 hdel h"][..], &["0 hset h", "0 hdel h", "0 del h"][..]);
    for (line, reply, expected) in [
        ("hsetex h pxat 1 fields 1 a 1", ":1\r\n", emptied),
        ("exists h", ":0\r\n", &[]),
        ("hset h a 1 b 2", ":2\r\n", &["0 hset h"]),
        ("hsetex h fxx pxat 1 fields 1 x 1", ":0\r\n", &[]),
        ("hsetex h fnx pxat 1 fields 1 x 1", ":1\r\n", both),
        ("hsetex h pxat 1 fields 2 a 1 x 1", ":1\r\n", both),
        ("hlen h", ":1\r\n", &[]),
        ("hsetex h pxat 1 fields 2 b 1 x 1", ":1\r\n", emptied),
        ("exists h", ":0\r\n", &[]),
    ] {
        server.check(line, reply);
        assert_eq!(events(mailbox), expected, "{line}");
    }
}

/// A primary whose hash `h` holds the lasting field `live` and those of `ended`, which have ended.
fn with_ended(ended: &[&str]) -> Server {
    let mut server = Server::new();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    server.apply(&mut link, "hset h live 1");
    for field in ended {
        server.apply(&mut link, &format!("hset h {field} 7"));
        server.apply(&mut link, &format!("hpexpireat h 1000 fields 1 {field}"));
    }
    // To the primary's stream they are there; to clients they are not.
    server.apply(&mut link, &format!("hincrby h {} 1", ended[0]));
    server.check(&format!("hget h {}", ended[0]), "$-1\r\n");
    server.check("hgetall h", "*2\r\n$4\r\nlive\r\n$1\r\n1\r\n");
    let alone = server.node().keyspace.gate.exclusive();
    server.node().change_role(&alone, None);
    drop(alone);
    server.logged();
    server
}

#[test]
fn ended_fields_are_hidden_and_taken_out_when_asked_for() {
    for (line, reply, logged) in [
        ("hget h a", "$-1\r\n", &["HDEL h a"][..]),
        ("hmget h a live b", "*3\r\n$-1\r\n$1\r\n1\r\n$-1\r\n", &["HDEL h a b"]),
        ("hexists h a", ":0\r\n", &["HDEL h a"]),
        ("hstrlen h a", ":0\r\n", &["HDEL h a"]),
        ("httl h fields 1 a", "*1\r\n:-2\r\n", &["HDEL h a"]),
        ("hkeys h", "*1\r\n$4\r\nlive\r\n", &[]),
        ("hvals h", "*1\r\n$1\r\n1\r\n", &[]),
        ("hrandfield h 3", "*1\r\n$4\r\nlive\r\n", &[]),
        ("hscan h 0 novalues count 100", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nlive\r\n", &[]),
        ("hset h a 1", ":1\r\n", &["hset h a 1"]),
        ("hsetnx h a 1", ":1\r\n", &["HDEL h a", "hsetnx h a 1"]),
        ("hincrby h a 1", ":1\r\n", &["HDEL h a", "hincrby h a 1"]),
        ("hincrbyfloat h a 1", "$1\r\n1\r\n", &["HDEL h a", "HSET h a 1"]),
        ("hdel h a", ":0\r\n", &["HDEL h a"]),
        ("hexpire h 100 fields 1 a", "*1\r\n:-2\r\n", &["HDEL h a"]),
        ("hpersist h fields 1 a", "*1\r\n:-2\r\n", &["HDEL h a"]),
        ("hgetdel h fields 2 a live", "*2\r\n$-1\r\n$1\r\n1\r\n", &["HDEL h a", "HDEL h live"]),
        ("hsetex h fnx fields 1 a 1", ":1\r\n", &["HDEL h a", "HSET h a 1"]),
    ] {
        let mut server = with_ended(&["a", "b"]);
        server.check(line, reply);
        let mut found = server.logged();
        found.retain(|line| line != "SELECT 0");
        if logged.len() > 1 {
            assert_eq!(
                (found.remove(0), found.pop()),
                ("MULTI".into(), Some("EXEC".into())),
                "{line}"
            );
        }
        assert_eq!(found, logged, "{line}");
        let counted = server.line("info stats").contains("expired_subkeys:");
        assert_eq!(counted, logged.first().is_some_and(|first| *first != "hset h a 1"), "{line}");
    }
}
