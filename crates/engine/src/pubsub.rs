//! Channels and patterns: who subscribes, and how a message reaches them.
//!
//! A message is encoded once and put into the mailbox of each loop that has receivers, under the lock
//! of the registry, so that all subscribers see messages in one order.

use crate::effects::Event;
use crate::mailbox::{Message, Push, Via};
use crate::node::Node;
use crate::session::{Session, name_bytes};
use ahash::AHashMap;
use base::glob;
use base::lock::{Mutex, Rank};
use resp::reply::{Protocol, Writer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A subscriber: its client id and its loop.
type Subscriber = (u64, usize);

/// Whether a name is a channel or a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An exact channel.
    Channel,
    /// A glob pattern over channels.
    Pattern,
    /// An exact channel of a shard (SSUBSCRIBE), which no pattern matches.
    Shard,
}

#[derive(Debug, Default)]
struct Registry {
    channels: AHashMap<Box<[u8]>, Vec<Subscriber>>,
    patterns: BTreeMap<Box<[u8]>, Vec<Subscriber>>,
    shards: AHashMap<Box<[u8]>, Vec<Subscriber>>,
}

/// All subscriptions of the node.
#[derive(Debug)]
pub struct PubSub {
    registry: Mutex<Registry>,
    subscribers: AtomicUsize,
}

impl Default for PubSub {
    fn default() -> PubSub {
        PubSub {
            registry: Mutex::new(Rank::PubSub, Registry::default()),
            subscribers: AtomicUsize::new(0),
        }
    }
}

impl Registry {
    fn add(&mut self, kind: Kind, name: &[u8], subscriber: Subscriber) {
        match kind {
            Kind::Channel => self.channels.entry(name.into()).or_default().push(subscriber),
            Kind::Pattern => self.patterns.entry(name.into()).or_default().push(subscriber),
            Kind::Shard => self.shards.entry(name.into()).or_default().push(subscriber),
        }
    }

    fn remove(&mut self, kind: Kind, name: &[u8], client: u64) {
        let left = |list: &mut Vec<Subscriber>| {
            list.retain(|&(id, _)| id != client);
            list.is_empty()
        };
        let emptied = match kind {
            Kind::Channel => self.channels.get_mut(name).map(left),
            Kind::Pattern => self.patterns.get_mut(name).map(left),
            Kind::Shard => self.shards.get_mut(name).map(left),
        };
        match (emptied, kind) {
            (Some(true), Kind::Channel) => drop(self.channels.remove(name)),
            (Some(true), Kind::Pattern) => drop(self.patterns.remove(name)),
            (Some(true), Kind::Shard) => drop(self.shards.remove(name)),
            _ => {}
        }
    }
}

impl PubSub {
    /// Subscribes the session; false if it already did. O(1) for a channel.
    pub fn subscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) -> bool {
        if !session.subscriptions.of_mut(kind).insert(name.into()) {
            return false;
        }
        session.subscriptions.len_bytes += name_bytes(name.len());
        let subscriber = (session.info.id, session.info.loop_index);
        self.registry.lock().add(kind, name, subscriber);
        self.subscribers.fetch_add(1, Ordering::AcqRel);
        note(session);
        true
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&self, session: &mut Session, kind: Kind, name: &[u8]) -> bool {
        if !session.subscriptions.of_mut(kind).remove(name) {
            return false;
        }
        session.subscriptions.len_bytes -= name_bytes(name.len());
        self.registry.lock().remove(kind, name, session.info.id);
        self.subscribers.fetch_sub(1, Ordering::AcqRel);
        note(session);
        true
    }

    /// Ends all subscriptions of a session, without telling it.
    pub fn forget(&self, session: &mut Session) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in session.subscriptions.of(kind).clone() {
                self.unsubscribe(session, kind, &name);
            }
        }
    }

    /// Sends `message` to the shard channel `channel`; gives the number of receivers.
    pub fn publish_to_shard(&self, node: &Node, channel: &[u8], message: &[u8]) -> usize {
        if self.subscribers.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let registry = self.registry.lock();
        let Some(list) = registry.shards.get(channel) else { return 0 };
        deliver(node, list, Kind::Shard, &[b"smessage", channel, message]);
        list.len()
    }

    /// Sends `message` to `channel`; gives the number of receivers. O(receivers + patterns).
    pub fn publish(&self, node: &Node, channel: &[u8], message: &[u8]) -> usize {
        if self.subscribers.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let registry = self.registry.lock();
        let mut receivers = 0;
        if let Some(list) = registry.channels.get(channel) {
            receivers += list.len();
            deliver(node, list, Kind::Channel, &[b"message", channel, message]);
        }
        for (pattern, list) in &registry.patterns {
            if glob::matches(pattern, channel, false) {
                receivers += list.len();
                deliver(node, list, Kind::Pattern, &[b"pmessage", pattern, channel, message]);
            }
        }
        receivers
    }

    /// Publishes a keyspace event as `notify-keyspace-events` asks.
    pub fn notify_keyspace(&self, node: &Node, db: u32, event: Event, key: &[u8]) {
        let (name, class) = event.name();
        let flags = node.settings.notify_keyspace_events.get();
        let has = |letter: u8| flags.contains(&letter);
        if !(has(class) || (has(b'A') && !matches!(class, b'm' | b'n'))) {
            return;
        }
        if has(b'K') {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(node, &channel, name.as_bytes());
        }
        if has(b'E') {
            let channel = format!("__keyevent@{db}__:{name}");
            self.publish(node, channel.as_bytes(), key);
        }
    }

    /// Channels of `kind` with subscribers that match `pattern` (all without one).
    pub fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let registry = self.registry.lock();
        let wanted =
            |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
        match kind {
            Kind::Channel => registry.channels.keys().filter(|n| wanted(n)).cloned().collect(),
            Kind::Pattern => registry.patterns.keys().filter(|n| wanted(n)).cloned().collect(),
            Kind::Shard => registry.shards.keys().filter(|n| wanted(n)).cloned().collect(),
        }
    }

    /// The number of subscribers of `name`, one of `kind`.
    pub fn subscriber_count(&self, kind: Kind, name: &[u8]) -> usize {
        let registry = self.registry.lock();
        let list = match kind {
            Kind::Channel => registry.channels.get(name),
            Kind::Pattern => registry.patterns.get(name),
            Kind::Shard => registry.shards.get(name),
        };
        list.map_or(0, Vec::len)
    }

    /// How many names of `kind` have subscribers.
    pub fn count(&self, kind: Kind) -> usize {
        let registry = self.registry.lock();
        match kind {
            Kind::Channel => registry.channels.len(),
            Kind::Pattern => registry.patterns.len(),
            Kind::Shard => registry.shards.len(),
        }
    }
}

fn note(session: &Session) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let subscriptions = &session.subscriptions;
    session.info.channels.store(count(subscriptions.channels.len()), Ordering::Relaxed);
    session.info.patterns.store(count(subscriptions.patterns.len()), Ordering::Relaxed);
    session.info.shard_channels.store(count(subscriptions.shard_channels.len()), Ordering::Relaxed);
}

/// Sends `words` to the subscribers of `list`; the second is the name of what they subscribe to.
fn deliver(node: &Node, list: &[Subscriber], kind: Kind, words: &[&[u8]]) {
    let encode = |protocol| -> Arc<[u8]> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, protocol);
        writer.push(words.len());
        for word in words {
            writer.bulk(word);
        }
        out.into()
    };
    let (resp2, resp3) = (encode(Protocol::Resp2), encode(Protocol::Resp3));
    let name: Arc<[u8]> = words.get(1).copied().unwrap_or_default().into();
    for (index, mailbox) in node.mailboxes().iter().enumerate() {
        let clients: Vec<u64> =
            list.iter().filter(|(_, home)| *home == index).map(|(id, _)| *id).collect();
        if !clients.is_empty() {
            let via = Via::Subscription(kind, Arc::clone(&name));
            let (resp2, resp3) = (Arc::clone(&resp2), Arc::clone(&resp3));
            mailbox.send(Message::Push(Push { clients, via, resp2, resp3 }));
        }
    }
}
