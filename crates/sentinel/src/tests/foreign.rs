//! Foreign input of every kind: nothing panics, and what a machine wrote it reads back.

use super::net::lines;
use crate::{Action, ClientId, Config, Hello, LinkId, Options, Reply, Sentinel, ServerFacts};
use base::Millis;
use base::random::Random;
use proptest::prelude::*;

/// Words that mean something to the machine, and some that do not.
const WORDS: &[&str] = &[
    "SENTINEL",
    "master",
    "masters",
    "replicas",
    "sentinels",
    "g",
    "h",
    "*",
    "reset",
    "remove",
    "monitor",
    "127.0.0.1",
    "::1",
    "1",
    "6379",
    "0",
    "-1",
    "18446744073709551615",
    "set",
    "quorum",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "auth-pass",
    "rename-command",
    "config",
    "get",
    "debug",
    "info-period",
    "failover",
    "is-master-down-by-addr",
    "ckquorum",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "PUBLISH",
    "__sentinel__:hello",
    "INFO",
    "ROLE",
    "PING",
    "flushconfig",
    "info-cache",
    "simulate-failure",
    "myid",
    "known-replica",
    "leader-epoch",
    "127.0.0.1,26380,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,9,g,127.0.0.1,2,3",
];

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let info = "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:1\r\nslave0:ip=::1,port=9\r\n\
                run_id:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\ndb0:keys=99999999999999999999";
    let leaf = prop_oneof![
        Just(Reply::Status("PONG".to_owned())),
        Just(Reply::Error("BUSY x".to_owned())),
        Just(Reply::bulk(info)),
        Just(Reply::bulk(info.replace("slave", "master"))),
        any::<i64>().prop_map(Reply::Integer),
        word().prop_map(Reply::Bulk),
        Just(Reply::Null),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(Reply::Array)
    })
}

#[derive(Clone, Debug)]
enum Step {
    Command(Vec<Vec<u8>>),
    Reply(u64, Reply),
    Connected(u64),
    Closed(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        proptest::collection::vec(word(), 0..8).prop_map(Step::Command),
        (0..40_u64, reply()).prop_map(|(link, reply)| Step::Reply(link, reply)),
        (0..40_u64).prop_map(Step::Connected),
        (0..40_u64).prop_map(Step::Closed),
        (0..30_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_input_panics_and_the_state_is_always_readable(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let config = Config::parse(&lines("sentinel monitor g 127.0.0.1 1 1")).unwrap();
        let options = Options { config, port: 26379, own_password: Vec::new() };
        let mut now = Millis(0);
        let mut machine = Sentinel::new(options, Random::from_seed(1), now);
        let mut epoch = 0;
        for step in steps {
            match step {
                Step::Command(args) => {
                    machine.handle_command(now, ClientId(1), &args, &ServerFacts::default());
                }
                Step::Reply(link, reply) => machine.handle_reply(now, LinkId(link), &reply),
                Step::Connected(link) => machine.handle_connected(now, LinkId(link), "127.0.0.1"),
                Step::Closed(link) => machine.handle_closed(now, LinkId(link)),
                Step::Wait(span) => {
                    now = now + Millis(span);
                    machine.handle_timeout(now);
                }
            }
            while let Some(action) = machine.poll_action() {
                if let Action::Persist(lines) = action {
                    prop_assert_eq!(&Config::parse(&lines).unwrap().to_lines(), &lines);
                }
            }
            prop_assert!(machine.current_epoch() >= epoch, "epochs never go back");
            epoch = machine.current_epoch();
        }
    }

    #[test]
    fn texts_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Hello::parse(&text, true);
        let _ = crate::info::parse(&text);
        let words = text.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect();
        let _ = Config::parse(&[words]);
    }
}
