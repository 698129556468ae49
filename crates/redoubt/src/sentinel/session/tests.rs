//! Conversations: what is said, what is answered, and what is left to the machine.

use super::*;
use std::collections::BTreeSet;

fn session() -> Session {
    let address = "127.0.0.1:1".parse().unwrap();
    Session {
        id: 7,
        address,
        local: address,
        name: Vec::new(),
        library: Vec::new(),
        library_version: Vec::new(),
        protocol: Protocol::Resp2,
        authenticated: true,
        channels: BTreeSet::new(),
        patterns: BTreeSet::new(),
        created_ms: 0,
        active_ms: 0,
        last_command: String::new(),
        closing: false,
    }
}

fn say(session: &mut Session, line: &str, password: &str) -> (Verdict, String) {
    let args: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let mut out = Vec::new();
    let verdict = run(session, &mut out, &args, password.as_bytes());
    (verdict, String::from_utf8(out).unwrap())
}

#[test]
fn a_conversation() {
    let mut session = session();
    for (line, verdict, expected) in [
        ("PING", Verdict::Machine, ""),
        ("SENTINEL masters", Verdict::Machine, ""),
        ("CLIENT ID", Verdict::Done, ":7\r\n"),
        ("CLIENT GETNAME", Verdict::Done, "$-1\r\n"),
        ("CLIENT SETNAME x", Verdict::Done, "+OK\r\n"),
        ("CLIENT GETNAME", Verdict::Done, "$1\r\nx\r\n"),
        ("CLIENT SETINFO LIB-NAME redis-py", Verdict::Done, "+OK\r\n"),
        ("CLIENT LIST", Verdict::List, ""),
        ("CLIENT KILL ID 3", Verdict::Kill(Target::Id(3)), ""),
        ("ECHO hi", Verdict::Done, "$2\r\nhi\r\n"),
        ("ECHO", Verdict::Done, "-ERR wrong number of arguments for 'echo' command\r\n"),
        (
            "set a b",
            Verdict::Done,
            "-ERR unknown command 'set', with args beginning with: 'a' 'b' \r\n",
        ),
        ("SHUTDOWN foo", Verdict::Done, "-ERR syntax error\r\n"),
        ("SHUTDOWN nosave", Verdict::Shutdown, ""),
        ("HELLO 4", Verdict::Done, "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO x", Verdict::Done, "-ERR Protocol version is not an integer or out of range\r\n"),
        ("HELLO 2 FOO", Verdict::Done, "-ERR Syntax error in HELLO option 'FOO'\r\n"),
        ("SUBSCRIBE +sdown", Verdict::Done, "*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:1\r\n"),
        ("PING", Verdict::Done, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
        (
            "INFO",
            Verdict::Done,
            "-ERR Can't execute 'info': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context\r\n",
        ),
        ("UNSUBSCRIBE", Verdict::Done, "*3\r\n$11\r\nunsubscribe\r\n$6\r\n+sdown\r\n:0\r\n"),
        ("PUNSUBSCRIBE", Verdict::Done, "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n"),
        ("RESET", Verdict::Done, "+RESET\r\n"),
        ("QUIT", Verdict::Done, "+OK\r\n"),
    ] {
        assert_eq!(say(&mut session, line, ""), (verdict, expected.to_owned()), "{line}");
    }
    assert!(session.closing);
}

#[test]
fn a_password_is_asked_for() {
    let mut session = session();
    session.authenticated = false;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for (line, expected) in [
        ("SENTINEL masters", "-NOAUTH Authentication required.\r\n"),
        ("PING", "-NOAUTH Authentication required.\r\n"),
        ("AUTH nope", wrong),
        ("AUTH other secret", wrong),
        ("HELLO 3 AUTH default nope", wrong),
        ("AUTH default secret", "+OK\r\n"),
    ] {
        assert_eq!(say(&mut session, line, "secret"), (Verdict::Done, expected.to_owned()));
    }
    assert_eq!(say(&mut session, "PING", "secret").0, Verdict::Machine);
    let (_, reply) = say(&mut session, "HELLO 3", "secret");
    assert!(reply.starts_with("%6\r\n$6\r\nserver\r\n"), "{reply}");
    say(&mut session, "RESET", "secret");
    assert!(!session.authenticated);
    let without = say(&mut session, "AUTH x", "").1;
    assert!(without.starts_with("-ERR AUTH <password> called without any password"));
}
