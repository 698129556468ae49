//! The question a starting node asks before it serves: who is the primary, and does anybody hold more?
//!
//! A server that is its own sentinel asks all sentinels it knows. If they name another primary it
//! follows that one, whatever its file says. If they name this node, it first compares its snapshot
//! with what its replicas hold: should one of them hold more (this node was killed and comes back
//! before anyone noticed), it stays away, deaf, until the sentinels have elected another. Stock serves
//! at once and its replicas are emptied.

mod own;

use super::data::Head;
use base::{Millis, RunId};
use conf::Settings;
use engine::replication::Address;
use own::Own;
use resp::value::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;
use wireclient::Client;

/// How long one peer may take to answer.
const ANSWER_MS: u64 = 300;
/// How long peers that do not answer are waited for before they are taken to be gone.
const SILENCE_MAX: Millis = Millis(3_000);
/// Between two rounds of questions.
const ROUND_MS: u64 = 50;
/// Between two lines in the log while a fuller peer keeps this node away.
const SAY_EVERY: Millis = Millis(5_000);

/// What a node is to start as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What its configuration says.
    AsConfigured,
    /// The primary.
    Primary,
    /// A replica.
    Follow(Address),
}

/// What the guard wants to know of the sentinel that runs beside the server.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// The group's name.
    pub(crate) group: String,
    /// Where our sentinel listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Its password, empty for none.
    pub(crate) password: String,
}

/// Where one sentinel sees the primary, and since which configuration epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SentinelView {
    epoch: u64,
    primary: Address,
    is_self: bool,
}

/// What a peer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holding {
    replids: Vec<RunId>,
    offset: u64,
    keys: u64,
}

/// What one round of questions says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Round {
    Settled(Verdict),
    /// This peer holds more.
    Fuller(Address),
    /// Somebody does not answer.
    Silence,
    /// No sentinel answers, not even our own.
    Unasked,
}

/// Asks until it is clear what this node is to be. `head` is what its snapshot says of itself.
pub(crate) fn ask(settings: &Settings, beside: &Beside, head: &Head) -> Verdict {
    let began = base::clock::monotonic();
    let mut said: Option<Millis> = None;
    loop {
        let round = one_round(settings, beside, head);
        let now = base::clock::monotonic();
        match round {
            Round::Settled(verdict) => return verdict,
            Round::Silence if now.since(began) >= SILENCE_MAX => return Verdict::Primary,
            Round::Unasked if now.since(began) >= SILENCE_MAX => {
                tracing::warn!(
                    "This server's own sentinel does not say who the primary of {} is: the \
                     configuration decides, and another primary may be there already",
                    beside.group
                );
                return Verdict::AsConfigured;
            }
            Round::Silence | Round::Unasked => {}
            Round::Fuller(peer) => {
                if said.is_none_or(|at| now.since(at) >= SAY_EVERY) {
                    tracing::warn!(
                        "{}:{} holds more than this node's snapshot; staying away until the \
                         sentinels have elected a primary",
                        peer.host,
                        peer.port
                    );
                    said = Some(now);
                }
            }
        }
        // Nothing here can be waited for but time: the peers are asked again.
        thread::sleep(Duration::from_millis(ROUND_MS));
    }
}

fn one_round(settings: &Settings, beside: &Beside, head: &Head) -> Round {
    let own = Own::look(settings);
    let mut ours = beside.addresses.iter().map(|&address| reachable(address));
    let Some(mut first) = ours.find_map(|local| connect(&local, None, &beside.password)) else {
        return Round::Unasked;
    };
    let mut views: Vec<SentinelView> = view(&mut first, beside, &own).into_iter().collect();
    for other in rows(&mut first, &["SENTINEL", "SENTINELS", &beside.group]) {
        if let Some(address) = address_of(&other)
            && let Some(mut client) = connect(&address, None, &beside.password)
        {
            views.extend(view(&mut client, beside, &own));
        }
    }
    let Some(best) = views.into_iter().max_by_key(|view| view.epoch) else {
        return Round::Unasked;
    };
    if !best.is_self {
        return Round::Settled(Verdict::Follow(best.primary));
    }
    let user = settings.masteruser.string();
    let password = settings.masterauth.string();
    let peers: Vec<Address> = rows(&mut first, &["SENTINEL", "REPLICAS", &beside.group])
        .iter()
        .filter_map(address_of)
        .filter(|peer| !own.is(peer))
        .collect();
    let holdings: Vec<(Address, Option<Holding>)> = peers
        .into_iter()
        .map(|peer| {
            let client = connect(&peer, (!user.is_empty()).then_some(user.as_str()), &password);
            (peer, client.and_then(|mut client| holding(&mut client)))
        })
        .collect();
    judge(head, &holdings)
}

/// Decides for a node that the sentinels name as primary.
fn judge(head: &Head, peers: &[(Address, Option<Holding>)]) -> Round {
    let fuller = |holding: &Holding| match head.history {
        Some((replid, offset)) if holding.replids.contains(&replid) => holding.offset > offset.0,
        // Different histories cannot be compared by offset; a node with data does not yield to that.
        Some(_) => !head.has_keys && holding.keys > 0,
        None => holding.keys > 0,
    };
    if let Some((peer, _)) = peers.iter().find(|(_, held)| held.as_ref().is_some_and(fuller)) {
        return Round::Fuller(peer.clone());
    }
    if peers.iter().any(|(_, held)| held.is_none()) {
        return Round::Silence;
    }
    Round::Settled(Verdict::Primary)
}

/// Where to connect to what listens on `address`.
fn reachable(address: SocketAddr) -> Address {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Address { host: host.to_string(), port: address.port() }
}

fn connect(address: &Address, user: Option<&str>, password: &str) -> Option<Client> {
    let timeout = Duration::from_millis(ANSWER_MS);
    let target = wireclient::Address::tcp(address.host.clone(), address.port);
    let mut client = Client::connect(&target, timeout).ok()?;
    client.set_read_timeout(Some(timeout)).ok()?;
    if !password.is_empty() {
        client.auth(user, password).ok()?;
    }
    Some(client)
}

fn view(client: &mut Client, beside: &Beside, own: &Own) -> Option<SentinelView> {
    let row = pairs(&client.call(&["SENTINEL", "MASTER", &beside.group]).ok()?)?;
    let primary = address_of(&row)?;
    let epoch = field(&row, "config-epoch")?.parse().ok()?;
    let is_self = own.is(&primary);
    Some(SentinelView { epoch, primary, is_self })
}

fn holding(client: &mut Client) -> Option<Holding> {
    let Value::Bulk(replication) = client.call(&["INFO", "replication"]).ok()? else { return None };
    let Value::Bulk(keyspace) = client.call(&["INFO", "keyspace"]).ok()? else { return None };
    let text = String::from_utf8_lossy(&replication).into_owned();
    let line = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let replids = ["master_replid", "master_replid2"]
        .iter()
        .filter_map(|name| RunId::parse(line(name)?.as_bytes()))
        .filter(|id| *id != RunId::zero())
        .collect();
    let offset_name =
        if line("role")? == "slave" { "slave_repl_offset" } else { "master_repl_offset" };
    let keys = String::from_utf8_lossy(&keyspace)
        .lines()
        .filter_map(|line| line.split_once("keys=")?.1.split(',').next()?.parse::<u64>().ok())
        .sum();
    Some(Holding { replids, offset: line(offset_name)?.parse().ok()?, keys })
}

type Row = Vec<(String, String)>;

fn rows(client: &mut Client, words: &[&str]) -> Vec<Row> {
    match client.call(words) {
        Ok(Value::Array(items)) => items.iter().filter_map(pairs).collect(),
        _ => Vec::new(),
    }
}

fn pairs(value: &Value) -> Option<Row> {
    let Value::Array(items) = value else { return None };
    let text = |value: &Value| match value {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    Some(items.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect())
}

fn field<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn address_of(row: &Row) -> Option<Address> {
    Some(Address { host: field(row, "ip")?.to_owned(), port: field(row, "port")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::{self, Options};
    use base::Offset;
    use base::random::Random;
    use conf::LoadRequest;

    /// The port that this node would serve on.
    const OWN_PORT: u16 = 6379;

    /// The verdict for a node with these settings and the sentinel of these lines.
    fn verdict(settings: &str, lines: &[&str]) -> Verdict {
        let stdin = Some(format!("port {OWN_PORT}\n{settings}"));
        let request = LoadRequest { stdin, ..LoadRequest::default() };
        let settings = Settings::load(&request).unwrap().settings;
        let dir = tempfile::tempdir().unwrap();
        let words = |line: &&str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let lines: Vec<sentinel::Line> = lines.iter().map(words).collect();
        let options = Options::embedded(dir.path(), 0, lines.clone());
        let options = Options { bind: vec!["127.0.0.1".into()], ..options };
        let handle = sentinel::start(options).unwrap();
        let beside = Beside {
            group: "m".to_owned(),
            addresses: handle.addresses().to_vec(),
            password: String::new(),
        };
        let verdict = ask(&settings, &beside, &Head::default());
        handle.stop();
        verdict
    }

    #[test]
    fn a_node_does_not_follow_itself_by_any_of_its_names() {
        let names = "resolve-hostnames yes";
        for (settings, lines, expected) in [
            ("", &["monitor m 127.0.0.1 6379 1"][..], true),
            ("", &[names, "monitor m localhost 6379 1"], true),
            ("", &[names, "monitor m localhost 6380 1"], false),
            ("replica-announce-ip node1", &[names, "monitor m node1 6379 1"], true),
            ("replica-announce-ip 198.51.100.1", &["monitor m 198.51.100.1 6379 1"], true),
            ("replica-announce-ip 198.51.100.1", &["monitor m 198.51.100.2 6379 1"], false),
            (
                "replica-announce-ip 198.51.100.1\nreplica-announce-port 7000",
                &["monitor m 198.51.100.1 7000 1"],
                true,
            ),
            (
                "replica-announce-ip 198.51.100.1\nreplica-announce-port 7000",
                &["monitor m 198.51.100.1 6379 1"],
                false,
            ),
        ] {
            let found = verdict(settings, lines);
            assert_eq!(found == Verdict::Primary, expected, "{settings} {lines:?}: {found:?}");
        }
    }

    fn peer(port: u16) -> Address {
        Address { host: "127.0.0.1".into(), port }
    }

    #[test]
    fn a_primary_yields_only_to_those_who_hold_more() {
        let mut random = Random::from_seed(1);
        let (ours, theirs) = (RunId::generate(&mut random), RunId::generate(&mut random));
        let head = |offset: Option<u64>, keys| Head {
            history: offset.map(|offset| (ours, Offset(offset))),
            has_keys: keys > 0,
        };
        let held = |replid, offset, keys| Some(Holding { replids: vec![replid], offset, keys });
        let serve = Round::Settled(Verdict::Primary);
        let away = Round::Fuller(peer(2));
        for (head, holding, expected) in [
            (head(Some(10), 1), held(ours, 10, 1), serve.clone()),
            (head(Some(10), 1), held(ours, 11, 1), away.clone()),
            (head(None, 0), held(theirs, 5, 3), away.clone()),
            (head(None, 0), held(theirs, 5, 0), serve.clone()),
            (head(Some(10), 4), held(theirs, 99, 9), serve.clone()),
            (head(Some(10), 0), held(theirs, 99, 9), away.clone()),
            (head(Some(10), 1), None, Round::Silence),
        ] {
            let peers = [(peer(1), held(ours, 0, 0)), (peer(2), holding)];
            assert_eq!(judge(&head, &peers), expected, "{head:?} {peers:?}");
        }
    }
}
