//! Groups: what they are given, hold, are told and log.

use super::*;
use crate::traces::{events, listener};

#[test]
fn groups_share_entries_out() {
    let mut server = with_stream();
    let entry = |id: &str, name: &str, value: &str| {
        format!("*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\n{name}\r\n$1\r\n{value}\r\n")
    };
    let of_s = |entries: &[String]| {
        format!("*1\r\n*2\r\n$1\r\ns\r\n*{}\r\n{}", entries.len(), entries.concat())
    };
    let (first, second) = (entry("1-1", "a", "1"), entry("1-2", "a", "2"));
    let third = entry("2-0", "b", "3");
    check_all(
        &mut server,
        &[
            ("xgroup create s g 0", "+OK\r\n"),
            ("xgroup create s g 0", "-BUSYGROUP Consumer Group name already exists\r\n"),
            ("xreadgroup group g c count 1 streams s >", &of_s(std::slice::from_ref(&first))),
            ("xreadgroup group g d streams s >", &of_s(&[second.clone(), third.clone()])),
            ("xreadgroup group g d streams s >", "*-1\r\n"),
            ("xreadgroup group g d streams s 1-2", &of_s(std::slice::from_ref(&third))),
            ("xreadgroup group g c count 9 streams s 5", &of_s(&[])),
            (
                "xpending s g",
                "*4\r\n:3\r\n$3\r\n1-1\r\n$3\r\n2-0\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n\
              *2\r\n$1\r\nd\r\n$1\r\n2\r\n",
            ),
            ("xpending s g - + 5 nobody", "*0\r\n"),
            ("xpending s g idle 99999999 - + 5", "*0\r\n"),
            ("xack s g 1-1 9-9 1-1", ":1\r\n"),
            ("xack s nothing x", ":0\r\n"),
            ("xack s g x", BAD_ID),
            ("xdel s 1-2", ":1\r\n"),
            (
                "xreadgroup group g d streams s 0",
                &of_s(&["*2\r\n$3\r\n1-2\r\n*-1\r\n".into(), third.clone()]),
            ),
            ("xclaim s g e 0 1-2 2-0", &format!("*1\r\n{third}")),
            (
                "xpending s g",
                "*4\r\n:1\r\n$3\r\n2-0\r\n$3\r\n2-0\r\n*1\r\n*2\r\n$1\r\ne\r\n$1\r\n1\r\n",
            ),
            ("xclaim s g e 0 1-1 justid", "*0\r\n"),
            ("xclaim s g e 0 1-1 force justid", "*1\r\n$3\r\n1-1\r\n"),
            ("xdel s 1-1", ":1\r\n"),
            ("xautoclaim s g f 0 0 count 1", "*3\r\n$3\r\n2-0\r\n*0\r\n*1\r\n$3\r\n1-1\r\n"),
            ("xautoclaim s g f 0 2-0 justid", "*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n2-0\r\n*0\r\n"),
            ("xautoclaim s g f 99999 0", "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n"),
            ("xgroup delconsumer s g f", ":1\r\n"),
            ("xgroup delconsumer s g f", ":0\r\n"),
            ("xgroup createconsumer s g z", ":1\r\n"),
            ("xgroup createconsumer s g z", ":0\r\n"),
            ("xgroup destroy s g", ":1\r\n"),
            ("xgroup destroy s g", ":0\r\n"),
            ("xgroup create m g $ mkstream", "+OK\r\n"),
            ("xlen m", ":0\r\n"),
        ],
    );
}

#[test]
fn errors_of_groups() {
    let mut server = with_stream();
    server.check("xgroup create s g $", "+OK\r\n");
    let words = |name: &str| {
        format!(
            "-ERR unknown subcommand or wrong number of arguments for '{name}'. Try {} HELP.\r\n",
            if name == "stream" { "XINFO" } else { "XGROUP" }
        )
    };
    check_all(
        &mut server,
        &[
            (
                "xreadgroup count 1 streams s x >",
                "-ERR Unbalanced 'xreadgroup' list of streams: for \
              each stream key an ID or '>' must be specified.\r\n",
            ),
            (
                "xreadgroup count 1 count 1 streams s >",
                "-ERR Missing GROUP option for XREADGROUP\r\n",
            ),
            (
                "xreadgroup group x c streams s >",
                "-NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option\r\n",
            ),
            ("xgroup create s h bad", BAD_ID),
            ("xgroup create n g 0", BY_KEY),
            ("xgroup create s h 0 entriesread", &words("create")),
            (
                "xgroup create s h 0 entriesread -3",
                "-ERR value for ENTRIESREAD must be positive or -1\r\n",
            ),
            ("xgroup setid s x 0", "-NOGROUP No such consumer group 'x' for key name 's'\r\n"),
            ("xgroup setid s g 0 mkstream", &words("setid")),
            ("xgroup setid s g + entriesread 5", "+OK\r\n"),
            ("xgroup delconsumer n g c", BY_KEY),
            ("xgroup destroy n g", BY_KEY),
            ("xinfo stream n", "-ERR no such key\r\n"),
            ("xinfo stream s foo", &words("stream")),
            ("xinfo stream s full count a", NOT_INTEGER),
            ("xinfo consumers s x", "-NOGROUP No such consumer group 'x' for key name 's'\r\n"),
        ],
    );
}

#[test]
fn errors_of_claims_and_counters() {
    let mut server = with_stream();
    server.check("xgroup create s g $", "+OK\r\n");
    check_all(
        &mut server,
        &[
            ("xpending n g", "-NOGROUP No such key 'n' or consumer group 'g'\r\n"),
            ("xpending s g - +", SYNTAX),
            ("xpending s g - + a", NOT_INTEGER),
            ("xpending s g idle 5 - +", SYNTAX),
            ("xpending s g (- + 5", BAD_ID),
            ("xclaim n g c 1 1-1", "-NOGROUP No such key 'n' or consumer group 'g'\r\n"),
            ("xclaim s g c a 1-1", "-ERR Invalid min-idle-time argument for XCLAIM\r\n"),
            ("xclaim s g c 1 1-1 foo", "-ERR Unrecognized XCLAIM option 'foo'\r\n"),
            ("xclaim s g c 1 1-1 idle a", "-ERR Invalid IDLE option argument for XCLAIM\r\n"),
            ("xclaim s g c 1 1-1 lastid a", BAD_ID),
            ("xautoclaim s g c a 1-1", "-ERR Invalid min-idle-time argument for XAUTOCLAIM\r\n"),
            ("xautoclaim s g c 1 - count 0", "-ERR COUNT must be > 0\r\n"),
            ("xautoclaim s g c 1 - foo", SYNTAX),
            ("xsetid n 1-1", "-ERR no such key\r\n"),
            ("xsetid s 9 entriesadded -1", "-ERR entries_added must be positive\r\n"),
            (
                "xsetid s 9 entriesadded 2",
                "-ERR The entries_added specified in XSETID is smaller \
              than the target stream length\r\n",
            ),
            (
                "xsetid s 1-1 maxdeletedid 2-2",
                "-ERR The ID specified in XSETID is smaller than the \
              provided max_deleted_entry_id\r\n",
            ),
            (
                "xsetid s 1-1",
                "-ERR The ID specified in XSETID is smaller than the target stream top item\r\n",
            ),
            ("xsetid s 9 entriesadded 12 maxdeletedid 3", "+OK\r\n"),
        ],
    );
}

#[test]
fn what_is_known_of_a_stream() {
    let mut server = with_stream();
    for line in ["xgroup create s g 0", "xreadgroup group g c count 1 streams s >"] {
        server.line(line);
    }
    server.session.protocol = resp::reply::Protocol::Resp3;
    let entry = |id: &str, value: &str| {
        let name = if value == "3" { "b" } else { "a" };
        format!("*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\n{name}\r\n$1\r\n{value}\r\n")
    };
    let stream = "$6\r\nlength\r\n:3\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n\
         :2\r\n$17\r\nlast-generated-id\r\n$3\r\n2-0\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n0-0\r\n\
         $13\r\nentries-added\r\n:3\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n1-1\r\n";
    let (first, last) = (entry("1-1", "1"), entry("2-0", "3"));
    server.check(
        "xinfo stream s",
        &format!(
            "%10\r\n{stream}$6\r\ngroups\r\n:1\r\n$11\r\nfirst-entry\r\n{first}$10\r\nlast-entry\r\n{last}"
        ),
    );
    let read =
        "$17\r\nlast-delivered-id\r\n$3\r\n1-1\r\n$12\r\nentries-read\r\n:1\r\n$3\r\nlag\r\n:2\r\n";
    server.check(
        "xinfo groups s",
        &format!("*1\r\n%6\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:1\r\n{read}"),
    );
    let full = server.line("xinfo stream s full count 1");
    let head = format!(
        "%9\r\n{stream}$7\r\nentries\r\n*1\r\n{first}$6\r\ngroups\r\n*1\r\n%7\r\n$4\r\nname\r\n$1\r\ng\r\n{read}\
         $9\r\npel-count\r\n:1\r\n$7\r\npending\r\n*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:"
    );
    assert!(full.starts_with(&head), "{full}");
    let consumers = server.line("xinfo consumers s g");
    let head = "*1\r\n%4\r\n$4\r\nname\r\n$1\r\nc\r\n$7\r\npending\r\n:1\r\n$4\r\nidle\r\n:";
    assert!(consumers.starts_with(head), "{consumers}");
}

#[test]
fn the_log_says_what_was_done() {
    let mut server = Server::new();
    server.check_log("xadd s 5-* a b", &["xadd s 5-0 a b"]);
    server.check_log("xadd s 5-7 a b", &["xadd s 5-7 a b"]);
    server.check_log("xadd s maxlen ~ 1 limit 9 6-* a b", &["xadd s maxlen = 3 limit 9 6-0 a b"]);
    server.check_log("xadd s minid ~ 5 7-1 a b", &["xadd s minid = 5-0 7-1 a b"]);
    server.check_log("xtrim s maxlen ~ 1", &[]);
    server.check_log("xtrim s maxlen 3", &["xtrim s maxlen 3"]);
    server.check_log("xdel s 5-0 1-1", &[]);
    server.check_log("xgroup create s g 0", &["xgroup create s g 0"]);
    server.check_log("xreadgroup group g c streams s 0", &["XGROUP CREATECONSUMER s g c"]);
    server.check_log("xreadgroup group g c streams s 0", &[]);
    server.line("xreadgroup group g c count 1 streams s >");
    let logged = server.logged();
    assert_eq!(logged[0], "MULTI");
    assert!(logged[1].starts_with("XCLAIM s g c 0 5-7 TIME "), "{logged:?}");
    assert!(logged[1].ends_with(" RETRYCOUNT 1 FORCE JUSTID LASTID 5-7"), "{logged:?}");
    assert_eq!(logged[2..], ["XGROUP SETID s g 5-7 ENTRIESREAD 2", "EXEC"]);
    server.check_log(
        "xreadgroup group g d count 1 noack streams s >",
        &["MULTI", "XGROUP CREATECONSUMER s g d", "XGROUP SETID s g 6-0 ENTRIESREAD 3", "EXEC"],
    );
    server.check_log(
        "xclaim s g e 0 5-7 time 1000 retrycount 9",
        &["XCLAIM s g e 0 5-7 TIME 1000 RETRYCOUNT 9 FORCE JUSTID LASTID 6-0"],
    );
    server.check_log("xclaim s g f 0 9-9", &["XGROUP CREATECONSUMER s g f"]);
    server.check_log("xclaim s g f 0 9-9 lastid 6-1", &["XGROUP SETID s g 6-1 ENTRIESREAD 3"]);
    server.check_log("xautoclaim s g f 99999999999999 0", &[]);
    server.check_log("xack s g 5-7", &["xack s g 5-7"]);
    server.check_log("xack s g 5-7", &[]);
    server.check_log("xgroup createconsumer s g f", &[]);
    server.check_log("xgroup destroy s g", &["xgroup destroy s g"]);
}

#[test]
fn deletion_minds_who_holds_an_entry() {
    let mut server = with_stream();
    server.line("xgroup create s g 0");
    server.line("xgroup create s h 0");
    server.line("xreadgroup group g c count 2 streams s >");
    check_all(
        &mut server,
        &[
            ("xdelex s acked ids 2 1-1 9-9", "*2\r\n:2\r\n:-1\r\n"),
            ("xackdel s g acked ids 1 1-1", "*1\r\n:2\r\n"),
            ("xackdel s g acked ids 1 1-1", "*1\r\n:-1\r\n"),
            ("xgroup setid s h 1-1", "+OK\r\n"),
            ("xdelex s acked ids 1 1-1", "*1\r\n:1\r\n"),
            ("xlen s", ":2\r\n"),
            ("xdelex s ids 1 1-2", "*1\r\n:1\r\n"),
            ("xackdel s g ids 1 1-2", "*1\r\n:1\r\n"),
            ("xdelex s ids 0 1-2", "-ERR Number of IDs must be a positive integer\r\n"),
            (
                "xdelex s ids 2 1-2",
                "-ERR The `numids` parameter must match the number of arguments\r\n",
            ),
            ("xdelex n ids 2 1-2 1-3", "*2\r\n:-1\r\n:-1\r\n"),
        ],
    );
    server.line("xreadgroup group g c streams s >");
    server.check_log("xdelex s delref ids 1 2-0", &["MULTI", "XACK s g 2-0", "XDEL s 2-0", "EXEC"]);
    server.check("xpending s g", "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}

/// As the documentation of Redis 8.2 states it for XADD and XTRIM.
#[test]
fn trims_mind_who_holds_an_entry() {
    let mut server = Server::new();
    for id in 1..=5 {
        server.line(&format!("xadd s {id}-0 f v"));
    }
    server.line("xgroup create s g 0");
    check_all(
        &mut server,
        &[
            // Nobody has read anything.
            ("xadd s maxlen = 1 acked 6-0 f v", "$3\r\n6-0\r\n"),
            ("xlen s", ":6\r\n"),
            ("xtrim s maxlen 1 acked", ":0\r\n"),
        ],
    );
    server.line("xreadgroup group g c count 3 streams s >");
    server.line("xack s g 1-0 3-0");
    server.check_log(
        "xadd s maxlen 1 acked 7-* f v",
        &["MULTI", "xadd s 7-0 f v", "XDEL s 1-0 3-0", "EXEC"],
    );
    check_all(
        &mut server,
        &[
            ("xlen s", ":5\r\n"),
            ("xack s g 2-0", ":1\r\n"),
            ("xtrim s minid = 2-0 acked", ":0\r\n"),
            ("xtrim s maxlen ~ 1 acked", ":0\r\n"),
        ],
    );
    server.check_log("xtrim s minid 3-0 acked", &["XDEL s 2-0"]);
    // Held entries go, and so does that they are held.
    server.line("xreadgroup group g c count 2 streams s >");
    server.check_log(
        "xtrim s delref maxlen 3",
        &["MULTI", "xtrim s maxlen 3", "XACK s g 4-0", "EXEC"],
    );
    server.check(
        "xpending s g",
        "*4\r\n:1\r\n$3\r\n5-0\r\n$3\r\n5-0\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n",
    );
    server.check_log("xadd s delref maxlen ~ 1 8-1 f v", &["xadd s maxlen = 4 8-1 f v"]);
    server.check_log(
        "xadd s maxlen 1 delref 8-* f v",
        &["MULTI", "xadd s maxlen 1 8-2 f v", "XACK s g 5-0", "EXEC"],
    );
    server.line("xreadgroup group g c streams s >");
    server.check_log("xtrim s maxlen 0 keepref", &["xtrim s maxlen 0"]);
    server.check(
        "xpending s g",
        "*4\r\n:1\r\n$3\r\n8-2\r\n$3\r\n8-2\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n",
    );
    server.check("xtrim s maxlen 0 keepref acked", SYNTAX);
    server.check("xadd s keepref", "-ERR wrong number of arguments for 'xadd' command\r\n");
    // Without groups everything has been read.
    server.line("xgroup destroy s g");
    server.check("xadd s maxlen 0 acked 9-0 f v", "$3\r\n9-0\r\n");
    server.check("xlen s", ":0\r\n");
}

#[test]
fn idle_entries_are_claimed_while_reading() {
    let mut server = with_stream();
    server.line("xgroup create s g 0");
    server.line("xreadgroup group g c count 1 streams s >");
    server.line("xclaim s g c 0 1-1 time 1000 retrycount 4");
    let reply = server.line("xreadgroup group g d count 2 claim 1000 streams s >");
    let head = "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*4\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n:";
    assert!(reply.starts_with(head), "{reply}");
    let tail = "\r\n:4\r\n*4\r\n$3\r\n1-2\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n:0\r\n:0\r\n";
    assert!(reply.ends_with(tail), "{reply}");
    server.check(
        "xpending s g",
        "*4\r\n:2\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n*1\r\n*2\r\n$1\r\nd\r\n$1\r\n2\r\n",
    );
}

/// As the documentation of Redis 8.2 states it: what is not in the stream may still be referred to.
#[test]
fn delref_takes_references_to_what_is_gone() {
    let mut server = with_stream();
    for group in ["g", "h"] {
        server.line(&format!("xgroup create s {group} 0"));
        server.line(&format!("xreadgroup group {group} c streams s >"));
    }
    server.line("xdel s 1-2 2-0");
    let (_listener, mailbox) = listener(&server);
    let held = |ids: &str| format!("*4\r\n{ids}*1\r\n*2\r\n$1\r\nc\r\n");
    let two = held(":2\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n") + "$1\r\n2\r\n";
    let one = held(":1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n") + "$1\r\n1\r\n";
    server.check_log("xdelex s keepref ids 2 1-2 2-0", &[]);
    server.check_log("xdelex s acked ids 2 1-2 2-0", &[]);
    server.check("xdelex s delref ids 1 2-0", "*1\r\n:-1\r\n");
    server.check("xpending s g", &two);
    server.check("xpending s h", &two);
    let logged = &["MULTI", "XACK s g 1-2", "XACK s h 1-2", "EXEC"];
    server.check_log("xdelex s delref ids 3 9-9 1-2 2-0", logged);
    server.check("xpending s g", &one);
    server.check("xpending s h", &one);
    server.check_log("xdelex s delref ids 2 1-2 2-0", &[]);
    assert_eq!(events(mailbox), [""; 0]);
}

/// As the documentation of Redis 8.2 states it: one condition, and IDS before or behind it.
#[test]
fn options_of_deletion_stand_in_any_order_and_once() {
    let mut server = with_stream();
    server.line("xgroup create s g 0");
    server.line("xreadgroup group g c streams s >");
    let syntax = "-ERR syntax error\r\n";
    let few = "-ERR The `numids` parameter must match the number of arguments\r\n";
    server.logged();
    for (line, expected) in [
        ("xdelex s keepref delref ids 1 1-1", syntax),
        ("xdelex s acked acked ids 1 1-1", syntax),
        ("xdelex s delref ids 1 1-1 keepref", syntax),
        ("xackdel s g keepref acked ids 1 1-1", syntax),
        ("xackdel s g ids 1 1-1 delref delref", syntax),
        ("xdelex s ids 1 1-1 ids 1 1-2", syntax),
        ("xdelex s ids 1 1-1 1-2", syntax),
        ("xackdel s g ids 1 1-1 1-2", syntax),
        ("xdelex s delref keepref acked", syntax),
        ("xdelex s ids 3 1-1 1-2", few),
        ("xackdel s g delref ids 3 1-1 1-2", few),
        ("xdelex s ids 0 1-1 delref", "-ERR Number of IDs must be a positive integer\r\n"),
        ("xlen s", ":3\r\n"),
    ] {
        server.check(line, expected);
    }
    assert_eq!(server.logged(), [""; 0]);
    check_all(
        &mut server,
        &[
            ("xdelex s ids 2 1-1 9-9 acked", "*2\r\n:2\r\n:-1\r\n"),
            ("xackdel s g ids 1 1-1 acked", "*1\r\n:1\r\n"),
            ("xdelex s ids 1 2-0 DelRef", "*1\r\n:1\r\n"),
            ("xpending s g - + 9 nobody", "*0\r\n"),
            ("xlen s", ":1\r\n"),
            (
                "command getkeysandflags xackdel s g ids 1 1-1",
                "*1\r\n*2\r\n$1\r\ns\r\n*3\r\n+RW\r\n+update\r\n+delete\r\n",
            ),
        ],
    );
}

/// What is logged is read as a signed number by every replica, so no count goes beyond the greatest.
#[test]
fn counts_end_at_the_greatest_signed_number() {
    let mut server = with_stream();
    let most = "9223372036854775807";
    let told = format!("XCLAIM s g c 0 1-1 TIME 1000 RETRYCOUNT {most} FORCE JUSTID LASTID 2-0");
    server.line("xgroup create s g 0");
    server.line("xreadgroup group g c streams s >");
    server.check_log(&format!("xclaim s g c 0 1-1 time 1000 retrycount {most}"), &[&told]);
    server.check_log("xclaim s g c 0 1-1 time 1000", &[&told]);
    server.line("xreadgroup group g c count 1 streams s 0");
    server.line("xautoclaim s g c 0 0 count 1");
    let logged = server.logged();
    assert!(logged[0].contains(&format!(" RETRYCOUNT {most} ")), "{logged:?}");
    server.line(&format!("xgroup create t g 0 mkstream entriesread {most}"));
    server.line("xadd t 1-1 f v");
    server.line("xgroup createconsumer t g c");
    server.check_log(
        "xreadgroup group g c noack streams t >",
        &[&format!("XGROUP SETID t g 1-1 ENTRIESREAD {most}")],
    );
}
