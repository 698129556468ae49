//! What a starting node asks sentinels and servers, and how it reads the answers.

use super::own::Own;
use super::{Holding, SentinelView};
use base::{Millis, RunId};
use engine::replication::Address;
use resp::value::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use wireclient::Client;

/// How long one peer may take to answer.
const ANSWER_MS: u64 = 300;

/// Fields with their values.
pub(super) type Row = Vec<(String, String)>;

/// Where to connect to what listens on `address`.
pub(super) fn reachable(address: SocketAddr) -> Address {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Address { host: host.to_string(), port: address.port() }
}

pub(super) fn connect(address: &Address, user: Option<&str>, password: &str) -> Option<Client> {
    let timeout = Duration::from_millis(ANSWER_MS);
    let target = wireclient::Address::tcp(address.host.clone(), address.port);
    let mut client = Client::connect(&target, timeout).ok()?;
    client.set_read_timeout(Some(timeout)).ok()?;
    if !password.is_empty() {
        client.auth(user, password).ok()?;
    }
    Some(client)
}

/// The group that this node belongs to, of those that our sentinel watches: the only one, or the one
/// whose primary it is, whose primary or replica it is configured to follow, or that knows it as a
/// replica. In that order, because sentinels do not forget a replica that has left.
pub(super) fn group_of(
    sentinel: &mut Client,
    groups: &[Row],
    own: &Own,
    configured: Option<&Address>,
) -> Option<String> {
    if let [only] = groups {
        return field(only, "name").map(str::to_owned);
    }
    let led = groups.iter().find(|row| address_of(row).is_some_and(|primary| own.is(&primary)));
    if let Some(led) = led {
        return field(led, "name").map(str::to_owned);
    }
    let mut members: Vec<(&str, Vec<Address>)> = Vec::new();
    for row in groups {
        let Some(name) = field(row, "name") else { continue };
        let replicas = rows(sentinel, &["SENTINEL", "REPLICAS", name]).unwrap_or_default();
        members.push((name, replicas.iter().chain([row]).filter_map(address_of).collect()));
    }
    let is_followed = |at: &Address| Some(at) == configured;
    let followed = members.iter().find(|(_, members)| members.iter().any(is_followed));
    let known = || members.iter().find(|(_, members)| members.iter().any(|at| own.is(at)));
    followed.or_else(known).map(|(name, _)| (*name).to_owned())
}

pub(super) fn view(client: &mut Client, group: &str, own: &Own) -> Option<SentinelView> {
    let row = pairs(&client.call(&["SENTINEL", "MASTER", group]).ok()?)?;
    let primary = address_of(&row)?;
    let epoch = field(&row, "config-epoch")?.parse().ok()?;
    let is_self = own.is(&primary);
    let span = |name: &str| field(&row, name)?.parse::<u64>().ok();
    let tries = span("failover-timeout")?.saturating_mul(2);
    let patience = Millis(span("down-after-milliseconds")?.saturating_add(tries));
    Some(SentinelView { epoch, primary, is_self, patience })
}

pub(super) fn holding(client: &mut Client) -> Option<Holding> {
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
    let offset = line(offset_name)?.parse().ok()?;
    let priority = line("slave_priority").and_then(|text| text.parse().ok()).unwrap_or(100);
    Some(Holding { replids, offset, keys, priority })
}

/// The rows of a sentinel's answer; `None` if it gives none.
pub(super) fn rows(client: &mut Client, words: &[&str]) -> Option<Vec<Row>> {
    match client.call(words) {
        Ok(Value::Array(items)) => Some(items.iter().filter_map(pairs).collect()),
        _ => None,
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

pub(super) fn address_of(row: &Row) -> Option<Address> {
    Some(Address { host: field(row, "ip")?.to_owned(), port: field(row, "port")?.parse().ok()? })
}
