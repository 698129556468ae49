//! INFO clients.

use super::Field::{self, Always};
use super::facts::Facts;
use engine::client::{Class, ClientInfo};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) const FIELDS: &[Field] = &[
    Always("connected_clients", |facts| {
        let replica = |client: &&std::sync::Arc<ClientInfo>| client.class() == Class::Replica;
        let replicas = facts.clients().iter().filter(replica).count();
        (facts.clients().len() - replicas).to_string()
    }),
    Always("cluster_connections", |_| "0".into()),
    Always("maxclients", |facts| facts.node.settings.maxclients.get().to_string()),
    Always("client_recent_max_input_buffer", |facts| largest(facts, |c| &c.query_buffer)),
    Always("client_recent_max_output_buffer", |facts| largest(facts, |c| &c.output_bytes)),
    Always("blocked_clients", |facts| {
        let blocked = |client: &&std::sync::Arc<ClientInfo>| client.blocked.load(Ordering::Relaxed);
        facts.clients().iter().filter(blocked).count().to_string()
    }),
    Always("tracking_clients", |facts| facts.node.tracking.clients().to_string()),
    Always("clients_in_timeout_table", |_| "0".into()),
    Always("total_blocking_keys", |facts| facts.node.waiters.counts().1.to_string()),
    Always("total_blocking_keys_on_nokey", |facts| facts.node.waiters.counts().2.to_string()),
    Always("pubsub_clients", |facts| number(facts, ClientInfo::subscribes)),
    Always("watching_clients", |facts| {
        number(facts, |client| client.watching.load(Ordering::Relaxed) > 0)
    }),
    Always("total_watched_keys", |facts| {
        let watched = facts.clients().iter().map(|c| c.watching.load(Ordering::Relaxed));
        watched.map(u64::from).sum::<u64>().to_string()
    }),
];

fn number(facts: &Facts<'_>, which: fn(&ClientInfo) -> bool) -> String {
    facts.clients().iter().filter(|client| which(client)).count().to_string()
}

fn largest(facts: &Facts<'_>, counter: fn(&ClientInfo) -> &AtomicUsize) -> String {
    let sizes = facts.clients().iter().map(|client| counter(client).load(Ordering::Relaxed));
    sizes.max().unwrap_or(0).to_string()
}
