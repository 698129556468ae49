//! What stock 7.0.15 answers and logs; where Redis 7.2 and later differ, what they document.

mod groups;
mod waiting;

use crate::harness::Server;

const BAD_ID: &str = "-ERR Invalid stream ID specified as stream command argument\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SMALL: &str =
    "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";
const BY_KEY: &str = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you \
     may want to use the MKSTREAM option to create an empty stream automatically.\r\n";

fn check_all(server: &mut Server, rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        server.check(line, expected);
    }
}

/// A server with the stream `s`: 1-1 a 1, 1-2 a 2, 2-0 b 3.
fn with_stream() -> Server {
    let mut server = Server::new();
    for line in ["xadd s 1-1 a 1", "xadd s 1-2 a 2", "xadd s 2 b 3"] {
        assert!(server.line(line).starts_with('$'), "{line}");
    }
    server
}

#[test]
fn entries_are_added_under_rising_ids() {
    let mut server = Server::new();
    check_all(
        &mut server,
        &[
            ("xadd q nomkstream * a b", "$-1\r\n"),
            ("exists q", ":0\r\n"),
            ("xadd q 0-0 a b", "-ERR The ID specified in XADD must be greater than 0-0\r\n"),
            ("xadd q 0-* a b", "$3\r\n0-1\r\n"),
            ("xadd q 5-5 a b", "$3\r\n5-5\r\n"),
            ("xadd q 5-* a b", "$3\r\n5-6\r\n"),
            ("xadd q 6-* a b", "$3\r\n6-0\r\n"),
            ("xadd q 5-* a b", SMALL),
            ("xadd q 5-5 a b", SMALL),
            ("xadd q nope a b", BAD_ID),
            ("xadd q - a b", BAD_ID),
            ("xadd q 9 a b c", "-ERR wrong number of arguments for 'xadd' command\r\n"),
            (
                "xadd q 18446744073709551615-18446744073709551615 a b",
                "$41\r\n18446744073709551615-18446744073709551615\r\n",
            ),
            (
                "xadd q * a b",
                "-ERR The stream has exhausted the last possible ID, unable to add more items\r\n",
            ),
            ("xlen q", ":5\r\n"),
            ("type q", "+stream\r\n"),
            ("xlen nothing", ":0\r\n"),
            ("set t v", "+OK\r\n"),
            (
                "xadd t * a b",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    );
}

#[test]
fn trims_are_parsed_as_stock_does() {
    let mut server = with_stream();
    check_all(
        &mut server,
        &[
            (
                "xadd q limit 5 * a b",
                "-ERR syntax error, LIMIT cannot be used without specifying a \
              trimming strategy\r\n",
            ),
            (
                "xadd q maxlen 5 limit 5 * a b",
                "-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n",
            ),
            (
                "xadd q maxlen 5 minid 5 * a b",
                "-ERR syntax error, MAXLEN and MINID options at the \
              same time are not compatible\r\n",
            ),
            ("xadd q maxlen -5 * a b", "-ERR The MAXLEN argument must be >= 0.\r\n"),
            ("xadd q maxlen ~ 5 limit -5 * a b", "-ERR The LIMIT argument must be >= 0.\r\n"),
            ("xadd q maxlen a * a b", NOT_INTEGER),
            ("xtrim s maxlen ~ 5 nomkstream", SYNTAX),
            ("xtrim s minid -", BAD_ID),
            ("xtrim nothing maxlen 0", ":0\r\n"),
            ("xtrim s maxlen 3", ":0\r\n"),
            ("xtrim s minid 1-2", ":1\r\n"),
            ("xadd s maxlen = 1 3 c 4", "$3\r\n3-0\r\n"),
            ("xrange s - +", "*1\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nc\r\n$1\r\n4\r\n"),
            ("xadd e maxlen 0 1-1 a b", "$3\r\n1-1\r\n"),
            ("xlen e", ":0\r\n"),
            ("exists e", ":1\r\n"),
        ],
    );
}

#[test]
fn ranges() {
    let mut server = with_stream();
    let (first, second, third) = (
        "*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
        "*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n",
        "*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n",
    );
    check_all(
        &mut server,
        &[
            ("xrange s - +", &format!("*3\r\n{first}{second}{third}")),
            ("xrange s 1 1", &format!("*2\r\n{first}{second}")),
            ("xrange s (1-1 (2-0", &format!("*1\r\n{second}")),
            ("xrevrange s + - count 2", &format!("*2\r\n{third}{second}")),
            ("xrange s + -", "*0\r\n"),
            ("xrange s - + count", SYNTAX),
            ("xrange s - + count 0", "*-1\r\n"),
            ("xrange s (- +", BAD_ID),
            ("xrange s - (0-0", "-ERR invalid end ID for the interval\r\n"),
            (
                "xrange s (18446744073709551615-18446744073709551615 +",
                "-ERR invalid start ID for the interval\r\n",
            ),
            ("xrange nothing - + count 0", "*0\r\n"),
            ("xdel s 1-1 9-9 1-1", ":1\r\n"),
            ("xdel s x", BAD_ID),
            ("xdel nothing x", ":0\r\n"),
            ("xrange s - +", &format!("*2\r\n{second}{third}")),
        ],
    );
}

#[test]
fn streams_are_read_behind_ids() {
    let mut server = with_stream();
    let third = "*1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n";
    check_all(
        &mut server,
        &[
            ("xread streams s 1-2", &format!("*1\r\n*2\r\n$1\r\ns\r\n{third}")),
            ("xread count 9 streams s n + +", &format!("*1\r\n*2\r\n$1\r\ns\r\n{third}")),
            ("xread streams s $", "*-1\r\n"),
            ("xread streams s n 2-0 0", "*-1\r\n"),
            (
                "xread streams s >",
                "-ERR The > ID can be specified only when calling XREADGROUP using \
              the GROUP <group> <consumer> option.\r\n",
            ),
            ("xread streams s +5", "*-1\r\n"),
            (
                "xread count 1 streams s",
                "-ERR Unbalanced 'xread' list of streams: for each stream \
              key an ID or '$' must be specified.\r\n",
            ),
            (
                "xread group g c streams s 0",
                "-ERR The GROUP option is only supported by XREADGROUP. \
              You called XREAD instead.\r\n",
            ),
            (
                "xread noack streams s 0",
                "-ERR The NOACK option is only supported by XREADGROUP. You \
              called XREAD instead.\r\n",
            ),
            ("xread block -1 streams s 0", "-ERR timeout is negative\r\n"),
            ("xread block 1.5 streams s 0", "-ERR timeout is not an integer or out of range\r\n"),
            ("xread count 1 s 0", SYNTAX),
        ],
    );
    server.session.protocol = resp::reply::Protocol::Resp3;
    server.check("xread streams s 1-2", &format!("%1\r\n$1\r\ns\r\n{third}"));
    server.check("xread streams n 1-2", "_\r\n");
}

/// XSETID with a lower MAXDELETEDID lets ids that were deleted be given again.
#[test]
fn a_lowered_last_id_leaves_a_stream_that_loads() {
    let mut server = Server::new();
    for line in [
        "xadd s 1-0 a 1",
        "xadd s 10-0 a 1",
        "xdel s 10-0",
        "xsetid s 10-0 maxdeletedid 1-0",
        "xsetid s 5-0",
        "xadd s 6-0 a 2",
    ] {
        assert!(!server.line(line).starts_with('-'), "{line}");
    }
    let reply = server.run(&[b"dump", b"s"]).0;
    let start = reply.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let payload = &reply[start..reply.len() - 2];
    assert_eq!(server.run(&[b"restore", b"t", b"0", payload]).0, b"+OK\r\n");
    let range = server.line("xrange s - +");
    server.check("xrange t - +", &range);
    server.check("xlen t", ":2\r\n");
}

#[test]
fn a_primary_sets_a_last_id_below_what_was_deleted() {
    let mut server = Server::new();
    server.follow("127.0.0.1", 1);
    let mut link = server.session_of_primary();
    for line in
        ["xadd s 1-0 a 1", "xadd s 10-0 a 1", "xdel s 10-0", "xsetid s 5-0", "xadd s 6-0 a 2"]
    {
        server.apply(&mut link, line);
    }
    server.check("xlen s", ":2\r\n");
}
