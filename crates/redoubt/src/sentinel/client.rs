//! A client of the sentinel: its connection and what it has told us about itself.

use super::connection::Connection;
use base::glob;
use resp::{Arguments, Parser, Protocol, Writer};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The longest request, in bytes.
pub(super) const QUERY_BYTES_MAX: usize = 1024 * 1024;
/// Unsent bytes at which a client that does not read is closed.
pub(super) const OUTPUT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Channels and patterns of one client.
pub(super) const SUBSCRIPTIONS_MAX: usize = 10_000;

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) parser: Parser,
    pub(super) arguments: Arguments,
    pub(super) session: Session,
}

/// What holds for a connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) address: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) name: Vec<u8>,
    pub(super) library: Vec<u8>,
    pub(super) library_version: Vec<u8>,
    pub(super) protocol: Protocol,
    pub(super) authenticated: bool,
    pub(super) channels: BTreeSet<Vec<u8>>,
    pub(super) patterns: BTreeSet<Vec<u8>>,
    pub(super) created_ms: u64,
    pub(super) active_ms: u64,
    pub(super) last_command: String,
    /// Close once everything is sent.
    pub(super) closing: bool,
}

impl Session {
    pub(super) fn is_subscribed(&self) -> bool {
        !self.channels.is_empty() || !self.patterns.is_empty()
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// The line of CLIENT LIST.
    pub(super) fn line(&self, now_ms: u64) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let flags = if self.is_subscribed() { "P" } else { "N" };
        let protocol = if self.protocol == Protocol::Resp3 { 3 } else { 2 };
        format!(
            "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={flags} db=0 sub={} psub={} \
             ssub=0 multi=-1 events=r cmd={} user=default redir=-1 resp={protocol} lib-name={} \
             lib-ver={}\n",
            self.id,
            self.address,
            self.local,
            text(&self.name),
            now_ms.saturating_sub(self.created_ms) / 1000,
            now_ms.saturating_sub(self.active_ms) / 1000,
            self.channels.len(),
            self.patterns.len(),
            self.last_command,
            text(&self.library),
            text(&self.library_version),
        )
    }
}

impl Client {
    /// Hands an event to the client if it has asked for it.
    pub(super) fn publish(&mut self, channel: &str, message: &str) {
        let session = &self.session;
        let matching: Vec<Vec<u8>> = session
            .patterns
            .iter()
            .filter(|pattern| glob::matches(pattern, channel.as_bytes(), false))
            .cloned()
            .collect();
        let exact = session.channels.contains(channel.as_bytes());
        let protocol = session.protocol;
        let mut writer = Writer::new(self.connection.output(), protocol);
        if exact {
            writer.push(3);
            writer.bulk("message");
            writer.bulk(channel);
            writer.bulk(message);
        }
        for pattern in matching {
            writer.push(4);
            writer.bulk("pmessage");
            writer.bulk(pattern);
            writer.bulk(channel);
            writer.bulk(message);
        }
    }
}
