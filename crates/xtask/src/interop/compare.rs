//! Two servers hold the same: every key of both databases, its value and its time of expiry.

use crate::failure::{Outcome, ensure};
use crate::node::Node;
use crate::wait;
use crate::wire::{Reading, Wire};
use resp::Value;
use std::collections::BTreeMap;

/// Databases that the load writes to.
const DATABASES: u32 = 2;
/// How long a replica may take to hold what its primary holds.
const QUIET_MS: u64 = 60_000;
/// SCAN needs so many rounds at most.
const ROUNDS_MAX: u32 = 1_000_000;

/// A key's database and name, to its value and expiry.
type Content = BTreeMap<(u32, Vec<u8>), (Vec<u8>, i64)>;

/// Waits until `replica` has applied all that `primary` wrote and all short-lived keys are gone, then
/// compares. The primary must not be written to.
///
/// # Errors
/// The first difference, or that the replica stays behind.
pub fn settled(primary: &Node, replica: &Node) -> Outcome {
    wait::until("a replica's offset and number of keys", QUIET_MS, || {
        let there = primary.info("replication", "master_repl_offset");
        let here = replica.info("replication", "slave_repl_offset");
        let sizes = (primary.ask(&["DBSIZE"]).ok()?, replica.ask(&["DBSIZE"]).ok()?);
        let fine = !there.is_empty() && there == here && sizes.0 == sizes.1;
        (fine && no_short_keys(primary).ok()?).then_some(())
    })?;
    same(&mut primary.wire()?, &mut replica.wire()?)
}

/// Compares what two servers hold.
///
/// # Errors
/// The first difference.
pub fn same(left: &mut Wire, right: &mut Wire) -> Outcome {
    let (left, right) = (content(left)?, content(right)?);
    let keys = left.keys().chain(right.keys());
    for key in keys {
        let (a, b) = (left.get(key), right.get(key));
        ensure(a == b, || {
            let name = String::from_utf8_lossy(&key.1);
            let show = |found: Option<&(Vec<u8>, i64)>| {
                found.map_or("absent".into(), |(value, at)| {
                    format!("{} bytes, expiry {at}", value.len())
                })
            };
            format!("{name} in db {}: {} against {}", key.0, show(a), show(b))
        })?;
    }
    ensure(!left.is_empty(), || "there was nothing to compare".to_owned())
}

fn no_short_keys(node: &Node) -> Outcome<bool> {
    Ok(scan(&mut node.wire()?, "short:*")?.is_empty())
}

fn content(wire: &mut Wire) -> Outcome<Content> {
    let mut content = Content::new();
    for database in 0..DATABASES {
        wire.ok(&["SELECT", &database.to_string()])?;
        for key in scan(wire, "*")? {
            let value = wire.ok(&["GET", &key])?;
            let expiry = wire.ok(&["PEXPIRETIME", &key])?.as_integer().unwrap_or(0);
            let value = value.as_bytes().unwrap_or_default().to_vec();
            content.insert((database, key.into_bytes()), (value, expiry));
        }
    }
    Ok(content)
}

fn scan(wire: &mut Wire, pattern: &str) -> Outcome<Vec<String>> {
    let (mut keys, mut cursor) = (Vec::new(), "0".to_owned());
    for _ in 0..ROUNDS_MAX {
        let reply = wire.ok(&["SCAN", &cursor, "MATCH", pattern, "COUNT", "500"])?;
        cursor = reply.items().first().map(Value::text).unwrap_or_default();
        keys.extend(
            reply.items().get(1).map(Value::items).unwrap_or_default().iter().map(Value::text),
        );
        if cursor == "0" {
            break;
        }
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}
