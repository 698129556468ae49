//! INFO replication: what sentinels and the promotion of replicas go by.

use super::Field::{self, Always, When};
use super::facts::{Facts, flag, ratio};
use engine::replication::LinkState;
use std::fmt::Write;

/// The replicas stand before this field.
pub(super) const REPLICAS_AT: usize = 19;

pub(super) const FIELDS: &[Field] = &[
    Always("role", |facts| if is_replica(facts) { "slave" } else { "master" }.into()),
    When("master_host", |facts| facts.replication().primary.as_ref().map(|at| at.host.clone())),
    When("master_port", |facts| facts.replication().primary.as_ref().map(|at| at.port.to_string())),
    When("master_link_status", |facts| {
        of_replica(facts, || if is_up(facts) { "up" } else { "down" }.into())
    }),
    When("master_last_io_seconds_ago", |facts| {
        let last = facts.replication().link.last_io.filter(|_| is_up(facts));
        of_replica(facts, || last.map_or_else(|| "-1".into(), |at| seconds_since(facts, at)))
    }),
    When("master_sync_in_progress", |facts| of_replica(facts, || flag(is_syncing(facts)))),
    When("slave_read_repl_offset", |facts| {
        let read = facts.replication().link.read_offset.max(facts.node.log.end());
        of_replica(facts, || read.to_string())
    }),
    When("slave_repl_offset", |facts| of_replica(facts, || facts.node.log.end().to_string())),
    When("master_sync_total_bytes", |facts| of_sync(facts, |total, _| total.to_string())),
    When("master_sync_read_bytes", |facts| of_sync(facts, |_, read| read.to_string())),
    When("master_sync_left_bytes", |facts| {
        of_sync(facts, |total, read| (i128::from(total) - i128::from(read)).to_string())
    }),
    When("master_sync_perc", |facts| {
        of_sync(facts, |total, read| format!("{:.2}", ratio(read, total) * 100.0))
    }),
    When("master_sync_last_io_seconds_ago", |facts| {
        let last = facts.replication().link.sync_last_io;
        of_sync(facts, |_, _| last.map_or_else(|| "-1".into(), |at| seconds_since(facts, at)))
    }),
    When("master_link_down_since_seconds", |facts| {
        let since = facts.replication().link.down_since;
        let down = is_replica(facts) && !is_up(facts);
        down.then(|| since.map_or_else(|| "-1".into(), |at| seconds_since(facts, at)))
    }),
    When("slave_priority", |facts| {
        of_replica(facts, || facts.node.settings.replica_priority.get().to_string())
    }),
    When("slave_read_only", |facts| {
        of_replica(facts, || flag(facts.node.settings.replica_read_only.get()))
    }),
    When("replica_announced", |facts| {
        of_replica(facts, || flag(facts.node.settings.replica_announced.get()))
    }),
    Always("connected_slaves", |facts| facts.replication().replicas.len().to_string()),
    When("min_slaves_good_slaves", |facts| {
        let settings = &facts.node.settings;
        let counts =
            settings.min_replicas_to_write.get() > 0 && settings.min_replicas_max_lag.get() > 0;
        counts.then(|| facts.replication().good_replicas.to_string())
    }),
    Always("master_failover_state", |_| "no-failover".into()),
    Always("master_replid", |facts| facts.replication().history.replid.to_string()),
    Always("master_replid2", |facts| facts.replication().history.replid2.to_string()),
    Always("master_repl_offset", |facts| facts.node.log.end().to_string()),
    Always("second_repl_offset", |facts| {
        facts.replication().history.second_repl_offset().to_string()
    }),
    Always("repl_backlog_active", |facts| flag(facts.node.log.backlog().is_some())),
    Always("repl_backlog_size", |facts| facts.node.settings.repl_backlog_size.get().to_string()),
    Always("repl_backlog_first_byte_offset", |facts| {
        facts.node.log.backlog().map_or(0, |window| window.first.0 + 1).to_string()
    }),
    Always("repl_backlog_histlen", |facts| {
        facts.node.log.backlog().map_or(0, |window| window.end - window.first).to_string()
    }),
];

/// A line for each replica.
pub(super) fn replicas(facts: &Facts<'_>, text: &mut String) {
    for (number, replica) in facts.replication().replicas.iter().enumerate() {
        let (host, port, state) = (&replica.host, replica.port, replica.state);
        let (offset, lag) = (replica.offset, replica.lag_ms / 1000);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "slave{number}:ip={host},port={port},state={state},offset={offset},lag={lag}\r\n"
        );
    }
}

fn is_replica(facts: &Facts<'_>) -> bool {
    facts.replication().primary.is_some()
}

fn is_up(facts: &Facts<'_>) -> bool {
    facts.replication().link.state == LinkState::Connected
}

fn is_syncing(facts: &Facts<'_>) -> bool {
    facts.replication().link.state == LinkState::Sync
}

fn of_replica(facts: &Facts<'_>, value: impl FnOnce() -> String) -> Option<String> {
    is_replica(facts).then(value)
}

/// A field of a full sync under way: of the bytes announced and read.
fn of_sync(facts: &Facts<'_>, value: impl FnOnce(u64, u64) -> String) -> Option<String> {
    let (total, read) = facts.replication().link.sync_bytes;
    (is_replica(facts) && is_syncing(facts)).then(|| value(total, read))
}

fn seconds_since(facts: &Facts<'_>, at: base::Millis) -> String {
    (facts.now.since(at).0 / 1000).to_string()
}
