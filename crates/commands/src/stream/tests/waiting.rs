//! Who waits for entries, or for time to pass.

use super::*;
use engine::Session;
use engine::context::Outcome;
use engine::mailbox::{Answer, Message};
use engine::session::Blocked;

/// Lets another connection wait.
#[track_caller]
fn wait(server: &mut Server, line: &str) -> Session {
    let other = server.other_session();
    let own = std::mem::replace(&mut server.session, other);
    let words = resp::inline::split(line.as_bytes()).unwrap();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let (reply, outcome) = server.run(&words);
    assert!(reply.is_empty() && matches!(outcome, Outcome::Blocked), "{line}: {outcome:?}");
    std::mem::replace(&mut server.session, own)
}

/// What those who waited were answered since the last call.
fn answers(server: &Server) -> Vec<String> {
    let mail = server.node().mailboxes()[0].take();
    let served = mail.into_iter().filter_map(|message| match message {
        Message::Answer(_, Answer::Served(reply), _) => Some(String::from_utf8(reply).unwrap()),
        _ => None,
    });
    served.map(|reply| reply.replace("\r\n", " ")).collect()
}

#[test]
fn who_waits_is_given_what_comes() {
    let mut server = with_stream();
    let _first = wait(&mut server, "xread block 0 streams n s n $ $ $");
    let _second = wait(&mut server, "xread block 0 streams n +");
    server.line("xdel s 2-0");
    assert!(answers(&server).is_empty());
    server.line("xadd n 7-1 f v");
    let entry = "*1 *2 $3 7-1 *2 $1 f $1 v ";
    assert_eq!(
        answers(&server),
        [format!("*2 *2 $1 n {entry}*2 $1 n {entry}"), format!("*1 *2 $1 n {entry}")]
    );
    assert_eq!(server.node().waiters.counts().0, 0);
}

#[test]
fn who_waits_in_a_group_is_told_of_its_end() {
    let mut server = with_stream();
    server.line("xgroup create s g $");
    server.logged();
    let _first = wait(&mut server, "xreadgroup group g c block 0 streams s >");
    assert_eq!(server.logged(), ["XGROUP CREATECONSUMER s g c"]);
    let _second = wait(&mut server, "xreadgroup group g d block 0 streams s >");
    server.logged();
    server.line("xadd s 9-9 f v");
    assert_eq!(answers(&server), ["*1 *2 $1 s *1 *2 $3 9-9 *2 $1 f $1 v "]);
    let logged = server.logged();
    assert_eq!(logged[0], "xadd s 9-9 f v");
    assert_eq!(logged[1], "MULTI");
    assert!(logged[2].starts_with("XCLAIM s g c 0 9-9 TIME "), "{logged:?}");
    assert_eq!(logged[3..], ["XGROUP SETID s g 9-9 ENTRIESREAD 4", "EXEC"]);
    server.line("xgroup destroy s g");
    let gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option ";
    assert_eq!(answers(&server), [gone]);
    server.line("xgroup create s g $");
    let _third = wait(&mut server, "xreadgroup group g c block 0 streams s >");
    server.line("del s");
    assert_eq!(answers(&server), [gone]);
}

#[test]
fn who_waits_to_claim_is_served_when_the_time_has_come() {
    let mut server = with_stream();
    server.line("xgroup create s g 0");
    server.line("xreadgroup group g c streams s >");
    server.line("xclaim s g c 0 1-2 idle 40000");
    let session = wait(&mut server, "xreadgroup group g d block 0 claim 60000 streams s >");
    let Some(Blocked::Keys(waiting)) = &session.blocked else { panic!("it waits") };
    // The first may be claimed when it has been held for 20 seconds more.
    let left = waiting.again_at().unwrap().since(base::clock::monotonic()).0;
    assert!((15_000..=20_000).contains(&left), "{left}");
    server.serve_again(waiting);
    assert!(answers(&server).is_empty());
    // An entry that is made to have been held for longer is taken at once.
    server.line("xclaim s g c 0 1-1 idle 70000 retrycount 3");
    let served = answers(&server);
    assert!(served[0].starts_with("*1 *2 $1 s *1 *4 $3 1-1 *2 $1 a $1 1 :7"), "{served:?}");
    assert!(served[0].ends_with(" :3 "), "{served:?}");
    // With nothing held, what somebody is given right now would be the first.
    server.line("xack s g 1-1 1-2 2-0");
    let session = wait(&mut server, "xreadgroup group g d block 0 claim 60000 streams s >");
    let Some(Blocked::Keys(waiting)) = &session.blocked else { panic!("it waits") };
    let left = waiting.again_at().unwrap().since(base::clock::monotonic()).0;
    assert!((55_000..=60_000).contains(&left), "{left}");
}

#[test]
fn time_alone_serves_who_waits_to_claim() {
    let mut server = with_stream();
    server.line("xgroup create s g 0");
    server.line("xreadgroup group g c streams s >");
    // On a machine that is slow just then the time has come before the request has.
    let mut claim_ms = 2;
    let session = loop {
        let mut session = server.other_session();
        std::mem::swap(&mut server.session, &mut session);
        server.line("xclaim s g c 0 1-1 1-2 2-0");
        let idle = claim_ms.to_string();
        let words =
            ["xreadgroup", "group", "g", "d", "block", "0", "claim", &idle, "streams", "s", ">"];
        let (_, outcome) = server.run(&words.map(str::as_bytes));
        std::mem::swap(&mut server.session, &mut session);
        if matches!(outcome, Outcome::Blocked) {
            break session;
        }
        claim_ms *= 4;
    };
    let Some(Blocked::Keys(waiting)) = &session.blocked else { panic!("it waits") };
    let mut served = Vec::new();
    while served.is_empty() {
        server.serve_again(waiting);
        served = answers(&server);
    }
    assert!(served[0].starts_with("*1 *2 $1 s *3 *4 $3 1-1 "), "{served:?}");
}
