//! Commands, votes and epochs of one machine, without a network.

use super::net::lines;
use crate::{Action, ClientId, Config, Options, Reply, Sentinel, ServerFacts};
use base::Millis;
use base::random::Random;

const NOW: Millis = Millis(50_000);
const CONFIG: &str = "sentinel monitor mymaster 127.0.0.1 6379 2
    sentinel known-replica mymaster 127.0.0.1 6380
    sentinel known-sentinel mymaster 127.0.0.1 26380 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    sentinel known-sentinel mymaster 127.0.0.1 26381 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn machine(text: &str) -> Sentinel {
    let config = Config::parse(&lines(text)).unwrap();
    let options = Options { config, port: 26379, own_password: Vec::new() };
    let mut machine = Sentinel::new(options, Random::from_seed(1), NOW);
    drain(&mut machine);
    machine
}

fn drain(machine: &mut Sentinel) -> Vec<Action> {
    std::iter::from_fn(|| machine.poll_action()).collect()
}

fn run(machine: &mut Sentinel, command: &str) -> Vec<Action> {
    let args: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    machine.handle_command(NOW, ClientId(1), &args, &ServerFacts::default());
    drain(machine)
}

fn ask(machine: &mut Sentinel, command: &str) -> Reply {
    let actions = run(machine, command);
    let reply = actions.into_iter().find_map(|action| match action {
        Action::Reply { reply, .. } => Some(reply),
        _ => None,
    });
    reply.unwrap()
}

fn vote(leader: &str, epoch: i64) -> Reply {
    Reply::Array(vec![Reply::Integer(0), Reply::bulk(leader), Reply::Integer(epoch)])
}

fn plea(machine: &mut Sentinel, epoch: u64, who: &str) -> Reply {
    ask(machine, &format!("SENTINEL is-master-down-by-addr 127.0.0.1 6379 {epoch} {who}"))
}

#[test]
fn one_vote_per_epoch() {
    let mut machine = machine(CONFIG);
    for (epoch, who, expected) in [
        (5, "*", vote("*", 0)),
        (5, A, vote(A, 5)),
        (5, B, vote(A, 5)),
        (4, B, vote(A, 5)),
        (6, B, vote(B, 6)),
        (6, A, vote(B, 6)),
        (5, A, vote(B, 6)),
    ] {
        assert_eq!(plea(&mut machine, epoch, who), expected, "{who} in {epoch}");
    }
    assert_eq!(machine.current_epoch(), 6);
}

#[test]
fn a_vote_is_on_disk_before_it_is_told_and_outlives_a_crash() {
    let mut first = machine(CONFIG);
    let command = format!("SENTINEL is-master-down-by-addr 127.0.0.1 6379 5 {A}");
    let actions = run(&mut first, &command);
    let told = actions.iter().position(|a| matches!(a, Action::Reply { vouches: true, .. }));
    let saved = actions.iter().rposition(|a| matches!(a, Action::Persist(_)));
    assert!(saved.unwrap() < told.unwrap());
    let Action::Persist(disk) = &actions[saved.unwrap()] else { panic!("not a persist") };
    let config = Config::parse(disk).unwrap();
    let options = Options { config, port: 26379, own_password: Vec::new() };
    let mut again = Sentinel::new(options, Random::from_seed(2), NOW);
    drain(&mut again);
    assert_eq!(plea(&mut again, 5, B), vote("*", 5), "no second vote in epoch 5");
    assert_eq!(plea(&mut again, 6, B), vote(B, 6));
}

#[test]
fn a_vote_that_cannot_be_saved_is_not_told() {
    let mut machine = machine(CONFIG);
    let args = format!("SENTINEL is-master-down-by-addr 127.0.0.1 6379 5 {A}");
    let args: Vec<Vec<u8>> = args.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    machine.handle_command(NOW, ClientId(1), &args, &ServerFacts::default());
    while let Some(action) = machine.poll_action() {
        if matches!(action, Action::Persist(_)) {
            machine.handle_persist_failed(NOW);
        }
        if let Action::Reply { reply, .. } = action {
            assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
        }
    }
    assert_eq!(plea(&mut machine, 9, B), vote("*", 0), "no vote while the disk fails");
    assert_eq!(plea(&mut machine, 5, A), vote("*", 0), "nor the one that is only in memory");
    let later = NOW + Millis(crate::machine::PERSIST_RETRY_MS);
    machine.handle_timeout(later);
    assert!(drain(&mut machine).iter().any(|action| matches!(action, Action::Persist(_))));
    assert_eq!(plea(&mut machine, 5, A), vote(A, 5), "told once it is on disk");
}

#[test]
fn hellos_carry_epochs_and_configurations() {
    let mut machine = machine(CONFIG);
    let hello = |epoch: u64, port: u16, config_epoch: u64| {
        format!(
            "PUBLISH __sentinel__:hello 127.0.0.1,26380,{A},{epoch},mymaster,127.0.0.1,{port},{config_epoch}"
        )
    };
    assert_eq!(ask(&mut machine, &hello(3, 6379, 0)), Reply::Integer(1));
    assert_eq!(machine.current_epoch(), 3);
    let events: Vec<String> = run(&mut machine, &hello(3, 6380, 2))
        .into_iter()
        .filter_map(|action| match action {
            Action::Announce(event) => Some(format!("{} {}", event.name, event.text)),
            _ => None,
        })
        .collect();
    assert_eq!(
        events,
        [
            format!("+config-update-from sentinel {A} 127.0.0.1 26380 @ mymaster 127.0.0.1 6379"),
            "+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380".to_owned(),
            "+slave slave 127.0.0.1:6379 127.0.0.1 6379 @ mymaster 127.0.0.1 6380".to_owned(),
        ]
    );
    ask(&mut machine, &hello(3, 6379, 1));
    assert_eq!(machine.primary_of("mymaster").unwrap().0.port, 6380, "older news is ignored");
    ask(&mut machine, &hello(u64::MAX, 6380, 2));
    assert_eq!(machine.current_epoch(), 3, "a corrupt epoch does not use all epochs up");
}

#[test]
fn a_hello_from_a_taken_address_makes_the_old_owner_unreachable() {
    let mut machine = machine(CONFIG);
    let stranger = "cccccccccccccccccccccccccccccccccccccccc";
    let hello = format!(
        "PUBLISH __sentinel__:hello 127.0.0.1,26380,{stranger},0,mymaster,127.0.0.1,6379,0"
    );
    let actions = run(&mut machine, &hello);
    let said = |name: &str| {
        actions.iter().any(|action| matches!(action, Action::Announce(event) if event.name == name))
    };
    assert!(said("+sentinel-invalid-addr") && said("+sentinel"));
}

#[test]
fn refusals_are_stocks() {
    let mut machine = machine(CONFIG);
    for (command, expected) in [
        ("SENTINEL", "ERR wrong number of arguments for 'sentinel' command"),
        ("SENTINEL foo", "ERR unknown subcommand 'foo'. Try SENTINEL HELP."),
        ("SENTINEL master", "ERR wrong number of arguments for 'sentinel|master' command"),
        ("SENTINEL master x", "ERR No such master with that name"),
        ("SENTINEL ckquorum x", "ERR No such master with that name"),
        ("SENTINEL failover x", "ERR No such master with that name"),
        ("SENTINEL remove x", "ERR No such master with that name"),
        ("SENTINEL sentinels x", "ERR No such master with that name"),
        ("SENTINEL replicas x", "ERR No such master with that name"),
        ("SENTINEL set x quorum 1", "ERR No such master with that name"),
        ("SENTINEL failover mymaster", "NOGOODSLAVE No suitable replica to promote"),
        ("SENTINEL monitor a 1.2.3.4 99999 2", "ERR Invalid port number"),
        ("SENTINEL monitor a 1.2.3.4 99 0", "ERR Quorum must be 1 or greater."),
        ("SENTINEL monitor a foo.invalid 99 2", "ERR Invalid IP address or hostname specified"),
        ("SENTINEL monitor mymaster 127.0.0.1 6379 2", "ERR Duplicate master name."),
        (
            "SENTINEL set mymaster foo 1",
            "ERR Unknown option or number of arguments for SENTINEL SET 'foo'",
        ),
        (
            "SENTINEL set mymaster down-after-milliseconds x",
            "ERR Invalid argument 'x' for SENTINEL SET 'down-after-milliseconds'",
        ),
        (
            "SENTINEL set mymaster quorum",
            "ERR wrong number of arguments for 'sentinel|set' command",
        ),
        ("SENTINEL set mymaster quorum 0", "ERR Invalid argument '0' for SENTINEL SET 'quorum'"),
        (
            "SENTINEL set mymaster rename-command a",
            "ERR Unknown option or number of arguments for SENTINEL SET 'rename-command'",
        ),
        ("SENTINEL config set nope 1", "ERR Invalid argument 'nope' to SENTINEL CONFIG SET"),
        (
            "SENTINEL config set announce-port x",
            "ERR Invalid value 'x' to SENTINEL CONFIG SET 'announce-port'",
        ),
        ("SENTINEL is-master-down-by-addr 1 2 x y", "ERR value is not an integer or out of range"),
        ("SENTINEL simulate-failure x", "ERR Unknown failure simulation specified"),
        (
            "SENTINEL debug foo 1",
            "ERR Unknown option or number of arguments for SENTINEL DEBUG 'foo'",
        ),
        (
            "SENTINEL debug info-period x",
            "ERR Invalid argument 'x' for SENTINEL DEBUG 'info-period'",
        ),
        ("PUBLISH a b", "ERR Only HELLO messages are accepted by Sentinel instances."),
    ] {
        assert_eq!(ask(&mut machine, command), Reply::Error(expected.to_owned()), "{command}");
    }
    let denied = ask(&mut machine, "SENTINEL set mymaster notification-script /x");
    assert!(denied.as_text().unwrap().starts_with("ERR Reconfiguration of scripts path is denied"));
}

#[test]
fn answers() {
    let mut machine = machine(CONFIG);
    let address = Reply::Array(vec![Reply::bulk("127.0.0.1"), Reply::bulk("6379")]);
    for (command, expected) in [
        ("PING", Reply::Status("PONG".to_owned())),
        ("PING hi", Reply::bulk("hi")),
        ("SENTINEL get-master-addr-by-name mymaster", address),
        ("SENTINEL get-master-addr-by-name x", Reply::NullArray),
        ("SENTINEL reset x", Reply::Integer(0)),
        ("SENTINEL pending-scripts", Reply::Array(Vec::new())),
        ("SENTINEL info-cache x", Reply::Array(Vec::new())),
        ("SENTINEL flushconfig", Reply::ok()),
        (
            "SENTINEL ckquorum mymaster",
            Reply::Status(
                "OK 3 usable Sentinels. Quorum and failover authorization can be reached"
                    .to_owned(),
            ),
        ),
        (
            "ROLE",
            Reply::Array(vec![
                Reply::bulk("sentinel"),
                Reply::Array(vec![Reply::bulk("mymaster")]),
            ]),
        ),
    ] {
        assert_eq!(ask(&mut machine, command), expected, "{command}");
    }
    let info = ask(&mut machine, "INFO sentinel");
    let line = "master0:name=mymaster,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=3\r\n";
    assert!(info.as_text().unwrap().ends_with(line), "{info:?}");
}

#[test]
fn a_primary_shows_stocks_fields_in_stocks_order() {
    let mut machine = machine(CONFIG);
    let names = |reply: &Reply| -> Vec<String> {
        let Reply::Map(rows) = reply else { panic!("no map: {reply:?}") };
        rows.iter().map(|(name, _)| name.as_text().unwrap().to_owned()).collect()
    };
    let common = "name ip port runid flags link-pending-commands link-refcount last-ping-sent \
        last-ok-ping-reply last-ping-reply down-after-milliseconds";
    let server = "info-refresh role-reported role-reported-time";
    for (command, own) in [
        (
            "SENTINEL masters",
            format!(
                "{server} config-epoch num-slaves num-other-sentinels quorum failover-timeout \
                 parallel-syncs"
            ),
        ),
        (
            "SENTINEL replicas mymaster",
            format!(
                "{server} master-link-down-time master-link-status master-host master-port \
                 slave-priority slave-repl-offset replica-announced"
            ),
        ),
        (
            "SENTINEL sentinels mymaster",
            "last-hello-message voted-leader voted-leader-epoch".to_owned(),
        ),
    ] {
        let Reply::Array(rows) = ask(&mut machine, command) else { panic!("{command}: no array") };
        let expected: Vec<String> =
            format!("{common} {own}").split_whitespace().map(str::to_owned).collect();
        assert_eq!(names(&rows[0]), expected, "{command}");
    }
}

#[test]
fn settings_change_and_are_written_down() {
    let mut machine = machine(CONFIG);
    let actions = run(
        &mut machine,
        "SENTINEL set mymaster down-after-milliseconds 1234 auth-pass secret quorum 1",
    );
    let texts: Vec<&str> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Announce(event) => Some(event.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        texts,
        [
            "master mymaster 127.0.0.1 6379 down-after-milliseconds 1234",
            "master mymaster 127.0.0.1 6379 auth-pass ******",
            "master mymaster 127.0.0.1 6379 quorum 1",
        ]
    );
    assert_eq!(ask(&mut machine, "SENTINEL config set announce-port 7"), Reply::ok());
    assert_eq!(ask(&mut machine, "SENTINEL monitor other 127.0.0.1 1 1"), Reply::ok());
    let config = Config::parse(&machine.config().to_lines()).unwrap();
    assert_eq!(config, machine.config());
    let settings = &config.groups["mymaster"].settings;
    assert_eq!((settings.down_after, settings.quorum), (Millis(1234), 1));
    assert_eq!(config.settings.announce_port, 7);
    assert_eq!(config.groups["other"].primary.port, 1);
    assert_eq!(ask(&mut machine, "SENTINEL remove other"), Reply::ok());
    assert_eq!(machine.group_names(), ["mymaster"]);
}
