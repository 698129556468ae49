//! Client side caching: which connection has read which key, and who is told when it changes.
//!
//! A read enters its keys under the locks of their shards; a change looks them up under the same
//! locks, so none is missed. The table is cut into segments by shard; each segment is a lock of rank
//! Tracking, and no thread holds two. A key stands for itself in every database, as in stock.
//!
//! What changed is told once the command or transaction has been carried out, its locks still held, by
//! way of the mailbox of the receiver's loop. So that a reader which is itself in the middle of a
//! command gets that in the right place, it notes under its locks how far its loop's mailbox had come
//! ([`crate::Session::mail_mark`]): what was sent before stands before its reply, for the reply may show
//! something newer; what was sent later stands behind it, for it may be about that very reply.
//!
//! With broadcasting nothing is remembered: whoever gave a prefix is told of every change below it.
//! Without a client that tracks, nothing is noted of changes (see [`Node::noted`]).
//!
//! Source: Redis documentation, "Client-side caching in Redis"; behaviour observed with Redis 7.0.15.

use crate::client::{ClientInfo, Clients};
use crate::keys::{NOTES_CHANGES, Place};
use crate::mailbox::{Message, Push, Via};
use crate::node::Node;
use crate::session::{Session, name_bytes};
use ahash::AHashMap;
use base::lock::{Mutex, Rank};
use base::random::Random;
use resp::reply::{Protocol, Writer};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bits of [`ClientInfo::tracking`].
pub mod flag {
    /// The connection tracks.
    pub const ON: u32 = 1;
    /// By prefixes, whatever it has read.
    pub const BCAST: u32 = 2;
    /// Only what it reads right behind CLIENT CACHING YES.
    pub const OPTIN: u32 = 4;
    /// All but what it reads right behind CLIENT CACHING NO.
    pub const OPTOUT: u32 = 8;
    /// It is not told of its own changes.
    pub const NOLOOP: u32 = 16;
    /// CLIENT CACHING was said for the next command.
    pub const CACHING: u32 = 32;
    /// Whom it redirects to was found gone.
    pub const BROKEN: u32 = 64;
}

/// Pieces of the table.
const SEGMENTS: usize = 64;
/// The channel by which RESP2 connections are told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// A key's readers are looked through for those that are gone when there are so many for the first time.
const LOOK_THROUGH_FIRST: usize = 16;

/// Ids of connections.
type Ids = SmallVec<[u64; 2]>;

/// Who has read one key.
#[derive(Debug)]
struct Readers {
    /// Its place in `Segment::order`.
    at: usize,
    /// In ascending order. Some of them may be gone: no more than [`LOOK_THROUGH_FIRST`], or than as
    /// many again as were connected at the last look.
    clients: Ids,
    /// With so many they are looked through for those that are gone.
    look_at: usize,
}

impl Readers {
    fn new(at: usize, client: u64) -> Readers {
        Readers { at, clients: Ids::from_slice(&[client]), look_at: LOOK_THROUGH_FIRST }
    }

    /// Enters a reader, if it is new; by how many there are more then. What looking through them costs
    /// is spread over as many that were entered since the last time.
    fn enter(&mut self, client: u64, is_there: impl Fn(u64) -> bool) -> isize {
        let Err(at) = self.clients.binary_search(&client) else { return 0 };
        let before = self.clients.len();
        self.clients.insert(at, client);
        if self.clients.len() >= self.look_at {
            self.clients.retain(|&mut id| id == client || is_there(id));
            self.look_at = LOOK_THROUGH_FIRST.max(2 * self.clients.len());
        }
        self.clients.len().cast_signed() - before.cast_signed()
    }
}

/// The keys of some shards that were read.
#[derive(Debug, Default)]
struct Segment {
    readers: AHashMap<Arc<[u8]>, Readers>,
    /// The keys in any order, so that one can be chosen by chance.
    order: Vec<Arc<[u8]>>,
}

impl Segment {
    /// Takes a key out, and its readers.
    fn take(&mut self, key: &[u8]) -> Option<Ids> {
        let Readers { at, clients, .. } = self.readers.remove(key)?;
        self.order.swap_remove(at);
        if let Some(moved) = self.order.get(at)
            && let Some(readers) = self.readers.get_mut(moved)
        {
            readers.at = at;
        }
        Some(clients)
    }
}

/// Prefixes and who gave them.
#[derive(Debug, Default)]
struct Prefixes {
    clients: usize,
    by_name: AHashMap<Box<[u8]>, Vec<u64>>,
    /// The lengths that prefixes have, and how many have each: no other is looked for in a key.
    lens: BTreeMap<usize, usize>,
}

impl Prefixes {
    fn add(&mut self, prefix: &[u8], client: u64) {
        if let Some(clients) = self.by_name.get_mut(prefix) {
            return clients.push(client);
        }
        self.by_name.insert(prefix.into(), vec![client]);
        *self.lens.entry(prefix.len()).or_default() += 1;
    }

    fn remove(&mut self, prefix: &[u8], client: u64) {
        let Some(clients) = self.by_name.get_mut(prefix) else { return };
        clients.retain(|&id| id != client);
        if clients.is_empty() {
            self.by_name.remove(prefix);
            if let Entry::Occupied(mut count) = self.lens.entry(prefix.len()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }

    /// The beginnings of `key` that are as long as some prefix.
    fn beginnings<'a>(&self, key: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.lens.range(..=key.len()).map(|(&len, _)| &key[..len])
    }
}

/// A key that has changed: who changed it (0 is the server itself), and who had read it.
#[derive(Debug)]
pub(crate) struct Changed {
    key: Box<[u8]>,
    by: u64,
    readers: Ids,
}

/// Everything that is tracked.
#[derive(Debug)]
pub struct Tracking {
    segments: Vec<Mutex<Segment>>,
    keys: AtomicUsize,
    items: AtomicUsize,
    prefixes: Mutex<Prefixes>,
    prefix_count: AtomicUsize,
    client_count: AtomicUsize,
    /// The segment that next loses a key when there are too many.
    next: AtomicUsize,
}

impl Default for Tracking {
    fn default() -> Tracking {
        let segment = || Mutex::new(Rank::Tracking, Segment::default());
        Tracking {
            segments: (0..SEGMENTS).map(|_| segment()).collect(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            prefixes: Mutex::new(Rank::Tracking, Prefixes::default()),
            prefix_count: AtomicUsize::new(0),
            client_count: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }
}

impl Tracking {
    /// How many connections track.
    pub fn clients(&self) -> usize {
        self.client_count.load(Ordering::Relaxed)
    }

    /// How many keys are remembered, for how many readers in all, and how many prefixes there are.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&self.keys), count(&self.items), count(&self.prefix_count))
    }

    /// CLIENT TRACKING ON: `flags` are [`flag`]'s; `redirect` is the connection to be told, 0 for the
    /// session's own. Prefixes join those it has.
    pub fn begin(
        &self,
        node: &Node,
        session: &mut Session,
        flags: u32,
        redirect: u64,
        prefixes: &[&[u8]],
    ) {
        let info = Arc::clone(&session.info);
        let was_on = info.tracks(flag::ON);
        info.redirect.store(redirect, Ordering::Relaxed);
        info.tracking.store(flag::ON | flags, Ordering::Relaxed);
        let mut held = self.prefixes.lock();
        held.clients += usize::from(!was_on);
        let everything: &[&[u8]] = &[b""];
        let added = if prefixes.is_empty() { everything } else { prefixes };
        for &prefix in added.iter().filter(|_| flags & flag::BCAST != 0) {
            if session.prefixes.insert(prefix.into()) {
                session.prefixes_bytes += name_bytes(prefix.len());
                held.add(prefix, info.id);
            }
        }
        self.publish(node, &held);
    }

    /// CLIENT TRACKING OFF, or the end of the connection. What it has read stays in the table until it
    /// changes or is pushed out, as in stock, or until a connection that has ended stands in the way of
    /// others.
    pub fn end(&self, node: &Node, session: &mut Session) {
        if !session.info.tracks(flag::ON) {
            return;
        }
        session.info.tracking.store(0, Ordering::Relaxed);
        session.info.redirect.store(0, Ordering::Relaxed);
        session.prefixes_bytes = 0;
        let mut held = self.prefixes.lock();
        held.clients -= 1;
        for prefix in std::mem::take(&mut session.prefixes) {
            held.remove(&prefix, session.info.id);
        }
        self.publish(node, &held);
    }

    /// Lets others see, without the lock, whether anything is to be done.
    fn publish(&self, node: &Node, held: &Prefixes) {
        self.client_count.store(held.clients, Ordering::Relaxed);
        self.prefix_count.store(held.by_name.len(), Ordering::Relaxed);
        node.set_noted(NOTES_CHANGES, held.clients > 0);
    }

    fn segment(&self, key: &[u8]) -> &Mutex<Segment> {
        &self.segments[usize::from(Place::of(key).shard) % SEGMENTS]
    }

    /// A connection has read `key`, whose shard's lock the caller holds.
    fn remember(&self, clients: &Clients, key: &[u8], client: u64) {
        let mut segment = self.segment(key).lock();
        if let Some(readers) = segment.readers.get_mut(key) {
            let more = readers.enter(client, |id| clients.get(id).is_some());
            // Fewer are a large number that wraps.
            self.items.fetch_add(more.cast_unsigned(), Ordering::Relaxed);
            return;
        }
        let key: Arc<[u8]> = key.into();
        let at = segment.order.len();
        segment.order.push(Arc::clone(&key));
        segment.readers.insert(key, Readers::new(at, client));
        self.keys.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(1, Ordering::Relaxed);
    }

    /// `by` has changed `key`, whose shard's lock the caller holds. `None` if nobody minds.
    pub(crate) fn change(&self, key: Box<[u8]>, by: u64) -> Option<Changed> {
        let readers = self.segment(&key).lock().take(&key);
        self.count_out(readers.as_ref());
        if readers.is_none() && self.prefix_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(Changed { key, by, readers: readers.unwrap_or_default() })
    }

    fn count_out(&self, readers: Option<&Ids>) {
        if let Some(readers) = readers {
            self.keys.fetch_sub(1, Ordering::Relaxed);
            self.items.fetch_sub(readers.len(), Ordering::Relaxed);
        }
    }

    /// Tells whoever minds of `changed`. Under the locks of the keys.
    pub(crate) fn tell(&self, node: &Node, changed: &[Changed]) {
        for Changed { key, by, readers } in changed {
            for &id in readers {
                tell_reader(node, id, *by, key);
            }
        }
        if self.prefix_count.load(Ordering::Relaxed) > 0 {
            self.broadcast(node, changed);
        }
    }

    /// Tells those who track by prefixes: one message for each of them and each prefix.
    fn broadcast(&self, node: &Node, changed: &[Changed]) {
        let mut below: BTreeMap<&[u8], Vec<&Changed>> = BTreeMap::new();
        let held = self.prefixes.lock();
        for one in changed {
            for beginning in held.beginnings(&one.key) {
                if let Some((prefix, _)) = held.by_name.get_key_value(beginning) {
                    below.entry(prefix).or_default().push(one);
                }
            }
        }
        for (prefix, changed) in below {
            for &id in held.by_name.get(prefix).into_iter().flatten() {
                let Some(target) = node.clients.get(id).filter(|c| c.tracks(flag::BCAST)) else {
                    continue;
                };
                let spares = if target.tracks(flag::NOLOOP) { id } else { 0 };
                // Each key once; there may be very many.
                let mut seen = ahash::HashSet::default();
                let told = changed.iter().filter(|one| spares == 0 || one.by != spares);
                let keys: Vec<&[u8]> =
                    told.map(|one| &*one.key).filter(|&key| seen.insert(key)).collect();
                if !keys.is_empty() {
                    send(node, &target, Some(&keys));
                }
            }
        }
    }

    /// Forgets every key. With the whole keyspace alone, or when all data has been replaced.
    pub(crate) fn clear(&self) {
        for segment in &self.segments {
            let taken = std::mem::take(&mut *segment.lock());
            for readers in taken.readers.values() {
                self.count_out(Some(&readers.clients));
            }
        }
    }

    /// Tells everybody who tracks that all keys have changed.
    pub(crate) fn tell_all(&self, node: &Node) {
        if self.clients() == 0 {
            return;
        }
        for client in node.clients.all() {
            if client.tracks(flag::ON) {
                send(node, &client, None);
            }
        }
    }

    /// All data has been replaced.
    pub fn flush(&self, node: &Node) {
        self.clear();
        self.tell_all(node);
    }

    /// Forgets keys by chance, and tells their readers so, until there are no more than
    /// `tracking-table-max-keys`. Needs no shard's lock: a reader that was entered meanwhile had noted
    /// before how far its mailbox had come.
    #[inline]
    pub fn limit(&self, node: &Node) {
        let max = node.settings.tracking_table_max_keys.get();
        let max = usize::try_from(max).unwrap_or(0);
        if max > 0 && self.keys.load(Ordering::Relaxed) > max {
            self.push_out(node, max);
        }
    }

    #[cold]
    fn push_out(&self, node: &Node, max: usize) {
        let mut random = Random::from_system();
        let mut empty = 0;
        while self.keys.load(Ordering::Relaxed) > max && empty < SEGMENTS {
            let index = self.next.fetch_add(1, Ordering::Relaxed) % SEGMENTS;
            let mut segment = self.segments[index].lock();
            if segment.order.is_empty() {
                empty += 1;
                continue;
            }
            empty = 0;
            let at = usize::try_from(random.below(segment.order.len() as u64)).unwrap_or(0);
            let Some(key) = segment.order.get(at).map(Arc::clone) else { continue };
            let readers = segment.take(&key);
            self.count_out(readers.as_ref());
            for id in readers.into_iter().flatten() {
                tell_reader(node, id, 0, &key);
            }
        }
    }
}

/// Notes the keys that `request` has read under the locks it still holds.
#[cold]
pub(crate) fn note_reads<'a>(
    node: &Node,
    client: &ClientInfo,
    keys: impl Iterator<Item = &'a [u8]>,
) {
    let flags = client.tracking.load(Ordering::Relaxed);
    let given = flags & flag::CACHING != 0;
    let left_out = if given { flag::OPTOUT } else { flag::OPTIN };
    if flags & (flag::BCAST | left_out) != 0 {
        return;
    }
    for key in keys {
        node.tracking.remember(&node.clients, key, client.id);
    }
    node.tracking.limit(node);
}

/// Tells one that has read `key`, unless it has stopped tracking or changed the key itself.
fn tell_reader(node: &Node, id: u64, by: u64, key: &[u8]) {
    let Some(target) = node.clients.get(id) else { return };
    let own = by == id && target.tracks(flag::NOLOOP);
    if target.tracks(flag::ON) && !target.tracks(flag::BCAST) && !own {
        send(node, &target, Some(&[key]));
    }
}

/// Sends a message about `keys` (all without any) to `target`, or to whom it redirects.
fn send(node: &Node, target: &ClientInfo, keys: Option<&[&[u8]]>) {
    let redirect = target.redirect.load(Ordering::Relaxed);
    if redirect == 0 {
        return post(node, target, false, |protocol| message(protocol, keys));
    }
    let open = |client: &Arc<ClientInfo>| !client.closing.load(Ordering::Relaxed);
    if let Some(to) = node.clients.get(redirect).filter(open) {
        return post(node, &to, true, |protocol| message(protocol, keys));
    }
    target.tracking.fetch_or(flag::BROKEN, Ordering::Relaxed);
    post(node, target, false, |protocol| {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, protocol);
        writer.push(2);
        writer.bulk(b"tracking-redir-broken");
        writer.integer(i64::try_from(redirect).unwrap_or(i64::MAX));
        out
    });
}

fn message(protocol: Protocol, keys: Option<&[&[u8]]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, protocol);
    if protocol == Protocol::Resp3 {
        writer.push(2);
        writer.bulk(b"invalidate");
    } else {
        writer.array(3);
        writer.bulk(b"message");
        writer.bulk(CHANNEL);
    }
    if let Some(keys) = keys {
        writer.array(keys.len());
        for key in keys {
            writer.bulk(key);
        }
    } else {
        writer.null();
    }
    out
}

fn post(node: &Node, to: &ClientInfo, redirected: bool, encode: impl Fn(Protocol) -> Vec<u8>) {
    let Some(mailbox) = node.mailboxes().get(to.loop_index) else { return };
    let (resp2, resp3) = (encode(Protocol::Resp2).into(), encode(Protocol::Resp3).into());
    let (clients, via) = (vec![to.id], Via::Tracking(redirected));
    mailbox.send(Message::Push(Push { clients, via, resp2, resp3 }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Origin;

    #[test]
    fn a_key_is_compared_with_prefixes_of_their_own_lengths_only() {
        let mut held = Prefixes::default();
        let long = vec![b'a'; 40_000];
        held.add(&long, 1);
        held.add(b"a", 2);
        held.add(b"b", 2);
        held.add(b"b", 3);
        let lens = |held: &Prefixes, key: &[u8]| -> Vec<usize> {
            held.beginnings(key).map(<[u8]>::len).collect()
        };
        assert_eq!(lens(&held, &long), [1, 40_000]);
        assert_eq!(lens(&held, &long[1..]), [1]);
        held.remove(b"a", 2);
        held.remove(b"b", 2);
        assert_eq!(lens(&held, &long), [1, 40_000], "another has this one");
        held.remove(b"b", 3);
        held.remove(b"never given", 3);
        assert_eq!(lens(&held, &long), [40_000]);
        held.remove(&long, 1);
        assert!(lens(&held, &long).is_empty() && held.by_name.is_empty());
    }

    #[test]
    fn readers_that_come_and_go_do_not_pile_up() {
        let (tracking, clients) = (Tracking::default(), Clients::default());
        let stays: Vec<u64> = (0..50).map(|_| clients.add(Origin::default()).id).collect();
        for &id in &stays {
            tracking.remember(&clients, b"key", id);
        }
        for _ in 0..10_000 {
            let id = clients.add(Origin::default()).id;
            tracking.remember(&clients, b"key", id);
            tracking.remember(&clients, b"key", id);
            clients.remove(id);
            assert!(tracking.counts().1 <= 2 * (stays.len() + 1), "{:?}", tracking.counts());
        }
        let readers = tracking.segment(b"key").lock().take(b"key").unwrap_or_default();
        assert_eq!(tracking.counts(), (1, readers.len(), 0));
        assert!(stays.iter().all(|id| readers.contains(id)), "whoever is there is told");
    }

    /// What it costs to look through them is spread over those that were entered.
    #[test]
    fn readers_are_looked_through_as_often_as_they_double() {
        let looks = std::cell::Cell::new(0);
        let is_there = |id: u64| {
            looks.set(looks.get() + 1);
            id.is_multiple_of(100) || id < 1_000
        };
        let mut readers = Readers::new(0, 1);
        for id in 2..100_000 {
            readers.enter(id, is_there);
        }
        assert!(looks.get() <= 2 * 100_000, "{} looks", looks.get());
    }
}
