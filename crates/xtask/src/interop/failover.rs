//! Sentinels of both kinds over servers of both kinds: the primary's node dies, and comes back.

use super::Stage;
use crate::drill::writers::Writer;
use crate::failure::{Outcome, ensure};
use crate::group::{Group, NODES, Options};
use crate::program::Program;
use crate::setup::clients;
use crate::wait;
use crate::wire::Reading;
use resp::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use wireclient::{Address, Client};

/// How long sentinels may take to agree on another primary.
const FAILOVER_MS: u64 = 30_000;
/// What a failover publishes, as the guide's first scenario lists it.
const EVENTS: [&str; 10] = [
    "+sdown",
    "+odown",
    "+new-epoch",
    "+try-failover",
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-end",
    "+switch-master",
];
/// How long after its predecessor an event may come, once all is over.
const EVENT_WITHIN: Duration = Duration::from_millis(500);
/// How long a client may take to report.
const REPORT_MS: u64 = 60_000;
/// How long clients write.
const WRITE_FOR: Duration = Duration::from_millis(500);

/// Three stock sentinels over our servers.
pub fn stock_sentinels(stage: &Stage) -> Outcome {
    fail_over(stage, &stage.ours, [&stage.stock; 3], &Options::default())
}

/// Three of our sentinels over stock servers.
pub fn stock_servers(stage: &Stage) -> Outcome {
    fail_over(stage, &stage.stock, [&stage.ours; 3], &Options::default())
}

/// Two of our sentinels and a stock one over our servers. The node that dies takes one of ours with it,
/// so that ours and the stock one must agree: each needs the other's vote.
pub fn mixed_quorum(stage: &Stage) -> Outcome {
    let sentinels = [&stage.ours, &stage.ours, &stage.stock];
    fail_over(stage, &stage.ours, sentinels, &Options::default())
}

fn fail_over(
    stage: &Stage,
    servers: &Program,
    sentinels: [&Program; 3],
    options: &Options,
) -> Outcome {
    let mut group = Group::of_parts(servers, sentinels, &stage.folder.join("group"), options)?;
    let old = group.ready()?;
    let mut wire = group.server(old)?;
    for number in 0..100 {
        wire.ok(&["SET", &format!("key:{number}"), "value"])?;
    }
    let copies = wire.ok(&["WAIT", "2", "5000"])?.text();
    ensure(copies == "2", || format!("WAIT 2 answered {copies}"))?;
    let mut listeners = listen(&group, old)?;
    group.kill(old)?;
    let others = (0..NODES).filter(|node| *node != old);
    for node in others {
        wait::until("another primary", FAILOVER_MS, || {
            let mut wire = group.sentinel(node).ok()?;
            let address = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"];
            let port = wire.ok(&address).ok()?.items().get(1)?.text();
            (port != (group.port + old).to_string()).then_some(())
        })?;
    }
    let new = group.heal(old)?;
    ensure(new != old, || "the old primary came back as primary".to_owned())?;
    for node in 0..NODES {
        let size = group.server(node)?.ok(&["DBSIZE"])?.text();
        ensure(size == "100", || format!("node {node} holds {size} of 100 keys"))?;
    }
    heard(&mut listeners)
}

/// Listens to every event of the sentinels that will be left.
fn listen(group: &Group, dying: u16) -> Outcome<Vec<Client>> {
    let mut listeners = Vec::new();
    for node in (0..NODES).filter(|node| *node != dying) {
        let address = Address::tcp("127.0.0.1", group.sentinel_port + node);
        let mut client = Client::connect(&address, EVENT_WITHIN)?;
        client.call(&["PSUBSCRIBE", "*"])?;
        listeners.push(client);
    }
    Ok(listeners)
}

/// Every event of a failover must have been published by one of the sentinels, with stock's form.
fn heard(listeners: &mut [Client]) -> Outcome {
    let mut events = BTreeMap::new();
    for listener in listeners {
        while let Ok(message) = listener.receive_next() {
            let word = |at: usize| message.items().get(at).map(Value::text).unwrap_or_default();
            events.insert(word(2), word(3));
        }
    }
    let missing: Vec<_> = EVENTS.iter().filter(|event| !events.contains_key(**event)).collect();
    ensure(missing.is_empty(), || format!("events {missing:?} are missing of {events:?}"))?;
    let switch = events.get("+switch-master").cloned().unwrap_or_default();
    let words: Vec<&str> = switch.split(' ').collect();
    let fine = words.len() == 5 && words[0] == "mymaster" && words[2] != words[4];
    ensure(fine, || format!("+switch-master says `{switch}`"))
}

/// The guide's clients as they stand: one password for the servers, another for the sentinels.
pub fn two_passwords(stage: &Stage) -> Outcome {
    let passwords = Some(("strong_master_password".to_owned(), "sentinel_password".to_owned()));
    let options = Options { passwords, ..Options::default() };
    let folder = stage.folder.join("group");
    let group = Group::of_parts(&stage.ours, [&stage.ours; 3], &folder, &options)?;
    let mut writers = Vec::new();
    for client in clients::ALL {
        client.prepare()?;
        writers.push((client, Writer::start(client, &group, 1, &stage.folder)?));
    }
    for (_, writer) in &mut writers {
        writer.ready()?;
    }
    wait::pause(WRITE_FOR);
    for (client, writer) in writers {
        let report = writer.finish(REPORT_MS)?;
        let name = client.library();
        ensure(report.acknowledged > 0, || format!("{name} wrote nothing"))?;
        ensure(report.lost == 0, || format!("{name} lost {}", report.lost))?;
    }
    Ok(())
}
